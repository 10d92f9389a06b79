//! The desk's worker: claims what is due, asks and sends through the services, and writes each step before the next.
//!
//! It decides nothing: [`Command::after`] does. Each replica has one; a lease, not a lock, says who works on what. A
//! crash at any moment leaves the step before under its lease; who finds it then asks the service before anything else.
//!
//! [`Command::after`]: crate::domain::command::Command::after

mod case;
mod held;
mod told;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::case::Case;
use super::{Listener, TokenService};
use crate::clock::Clock;
use crate::domain::command::{Rules, Service};
use crate::store::desk::{ClaimedCommand, Claims};
use crate::store::{self, SharedDesk, SharedStore};
use crate::telemetry::Metrics;

/// A claim holds for so long: longer than all calls of one case together may take before the last step that needs it.
const LEASE: Duration = Duration::from_secs(90);
/// So many commands are worked on at once at most.
const AT_ONCE_MAX: usize = 8;
/// The bell may be missed; a command may not.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The bell rings for every change of every token: so often is it followed at most.
const BELL_EVERY: Duration = Duration::from_millis(200);
/// After trouble with the store.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What the desk works with.
pub struct Office {
    /// The commands.
    pub desk: SharedDesk,
    /// The tokens.
    pub store: SharedStore,
    /// Who carries them out.
    pub services: Vec<Arc<dyn TokenService>>,
    /// Who takes in what they say.
    pub listener: Arc<dyn Listener>,
    /// How long and how often.
    pub rules: Rules,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
}

impl Office {
    /// Claims once what may be worked on now, at most so many, and works on all of it at once; says how many.
    pub async fn turn(self: &Arc<Self>, at_most: u32) -> Result<usize, store::Error> {
        let begun = Instant::now();
        let claimed = self.desk.claim(LEASE, at_most).await?.claimed;
        let many = claimed.len();
        let mut cases = JoinSet::new();
        self.work_on(claimed, begun, &mut cases);
        while let Some(ended) = cases.join_next().await {
            hear(ended);
        }
        Ok(many)
    }

    fn work_on(self: &Arc<Self>, claimed: Vec<ClaimedCommand>, begun: Instant, cases: &mut JoinSet<()>) {
        for one in claimed {
            cases.spawn(Case::new(self.clone(), one, begun).work());
        }
    }

    fn service(&self, service: Service) -> Option<&Arc<dyn TokenService>> {
        self.services.iter().find(|one| one.service() == service)
    }
}

/// The worker.
pub struct Worker {
    office: Arc<Office>,
    bell: watch::Receiver<()>,
    under_way: JoinSet<()>,
}

impl Worker {
    /// A worker that has done nothing yet; the bell rings where a token or a command may have changed.
    pub fn new(office: Arc<Office>, bell: watch::Receiver<()>) -> Self {
        Worker {
            office,
            bell,
            under_way: JoinSet::new(),
        }
    }

    /// Works until the stop; then finishes what is under way, each call of which has a deadline.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            while let Some(ended) = self.under_way.try_join_next() {
                hear(ended);
            }
            self.bell.mark_unchanged();
            let begun = Instant::now();
            let wait = match self.turn(begun).await {
                Some(wait) => wait,
                None => STORE_RETRY,
            };
            let _ = stop.run_until_cancelled(self.wait(begun, wait)).await;
        }
        while let Some(ended) = self.under_way.join_next().await {
            hear(ended);
        }
    }

    /// Claims what may be worked on, and begins it; says when to claim again. `None`: trouble with the store.
    async fn turn(&mut self, begun: Instant) -> Option<Duration> {
        let room = AT_ONCE_MAX.saturating_sub(self.under_way.len());
        if room == 0 {
            return Some(LOOK_EVERY);
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let claims = match self.office.desk.claim(LEASE, limit).await {
            Ok(claims) => claims,
            Err(error) => {
                tracing::warn!(%error, "cannot look at the commands; trying again");
                return None;
            }
        };
        let wait = self.until_next(&claims);
        self.office.work_on(claims.claimed, begun, &mut self.under_way);
        Some(wait)
    }

    fn until_next(&self, claims: &Claims) -> Duration {
        let now = self.office.clock.now();
        let due = claims
            .next_due
            .map(|due| Duration::try_from(due - now).unwrap_or_default());
        let soonest = if claims.more { Duration::ZERO } else { BELL_EVERY };
        let wait = if claims.more {
            Duration::ZERO
        } else {
            due.unwrap_or(LOOK_EVERY)
        };
        wait.clamp(soonest, LOOK_EVERY)
    }

    /// Until something ended where there is no room, the bell rang, or that much time went by.
    async fn wait(&mut self, begun: Instant, at_most: Duration) {
        if self.under_way.len() >= AT_ONCE_MAX {
            if let Some(ended) = self.under_way.join_next().await {
                hear(ended);
            }
            return;
        }
        tokio::select! {
            Ok(()) = self.bell.changed() => {
                tokio::time::sleep(BELL_EVERY.saturating_sub(begun.elapsed())).await;
            }
            () = tokio::time::sleep(at_most) => {}
        }
    }
}

fn hear(ended: Result<(), JoinError>) {
    if ended.is_err() {
        // A defect of ours: its lease ends, and the service is asked first.
        tracing::error!("the work on a command panicked; it is taken up again when its lease ends");
    }
}
