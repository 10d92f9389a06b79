//! `serve`: the receiver, until it is told to stop.

use std::process::ExitCode;

use crate::config::settings::Settings;
use crate::{service, telemetry};

/// Ends when the service has stopped: softly if it could, and then with 0.
pub(super) async fn run(settings: Settings) -> anyhow::Result<ExitCode> {
    telemetry::init_logs(&settings.log);
    service::run(settings).await?;
    Ok(ExitCode::SUCCESS)
}
