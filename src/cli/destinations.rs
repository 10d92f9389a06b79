//! `destinations`: who is told, and how far they are; hold one, or let it go on.

mod secret;
mod test;

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::deliveries::{self, by};
use super::output::{self, dash, rfc3339, table, time};
use super::{NOT_WELL, because, misuse, open_memory};
use crate::config;
use crate::config::settings::Settings;
use crate::store::outbox::{KeptDestination, Outbox};
use crate::store::{Memory, Store};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver destinations secret > orders.secret                            # a new one, for `secret_files`
  mdes-receiver destinations test orders                                       # does it take what we send
  mdes-receiver destinations list
  mdes-receiver destinations pause orders --reason \"they deploy until 15:00\"    # its events go on accruing
  mdes-receiver destinations forget old-shop --yes --reason \"they closed\"        # it left the configuration
  mdes-receiver destinations resume orders                                     # they go out, in order")]
pub(super) struct DestinationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new secret for a webhook, and print it.
    Secret(secret::SecretArgs),
    /// Send a test event, once, and show the answer; it touches no token, and nothing is kept of it.
    Test {
        /// Its name in the configuration.
        name: String,
    },
    /// Those of the configuration, and those that were in it once.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Send nothing to it until it is resumed.
    Pause {
        /// Its name in the configuration.
        name: String,
        /// Why, for whoever wonders.
        #[arg(long, value_name = "TEXT", alias = "because", value_parser = deliveries::reason)]
        reason: String,
    },
    /// Let go of what one holds that left the configuration: it is never told of what it was not told by now.
    Forget {
        /// Its name, as the configuration called it.
        name: String,
        /// Why, for the audit.
        #[arg(long, value_name = "TEXT", value_parser = deliveries::reason)]
        reason: String,
        /// It cannot be undone, and you mean it.
        #[arg(long)]
        yes: bool,
    },
    /// Send to it again.
    Resume {
        /// Its name in the configuration.
        name: String,
    },
}

pub(super) async fn run(
    args: &DestinationsArgs,
    settings: impl FnOnce() -> Result<Settings, config::Error>,
) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Secret(args) => return secret::run(args),
        Command::Test { name } => return test::run(name, &settings()?).await,
        _ => {}
    }
    let settings = settings()?;
    let memory = open_memory(&settings).await?;
    let done = match &args.command {
        Command::Pause { name, reason } => pause(&memory, name, reason).await,
        Command::Forget { name, reason, yes } => forget(&memory, &settings, name, reason, *yes).await,
        Command::Resume { name } => set(&memory, name, None).await,
        Command::List { json: true } => list(&memory, &settings, true).await,
        _ => list(&memory, &settings, false).await,
    };
    memory.close().await;
    done
}

async fn list(memory: &Memory, settings: &Settings, as_json: bool) -> anyhow::Result<ExitCode> {
    let kept = memory.destinations().await?;
    let mut all: BTreeMap<&str, Option<&KeptDestination>> = BTreeMap::new();
    all.extend(settings.destinations.iter().map(|one| (one.name.as_str(), None)));
    all.extend(kept.iter().map(|one| (one.name.as_str(), Some(one))));
    let is_configured = |name: &str| settings.destinations.iter().any(|one| one.name == name);
    if as_json {
        let shown = |(name, kept): (&str, Option<&KeptDestination>)| {
            json!({
                "name": name,
                "configured": is_configured(name),
                "position": kept.map(|kept| kept.position),
                "behind": kept.map(|kept| kept.behind),
                "snapshotting": kept.is_some_and(|kept| kept.is_snapshotting),
                "open": kept.map(|kept| kept.open),
                "parked": kept.map(|kept| kept.parked),
                "oldest_open": kept.and_then(|kept| kept.oldest_open).map(rfc3339),
                "paused_at": kept.and_then(|kept| kept.paused.as_ref()).map(|(at, _)| rfc3339(*at)),
                "paused_reason": kept.and_then(|kept| kept.paused.as_ref()).map(|(_, why)| why),
            })
        };
        output::print_json(&all.into_iter().map(shown).collect());
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 6]> = all
        .into_iter()
        .map(|(name, kept)| row(name, kept, is_configured(name)))
        .collect();
    let header = ["DESTINATION", "BEHIND", "OPEN", "PARKED", "OLDEST OPEN", ""];
    output::print(&table(header, &rows));
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, kept: Option<&KeptDestination>, is_configured: bool) -> [String; 6] {
    let number = |number: Option<u64>| number.map_or_else(dash, |number| number.to_string());
    let remark = match kept {
        None => "not met yet: it begins when `serve` does".to_owned(),
        Some(kept) => match &kept.paused {
            Some((at, why)) => format!("paused {}: {why}", time(Some(*at))),
            None if !is_configured => "no longer in the configuration".to_owned(),
            None if kept.is_snapshotting => "its snapshot is being made".to_owned(),
            None => String::new(),
        },
    };
    [
        name.to_owned(),
        number(kept.map(|kept| kept.behind)),
        number(kept.map(|kept| kept.open)),
        number(kept.map(|kept| kept.parked)),
        time(kept.and_then(|kept| kept.oldest_open)),
        remark,
    ]
}

async fn pause(memory: &Memory, name: &str, reason: &str) -> anyhow::Result<ExitCode> {
    set(&because(memory, Some(reason)), name, Some(&by(reason))).await
}

/// Page by page: a crash leaves some set aside and the others open; the same call again does the rest.
async fn forget(memory: &Memory, settings: &Settings, name: &str, reason: &str, yes: bool) -> anyhow::Result<ExitCode> {
    if settings.destinations.iter().any(|one| one.name == name) {
        return Err(misuse(format_args!(
            "{name} is in the configuration: take it out there first, then restart the receivers"
        )));
    }
    let kept = memory.destinations().await?;
    let Some(one) = kept.iter().find(|one| one.name == name) else {
        return Ok(never_met(name));
    };
    if !yes {
        let waiting = one.open + one.behind;
        return Err(misuse(format_args!(
            "{waiting} events wait for {name}, and it is never told of them then: if you mean it, say --yes"
        )));
    }
    let forgotten = because(memory, Some(reason)).forget(name, &by(reason)).await?;
    let set_aside = forgotten.unwrap_or_default();
    output::print(&format!(
        "{name} is forgotten; {set_aside} deliveries to it were set aside\n"
    ));
    Ok(ExitCode::SUCCESS)
}

fn never_met(name: &str) -> ExitCode {
    let name = output::escaped(name);
    output::tell(format_args!(
        "no destination {name} was ever met: `mdes-receiver destinations list` shows those that were"
    ));
    ExitCode::from(NOT_WELL)
}

/// A crash before the commit leaves it as it was.
async fn set(memory: &Memory, name: &str, why: Option<&str>) -> anyhow::Result<ExitCode> {
    if !memory.destinations().await?.iter().any(|one| one.name == name) {
        return Ok(never_met(name));
    }
    let changed = memory.pause(name, why).await?;
    let state = if why.is_some() { "paused" } else { "not paused" };
    let already = if changed { "" } else { " already" };
    output::print(&format!("{name} is{already} {state}\n"));
    Ok(ExitCode::SUCCESS)
}
