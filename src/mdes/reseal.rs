//! Moves a resting body to the newest key: what was wrapped to an older one is its content key, and only that is wrapped
//! anew. The sealed content, and whatever stands beside it, stays as it came; where we sealed the whole, the whole is
//! sealed anew as well.
//!
//! What comes out was opened with the newest key and held against what went in, before it is given back.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::envelope::{self, Sealed, seal};
use super::message::Plaintext;
use super::reason::{Fault, Field, Reason};
use super::{OURS, Reading, Resting, Unreadable, unreadable};
use crate::keys::{DecryptionKey, KeyRing};

/// What is needed to read a resting body, and the body as only the newest key opens it.
pub struct Resealed {
    /// SPKI SHA-256 of each key that it needs now: one, or two where a sealed body rests in one that we sealed.
    pub keys: BTreeSet<String>,
    /// The body under the newest key; `None`: it is so already.
    pub body: Option<Vec<u8>>,
    /// How long what came is now, and was before: a fingerprint may be shorter.
    pub came_bytes: (u64, u64),
}

/// Moves a resting body to the newest key of the ring.
///
/// # Errors
/// No key of the ring opens it, or it is no envelope. What stands sealed in a body that we sealed and cannot be opened
/// stays as it is in there.
pub fn reseal(body: &[u8], by_us: bool, ring: &KeyRing, rules: &Reading) -> Result<Resealed, Unreadable> {
    let resealed = match by_us {
        true => whole(body, ring, rules),
        false => rewrapped(body, ring, rules),
    };
    resealed.map_err(|fault| {
        let body = body.to_vec();
        unreadable(fault, None, Resting { body, by_us }, ring)
    })
}

/// A body that we sealed: what stands in it may be sealed once more, to another key.
fn whole(body: &[u8], ring: &KeyRing, rules: &Reading) -> Result<Resealed, Fault> {
    let opened = envelope::open_any(&envelope::sealed(body, &OURS)?, ring, true)?;
    let inner = rewrapped(&opened.bytes, ring, rules).ok();
    let mut keys: BTreeSet<String> = inner.as_ref().map(|inner| inner.keys.clone()).unwrap_or_default();
    let changed = inner.and_then(|inner| inner.body).map(Zeroizing::new);
    let came: &[u8] = changed.as_ref().map_or(&opened.bytes, |changed| changed);
    let is_newest = is_newest(opened.key, ring) && changed.is_none();
    keys.insert(opened.key.spki_sha256().to_owned());
    Ok(Resealed {
        keys,
        body: (!is_newest).then(|| seal(came, ring.newest())),
        came_bytes: (came.len() as u64, opened.bytes.len() as u64),
    })
}

/// An envelope, its content key wrapped to the newest key.
fn rewrapped(body: &[u8], ring: &KeyRing, rules: &Reading) -> Result<Resealed, Fault> {
    let sealed = envelope::sealed(body, rules)?;
    let opened = envelope::open_any(&sealed, ring, true)?;
    let body_now = match is_newest(opened.key, ring) {
        true => None,
        false => Some(wrapped_anew(body, &sealed, opened.key, ring)?),
    };
    if let Some(now) = &body_now {
        let again = envelope::open_any(&envelope::sealed(now, rules)?, ring, false)?;
        if again.bytes != opened.bytes || !is_newest(again.key, ring) {
            return Err(Fault::new(
                Reason::Unopened,
                "what was wrapped anew does not open as before",
            ));
        }
    }
    let was = body.len() as u64;
    Ok(Resealed {
        keys: BTreeSet::from([opened.key.spki_sha256().to_owned()]),
        came_bytes: (body_now.as_ref().map_or(was, |now| now.len() as u64), was),
        body: body_now,
    })
}

fn wrapped_anew(body: &[u8], sealed: &Sealed, key: &DecryptionKey, ring: &KeyRing) -> Result<Vec<u8>, Fault> {
    let newest = ring.newest();
    let content_key = key.unwrap(&sealed.wrapped, sealed.wrapping);
    let wrapped = newest.wrap(&content_key.key);
    let wrapped = wrapped.map_err(|_| Fault::new(Reason::Unopened, "the newest key cannot wrap its content key"))?;
    let mut object = Plaintext::parse(body).ok_or_else(|| Fault::new(Reason::NotJson, "the body is no JSON object"))?;
    let fields = object.fields_mut();
    let is_bare = !fields.contains_key(Field::EncryptedPayload.as_str());
    let payload = match is_bare {
        true => Some(fields),
        false => fields
            .get_mut(Field::EncryptedPayload.as_str())
            .and_then(serde_json::Value::as_object_mut),
    };
    let payload = payload.ok_or_else(|| {
        let field = Field::EncryptedPayload;
        Fault::new(Reason::Format(field), "encryptedPayload is no object")
    })?;
    let words = [
        (Field::PublicKeyFingerprint, newest.spki_sha256().to_owned()),
        (Field::EncryptedKey, hex::encode(wrapped)),
        (Field::OaepHashingAlgorithm, "SHA256".to_owned()),
    ];
    for (field, word) in words {
        payload.insert(field.as_str().to_owned(), word.into());
    }
    serde_json::to_vec(object.fields()).map_err(|_| Fault::new(Reason::NotJson, "it cannot be written as JSON"))
}

fn is_newest(key: &DecryptionKey, ring: &KeyRing) -> bool {
    key.spki_sha256() == ring.newest().spki_sha256()
}
