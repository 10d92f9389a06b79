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

use super::{Answer, Destination, Failure, Numbers, Outgoing, Sent};
use crate::clock::Clock;
use crate::config::settings;
use crate::domain::delivery::Outcome;
use crate::domain::event::{Attempt, Number};
use crate::domain::id::TokenReference;
use crate::domain::notification::TOKEN_NUMBER;
use crate::domain::pace::{Breaker, Pace, Sign};
use crate::store::outbox::{Claimed, Settlement, SharedOutbox, Turn, Turned};
use crate::telemetry::Metrics;

/// A claim holds for so long: longer than any attempt may take, short enough that what a dead worker held goes out
/// again within a minute.
const LEASE: Duration = Duration::from_secs(45);
/// An attempt is over by then, in any case: before its lease is.
const ATTEMPT_MAX: Duration = Duration::from_secs(38);
/// The bell may be missed; the outbox may not.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What ended within so short a time is settled together.
const GATHER: Duration = Duration::from_millis(4);
/// After trouble with the store.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// One destination, and what it takes to serve it.
pub struct Line {
    /// What was configured.
    pub settings: settings::Destination,
    /// How it is spoken to.
    pub destination: Arc<dyn Destination>,
    /// For how long a delivery must have failed before one that stops charging may overtake it.
    pub stop_overtakes_after: Duration,
    /// Opens the numbers of tokens, if this destination is to have them.
    pub numbers: Option<Arc<dyn Numbers>>,
}

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
}

/// How an attempt ended, and what that says of the destination.
struct Ended {
    settlement: Settlement,
    sign: Sign,
    gone: bool,
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
        }
    }

    /// Serves until the stop; then finishes what is under way, and settles it.
    pub async fn run(mut self, stop: CancellationToken) {
        if stop.run_until_cancelled(self.enrol()).await.is_none() {
            return;
        }
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

    async fn enrol(&self) {
        let settings = &self.line.settings;
        let mut told = false;
        loop {
            match self.outbox.enrol(&settings.name, settings.start).await {
                Ok(true) => tracing::info!(destination = settings.name, "enrolled"),
                Ok(false) => {}
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(destination = settings.name, %error, "nothing is delivered to it yet");
                    }
                    tokio::time::sleep(STORE_RETRY).await;
                    continue;
                }
            }
            return;
        }
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
        match self.outbox.turn(&turn).await {
            Ok(turned) => {
                for delivery in &turned.late {
                    tracing::warn!(destination = settings.name, %delivery, "settled too late: it goes out again");
                }
                self.ended.clear();
                self.gone = false;
                self.tell_pause(turned.paused.as_deref());
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
        for one in claimed {
            let (line, clock, metrics, dice) = (self.line.clone(), self.clock.clone(), self.metrics.clone(), self.dice);
            self.under_way.spawn(async move {
                let (ended, word) = attempt(&line, &one, now, clock.as_ref(), dice()).await;
                metrics.delivery(&line.settings.name, word);
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
        let until = Instant::now() + GATHER;
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !self.under_way.is_empty()
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

/// One attempt: gives how it ended, and the word for the metrics.
async fn attempt(
    line: &Line,
    claimed: &Claimed,
    now: OffsetDateTime,
    clock: &dyn Clock,
    dice: f64,
) -> (Ended, &'static str) {
    // Whatever a library forgets: an attempt ends before its lease does.
    let sent = match timeout(ATTEMPT_MAX, send(line, claimed, now)).await {
        Ok(sent) => sent,
        Err(_) => failed(Failure::Timeout, "it did not end by itself"),
    };
    let now = clock.now();
    let (destination, event, attempt) = (&line.settings.name, claimed.event.event.id, claimed.attempt);
    let kind = claimed.event.event.kind.as_str();
    let (outcome, answer, sign, word) = match sent {
        Sent::Taken(answer) => (Outcome::Delivered, answer, Sign::Well, "delivered"),
        Sent::Gone(answer) => (Outcome::Again(now), answer, Sign::Unwell, "gone"),
        Sent::Failed {
            answer,
            class,
            retry_after,
        } => {
            let sign = match class {
                Failure::Busy => Sign::Busy(retry_after),
                // It was not asked.
                Failure::Ours => Sign::Silent,
                _ => Sign::Unwell,
            };
            let outcome = line
                .settings
                .schedule
                .after_failure(claimed.tries, retry_after, dice, now);
            (outcome, answer, sign, class.as_str())
        }
    };
    match &outcome {
        Outcome::Delivered => tracing::info!(destination, %event, attempt, kind, "delivered"),
        Outcome::Again(at) => {
            tracing::warn!(destination, %event, attempt, why = word, again = %at, answer = answer.text, "not delivered");
        }
        Outcome::Parked => {
            tracing::error!(destination, %event, attempt, why = word, answer = answer.text, "parked: it waits for a person");
        }
    }
    let settlement = Settlement {
        delivery: claimed.delivery,
        position: claimed.event.position,
        attempt: claimed.attempt,
        outcome,
        status: answer.status,
        answer: answer.text,
    };
    let gone = word == "gone";
    (Ended { settlement, sign, gone }, word)
}

async fn send(line: &Line, claimed: &Claimed, now: OffsetDateTime) -> Sent {
    match outgoing(line, claimed, now).await {
        Ok(outgoing) => line.destination.send(&outgoing).await,
        Err(why) => failed(Failure::Ours, &why),
    }
}

fn failed(class: Failure, text: &str) -> Sent {
    let text = text.to_owned();
    Sent::Failed {
        answer: Answer { status: None, text },
        class,
        retry_after: None,
    }
}

/// What leaves; the error is what kept us from a number that the destination is to have.
async fn outgoing(line: &Line, claimed: &Claimed, now: OffsetDateTime) -> Result<Outgoing, String> {
    let event = &claimed.event.event;
    let attempt = Attempt {
        current: claimed.event.current.clone(),
        out_of_order: claimed.out_of_order,
        replayed: claimed.replayed,
        number: number(line, claimed).await?,
    };
    Ok(Outgoing {
        id: event.id,
        kind: event.kind,
        token: Some(TokenReference {
            namespace: event.data.namespace,
            reference: event.data.token_unique_reference.clone(),
        }),
        requestor: event.data.token_requestor_id.clone(),
        now,
        body: event.written(&attempt).into(),
    })
}

async fn number(line: &Line, claimed: &Claimed) -> Result<Number, String> {
    let data = &claimed.event.event.data;
    let Some(numbers) = &line.numbers else {
        return Ok(Number::Unasked);
    };
    if data.changes.iter().all(|change| change.field != TOKEN_NUMBER) {
        return Ok(Number::Unasked);
    }
    let (Some(notification), Some(index)) = (data.notification_id, claimed.event.token_index) else {
        return Ok(Number::Unavailable);
    };
    let number = numbers.number(notification, index).await?;
    Ok(number.map_or(Number::Unavailable, Number::Is))
}
