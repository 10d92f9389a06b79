//! Assembles the house from its settings, runs it, and stops it.

use crate::config::settings::Settings;

/// Not assembled yet.
pub async fn run(_settings: Settings) -> anyhow::Result<()> {
    anyhow::bail!("the service is not part of this build")
}
