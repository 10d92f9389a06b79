//! Sends many notifications over kept connections and measures the answers.
//!
//! Every body is sealed before the clock starts, so that the measuring costs little beside the measured. Each is
//! a new notification with a later timestamp than the one before: a receiver has something to commit every time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hyper::body::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};

use super::card::Token;
use super::dice::Dice;
use super::message::envelope;
use super::play::is_accepted;
use super::refusal::SendError;
use super::seal::{SealError, Sealer};
use super::sender::{Connection, Sender};
use super::wording::{Wording, written};

mod report;

pub use report::Report;
use report::Seen;

/// The most that is sealed at once: about 1.6 kB each rest in memory.
pub const REQUESTS_MAX: usize = 1_000_000;

/// So many connections that fail one after the other end a sender.
const FAILURES_MAX: u32 = 5;

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plan {
    /// How many requests, at most [`REQUESTS_MAX`].
    pub requests: usize,
    /// Over how many connections.
    pub connections: usize,
    /// About how many tokens.
    pub tokens: usize,
    /// When to stop in any case.
    pub deadline: Duration,
    /// So many a second, each at its time: an answer is measured from when its request was due, so that a receiver that
    /// stands still is charged for everything it kept waiting. `None`: as fast as they are answered.
    pub rate: Option<u32>,
    /// Each request over a connection of its own, whose handshake is measured with it.
    pub afresh: bool,
}

/// One request, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its `requestId`.
    pub request_id: String,
    /// Its body.
    pub body: Bytes,
}

/// All the bodies, in the order of their timestamps, sealed on every core. Blocks.
pub fn sealed_bodies(plan: &Plan, sealer: &Sealer, seed: u64, now: OffsetDateTime) -> Result<Vec<Sealed>, SealError> {
    let contents = contents(plan, seed, now);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = contents.len().div_ceil(cores).max(1);
    let sealed: Result<Vec<Vec<Sealed>>, SealError> = thread::scope(|scope| {
        let shares: Vec<_> = contents
            .chunks(share)
            .map(|share| scope.spawn(|| share.iter().map(|said| sealed_body(said, sealer)).collect()))
            .collect();
        let joined = shares
            .into_iter()
            .map(|share| share.join().unwrap_or(Err(SealError::Refused)));
        joined.collect()
    });
    Ok(sealed?.concat())
}

fn sealed_body((request_id, content): &(String, Value), sealer: &Sealer) -> Result<Sealed, SealError> {
    let body = envelope(request_id, content.to_string().as_bytes(), sealer)?;
    Ok(Sealed {
        request_id: request_id.clone(),
        body: Bytes::from(body.to_string()),
    })
}

/// Round after round over the tokens: active with its details, then suspended and active in turn.
/// The timestamps are a millisecond apart and end at `now`.
fn contents(plan: &Plan, seed: u64, now: OffsetDateTime) -> Vec<(String, Value)> {
    let mut dice = Dice::seeded(seed);
    let tokens: Vec<Token> = (0..plan.tokens.max(1)).map(|_| Token::fresh(&mut dice, now)).collect();
    let began = now - Duration::from_millis(plan.requests as u64);
    (0..plan.requests)
        .map(|n| {
            let token = &tokens[n % tokens.len()];
            let at = written(began + Duration::from_millis(n as u64), Wording::Millis);
            (
                dice.uuid(),
                json!({"tokens": [statement(token, n / tokens.len(), &at)]}),
            )
        })
        .collect()
}

fn statement(token: &Token, round: usize, at: &str) -> Value {
    let mut said = match round % 2 {
        0 => token.says("ACTIVE"),
        _ => token.says("SUSPENDED"),
    };
    said["statusTimestamp"] = json!(at);
    match round {
        0 => said["tokenInfo"] = token.info(),
        _ if round % 2 == 1 => said["suspendedBy"] = json!(["ISSUER"]),
        _ => {}
    }
    said
}

