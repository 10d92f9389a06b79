//! `alarms`: what needs a person, as the receivers that run see it.

use std::process::ExitCode;

use clap::Args;
use time::{Duration, OffsetDateTime};

use super::output::{self, dash, table, time};
use super::{NOT_WELL, open_memory};
use crate::config::settings::Settings;
use crate::store::Alarms as _;
use crate::store::alarms::{KeptAlarm, Standing};

/// A receiver that runs looks far more often.
const LOOKS_WITHIN: Duration = Duration::minutes(2);

#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing needs a person · 1 something does, or no receiver looks · 2 the call or the configuration is wrong

What each of them means and what is done about it: docs/runbook.md, by the name of the alert")]
pub(super) struct AlarmsArgs {
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &AlarmsArgs, settings: &Settings, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let standing = open_memory(settings).await?.alarms().await?;
    match args.json {
        true => output::print_json(&standing.shown()),
        false => output::print(&shown(&standing)),
    }
    let unwatched = unwatched(&standing, now);
    if let Some(unwatched) = &unwatched {
        output::tell(unwatched);
    }
    match standing.alarms.is_empty() && unwatched.is_none() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::from(NOT_WELL)),
    }
}

/// That nothing needs a person is said by who looks, and else by nobody.
fn unwatched(standing: &Standing, now: OffsetDateTime) -> Option<String> {
    match standing.looked_at {
        Some(at) if now - at <= LOOKS_WITHIN => None,
        Some(at) => Some(format!(
            "no receiver has looked since {}: this is as it was then; see whether one runs: `mdes-receiver check --health`",
            time(Some(at))
        )),
        None => Some("no receiver has ever looked: start one with `mdes-receiver serve`".to_owned()),
    }
}

fn shown(standing: &Standing) -> String {
    let row = |kept: &KeptAlarm| {
        let alarm = &kept.alarm;
        [
            alarm.alert.as_str().to_owned(),
            if alarm.about.is_empty() {
                dash()
            } else {
                alarm.about.clone()
            },
            time(Some(kept.raised_at)),
            alarm.says.clone(),
            alarm.alert.next_step().to_owned(),
        ]
    };
    let rows: Vec<[String; 5]> = standing.alarms.iter().map(row).collect();
    table(["ALERT", "ABOUT", "SINCE", "", "NEXT"], &rows)
}
