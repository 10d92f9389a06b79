//! The memory: what the house asks of its database.
//!
//! One verb is one transaction. Two databases stand behind the port (SQLite, embedded; Postgres,
//! production) and nobody outside this module knows which. It keeps bytes and never opens them;
//! `now` and ids come in as arguments. The conformance suite in `tests/it/store.rs` is its definition.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::domain::id::{ContentHash, NotificationId, QuarantineId, TokenReference};
use crate::domain::masked::without_written_numbers;
use crate::domain::notification::{Flag, Statement, UnreadableToken, Windows};
use crate::domain::peer::Peer;
use crate::domain::status::Status;
use crate::domain::token::{Change, Manner, Token, Verdict};

pub mod alarms;
pub mod asking;
pub mod assets;
mod audit;
mod batch;
mod bell;
mod commands;
mod deliveries;
pub mod desk;
mod dropping;
pub mod erasing;
mod error;
mod events;
pub mod joined;
pub mod ledger;
pub mod linked;
mod links;
mod memory;
mod notices;
mod operators;
pub mod outbox;
mod pool;
mod postgres;
mod quarantine;
mod record;
mod registering;
pub mod retention;
pub mod roster;
mod row;
mod scene;
mod schema;
pub mod sealed;
mod sealing;
pub mod search;
mod searching;
mod session;
pub mod shown;
mod sqlite;
mod standing;
mod story;
mod tokens;
mod trust;
mod turns;
mod values;
pub mod written;

pub use alarms::{Alarms, SharedAlarms};
pub use asking::{Asking, SharedAsking};
pub use assets::{Assets, SharedAssets};
pub use desk::{Desk, SharedDesk};
pub use erasing::Erasing;
pub use ledger::{Ledger, SharedLedger};
pub use memory::{Memory, open};
pub use outbox::{Outbox, SharedOutbox};
pub use retention::{Retention, SharedRetention};
pub use roster::{Roster, SharedRoster};
pub use sealed::{Bodies, SharedBodies};
pub use search::{Search, SharedSearch};
pub use searching::searches;
pub use trust::unproven;

/// What is asked of the memory. Every verb has a deadline of its own and ends in one of [`Error`]'s kinds.
#[async_trait]
pub trait Store: Send + Sync {
    /// The database answers, is writable (not a standby), and holds a schema that this program may run on.
    async fn ready(&self) -> Result<(), Error>;

    /// Brings the schema to this program's version. Safe to run from several replicas at once.
    async fn migrate(&self) -> Result<Migrated, Error>;

    /// Records notifications in one transaction and a constant number of round trips:
    /// finds repeats, locks the tokens in one order, asks [`Token::heard`] for each statement, writes all of it.
    ///
    /// The answers stand in the order of the batch. After `Ok` everything in it is on disk;
    /// after any `Err` nothing of it is, or all of it is and a second try finds repeats.
    async fn record(&self, batch: &[Recording], windows: &Windows) -> Result<Vec<Recorded>, Error>;

    /// Keeps what could not be used. After `Ok` it is on disk.
    async fn quarantine(&self, entry: &NewQuarantine) -> Result<(), Error>;

    /// One token, if anything was ever heard of it.
    async fn token(&self, reference: &TokenReference) -> Result<Option<KeptToken>, Error>;

    /// Tokens that were heard of, in the order of their identity, after that one, at most `limit` (1 to 1,000).
    /// [`Outbox::standing`] has those only registered too.
    async fn tokens(&self, after: Option<&TokenReference>, limit: u32) -> Result<Vec<KeptToken>, Error>;

    /// A token's applied changes in the order of their sequence, after that one, at most `limit` (1 to 1,000).
    async fn transitions(&self, reference: &TokenReference, after: u64, limit: u32) -> Result<Vec<Transition>, Error>;

    /// Everything heard of a token, applied or not, newest first, at most `limit` (1 to 1,000).
    async fn statements(&self, reference: &TokenReference, limit: u32) -> Result<Vec<KeptStatement>, Error>;

    /// One notification.
    async fn notification(&self, id: NotificationId) -> Result<Option<KeptNotification>, Error>;

    /// Quarantined entries in the order of their ids, after that one, at most `limit` (1 to 1,000).
    async fn quarantined(
        &self,
        which: &QuarantineFilter,
        after: Option<QuarantineId>,
        limit: u32,
    ) -> Result<Vec<KeptQuarantine>, Error>;