/// Sends all of them over the plan's connections. `done` counts the answers while it runs.
pub async fn run(sender: Arc<Sender>, sealed: Vec<Sealed>, plan: &Plan, done: Arc<AtomicUsize>) -> Report {
    let stop_at = Instant::now() + plan.deadline;
    let mut opening = JoinSet::new();
    for _ in 0..plan.connections.min(sealed.len()).max(1) {
        let (sender, afresh) = (Arc::clone(&sender), plan.afresh);
        opening.spawn(async move {
            match afresh {
                true => None,
                false => Some(sender.connect().await),
            }
        });
    }
    let opened = opening.join_all().await;

    let (sealed, next) = (Arc::new(sealed), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for connection in opened {
        let worker = Worker {
            sender: Arc::clone(&sender),
            sealed: Arc::clone(&sealed),
            next: Arc::clone(&next),
            done: Arc::clone(&done),
            stop_at,
            began,
            rate: plan.rate,
            seen: Seen::default(),
        };
        match connection {
            Some(connection) => workers.spawn(worker.keep_alive(connection)),
            None => workers.spawn(worker.begin_anew()),
        };
    }
    let seen = workers.join_all().await;
    let sent = next.load(Ordering::Relaxed).min(sealed.len());
    Report {
        unsent: sealed.len() - sent,
        ..report::report(seen, began.elapsed())
    }
}

struct Worker {
    sender: Arc<Sender>,
    sealed: Arc<Vec<Sealed>>,
    next: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    stop_at: Instant,
    began: Instant,
    rate: Option<u32>,
    seen: Seen,
}

impl Worker {
    /// The next request's number and its time: its turn at the plan's rate, or else now. `None` after the last.
    async fn next(&self) -> Option<(usize, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        if number >= self.sealed.len() {
            return None;
        }
        let Some(rate) = self.rate else {
            return Some((number, Instant::now()));
        };
        let due = self.began + Duration::from_secs(1).mul_f64(number as f64 / f64::from(rate));
        tokio::time::sleep_until(due).await;
        Some((number, due))
    }

    /// Over one connection, and another one when it ends.
    async fn keep_alive(mut self, mut connection: Result<Connection, SendError>) -> Seen {
        let mut failures = 0;
        while failures < FAILURES_MAX && Instant::now() < self.stop_at {
            let mut open = match connection {
                Ok(open) if open.is_open() => open,
                ended => {
                    ended.err().iter().for_each(|error| self.seen.failed(error));
                    failures += 1;
                    connection = self.sender.connect().await;
                    continue;
                }
            };
            let Some((number, due)) = self.next().await else {
                break;
            };
            connection = match self.send(&mut open, number, due).await {
                Ok(()) => {
                    failures = 0;
                    Ok(open)
                }
                Err(error) => Err(error),
            };
        }
        self.seen
    }

    /// Each over a connection of its own.
    async fn begin_anew(mut self) -> Seen {
        while Instant::now() < self.stop_at {
            let Some((number, due)) = self.next().await else {
                break;
            };
            let sent = match self.sender.connect().await {
                Ok(mut open) => self.send(&mut open, number, due).await,
                Err(error) => Err(error),
            };
            sent.err().iter().for_each(|error| self.seen.failed(error));
        }
        self.seen
    }

    async fn send(&mut self, open: &mut Connection, number: usize, due: Instant) -> Result<(), SendError> {
        let sealed = &self.sealed[number];
        let answer = open.send(sealed.body.clone()).await?;
        let accepted = is_accepted(&answer).then(|| sealed.request_id.clone());
        self.seen.answered(answer.status, accepted, due.elapsed());
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use time::macros::datetime;

    #[test]
    fn every_body_is_a_new_notification_and_later_than_the_one_before() {
        let plan = Plan {
            requests: 10,
            connections: 1,
            tokens: 3,
            deadline: Duration::from_secs(1),
            rate: None,
            afresh: false,
        };
        let said = contents(&plan, 1, datetime!(2026-11-22 12:00 UTC));
        let ids: BTreeSet<&String> = said.iter().map(|(id, _)| id).collect();
        let times: Vec<String> = said
            .iter()
            .map(|(_, said)| said["tokens"][0]["statusTimestamp"].to_string())
            .collect();
        assert_eq!(ids.len(), 10);
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    }
}
