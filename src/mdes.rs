//! Mastercard's language: bytes in, domain out.
//!
//! [`read`] opens what came, reads it gently, and says what of it may rest. It keeps nothing, asks
//! no clock, and tells a stranger one thing only about a body that would not open: that it would not.

pub mod answer;
pub mod client;
mod detail;
mod envelope;
mod message;
pub mod oauth1;
mod reason;
mod reseal;

use std::fmt;

use time::OffsetDateTime;
use zeroize::Zeroizing;

pub use detail::{Answered, with_number};
pub use envelope::{Opened, seal};
pub use reason::{Field, Reason};
pub use reseal::{Resealed, reseal};

use crate::config::settings;
use crate::domain::masked::Secret;
use crate::domain::notification::{Notification, Statement};
use crate::keys::{DecryptionKey, KeyRing};
use crate::telemetry::traces;
use envelope::{Arrived, Content};
use message::Plaintext;
use reason::Fault;

/// The rules of reading: what the operator chose.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Whether bodies must come sealed.
    pub payload: settings::Payload,
    /// How sealed bodies are opened.
    pub envelope: settings::Envelope,
}

impl Reading {
    /// The same rules, for a body that must not come sealed.
    pub fn unsealed(self) -> Self {
        let payload = settings::Payload::Plain;
        Reading { payload, ..self }
    }
}

/// A body that was understood, at least in part.
#[derive(Debug)]
pub struct Read {
    /// What it says.
    pub notification: Notification,
    /// SPKI SHA-256 of the key that opens the resting body.
    pub key: String,
    /// What of it may rest.
    pub resting: Resting,
}

/// Bytes that may rest: sealed, by the sender or by us.
pub struct Resting {
    /// An envelope, and nothing beside it.
    pub body: Vec<u8>,
    /// It came unsealed, or not only sealed: opening this gives the bytes that came.
    pub by_us: bool,
}

impl fmt::Debug for Resting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resting({} bytes, by_us: {})", self.body.len(), self.by_us)
    }
}

/// A body that could not be understood. Display and Debug hold nothing of it.
#[derive(Debug, thiserror::Error)]
#[error("{}: {detail}", reason.code())]
pub struct Unreadable {
    /// What the sender is told.
    pub reason: Reason,
    /// Which step failed, for the log and the quarantine row; never for the sender.
    pub detail: String,
    /// The sender's `requestId`, if it could be read.
    pub request_id: Option<String>,
    /// What may rest of it.
    pub resting: Resting,
    /// The ring of keys that did not open it ([`KeyRing::id`]); `None` if it was not for want of a key.
    pub keys_tried: Option<String>,
}

/// Opens a body and reads what it says about which tokens.
///
/// `received_at` is the time of first receipt: a redrive is judged by the time at which the body came.
pub fn read(body: &[u8], ring: &KeyRing, rules: &Reading, received_at: OffsetDateTime) -> Result<Read, Unreadable> {
    let Arrived { head, content } = Arrived::read(body, rules);
    let resting = head.resting(body, ring);
    let told = content
        .and_then(|content| traces::within("open", || plaintext(content, ring, ring.newest(), rules)))
        .and_then(|(plaintext, key)| {
            let read = || message::notification(plaintext, key, rules, received_at);
            Ok((traces::within("read", read)?, key))
        });
    let (mut notification, opener) = match told {
        Ok(told) => told,
        Err(fault) => return Err(unreadable(fault, head.request_id, resting, ring)),
    };
    notification.request_id = head.request_id;
    notification.flags.extend(head.flags);
    let key = if resting.by_us { ring.newest() } else { opener };
    Ok(Read {
        notification,
        key: key.spki_sha256().to_owned(),
        resting,
    })
}

