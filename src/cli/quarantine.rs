//! `quarantine`: what came in and could not be used.
//!
//! It never shows a body: `inspect` does that, with the keys. Nothing is ever deleted here.

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::output::{self, dash, pairs, rfc3339, table, time};
use super::progress::Progress;
use super::{NOT_WELL, because, hand, open_memory};
use crate::clock::SystemClock;
use crate::config::settings::Settings;
use crate::domain::id::QuarantineId;
use crate::inbox::Redriven;
use crate::service;
use crate::store::ledger::{BEGUN, Deed};
use crate::store::{KeptQuarantine, Ledger as _, Memory, QuarantineFilter, Resolution, SharedStore, Store as _};

const PAGE: u32 = 1_000;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver quarantine list
  mdes-receiver quarantine list --reason CRYPTOGRAPHY_ERROR
  mdes-receiver quarantine redrive --all                       # after a missing key was added
  mdes-receiver quarantine resolve 0198… --reason \"probe of our own monitoring\"

A key that is added redrives by itself what was quarantined for want of it.")]
pub(super) struct QuarantineArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What is open, oldest first.
    List {
        /// What was resolved, too.
        #[arg(long)]
        all: bool,
        /// Only entries with this reason.
        #[arg(long)]
        reason: Option<String>,
        /// Begin after this entry.
        #[arg(long, value_name = "ID")]
        after: Option<QuarantineId>,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// One entry: when, from whom, why; not what it says.
    Show {
        /// Its id.
        id: QuarantineId,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Set an entry aside for good, and say why. It is kept.
    Resolve {
        /// Its id.
        id: QuarantineId,
        /// Why, for whoever looks at it next year.
        #[arg(long, value_name = "TEXT", alias = "because", value_parser = super::deliveries::reason)]
        reason: String,
    },
    /// Read entries again, through the same door by which they came in.
    Redrive {
        /// Their ids.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<QuarantineId>,
        /// All that are open.
        #[arg(long)]
        all: bool,
    },
}

pub(super) async fn run(args: &QuarantineArgs, settings: &Settings, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let store: SharedStore = memory.clone();
    let done = match &args.command {
        Command::List {
            all,
            reason,
            after,
            limit,
            json,
        } => {
            let which = QuarantineFilter {
                open: !all,
                reason: reason.clone(),
                not_tried_with: None,
            };
            list(&store, &which, *after, *limit, *json).await
        }
        Command::Show { id, json } => show(&store, *id, *json).await,
        Command::Resolve { id, reason } => resolve(&memory, *id, reason, now).await,
        Command::Redrive { ids, all } => {
            let ids = if *all { open_ids(&store).await? } else { ids.clone() };
            redrive(&memory, settings, &ids).await
        }
    };
    store.close().await;
    done
}

async fn list(
    store: &SharedStore,
    which: &QuarantineFilter,
    after: Option<QuarantineId>,
    limit: u32,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let entries = store.quarantined(which, after, limit).await?;
    if as_json {
        output::print_json(&entries.iter().map(entry_json).collect());
        return Ok(ExitCode::SUCCESS);
    }
    let row = |entry: &KeptQuarantine| {
        [
            entry.id.to_string(),
            time(Some(entry.received_at)),
            entry.reason.clone(),
            entry.detail.clone(),
            entry.peer.name.clone(),
            entry.resolved_at.map_or_else(|| "open".to_owned(), |at| time(Some(at))),
        ]
    };
    let rows: Vec<[String; 6]> = entries.iter().map(row).collect();
    output::print(&table(
        ["ID", "RECEIVED", "REASON", "DETAIL", "PEER", "RESOLVED"],
        &rows,
    ));
    if let Some(last) = entries.last().filter(|_| u64::from(limit) <= entries.len() as u64) {
        output::print(&format!("there may be more: --after {}\n", last.id));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(store: &SharedStore, id: QuarantineId, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some(entry) = store.quarantine_entry(id).await? else {
        return Ok(not_there(id));
    };
    if as_json {
        output::print_json(&entry_json(&entry));
        return Ok(ExitCode::SUCCESS);
    }
    let part_of = entry
        .notification
        .map(|(id, index)| format!("notification {id}, tokens[{index}]"));
    output::print(&pairs(&[
        ("id", entry.id.to_string()),
        ("received", time(Some(entry.received_at))),
        ("peer", format!("{} from {}", entry.peer.name, entry.peer.address)),
        ("reason", entry.reason),
        ("detail", entry.detail),
        ("part of", part_of.unwrap_or_else(dash)),
        ("bytes", entry.body_bytes.to_string()),
        ("sealed by", format!("{:?}", entry.sealed_by).to_lowercase()),
        ("tried again", format!("{} times in vain", entry.tries)),
        ("resolved", time(entry.resolved_at)),
        ("how", entry.resolution.unwrap_or_else(dash)),
    ]));
    Ok(ExitCode::SUCCESS)
}

async fn resolve(memory: &Memory, id: QuarantineId, reason: &str, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let store = because(memory, Some(reason));
    let resolution = Resolution::SetAside(reason.to_owned());
    if store.resolve(id, &resolution, now).await? {
        output::print(&format!("{id} set aside\n"));
        return Ok(ExitCode::SUCCESS);
    }
    if store.quarantine_entry(id).await?.is_none() {
        return Ok(not_there(id));
    }
    output::tell(format_args!(
        "quarantine entry {id} was resolved before: `mdes-receiver quarantine show {id}` says how"
    ));
    Ok(ExitCode::from(NOT_WELL))
}

/// Reads these entries again, as the inbox does with an arrival, and says for each what became of it. The audit has each
/// before it is read; a crash after that leaves it open or recorded.
async fn redrive(store: &Arc<Memory>, settings: &Settings, ids: &[QuarantineId]) -> anyhow::Result<ExitCode> {
    let inbox = service::inbox(settings, store.clone(), Arc::new(SystemClock))?;
    let (mut still_open, mut progress) = (0, Progress::new());
    for (place, id) in ids.iter().enumerate() {
        let Some(entry) = store.quarantine_entry(*id).await? else {
            return Ok(not_there(*id));
        };
        let deed = Deed::on_id("quarantine.redrive", id);
        store.note(&hand(None), &deed, BEGUN).await?;
        let outcome = match inbox.redrive(&entry).await? {
            Redriven::Recorded(notification) => format!("recorded as notification {notification}"),
            Redriven::NotOpen => "was resolved before".to_owned(),
            Redriven::StillUnreadable { reason, detail } => {
                still_open += 1;
                format!("still cannot be read: {reason}: {detail}")
            }
        };
        store.note(&hand(None), &deed, &outcome).await?;
        output::print(&format!("{} of {}  {id}  {outcome}\n", place + 1, ids.len()));
        progress.bar(place as u64 + 1, ids.len() as u64, "");
    }
    Ok(if still_open == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    })
}

async fn open_ids(store: &SharedStore) -> anyhow::Result<Vec<QuarantineId>> {
    let which = QuarantineFilter {
        open: true,
        ..QuarantineFilter::default()
    };
    let mut ids: Vec<QuarantineId> = Vec::new();
    loop {
        let page = store.quarantined(&which, ids.last().copied(), PAGE).await?;
        let complete = page.len() < PAGE as usize;
        ids.extend(page.iter().map(|entry| entry.id));
        if complete {
            return Ok(ids);
        }
    }
}

fn not_there(id: QuarantineId) -> ExitCode {
    output::tell(format_args!(
        "no quarantine entry {id}: `mdes-receiver quarantine list --all` shows those that there are"
    ));
    ExitCode::from(NOT_WELL)
}

fn entry_json(entry: &KeptQuarantine) -> Value {
    json!({
        "id": entry.id,
        "received_at": rfc3339(entry.received_at),
        "peer": entry.peer,
        "reason": entry.reason,
        "detail": entry.detail,
        "notification_id": entry.notification.map(|(id, _)| id),
        "token_index": entry.notification.map(|(_, index)| index),
        "body_bytes": entry.body_bytes,
        "sealed_by": entry.sealed_by,
        "keys_tried": entry.keys_tried,
        "tries": entry.tries,
        "resolved_at": entry.resolved_at.map(rfc3339),
        "resolution": entry.resolution,
    })
}
