//! Opening and sealing: RSA unwraps the content key, AES-CBC gives the bytes, PKCS#7 their end.
//!
//! Outward there is one failure. Every candidate key goes through every step whether or not the step before
//! held, with a decoy where there was no content key, so that neither the answer nor the work tells which one failed.

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptingKey, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use serde_json::json;
use zeroize::Zeroizing;

use super::super::message::Plaintext;
use super::super::reason::{Fault, Reason};
use super::Bytes;
use super::wire::Sealed;
use crate::domain::masked;
use crate::keys::{DecryptionKey, KeyRing};

const BLOCK: usize = 16;

/// What was in an envelope, and what opened it.
pub struct Opened<'r> {
    /// The bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// The key that opened it.
    pub key: &'r DecryptionKey,
    /// The sender named that key by a fingerprint that we know.
    pub named: bool,
}

/// The step at which a key gave up, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Unwrap,
    Blocks,
    Padding,
    Content,
}

impl Step {
    fn what_failed(self) -> &'static str {
        match self {
            Step::Unwrap => "encryptedKey was not wrapped to it, or not with this oaepHashingAlgorithm",
            Step::Blocks => "the content key was unwrapped, encryptedData is not a whole number of blocks",
            Step::Padding => "the content key was unwrapped, the padding of encryptedData is wrong",
            Step::Content => "it was decrypted, and is no UTF-8 JSON object",
        }
    }
}

/// Opens what must be a JSON object.
pub(in crate::mdes) fn open_message<'r>(
    sealed: &Sealed,
    ring: &'r KeyRing,
    try_all: bool,
) -> Result<(Plaintext, &'r DecryptionKey), Fault> {
    let (plaintext, key, _) = open(sealed, ring, try_all, |bytes| Plaintext::parse(&bytes))?;
    Ok((plaintext, key))
}

/// Opens what may be any bytes.
pub(in crate::mdes) fn open_any<'r>(sealed: &Sealed, ring: &'r KeyRing, try_all: bool) -> Result<Opened<'r>, Fault> {
    let (bytes, key, named) = open(sealed, ring, try_all, Some)?;
    Ok(Opened { bytes, key, named })
}

fn open<'r, T>(
    sealed: &Sealed,
    ring: &'r KeyRing,
    try_all: bool,
    content: impl Fn(Bytes) -> Option<T>,
) -> Result<(T, &'r DecryptionKey, bool), Fault> {
    let fingerprint = sealed.fingerprint.as_deref();
    let named: Vec<&DecryptionKey> = fingerprint.into_iter().flat_map(|name| ring.named(name)).collect();
    // A fingerprint may be of another certificate altogether: the sandbox is known for it.
    let others = ring
        .keys()
        .iter()
        .rev()
        .filter(|key| try_all && !named.iter().any(|held| held.spki_sha256() == key.spki_sha256()));

    let mut tried = 0;
    let mut furthest = None;
    for key in named.iter().copied().chain(others) {
        match open_with(key, sealed, &content) {
            Ok(opened) => return Ok((opened, key, tried < named.len())),
            Err(step) => furthest = furthest.max(Some(step)),
        }
        tried += 1;
    }
    Err(Fault::new(
        Reason::Unopened,
        detail(fingerprint, named.len(), tried, furthest),
    ))
}

/// Takes every step, and then says which was the first to fail.
fn open_with<T>(key: &DecryptionKey, sealed: &Sealed, content: impl Fn(Bytes) -> Option<T>) -> Result<T, Step> {
    let content_key = key.unwrap(&sealed.wrapped, sealed.wrapping);
    let mut bytes = Zeroizing::new(sealed.data.clone());
    let decrypted = decrypt(&content_key.key, &sealed.iv, &mut bytes);
    let end = unpadded(&bytes);
    let length = end.unwrap_or(bytes.len());
    bytes.truncate(length);
    let content = content(bytes);
    match content {
        _ if !content_key.genuine => Err(Step::Unwrap),
        _ if decrypted.is_err() => Err(Step::Blocks),
        _ if end.is_none() => Err(Step::Padding),
        None => Err(Step::Content),
        Some(content) => Ok(content),
    }
}

fn decrypt(key: &[u8], iv: &[u8; BLOCK], bytes: &mut [u8]) -> Result<(), Unspecified> {
    if bytes.is_empty() {
        return Err(Unspecified);
    }
    let key = DecryptingKey::cbc(aes(key)?)?;
    key.decrypt(bytes, DecryptionContext::Iv128(FixedLength::from(iv)))?;
    Ok(())
}

fn aes(key: &[u8]) -> Result<UnboundCipherKey, Unspecified> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    UnboundCipherKey::new(algorithm, key)
}

/// Where the content ends by PKCS#7 (RFC 5652 section 6.3). Looks at the whole last block, whatever stands there.
fn unpadded(bytes: &[u8]) -> Option<usize> {
    let last: &[u8; BLOCK] = bytes.last_chunk()?;
    let count = last[BLOCK - 1];
    let mut wrong = u8::from(count == 0) | u8::from(usize::from(count) > BLOCK);
    for (place, byte) in (1..=BLOCK).rev().zip(last) {
        wrong |= u8::from(place <= usize::from(count)) & u8::from(*byte != count);
    }
    (wrong == 0).then(|| bytes.len() - usize::from(count))
}

fn detail(fingerprint: Option<&str>, named: usize, tried: usize, furthest: Option<Step>) -> String {
    let name = match fingerprint {
        // A fingerprint is no secret, but it is the sender's text.
        Some(text) => masked::without_numbers(&text.escape_default().to_string()),
        None => "missing".to_owned(),
    };
    let keys = if tried == 1 { "key" } else { "keys" };
    match furthest {
        None => format!("publicKeyFingerprint {name} names no key, see `envelope.unknown_fingerprint`"),
        Some(step) => format!(
            "{tried} {keys} tried ({named} named by publicKeyFingerprint {name}): {}",
            step.what_failed()
        ),
    }
}

/// Our own envelope around any bytes: RSA-OAEP with SHA-256, AES-256-CBC, the key's SPKI SHA-256 as its fingerprint.
pub fn seal(bytes: &[u8], key: &DecryptionKey) -> Vec<u8> {
    try_seal(bytes, key).expect("a key that was taken in wraps 32 bytes, and the system has randomness")
}

fn try_seal(bytes: &[u8], key: &DecryptionKey) -> Result<Vec<u8>, Unspecified> {
    let mut content_key = Zeroizing::new([0; 32]);
    rand::fill(content_key.as_mut())?;
    // In one allocation, so that no copy of the plaintext is left behind when the padding is added.
    let mut data = Vec::with_capacity(bytes.len() + BLOCK);
    data.extend_from_slice(bytes);
    let context = PaddedBlockEncryptingKey::cbc_pkcs7(aes(content_key.as_ref())?)?.encrypt(&mut data)?;
    let iv: &[u8] = (&context).try_into()?;

    let envelope = json!({
        "encryptedPayload": {
            "publicKeyFingerprint": key.spki_sha256(),
            "encryptedKey": hex::encode(key.wrap(content_key.as_ref())?),
            "oaepHashingAlgorithm": "SHA256",
            "iv": hex::encode(iv),
            "encryptedData": hex::encode(data),
        }
    });
    Ok(envelope.to_string().into_bytes())
}
