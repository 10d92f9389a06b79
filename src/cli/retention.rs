//! `retention`: lets go of what is old, or says what would go.
//!
//! The receiver does the same by itself, once in `retention.every`; here it is done at once, on the store.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use super::output::{self, rfc3339, table, time};
use super::progress::Progress;
use super::{NOT_WELL, hand, open_memory};
use crate::clock::SystemClock;
use crate::config::settings::Settings;
use crate::maintenance::{Ended, Retention, Run};
use crate::store::ledger::{BEGUN, Deed};
use crate::store::retention::{Dropped, Kept};
use crate::store::{Ledger as _, Memory, Store as _};
use crate::telemetry::Metrics;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver retention --dry-run        what would go now, and what is old but needed
  mdes-receiver retention                  let go of it now, in small steps

What stays for how long: [retention] in the configuration. Stopped in the middle, it goes on where it is with the next run.")]
pub(super) struct RetentionArgs {
    /// Look, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &RetentionArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = carried_out(args, settings, &memory).await;
    memory.close().await;
    done
}

async fn carried_out(args: &RetentionArgs, settings: &Settings, memory: &Arc<Memory>) -> anyhow::Result<ExitCode> {
    let policy = settings.retention;
    let retention = Retention::new(memory.clone(), policy, Arc::new(SystemClock), Metrics::new());
    let mut progress = Progress::new();
    let mut told = |kept: Kept, dropped: &Dropped| {
        progress.tell(|| format!("{}: {}", kept.table(), dropped.rows));
    };
    let run = match args.dry_run {
        true => Some(retention.count(&mut told).await?),
        false => audited(memory, &retention, &mut told).await?,
    };
    drop(progress);
    let Some(run) = run else {
        output::tell("another one is at it: a receiver, or a command like this; try again in two minutes");
        return Ok(ExitCode::from(NOT_WELL));
    };
    match args.json {
        true => output::print_json(&shown_json(&run, args.dry_run)),
        false => output::print(&shown(&run, args.dry_run)),
    }
    if run.ended == Ended::Done {
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(format_args!(
        "broken off: {}; run it again to go on",
        run.ended.as_str()
    ));
    Ok(ExitCode::from(NOT_WELL))
}

/// The audit has it before it begins; a crash on the way leaves that entry.
async fn audited(
    memory: &Memory,
    retention: &Retention,
    told: &mut (dyn FnMut(Kept, &Dropped) + Send),
) -> anyhow::Result<Option<Run>> {
    let deed = Deed::on("retention.run", "what is old");
    memory.note(&hand(None), &deed, BEGUN).await?;
    let run = retention.run(told).await?;
    let outcome = match &run {
        Some(run) => format!("{}: {} rows went", run.ended.as_str(), run.rows()),
        None => "another one was at it".to_owned(),
    };
    memory.note(&hand(None), &deed, &outcome).await?;
    Ok(run)
}

fn shown(run: &Run, dry_run: bool) -> String {
    let mut rows = Vec::new();
    for (kept, before, dropped) in &run.kinds {
        rows.push([
            kept.table().to_owned(),
            time(Some(*before)),
            dropped.rows.to_string(),
            time(dropped.oldest),
            time(dropped.newest),
            dropped.needed.to_string(),
        ]);
        if let Some(beside) = kept.table_beside() {
            let none = output::dash;
            rows.push([
                beside.to_owned(),
                none(),
                dropped.beside.to_string(),
                none(),
                none(),
                none(),
            ]);
        }
    }
    let gone = if dry_run { "WOULD GO" } else { "GONE" };
    table(["TABLE", "BEFORE", gone, "OLDEST", "NEWEST", "OLD BUT NEEDED"], &rows)
}

fn shown_json(run: &Run, dry_run: bool) -> Value {
    let kind = |(kept, before, dropped): &(Kept, time::OffsetDateTime, Dropped)| {
        json!({
            "table": kept.table(),
            "before": rfc3339(*before),
            "rows": dropped.rows,
            "table_beside": kept.table_beside(),
            "rows_beside": dropped.beside,
            "oldest": dropped.oldest.map(rfc3339),
            "newest": dropped.newest.map(rfc3339),
            "old_but_needed": dropped.needed,
        })
    };
    json!({
        "dry_run": dry_run,
        "ended": run.ended.as_str(),
        "kinds": run.kinds.iter().map(kind).collect::<Vec<_>>(),
    })
}
