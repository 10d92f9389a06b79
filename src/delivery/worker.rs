//! The worker of one destination: turns at the outbox, and attempts in between.
//!
//! A crash at any moment leaves deliveries under a lease; they are due again when it ends, here or in another replica.

use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::attempt::{Ended, Line, attempt};
use super::traced::{self, Attempted};
use crate::clock::Clock;
use crate::domain::pace::{Breaker, Pace};
use crate::store::outbox::{Claimed, Settlement, SharedOutbox, Turn, Turned};
use crate::telemetry::Metrics;
use crate::telemetry::traces::Place;

/// A claim holds for so long: longer than any attempt may take, short enough that what a dead worker held goes out
/// again within a minute.
const LEASE: Duration = Duration::from_secs(45);
/// The bell may be missed; the outbox may not.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What ended within so short a time is settled together: a turn costs about as much for one as for ten.
const GATHER: Duration = Duration::from_millis(4);
/// While there is a backlog, half of the attempts are waited for, within this.
const GATHER_BACKLOG: Duration = Duration::from_millis(25);
/// After trouble with the store.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// The worker of one destination.
pub struct Worker {
    line: Arc<Line>,
    outbox: SharedOutbox,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// From 0 to 1.
    dice: fn() -> f64,
    pace: Pace,
    told: Breaker,
    under_way: JoinSet<Ended>,
    /// What ended, and is not settled yet: at most as many as may be under way.
    ended: Vec<Settlement>,
    /// The destination said that it wants no more.
    gone: bool,
    /// Nothing is sent to it.
    paused: bool,
    /// The latest turn left something for the next one.
    backlog: bool,
    /// Where the latest turn stands, if it is traced.
    turned: Option<Place>,
}

impl Worker {
    /// A worker that has done nothing yet.
    pub fn new(
        line: Arc<Line>,
        outbox: SharedOutbox,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        dice: fn() -> f64,
    ) -> Self {
        let concurrency = usize::try_from(line.settings.concurrency).unwrap_or(usize::MAX);
        Worker {
            line,
            outbox,
            clock,
            metrics,
            dice,
            pace: Pace::new(concurrency),
            told: Breaker::Closed,
            under_way: JoinSet::new(),
            ended: Vec::new(),
            gone: false,
            paused: false,
            backlog: false,
            turned: None,
        }
    }

