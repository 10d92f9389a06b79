//! `serve`: the receiver, until it is told to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::output;
use crate::clock::SystemClock;
use crate::config::settings::{KeyFile, Settings};
use crate::service::{self, Reread};
use crate::telemetry;

/// Ends when the service has stopped: softly if it could, and then with 0.
/// `keys` reads the configuration's `[[keys]]` again, from `file` and what lies over it.
pub(super) async fn run(
    settings: Settings,
    file: Option<PathBuf>,
    keys: impl Fn() -> anyhow::Result<Vec<KeyFile>> + Send + Sync + 'static,
) -> anyhow::Result<ExitCode> {
    telemetry::init_logs(&settings.log, output::is_log_colored());
    let reread = Reread {
        file,
        keys: Box::new(keys),
    };
    service::run(settings, Arc::new(SystemClock), reread).await?;
    Ok(ExitCode::SUCCESS)
}
