//! The senders: each notification at its time, repeated until it is answered, and what became of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::body::Bytes;
use mdes_receiver::simulator::refusal::SendError;
use mdes_receiver::simulator::seal::Sealer;
use mdes_receiver::simulator::sender::{Connection, Sender};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use crate::Plan;
use crate::model::{Refused, Said};
use crate::saying::{Saying, Sayings, content, sealed};

/// More than this at once are not begun, and counted.
const UNDER_WAY_MAX: usize = 4_096;
/// So many idle connections are kept to each door.
const IDLE_MAX: usize = 64;

/// One door, and the connections to it that are idle.
pub struct Door {
    sender: Sender,
    idle: Mutex<Vec<Connection>>,
}

impl Door {
    pub fn of(sender: Sender) -> Self {
        let idle = Mutex::default();
        Door { sender, idle }
    }

    async fn send(&self, body: Bytes) -> Result<u16, SendError> {
        let idle = self.idle().pop().filter(Connection::is_open);
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.sender.connect().await?,
        };
        let answer = connection.send(body).await?;
        let mut idle = self.idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        Ok(answer.status)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("no one panics while holding it")
    }
}

/// What the senders saw.
#[derive(Default)]
pub struct Seen {
    pub said: Vec<Said>,
    pub refused: Vec<Refused>,
    /// When a 200 came.
    pub acknowledged: Vec<Instant>,
    /// Attempts by what came of them: a status, or `none`.
    pub attempts: BTreeMap<String, u64>,
    /// Notifications that were never answered with 200 or a refusal.
    pub unanswered: u64,
    /// Notifications that were not begun, since too many were under way.
    pub unsent: u64,
}

/// Sends the plan's notifications to these doors; afterwards all of them have been answered or given up.
pub async fn run(plan: &Plan, sayings: Sayings, sealers: [Sealer; 2], doors: Vec<Door>) -> anyhow::Result<Seen> {
    let senders = Arc::new(Senders {
        plan: plan.clone(),
        sealers,
        doors,
        seen: Mutex::default(),
    });
    let (mut sayings, mut under_way) = (sayings, JoinSet::new());
    let room = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let began = Instant::now();
    for number in 0..plan.notifications() {
        sleep_until(began + Duration::from_secs_f64(number as f64 / plan.rate as f64)).await;
        while let Some(told) = under_way.try_join_next() {
            told??;
        }
        let saying = sayings.next();
        let Ok(permit) = room.clone().try_acquire_owned() else {
            senders.seen().unsent += 1;
            continue;
        };
        let senders = senders.clone();
        under_way.spawn(async move {
            let _permit = permit;
            senders.tell(number as usize, saying).await
        });
    }
    while let Some(told) = under_way.join_next().await {
        told??;
    }
    Ok(std::mem::take(&mut *senders.seen()))
}

struct Senders {
    plan: Plan,
    /// To the receiver's key, and to one that it has not.
    sealers: [Sealer; 2],
    doors: Vec<Door>,
    seen: Mutex<Seen>,
}

impl Senders {
    async fn tell(&self, number: usize, saying: Saying) -> anyhow::Result<()> {
        match saying {
            Saying::Good(mut said) => {
                let body = sealed(&self.sealers[0], &said.request_id, &content(&said))?;
                said.acknowledged = self.answer(number, &body.into()).await == Some(200);
                self.seen().said.push(said);
            }
            Saying::Unreadable(request_id) => {
                let body = sealed(&self.sealers[1], &request_id, &serde_json::json!({"tokens": []}))?;
                let hash = sha256(&body);
                if self.answer(number, &body.into()).await.is_some() {
                    self.seen().refused.push(Refused { request_id, body: hash });
                }
            }
        }
        Ok(())
    }

    /// The first answer that is not "later", from one door after the other.
    async fn answer(&self, number: usize, body: &Bytes) -> Option<u16> {
        for attempt in 0..=self.plan.repeats as usize {
            let door = &self.doors[(number + attempt) % self.doors.len()];
            let answer = door.send(body.clone()).await;
            let word = answer.as_ref().map_or_else(|_| "none".to_owned(), u16::to_string);
            *self.seen().attempts.entry(word).or_default() += 1;
            match answer {
                Ok(status) if status < 500 => {
                    if status == 200 {
                        self.seen().acknowledged.push(Instant::now());
                    }
                    return Some(status);
                }
                _ => sleep(Duration::from_millis(self.plan.repeat_after)).await,
            }
        }
        self.seen().unanswered += 1;
        None
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("no one panics while holding it")
    }
}

pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