/// Reads one entry of `tokens[]` of a resting body again, and says (SPKI SHA-256) which key opens that body.
pub fn read_token(
    body: &[u8],
    by_us: bool,
    index: u32,
    ring: &KeyRing,
    rules: &Reading,
    received_at: OffsetDateTime,
) -> Result<(Statement, String), Unreadable> {
    let again = |fault, request_id| {
        let body = body.to_vec();
        unreadable(fault, request_id, Resting { body, by_us }, ring)
    };
    let (came, ours) = came(body, by_us, ring).map_err(|fault| again(fault, None))?;
    // Whether it might come unsealed was decided when it came.
    let payload = settings::Payload::Either;
    let Arrived { head, content } = Arrived::read(&came, &Reading { payload, ..*rules });
    content
        .and_then(|content| plaintext(content, ring, ours.unwrap_or(ring.newest()), rules))
        .and_then(|(plaintext, key)| {
            let statement = message::statement(&plaintext, index, key, rules, received_at)?;
            Ok((statement, ours.unwrap_or(key).spki_sha256().to_owned()))
        })
        .map_err(|fault| again(fault, head.request_id))
}

/// The token's own number (a PAN) in one entry of `tokens[]` of a resting body, if one stands there.
/// For who was asked by name to pass it on; it is wiped when dropped.
pub fn token_number(
    body: &[u8],
    by_us: bool,
    index: u32,
    ring: &KeyRing,
    rules: &Reading,
) -> Result<Option<Secret>, Unreadable> {
    let opened = || {
        let (came, _) = came(body, by_us, ring)?;
        let payload = settings::Payload::Either;
        let arrived = Arrived::read(&came, &Reading { payload, ..*rules });
        let (plaintext, _) = plaintext(arrived.content?, ring, ring.newest(), rules)?;
        Ok(message::token_number(&plaintext, index))
    };
    opened().map_err(|fault| {
        let body = body.to_vec();
        unreadable(fault, None, Resting { body, by_us }, ring)
    })
}

/// The bytes that came: the resting body itself, or what we sealed.
pub fn open_resting(body: &[u8], by_us: bool, ring: &KeyRing) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    came(body, by_us, ring).map(|(bytes, _)| bytes).map_err(|fault| {
        let body = body.to_vec();
        unreadable(fault, None, Resting { body, by_us }, ring)
    })
}

/// What may rest of a body that nobody is going to read (a wrong path, a wrong content type).
pub fn rest(body: &[u8], ring: &KeyRing) -> Resting {
    envelope::Head::read(body).resting(body, ring)
}

/// Opens an envelope (or a bare `encryptedPayload`) for a person to look at: the bytes in it, whatever they are,
/// and the key that opened it. The error names the step that failed.
pub fn open<'r>(body: &[u8], ring: &'r KeyRing, rules: &Reading) -> Result<Opened<'r>, Unreadable> {
    envelope::sealed(body, rules)
        .and_then(|sealed| envelope::open_any(&sealed, ring, rules.envelope.try_all))
        .map_err(|fault| unreadable(fault, None, rest(body, ring), ring))
}

/// The bytes that came, and the key that opened them if they had been sealed by us.
fn came<'r>(
    body: &[u8],
    by_us: bool,
    ring: &'r KeyRing,
) -> Result<(Zeroizing<Vec<u8>>, Option<&'r DecryptionKey>), Fault> {
    if !by_us {
        return Ok((Zeroizing::new(body.to_vec()), None));
    }
    let opened = envelope::open_any(&envelope::sealed(body, &OURS)?, ring, true)?;
    Ok((opened.bytes, Some(opened.key)))
}

/// How we seal.
const OURS: Reading = Reading {
    payload: settings::Payload::Encrypted,
    envelope: settings::Envelope {
        try_all: true,
        legacy_pkcs1_v15: false,
        refuse_expired: false,
    },
};

/// The content as an object, and the key under which it is hashed.
fn plaintext<'r>(
    content: Content,
    ring: &'r KeyRing,
    plain_key: &'r DecryptionKey,
    rules: &Reading,
) -> Result<(Plaintext, &'r DecryptionKey), Fault> {
    match content {
        Content::Plain(plaintext) => Ok((plaintext, plain_key)),
        Content::Sealed(sealed) => envelope::open_message(&sealed, ring, rules.envelope.try_all),
    }
}

fn unreadable(fault: Fault, request_id: Option<String>, resting: Resting, ring: &KeyRing) -> Unreadable {
    Unreadable {
        keys_tried: (fault.reason == Reason::Unopened).then(|| ring.id().to_owned()),
        reason: fault.reason,
        detail: fault.detail,
        request_id,
        resting,
    }
}
