//! Watching a reconcile: how far it is, how fast it goes, how long it will take.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::cli::NOT_WELL;
use crate::domain::id::ReconcileId;
use crate::store::asking::KeptReconcile;
use crate::store::{Asking as _, Memory};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Where nobody sits before it, a line for the log so often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// A receiver that runs takes one up at once.
const HINT_AFTER: Duration = Duration::from_secs(8);
const BAR_CHARS: u64 = 30;

/// Shows it on standard error until it ends; Ctrl-C leaves it at work. Exit code 0 if nothing stayed different or unanswered.
pub(super) async fn shown(id: ReconcileId, memory: &Memory) -> anyhow::Result<ExitCode> {
    let watching = watch(id, memory);
    tokio::select! {
        ended = watching => ended,
        _ = tokio::signal::ctrl_c() => {
            eprintln!("\nit goes on: `mdes-receiver reconcile watch {id}`, or `… stop {id}`");
            Ok(ExitCode::from(NOT_WELL))
        }
    }
}

async fn watch(id: ReconcileId, memory: &Memory) -> anyhow::Result<ExitCode> {
    let on_terminal = std::io::stderr().is_terminal();
    let begun = Instant::now();
    let (mut lined, mut hinted, mut first) = (None::<Instant>, false, None);
    loop {
        let Some(kept) = memory.reconcile(id).await? else {
            eprintln!("no reconcile has that id: `mdes-receiver reconcile list` shows those that there are");
            return Ok(ExitCode::from(NOT_WELL));
        };
        let first = *first.get_or_insert((Instant::now(), kept.counts.all()));
        let line = line(&kept, first);
        let ended = kept.ended_at.is_some();
        if on_terminal {
            let end = if ended { "\n" } else { "" };
            eprint!("\r\x1b[2K{line}{end}");
            let _ = std::io::stderr().flush(); // a bar that does not show is no error
        } else if ended || lined.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            eprintln!("{line}");
            lined = Some(Instant::now());
        }
        if ended {
            return Ok(code(&kept));
        }
        if !hinted && kept.total.is_none() && begun.elapsed() > HINT_AFTER {
            hinted = true;
            eprintln!("nobody has taken it up yet: does the receiver run (`mdes-receiver serve`) on this store?");
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

/// `[#########.....................]  312 of 1000  2.0/s  6 min left  3 repaired`
fn line(kept: &KeptReconcile, (since, from): (Instant, u64)) -> String {
    let done = kept.counts.all();
    let Some(total) = kept.total else {
        return "waiting for a receiver to take it up".to_owned();
    };
    let filled = (done * BAR_CHARS)
        .checked_div(total)
        .unwrap_or(BAR_CHARS)
        .min(BAR_CHARS);
    let bar: String = (0..BAR_CHARS)
        .map(|place| if place < filled { '#' } else { '.' })
        .collect();
    let rate = (done - from) as f64 / since.elapsed().as_secs_f64().max(0.001);
    let mut line = format!("[{bar}]  {done} of {total}");
    if kept.ended_at.is_none() && rate > 0.0 {
        let left = (total.saturating_sub(done)) as f64 / rate;
        line += &format!("  {rate:.1}/s  {} left", long(left as u64));
    }
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
            line += &format!("  {count} {word}");
        }
    }
    if kept.stopped {
        line += "  stopped";
    }
    line
}

fn long(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}
