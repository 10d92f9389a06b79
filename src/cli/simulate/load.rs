//! `simulate --load`: many new notifications, measured.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use time::OffsetDateTime;

use super::show;
use crate::cli::progress::Progress;
use crate::cli::{misuse, output};
use crate::simulator::load::{self, Plan, REQUESTS_MAX, Report};
use crate::simulator::seal::Sealer;
use crate::simulator::sender::Sender;

/// What a load is told.
#[derive(Debug, clap::Args)]
pub(super) struct LoadArgs {
    /// Send so many new notifications as fast as they are answered, and measure
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=REQUESTS_MAX as i64))]
    load: Option<u32>,
    /// Send for so long instead, at --rate
    #[arg(long, value_name = "SECONDS", requires = "rate", conflicts_with = "load", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    duration: Option<u32>,
    /// Over so many kept connections
    #[arg(long, value_name = "C", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Each over a connection of its own, whose handshake counts; so many at once as --connections says
    #[arg(long)]
    afresh: bool,
    /// About so many tokens
    #[arg(long, value_name = "T", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tokens: u32,
    /// So many a second, evenly, whether or not they are answered; each answer is measured from when its request was due
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Stop after so many seconds in any case
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    load_deadline: u64,
    /// Write the requestId of everything that was acknowledged into this file, one a line
    #[arg(long, value_name = "FILE")]
    acknowledged: Option<PathBuf>,
}

impl LoadArgs {
    /// Each over a connection of its own.
    pub(super) fn afresh(&self) -> bool {
        self.afresh
    }

    /// What is to be sent, if anything is.
    pub(super) fn plan(&self) -> anyhow::Result<Option<Plan>> {
        let by_time = self.duration.zip(self.rate);
        let by_time = by_time.map(|(seconds, rate)| u64::from(seconds) * u64::from(rate));
        let Some(requests) = self.load.map(u64::from).or(by_time) else {
            return Ok(None);
        };
        if requests > REQUESTS_MAX as u64 {
            return Err(misuse(format_args!(
                "--rate times --duration is {requests}: at most {REQUESTS_MAX} are sealed beforehand"
            )));
        }
        Ok(Some(Plan {
            requests: requests as usize,
            connections: self.connections as usize,
            tokens: self.tokens as usize,
            deadline: Duration::from_secs(self.load_deadline),
            rate: self.rate,
            afresh: self.afresh,
        }))
    }

    /// Sends it all; says whether all of it was accepted.
    pub(super) async fn run(
        &self,
        plan: Plan,
        sender: Sender,
        sealer: Sealer,
        (seed, now): (u64, OffsetDateTime),
        as_json: bool,
    ) -> anyhow::Result<bool> {
        let mut progress = Progress::new();
        progress.tell(|| format!("sealing {} bodies", plan.requests));
        let sealing = tokio::task::spawn_blocking(move || load::sealed_bodies(&plan, &sealer, seed, now));
        let sealed = sealing.await??;
        let done = Arc::new(AtomicUsize::new(0));
        let loading = load::run(Arc::new(sender), sealed, &plan, Arc::clone(&done));
        let report: Report = tokio::select! {
            report = loading => report,
            never = told(&done, plan.requests, progress) => match never {},
        };
        if let Some(file) = &self.acknowledged {
            let ids = report.acknowledged.iter().map(|id| format!("{id}\n"));
            std::fs::write(file, ids.collect::<String>())
                .with_context(|| format!("--acknowledged {}", file.display()))?;
        }
        match as_json {
            true => output::print(&output::json_line(&serde_json::to_value(&report)?)),
            false => output::print(&show::report(&report, &plan)),
        }
        Ok(report.passed(&plan))
    }
}

/// Until it is dropped, which takes the line away.
async fn told(done: &AtomicUsize, of: usize, mut progress: Progress) -> Infallible {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        progress.bar(done.load(Ordering::Relaxed) as u64, of as u64, "");
    }
}