    /// One quarantined entry.
    async fn quarantine_entry(&self, id: QuarantineId) -> Result<Option<KeptQuarantine>, Error>;

    /// Marks an open entry as resolved; says whether it was open.
    async fn resolve(&self, id: QuarantineId, resolution: &Resolution, now: OffsetDateTime) -> Result<bool, Error>;

    /// Notes that an open entry was tried again in vain: why, which step failed, and with which keys.
    async fn tried_again(&self, id: QuarantineId, reason: &str, detail: &str, keys_tried: &str) -> Result<(), Error>;

    /// How many entries are open.
    async fn quarantine_open(&self) -> Result<u64, Error>;

    /// Ends all connections; what was in flight is finished first.
    async fn close(&self);
}

/// What the callers hold.
pub type SharedStore = Arc<dyn Store>;

/// Why the memory did not do what it was asked. Display never holds content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is a standby, is out of space or out of time. Try again later.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// A deadlock, a serialisation failure or a lock timeout: the same call may succeed at once.
    #[error("store conflict: {0}")]
    Conflict(String),
    /// The database refuses this very data; the same call will fail again.
    #[error("store refused the data: {0}")]
    Data(String),
    /// The schema is missing, or too old or too new for this program. The text says what to do.
    #[error("{0}")]
    Schema(String),
    /// What the database holds cannot be read back: table, row and column.
    #[error("store holds what cannot be read: {0}")]
    Corrupt(String),
}

/// What `migrate` did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema's version now.
    pub version: i64,
    /// How many steps were applied by this call.
    pub applied: usize,
}

/// A notification that was read, on its way to disk.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Our id for it.
    pub id: NotificationId,
    /// `Some`: these are statements of a notification that is already recorded, read again; its row stays as it is.
    pub again: Option<NotificationId>,
    /// Mastercard's `requestId`, verbatim, or ours if it was missing.
    pub request_id: String,
    /// Keyed hash of the decrypted content.
    pub content: ContentHash,
    /// When the last byte of it came in (a redrive keeps that time).
    pub received_at: OffsetDateTime,
    /// Who sent it.
    pub peer: Peer,
    /// The sealed body, as it came or as we sealed it.
    pub sealed_body: Vec<u8>,
    /// Who sealed that body.
    pub sealed_by: SealedBy,
    /// SPKI SHA-256 (hex) of the key that opens it.
    pub key: String,
    /// What it says.
    pub statements: Vec<Statement>,
    /// What of it could not be read, with the ids for their quarantine rows (same order and length).
    pub unreadable: Vec<(QuarantineId, UnreadableToken)>,
    /// What was odd about the whole.
    pub flags: std::collections::BTreeSet<Flag>,
    /// How it came to us.
    pub manner: Manner,
}

/// Who sealed a body that rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SealedBy {
    /// It rests as it came.
    Sender,
    /// It came unsealed; opening it gives the bytes that came.
    Us,
}

/// What became of a recording.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// Told for the first time.
    New {
        /// Its id.
        id: NotificationId,
        /// One per statement, in their order.
        outcomes: Vec<Outcome>,
    },
    /// Told before: the first one's id, and the requestId that its answer carried.
    Repeat {
        /// The first one's id.
        first: NotificationId,
        /// What the first answer carried.
        request_id: String,
    },
}

/// What became of one statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// About which token.
    pub token: TokenReference,
    /// What became of it.
    pub verdict: Verdict,
    /// The token's status after it.
    pub status: Option<Status>,
    /// The token's sequence after it.
    pub sequence: u64,
    /// What was odd about it.
    pub flags: std::collections::BTreeSet<Flag>,
    /// It changed nothing that was held: it said what was not known yet, if it said anything new.
    pub adds_only: bool,
}

/// A token as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptToken {
    /// Its state.
    pub token: Token,
    /// When its row last changed.
    pub updated_at: OffsetDateTime,
}

/// One applied change.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// Of which token.
    pub token: TokenReference,
    /// From 1, without gaps.
    pub sequence: u64,
    /// `status`, `suspenders` or `metadata`.
    pub kind: String,
    /// The status before; `None` at first sight.
    pub from_status: Option<Status>,
    /// The status after.
    pub to_status: Option<Status>,
    /// When the status became what it is, as the network says.
    pub status_at: Option<OffsetDateTime>,
    /// The reason that came with this statement.
    pub reason_code: Option<String>,
    /// Everything that changed.
    pub changes: Vec<Change>,
    /// Which notification said so.
    pub notification: NotificationId,
    /// When it was recorded.
    pub recorded_at: OffsetDateTime,
}

