//! One secret: `whsec_…`, `whsk_…`, or the public `whpk_…`, which only verifies.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};
use zeroize::Zeroizing;

/// What other programs write does not always have its `=`.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The specification says 24 to 64; other programs made shorter ones.
const HMAC_BYTES_MIN: usize = 16;
const HMAC_BYTES_MAX: usize = 512;
const ED25519_BYTES: usize = 32;

/// A secret that signs or a public key that verifies. It has no Debug; the library wipes what it holds.
pub struct Key(Inner);

enum Inner {
    Hmac(Box<hmac::Key>),
    Private(Ed25519KeyPair),
    Public(Vec<u8>),
}

/// Why a text is no key. It says nothing of what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not one of the three prefixes.
    #[error("must begin with `whsec_` (HMAC), `whsk_` (Ed25519, private) or `whpk_` (Ed25519, public)")]
    Prefix,
    /// What follows the prefix.
    #[error("is not base64 after its prefix")]
    Base64,
    /// Easily guessed, or no key at all.
    #[error("holds {0} bytes; a `whsec_` must hold 24 to 64, and not less than 16")]
    Length(usize),
    /// Not an Ed25519 key.
    #[error("is no Ed25519 key: `whsk_` holds 32 bytes, or 64 with the public half, and `whpk_` holds 32")]
    Ed25519,
    /// The wrong half to sign by.
    #[error("is the public half, which does not sign; give the `whsk_…`")]
    Public,
}

impl Key {
    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let (prefix, rest) = text.split_once('_').ok_or(BadKey::Prefix)?;
        let parse = match prefix {
            "whsec" => hmac_key,
            "whsk" => private_key,
            "whpk" => public_key,
            _ => return Err(BadKey::Prefix),
        };
        let bytes = Zeroizing::new(LENIENT.decode(rest.trim()).map_err(|_| BadKey::Base64)?);
        parse(&bytes).map(Key)
    }

    /// Whether it can sign, and not only verify.
    pub fn can_sign(&self) -> bool {
        !matches!(self.0, Inner::Public(_))
    }

    /// The version of its signatures.
    pub fn version(&self) -> &'static str {
        match self.0 {
            Inner::Hmac(_) => "v1",
            Inner::Private(_) | Inner::Public(_) => "v1a",
        }
    }

    /// `v1,…` or `v1a,…` over both parts; `None` if it cannot sign.
    pub(super) fn sign(&self, begin: &[u8], body: &[u8]) -> Option<String> {
        let signature = match &self.0 {
            Inner::Hmac(key) => STANDARD.encode(hmac_of(key, begin, body)),
            Inner::Private(pair) => STANDARD.encode(pair.sign(&[begin, body].concat())),
            Inner::Public(_) => return None,
        };
        Some(format!("{},{signature}", self.version()))
    }

    /// Whether that signature (base64, without its version) is by it; the time that takes says nothing.
    pub(super) fn made(&self, signature: &str, begin: &[u8], body: &[u8]) -> bool {
        let Ok(signature) = LENIENT.decode(signature) else {
            return false;
        };
        match &self.0 {
            Inner::Hmac(key) => verify_slices_are_equal(hmac_of(key, begin, body).as_ref(), &signature).is_ok(),
            Inner::Private(pair) => ed25519_fits(pair.public_key().as_ref(), &signature, begin, body),
            Inner::Public(key) => ed25519_fits(key, &signature, begin, body),
        }
    }
}

fn hmac_key(bytes: &[u8]) -> Result<Inner, BadKey> {
    if !(HMAC_BYTES_MIN..=HMAC_BYTES_MAX).contains(&bytes.len()) {
        return Err(BadKey::Length(bytes.len()));
    }
    Ok(Inner::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes))))
}

fn private_key(bytes: &[u8]) -> Result<Inner, BadKey> {
    let pair = match bytes.split_at_checked(ED25519_BYTES) {
        Some((seed, [])) => Ed25519KeyPair::from_seed_unchecked(seed),
        Some((seed, public)) => Ed25519KeyPair::from_seed_and_public_key(seed, public),
        None => return Err(BadKey::Ed25519),
    };
    pair.map(Inner::Private).map_err(|_| BadKey::Ed25519)
}

fn public_key(bytes: &[u8]) -> Result<Inner, BadKey> {
    if bytes.len() != ED25519_BYTES {
        return Err(BadKey::Ed25519);
    }
    Ok(Inner::Public(bytes.to_vec()))
}

fn hmac_of(key: &hmac::Key, begin: &[u8], body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(begin);
    context.update(body);
    context.sign()
}

fn ed25519_fits(key: &[u8], signature: &[u8], begin: &[u8], body: &[u8]) -> bool {
    let key = UnparsedPublicKey::new(&ED25519, key);
    key.verify(&[begin, body].concat(), signature).is_ok()
}
