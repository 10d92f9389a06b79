//! Watching a reconcile: how far it is, how fast it goes, how long it will take.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::progress::{Progress, bar};
use crate::cli::{NOT_WELL, output};
use crate::domain::id::ReconcileId;
use crate::store::asking::KeptReconcile;
use crate::store::{Asking as _, Memory};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A receiver that runs takes one up at once.
const HINT_AFTER: Duration = Duration::from_secs(8);

/// Shows it on standard error until it ends; Ctrl-C leaves it at work. Exit code 0 if nothing stayed different or unanswered.
pub(super) async fn shown(id: ReconcileId, memory: &Memory) -> anyhow::Result<ExitCode> {
    let watching = watch(id, memory);
    tokio::select! {
        ended = watching => ended,
        _ = tokio::signal::ctrl_c() => {
            output::tell(format_args!("it goes on: `mdes-receiver reconcile watch {id}`, or `… stop {id}`"));
            Ok(ExitCode::from(NOT_WELL))
        }
    }
}

async fn watch(id: ReconcileId, memory: &Memory) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let (mut progress, mut hinted) = (Progress::new(), false);
    loop {
        let Some(kept) = memory.reconcile(id).await? else {
            output::tell("no reconcile has that id: `mdes-receiver reconcile list` shows those that there are");
            return Ok(ExitCode::from(NOT_WELL));
        };
        let done = kept.counts.all();
        if kept.ended_at.is_some() {
            output::note(format_args!("{}{}", bar(done, kept.total.unwrap_or(done)), more(&kept)));
            return Ok(code(&kept));
        }
        match kept.total {
            Some(total) => progress.bar(done, total, &more(&kept)),
            None => progress.tell(|| "waiting for a receiver to take it up".to_owned()),
        }
        if !hinted && kept.total.is_none() && begun.elapsed() > HINT_AFTER {
            hinted = true;
            output::tell("nobody has taken it up yet: does the receiver run (`mdes-receiver serve`) on this store?");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn code(kept: &KeptReconcile) -> ExitCode {
    let is_whole = !kept.stopped && kept.counts.unanswered == 0 && (kept.counts.differs == 0 || kept.dry_run);
    if is_whole {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    }
}

/// `  3 repaired  1 unanswered`: what came of it so far.
fn more(kept: &KeptReconcile) -> String {
    let mut more = String::new();
    let counts = kept.counts;
    for (count, word) in [
        (counts.repaired, "repaired"),
        (
            counts.differs,
            if kept.dry_run { "would be repaired" } else { "differ" },
        ),
        (counts.not_there, "not there"),
        (counts.unanswered, "unanswered"),
    ] {
        if count > 0 {
            more += &format!("  {count} {word}");
        }
    }
    if kept.stopped {
        more += "  stopped";
    }
    more
}
