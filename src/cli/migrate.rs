//! `migrate`: brings the schema up to this version; from several machines at once if need be.

use std::process::ExitCode;

use super::{open_store, output};
use crate::config::settings::Settings;

pub(super) async fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let store = open_store(settings).await?;
    let migrated = store.migrate().await;
    store.close().await;
    let migrated = migrated?;
    let done = match migrated.applied {
        0 => "was up to date".to_owned(),
        1 => "1 step applied".to_owned(),
        steps => format!("{steps} steps applied"),
    };
    output::print(&format!("schema version {}: {done}\n", migrated.version));
    Ok(ExitCode::SUCCESS)
}
