//! `audit`: who did what, when, from where and why.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::open_memory;
use super::output::{self, dash, table, time};
use crate::config::settings::Settings;
use crate::store::ledger::{Entry, EntryFilter};
use crate::store::{Ledger as _, Store as _};

/// Newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver audit --what token.reveal
  mdes-receiver audit --about mdes:DM4MMC0001
  mdes-receiver audit --who 'command line'")]
pub(super) struct AuditArgs {
    /// Of that operator, or `command line`.
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// That act: token.reveal
    #[arg(long, value_name = "ACT")]
    what: Option<String>,
    /// About that: a token as mdes:REFERENCE
    #[arg(long, value_name = "THING")]
    about: Option<String>,
    /// Go on after this entry.
    #[arg(long, value_name = "ID")]
    after: Option<Uuid>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &AuditArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let which = EntryFilter {
        who: args.who.clone(),
        what: args.what.clone(),
        about: args.about.clone(),
    };
    let entries = memory.entries(&which, args.after, args.limit).await;
    memory.close().await;
    let entries = entries?;
    if args.json {
        output::print_json(&json!(entries));
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 7]> = entries.iter().map(row).collect();
    let header = ["AT", "WHO", "FROM", "WHAT", "ABOUT", "OUTCOME", "WHY"];
    output::print(&table(header, &rows));
    if let Some(last) = entries.last().filter(|_| entries.len() >= args.limit as usize) {
        output::print(&format!("there may be more: --after {}\n", last.id));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(entry: &Entry) -> [String; 7] {
    [
        time(Some(entry.at)),
        entry.who.clone(),
        entry.came_from.clone(),
        entry.what.clone(),
        entry.about.clone(),
        entry.outcome.clone(),
        entry.why.clone().unwrap_or_else(dash),
    ]
}
