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
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How many requests, at most [`REQUESTS_MAX`].
    pub requests: usize,
    /// Over how many connections.
    pub connections: usize,
    /// About how many tokens.
    pub tokens: usize,
    /// When to stop in any case.
    pub deadline: Duration,
    /// No more than so many a second, evenly; `None`: as fast as they are answered.
    pub rate: Option<u32>,
}

/// All the bodies, in the order of their timestamps, sealed on every core. Blocks.
pub fn sealed_bodies(plan: &Plan, sealer: &Sealer, seed: u64, now: OffsetDateTime) -> Result<Vec<Bytes>, SealError> {
    let contents = contents(plan, seed, now);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = contents.len().div_ceil(cores).max(1);
    let sealed: Result<Vec<Vec<Bytes>>, SealError> = thread::scope(|scope| {
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

fn sealed_body((request_id, content): &(String, Value), sealer: &Sealer) -> Result<Bytes, SealError> {
    let body = envelope(request_id, content.to_string().as_bytes(), sealer)?;
    Ok(Bytes::from(body.to_string()))
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

/// Sends all bodies over the plan's connections. `done` counts the answers while it runs.
pub async fn run(sender: Arc<Sender>, bodies: Vec<Bytes>, plan: &Plan, done: Arc<AtomicUsize>) -> Report {
    let stop_at = Instant::now() + plan.deadline;
    let mut opening = JoinSet::new();
    for _ in 0..plan.connections.min(bodies.len()).max(1) {
        let sender = Arc::clone(&sender);
        opening.spawn(async move { sender.connect().await });
    }
    let opened = opening.join_all().await;

    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for connection in opened {
        let worker = Worker {
            sender: Arc::clone(&sender),
            bodies: Arc::clone(&bodies),
            next: Arc::clone(&next),
            done: Arc::clone(&done),
            stop_at,
            began,
            rate: plan.rate,
        };
        workers.spawn(worker.work(connection));
    }
    let seen = workers.join_all().await;
    let sent = next.load(Ordering::Relaxed).min(bodies.len());
    Report {
        unsent: bodies.len() - sent,
        ..report::report(seen, began.elapsed())
    }
}

struct Worker {
    sender: Arc<Sender>,
    bodies: Arc<Vec<Bytes>>,
    next: Arc<AtomicUsize>,
    done: Arc<AtomicUsize>,
    stop_at: Instant,
    began: Instant,
    rate: Option<u32>,
}

impl Worker {
    /// Until the turn of the request of that number has come.
    async fn turn_of(&self, number: usize) {
        if let Some(rate) = self.rate {
            tokio::time::sleep_until(self.began + Duration::from_secs(1).mul_f64(number as f64 / f64::from(rate)))
                .await;
        }
    }

    async fn work(self, mut connection: Result<Connection, SendError>) -> Seen {
        let mut seen = Seen::default();
        let mut failures = 0;
        while failures < FAILURES_MAX && Instant::now() < self.stop_at {
            let mut open = match connection {
                Ok(open) => open,
                Err(error) => {
                    seen.failed(&error);
                    failures += 1;
                    connection = self.sender.connect().await;
                    continue;
                }
            };
            if !open.is_open() {
                failures += 1;
                connection = self.sender.connect().await;
                continue;
            }
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(body) = self.bodies.get(number) else {
                break;
            };
            self.turn_of(number).await;
            connection = match open.send(body.clone()).await {
                Ok(answer) => {
                    failures = 0;
                    seen.answered(answer.status, is_accepted(&answer), answer.took);
                    self.done.fetch_add(1, Ordering::Relaxed);
                    Ok(open)
                }
                Err(error) => Err(error),
            };
        }
        seen
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
