//! The inbox: takes in what Mastercard says, and answers only when it is on disk.
//!
//! It knows no HTTP and no SQL. What it cannot read it keeps, sealed, with the reason,
//! and can read again later through the same door.

pub mod batch;
mod learn;
mod overhear;
mod redrive;
pub mod reseal;

use std::sync::Arc;

use bytes::Bytes;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub use learn::{Learned, Unlearned};
pub use overhear::Unheeded;
pub use redrive::{RedriveReport, Redriven};

use crate::clock::Clock;
use crate::domain::id::{NotificationId, QuarantineId};
use crate::domain::masked::Secret;
use crate::domain::peer::Peer;
use crate::domain::token::Manner;
use crate::keys::Keys;
use crate::mdes::{self, Read, Reading, Reason, Resting, Unreadable};
use crate::store::{self, NewQuarantine, Outcome, Recorded, Recording, SealedBy, SharedStore};
use crate::telemetry::traces;
use batch::{Batch, Unrecorded};
use overhear::Floods;

/// What the store keeps as the reason for a body that it refused itself.
pub const STORE_REFUSED: &str = "STORE_REFUSED";

/// How many bodies are set aside at once. The others wait here, not in the store's own queue: there the commits of
/// what can be used would wait behind them.
const SET_ASIDE_AT_ONCE: usize = 4;

/// Makes an id that sorts by this time.
pub type NewId = fn(OffsetDateTime) -> Uuid;

/// A body, and who sent it when. No `Debug`: what came unsealed would stand in it.
#[derive(Clone)]
pub struct Arrival {
    /// When its last byte came in.
    pub received_at: OffsetDateTime,
    /// Who sent it.
    pub peer: Peer,
    /// What came; at most the door's limit.
    pub body: Bytes,
}

/// It is on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Our id of the notification (of the first one, if this was a repeat).
    pub id: NotificationId,
    /// What the answer carries: the `requestId`, or an id of ours if it was missing.
    pub response_id: String,
    /// One per statement; empty for a repeat.
    pub outcomes: Vec<Outcome>,
    /// It had been told before.
    pub repeat: bool,
    /// How many of its tokens could not be read and are in quarantine.
    pub unreadable: usize,
}

/// It was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// It cannot be used. It is in quarantine.
    Unusable {
        /// Under this id.
        id: QuarantineId,
        /// What the sender is told.
        reason: Reason,
        /// Which step failed, for the log.
        detail: String,
        /// Its `requestId`, if it could be read.
        request_id: Option<String>,
    },
    /// The store refuses it. It is in quarantine.
    Poison {
        /// Under this id.
        id: QuarantineId,
        /// Its `requestId`.
        request_id: String,
    },
    /// Nothing could be kept; the sender should try again.
    Unavailable(String),
}

/// Takes in arrivals. One per process; share it by `Arc`.
pub struct Inbox {
    keys: Arc<Keys>,
    store: SharedStore,
    batch: Batch,
    aside: Semaphore,
    rules: Reading,
    clock: Arc<dyn Clock>,
    new_id: NewId,
    /// How what TokenEx says without being asked is heard.
    callbacks: Manner,
    floods: Floods,
}

impl Inbox {
    /// An inbox over these parts.
    pub fn new(
        keys: Arc<Keys>,
        store: SharedStore,
        batch: Batch,
        rules: Reading,
        clock: Arc<dyn Clock>,
        new_id: NewId,
    ) -> Self {
        Inbox {
            keys,
            store,
            batch,
            aside: Semaphore::new(SET_ASIDE_AT_ONCE),
            rules,
            clock,
            new_id,
            callbacks: Manner::Hinted,
            floods: Floods::default(),
        }
    }

    /// Opens, reads and records it. After `Ok` it is on disk; after `Unusable` or `Poison` it is in quarantine.
    ///
    /// A crash before the answer leaves either nothing or a recorded notification that the sender's retry repeats.
    pub async fn receive(&self, arrival: Arrival) -> Result<Receipt, Refusal> {
        let ring = self.keys.current();
        match mdes::read(&arrival.body, &ring, &self.rules, arrival.received_at) {
            Ok(read) => self.record(arrival, read, Manner::Told).await,
            Err(unreadable) => self.set_aside(arrival, unreadable).await,
        }
    }

    /// Keeps a body that the door does not take (a wrong path, a wrong type, too much of it), with the reason's word.
    /// `body_bytes` is how much came, of which `arrival.body` may be the first part.
    pub async fn keep(&self, arrival: Arrival, fault: &'static str, body_bytes: u64) -> Result<QuarantineId, Refusal> {
        let resting = mdes::rest(&arrival.body, &self.keys.current());
        let entry = self.entry(&arrival, resting, fault.to_owned(), "refused at the door".to_owned());
        self.quarantine(NewQuarantine { body_bytes, ..entry }).await
    }