    /// Serves its destination, which is enrolled, until the stop; then finishes what is under way, and settles it.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut bell = self.outbox.bell();
        while !stop.is_cancelled() {
            // However much there is to look at: a lease must not end because nobody heard that its attempt had.
            while let Some(ended) = self.under_way.try_join_next() {
                self.hear(ended);
            }
            bell.mark_unchanged();
            let now = self.clock.now();
            let room = self.pace.room(now).saturating_sub(self.under_way.len());
            let Some(turned) = self.turn(room).await else {
                let _ = stop.run_until_cancelled(tokio::time::sleep(STORE_RETRY)).await;
                continue;
            };
            let goes_on = turned.more && room > 0;
            let wait = self.until_next(&turned, room, now);
            self.send_all(turned.claimed, now);
            if !goes_on || self.under_way.len() >= self.pace.room(now) {
                let _ = stop.run_until_cancelled(self.wait(&mut bell, wait)).await;
            }
        }
        self.finish().await;
    }

    /// One turn. What ended stays with us if the store did not take it: its settling may be late, and is not lost.
    async fn turn(&mut self, room: usize) -> Option<Turned> {
        let settings = &self.line.settings;
        let turn = Turn {
            destination: &settings.name,
            subscription: &settings.subscription,
            settle: &self.ended,
            claim: u32::try_from(room).unwrap_or(u32::MAX),
            lease: LEASE,
            stop_overtakes_after: self.line.stop_overtakes_after,
            pause: self.gone.then_some("it answered that it is gone (HTTP 410)"),
        };
        let began = Instant::now();
        match self.outbox.turn(&turn).await {
            Ok(turned) => {
                let (traces, settled) = (self.metrics.traces(), self.ended.len());
                self.turned = traced::turn(&self.line, &turned.claimed, settled, began, traces, self.clock.now());
                for delivery in &turned.late {
                    tracing::warn!(destination = settings.name, %delivery, "settled too late: it goes out again");
                }
                self.ended.clear();
                self.gone = false;
                self.tell_pause(turned.paused.as_deref());
                self.backlog = turned.more;
                Some(turned)
            }
            Err(error) => {
                tracing::warn!(destination = settings.name, %error, "cannot look at the outbox; trying again");
                None
            }
        }
    }

    /// Once for each pause: somebody has to resume it.
    fn tell_pause(&mut self, paused: Option<&str>) {
        let destination = &self.line.settings.name;
        match paused {
            Some(why) if !self.paused => {
                tracing::error!(
                    destination,
                    why,
                    "paused: its events go on accruing until `destinations resume`"
                );
            }
            None if self.paused => tracing::info!(destination, "resumed"),
            _ => {}
        }
        self.paused = paused.is_some();
    }

    fn send_all(&mut self, claimed: Vec<Claimed>, now: OffsetDateTime) {
        let turn = self.turned;
        for one in claimed {
            let (line, clock, metrics, dice) = (self.line.clone(), self.clock.clone(), self.metrics.clone(), self.dice);
            self.under_way.spawn(async move {
                let (from, place) = (Instant::now(), traced::place(&one, metrics.traces()));
                let (ended, word) = attempt(&line, &one, now, clock.as_ref(), dice(), place).await;
                metrics.delivery(&line.settings.name, word);
                if let Some(place) = place {
                    let attempted = Attempted {
                        line: &line,
                        claimed: &one,
                        place,
                        turn,
                        from,
                        word,
                    };
                    attempted.trace(metrics.traces(), clock.now());
                }
                ended
            });
        }
    }

    /// When there may be something to do, if nothing rings and nothing ends.
    fn until_next(&self, turned: &Turned, room: usize, now: OffsetDateTime) -> Duration {
        // Where there is no room, that something is due changes nothing.
        let due = turned.next_due.filter(|_| room > 0);
        let due = due.into_iter().chain(self.pace.waits_until(now)).min();
        let wait = due.map(|due| Duration::try_from(due - now).unwrap_or_default());
        let soonest = if turned.more { Duration::ZERO } else { GATHER };
        wait.unwrap_or(LOOK_EVERY).clamp(soonest, LOOK_EVERY)
    }

    /// Until something ended, the bell rang, or that much time went by.
    async fn wait(&mut self, bell: &mut watch::Receiver<()>, at_most: Duration) {
        if self.pace.room(self.clock.now()) <= self.under_way.len() {
            // Whatever rings, there is no room for it.
            if self.next_ended(at_most).await {
                self.gather().await;
            }
            return;
        }
        tokio::select! {
            Some(ended) = self.under_way.join_next() => {
                self.hear(ended);
                self.gather().await;
            }
            Ok(()) = bell.changed() => {}
            () = tokio::time::sleep(at_most) => {}
        }
    }

    async fn next_ended(&mut self, at_most: Duration) -> bool {
        if self.under_way.is_empty() {
            tokio::time::sleep(at_most).await;
            return false;
        }
        match timeout(at_most, self.under_way.join_next()).await {
            Ok(Some(ended)) => {
                self.hear(ended);
                true
            }
            _ => false,
        }
    }

    /// Takes in what ends just now, so that a turn settles more than one.
    async fn gather(&mut self) {
        let (enough, within) = match self.backlog {
            true => (self.under_way.len() / 2, GATHER_BACKLOG),
            false => (0, GATHER),
        };
        let until = Instant::now() + within;
        while let Some(left) = until.checked_duration_since(Instant::now())
            && self.under_way.len() > enough
        {
            match timeout(left, self.under_way.join_next()).await {
                Ok(Some(ended)) => self.hear(ended),
                _ => return,
            }
        }
    }

    fn hear(&mut self, ended: Result<Ended, JoinError>) {
        let Ok(ended) = ended else {
            // A defect of ours: its lease ends, and it is tried again.
            tracing::error!(destination = self.line.settings.name, "an attempt panicked");
            return;
        };
        let now = self.clock.now();
        self.pace.hear(ended.sign, now);
        self.gone |= ended.gone;
        self.ended.push(ended.settlement);
        let breaker = self.pace.breaker(now);
        if breaker != self.told {
            self.told = breaker;
            let destination = &self.line.settings.name;
            self.metrics.breaker(destination, breaker);
            tracing::warn!(destination, breaker = breaker.as_str(), "the breaker moved");
        }
    }

    /// What is under way ends within its own deadline; what has ended is settled without waiting for the slowest.
    async fn finish(&mut self) {
        loop {
            self.gather().await;
            if !self.ended.is_empty() || self.gone {
                self.turn(0).await;
            }
            if self.under_way.is_empty() {
                return;
            }
            self.next_ended(LOOK_EVERY).await;
        }
    }
}
