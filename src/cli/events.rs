//! `events`: what merchants are told, in the order of commits.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::open_memory;
use super::output::{self, dash, table, time};
use crate::config::settings::Settings;
use crate::domain::event::Pattern;
use crate::domain::id::TokenReference;
use crate::store::outbox::{KeptEvent, Outbox as _};
use crate::store::{Memory, Store as _};

#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// From the oldest that is kept, or after a cursor.
    List {
        /// Begin after this cursor.
        #[arg(long, value_name = "CURSOR", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
        after: u64,
        /// Look at how many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// Only of these types: token.suspended,card.*
        #[arg(long, value_delimiter = ',', value_parser = super::deliveries::pattern)]
        types: Vec<Pattern>,
        /// For programs: the bodies, one JSON object a line.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: &EventsArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let Command::List {
        after,
        limit,
        types,
        json,
    } = &args.command;
    let done = list(&memory, *after, *limit, types, *json).await;
    memory.close().await;
    done
}

async fn list(memory: &Memory, after: u64, limit: u32, types: &[Pattern], as_json: bool) -> anyhow::Result<ExitCode> {
    let page = memory.events(after, limit).await?;
    let wanted = |kept: &&KeptEvent| {
        let kind = kept.event.kind.as_str();
        types.is_empty() || types.iter().any(|pattern| pattern.fits(kind))
    };
    let items: Vec<&KeptEvent> = page.items.iter().filter(wanted).collect();
    if after > 0 && after < page.oldest {
        output::tell(format_args!(
            "the events from {after} to {} are no longer kept",
            page.oldest
        ));
    }
    if as_json {
        for kept in &items {
            output::print(&output::json_line(&kept.body()));
        }
    } else {
        let rows: Vec<[String; 6]> = items.iter().map(|kept| row(kept)).collect();
        output::print(&table(["CURSOR", "AT", "TYPE", "TOKEN", "STATUS", "ADVICE"], &rows));
    }
    if page.next < page.newest {
        output::tell(format_args!("there is more: --after {}", page.next));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(kept: &KeptEvent) -> [String; 6] {
    let data = &kept.event.data;
    let token = TokenReference {
        namespace: data.namespace,
        reference: data.token_unique_reference.clone(),
    };
    [
        kept.position.to_string(),
        time(Some(kept.event.timestamp)),
        kept.event.kind.as_str().to_owned(),
        token.shown(),
        data.status.clone().unwrap_or_else(dash),
        data.advice.as_str().to_owned(),
    ]
}