    /// Receiving has no time to spare now.
    pub fn is_busy(&self) -> bool {
        self.batch.is_busy()
    }

    /// The number of the token at that place (from 0) of a notification that was recorded, opened from its sealed
    /// body; `None` if it is not kept any more, holds none, or no key of now opens it (the log says so).
    pub async fn token_number(&self, notification: NotificationId, index: u32) -> Result<Option<Secret>, store::Error> {
        let Some(kept) = self.store.notification(notification).await? else {
            return Ok(None);
        };
        let by_us = kept.sealed_by == SealedBy::Us;
        let opened = mdes::token_number(&kept.sealed_body, by_us, index, &self.keys.current(), &self.rules);
        let opened = opened.inspect_err(|unreadable| {
            tracing::warn!(%notification, detail = unreadable.detail, "cannot open a token's number");
        });
        Ok(opened.ok().flatten())
    }

    async fn record(&self, arrival: Arrival, read: Read, manner: Manner) -> Result<Receipt, Refusal> {
        let unreadable = read.notification.unreadable.len();
        let recording = Recording {
            manner,
            ..self.recording(&arrival, read)
        };
        let (request_id, id) = (recording.request_id.clone(), recording.id);
        traces::about(id.0);
        match self.batch.record(recording).await {
            Ok(Recorded::New { id, outcomes }) => Ok(Receipt {
                id,
                response_id: request_id,
                outcomes,
                repeat: false,
                unreadable,
            }),
            Ok(Recorded::Repeat { first, request_id }) => Ok(Receipt {
                id: first,
                response_id: request_id,
                outcomes: Vec::new(),
                repeat: true,
                unreadable: 0,
            }),
            Err(Unrecorded::Poison(why)) => {
                tracing::warn!(notification = %id, why, "the store refuses a notification; it goes to quarantine");
                let resting = mdes::rest(&arrival.body, &self.keys.current());
                let entry = self.entry(&arrival, resting, STORE_REFUSED.to_owned(), why);
                let id = self.quarantine(entry).await?;
                Err(Refusal::Poison { id, request_id })
            }
            Err(error) => Err(Refusal::Unavailable(error.to_string())),
        }
    }

    fn recording(&self, arrival: &Arrival, read: Read) -> Recording {
        let Read {
            notification,
            key,
            resting,
        } = read;
        let id = (self.new_id)(arrival.received_at);
        let unreadable = notification
            .unreadable
            .into_iter()
            .map(|token| (QuarantineId((self.new_id)(arrival.received_at)), token))
            .collect();
        Recording {
            id: NotificationId(id),
            again: None,
            request_id: notification.request_id.unwrap_or_else(|| id.to_string()),
            content: notification.content,
            received_at: arrival.received_at,
            peer: arrival.peer.clone(),
            sealed_by: sealed_by(&resting),
            sealed_body: resting.body,
            key,
            statements: notification.statements,
            unreadable,
            flags: notification.flags,
            manner: Manner::Told,
        }
    }

    async fn set_aside(&self, arrival: Arrival, unreadable: Unreadable) -> Result<Receipt, Refusal> {
        let Unreadable {
            reason,
            detail,
            request_id,
            resting,
            keys_tried,
        } = unreadable;
        let mut entry = self.entry(&arrival, resting, reason.code().to_owned(), detail.clone());
        entry.keys_tried = keys_tried.unwrap_or_default();
        let id = self.quarantine(entry).await?;
        Err(Refusal::Unusable {
            id,
            reason,
            detail,
            request_id,
        })
    }

    fn entry(&self, arrival: &Arrival, resting: Resting, reason: String, detail: String) -> NewQuarantine {
        NewQuarantine {
            id: QuarantineId((self.new_id)(arrival.received_at)),
            received_at: arrival.received_at,
            peer: arrival.peer.clone(),
            sealed_by: sealed_by(&resting),
            body: resting.body,
            body_bytes: arrival.body.len() as u64,
            reason,
            detail,
            keys_tried: String::new(),
        }
    }

    /// After `Ok` it is on disk; a crash before leaves nothing, and no answer has left either.
    async fn quarantine(&self, entry: NewQuarantine) -> Result<QuarantineId, Refusal> {
        let id = entry.id;
        traces::about(id.0);
        let _turn = self.aside.acquire().await.expect("nobody closes it");
        match traces::during("set aside", self.store.quarantine(&entry)).await {
            Ok(()) => Ok(id),
            Err(error) => {
                tracing::warn!(%error, "cannot keep a body in quarantine");
                Err(Refusal::Unavailable(error.to_string()))
            }
        }
    }
}

fn sealed_by(resting: &Resting) -> SealedBy {
    if resting.by_us { SealedBy::Us } else { SealedBy::Sender }
}