/// One statement as the journal keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptStatement {
    /// In which notification.
    pub notification: NotificationId,
    /// Its place in `tokens[]`.
    pub index: u32,
    /// About which token.
    pub token: TokenReference,
    /// What became of it.
    pub verdict: Verdict,
    /// The sequence that it took; `None` unless it advanced the token.
    pub sequence: Option<u64>,
    /// The status it stated, verbatim.
    pub status: Option<Status>,
    /// The instant it stated.
    pub status_at: Option<OffsetDateTime>,
    /// The reason it stated.
    pub reason_code: Option<String>,
    /// What was odd about it.
    pub flags: Vec<Flag>,
    /// Fields that we do not know, masked.
    pub unrecognized: serde_json::Map<String, serde_json::Value>,
    /// How often it was heard again within the retry window.
    pub repeats: u64,
    /// When it was received.
    pub received_at: OffsetDateTime,
}

/// One notification as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptNotification {
    /// Our id.
    pub id: NotificationId,
    /// What the answer carried as `responseId`.
    pub request_id: String,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// Who sent it.
    pub peer: Peer,
    /// The sealed body.
    pub sealed_body: Vec<u8>,
    /// Who sealed it.
    pub sealed_by: SealedBy,
    /// How often it was told again.
    pub repeats: u64,
    /// What was odd about it.
    pub flags: Vec<Flag>,
}

/// What could not be used, on its way to disk.
#[derive(Clone, Debug)]
pub struct NewQuarantine {
    /// Our id for it.
    pub id: QuarantineId,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// Who sent it.
    pub peer: Peer,
    /// The body, sealed.
    pub body: Vec<u8>,
    /// Who sealed it.
    pub sealed_by: SealedBy,
    /// How many bytes came; more than rest here if the body was over the limit.
    pub body_bytes: u64,
    /// Why: an MDES reason code, or one of ours (`not_found`, `too_large` …).
    pub reason: String,
    /// Which step failed, for people; holds nothing of the content.
    pub detail: String,
    /// The ring of keys that was tried ([`crate::store::NewQuarantine::reason`] `CRYPTOGRAPHY_ERROR`), else empty.
    pub keys_tried: String,
}

/// A quarantined entry as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptQuarantine {
    /// Our id.
    pub id: QuarantineId,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// Who sent it.
    pub peer: Peer,
    /// The sealed body; `None` for one token of a notification, which `notification` points to.
    pub body: Option<Vec<u8>>,
    /// Who sealed it.
    pub sealed_by: SealedBy,
    /// How many bytes came.
    pub body_bytes: u64,
    /// For one token of a notification: which notification, and its place in `tokens[]`.
    pub notification: Option<(NotificationId, u32)>,
    /// Why.
    pub reason: String,
    /// Which step failed.
    pub detail: String,
    /// The ring of keys that was tried.
    pub keys_tried: String,
    /// How often it was tried again in vain.
    pub tries: u64,
    /// When it was resolved; `None` while it is open.
    pub resolved_at: Option<OffsetDateTime>,
    /// How it was resolved.
    pub resolution: Option<String>,
}

/// Which quarantined entries are meant.
#[derive(Clone, Debug, Default)]
pub struct QuarantineFilter {
    /// Only open ones.
    pub open: bool,
    /// Only those with this reason.
    pub reason: Option<String>,
    /// Only those that were not yet tried with this ring of keys.
    pub not_tried_with: Option<String>,
}

/// How an entry was resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// It was read after all, and recorded as this notification.
    Redriven(NotificationId),
    /// A person set it aside, and said why.
    SetAside(String),
}

impl Resolution {
    /// As it rests: a person may write a card's number.
    fn masked(&self) -> Self {
        match self {
            Resolution::SetAside(why) => Resolution::SetAside(without_written_numbers(why, false)),
            Resolution::Redriven(notification) => Resolution::Redriven(*notification),
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resolution::Redriven(notification) => write!(f, "redriven as {notification}"),
            Resolution::SetAside(why) => write!(f, "set aside: {why}"),
        }
    }
}
