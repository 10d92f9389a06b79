//! `check`: looks at everything that can be wrong, and changes nothing.
//!
//! One line for each finding; what is not well says what to do next.

mod certificates;
mod destinations;
mod findings;
mod keys;
mod lifecycle;
mod memory;
mod ports;
mod probe;
mod public_name;
mod server;

use std::process::ExitCode;

use clap::Args;
use time::OffsetDateTime;

use self::findings::Findings;
use super::{NOT_WELL, output};
use crate::config;
use crate::config::settings::Settings;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver --config receiver.toml check
  mdes-receiver check --json | jq '.[] | select(.level != \"ok\")'
  mdes-receiver check --health       # for supervisors: asks the running receiver for /readyz, within 2 s

Exit codes: 0 no FAIL · 1 at least one FAIL")]
pub(super) struct CheckArgs {
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Only ask the running receiver, on its admin listener, whether it is ready.
    #[arg(long, conflicts_with = "json")]
    health: bool,
}

/// A configuration that cannot be loaded is the first finding, and the last.
pub(super) async fn run(
    args: &CheckArgs,
    settings: Result<Settings, config::Error>,
    now: OffsetDateTime,
) -> anyhow::Result<ExitCode> {
    if args.health {
        return health(&settings?).await;
    }
    let mut findings = Findings::default();
    match settings {
        Ok(settings) => {
            findings.ok("configuration", "every key is known and its value possible");
            examine(&settings, now, &mut findings).await;
        }
        Err(error) => findings.fail(
            "configuration",
            error.to_string(),
            "config/example.toml explains every key",
        ),
    }
    if args.json {
        output::print_json(&findings.json());
    } else {
        output::print(&findings.text());
    }
    Ok(if findings.failed() {
        ExitCode::from(NOT_WELL)
    } else {
        ExitCode::SUCCESS
    })
}

async fn examine(settings: &Settings, now: OffsetDateTime, findings: &mut Findings) {
    certificates::door(&settings.callback, now, findings);
    certificates::admin(&settings.admin, now, findings);
    if let Some(callbacks) = &settings.tokenex_callbacks {
        certificates::callbacks(callbacks, now, findings);
    }
    keys::examine(settings, now, findings);
    memory::examine(&settings.store, findings).await;
    destinations::examine(settings, now, findings).await;
    lifecycle::examine(&settings.lifecycle, findings);
    if let Some(probe) = &settings.probe {
        public_name::examine(probe, now, findings);
    }
    ports::examine(settings, findings).await;
}

async fn health(settings: &Settings) -> anyhow::Result<ExitCode> {
    let answer = probe::get(&settings.admin, "/readyz").await?;
    output::print(&output::escaped(answer.body.trim_end()));
    output::print("\n");
    Ok(if answer.status == 200 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    })
}
