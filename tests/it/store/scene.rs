//! Words for scenes: who says what of which token, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};

use mdes_receiver::domain::id::{ContentHash, NotificationId, QuarantineId, TokenReference};
use mdes_receiver::domain::notification::{Statement, UnreadableToken, Windows};
use mdes_receiver::domain::peer::Peer;
use mdes_receiver::domain::status::{Instant, Status};
use mdes_receiver::domain::token::Manner;
use mdes_receiver::store::{Outcome, Recorded, Recording, SealedBy, SharedStore};
use serde_json::Value;
use time::macros::{date, datetime};
use time::{OffsetDateTime, Time};
use uuid::Uuid;

/// The day on which everything happens.
pub fn at(clock: &str) -> OffsetDateTime {
    let format = time::macros::format_description!("[hour]:[minute]");
    let time = Time::parse(clock, format).expect("hh:mm");
    date!(2026 - 11 - 22).with_time(time).assume_utc()
}

pub fn noon() -> OffsetDateTime {
    datetime!(2026-11-22 12:00:00.123456 UTC)
}

pub fn token(reference: &str) -> TokenReference {
    TokenReference::mdes(reference)
}

/// `token` has `status` since `clock`, says the network.
pub fn said(reference: &str, status: &str, clock: &str) -> Statement {
    let mut statement = Statement {
        token: token(reference),
        index: 0,
        hash: ContentHash([0; 32]),
        status: Some(Status::from(status.to_owned())),
        suspended_by: BTreeSet::new(),
        reason_code: Some("OTHER".to_owned()),
        instant: Some(Instant::new(at(clock), false)),
        metadata: BTreeMap::new(),
        unrecognized: serde_json::Map::new(),
        flags: BTreeSet::new(),
    };
    if status == "SUSPENDED" {
        statement.suspended_by.insert("ISSUER".to_owned());
    }
    hashed(statement)
}

/// The same with one metadata field.
pub fn with(mut statement: Statement, field: &str, value: impl Into<Value>) -> Statement {
    statement.metadata.insert(field.to_owned(), Some(value.into()));
    hashed(statement)
}

/// With the hash of what it says.
pub fn hashed(mut statement: Statement) -> Statement {
    statement.hash = ContentHash([0; 32]);
    statement.hash = hash(&format!("{statement:?}"));
    statement
}

pub fn hash(content: &str) -> ContentHash {
    let mut bytes = [0; 32];
    for (salt, chunk) in bytes.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (salt, content).hash(&mut hasher);
        chunk.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    ContentHash(bytes)
}

fn next_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u128(NEXT.fetch_add(1, Ordering::Relaxed).into())
}

pub fn quarantine_id() -> QuarantineId {
    QuarantineId(next_id())
}

pub fn peer() -> Peer {
    Peer {
        name: "ws.mastercard.com".to_owned(),
        organization: Some("Mastercard".to_owned()),
        address: "203.0.113.7:51422".parse().expect("an address"),
        certificate_sha256: "ab".repeat(32),
    }
}

/// A notification with these statements, received at noon.
pub fn told(request_id: &str, statements: Vec<Statement>) -> Recording {
    let mut statements = statements;
    for (index, statement) in (0..).zip(&mut statements) {
        statement.index = index;
    }
    Recording {
        id: NotificationId(next_id()),
        again: None,
        request_id: request_id.to_owned(),
        content: hash(&format!("{statements:?}")),
        received_at: noon(),
        peer: peer(),
        sealed_body: format!("sealed {request_id}").into_bytes(),
        sealed_by: SealedBy::Sender,
        key: "cd".repeat(32),
        statements,
        unreadable: Vec::new(),
        flags: BTreeSet::new(),
        manner: Manner::Told,
    }
}

/// The same notification, told once more.
pub fn again(recording: &Recording) -> Recording {
    Recording {
        id: NotificationId(next_id()),
        ..recording.clone()
    }
}

pub fn received(mut recording: Recording, clock: &str) -> Recording {
    recording.received_at = at(clock);
    recording
}

pub fn unreadable(mut recording: Recording, index: u32, reason: &str) -> Recording {
    let reason = reason.to_owned();
    recording
        .unreadable
        .push((quarantine_id(), UnreadableToken { index, reason }));
    recording
}

/// Records one notification alone.
pub async fn record(store: &SharedStore, recording: &Recording) -> Recorded {
    let mut answers = record_all(store, std::slice::from_ref(recording)).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

pub async fn record_all(store: &SharedStore, batch: &[Recording]) -> Vec<Recorded> {
    let answers = store.record(batch, &Windows::default()).await;
    answers.expect("the batch is recorded")
}

/// The outcomes of a notification that is new.
pub fn outcomes(recorded: &Recorded) -> &[Outcome] {
    match recorded {
        Recorded::New { outcomes, .. } => outcomes,
        Recorded::Repeat { .. } => panic!("a repeat: {recorded:?}"),
    }
}
