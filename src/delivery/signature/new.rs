//! Makes a secret.

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::domain::masked::Secret;

const BYTES: usize = 32;

/// A secret that nobody else knows.
pub struct NewSecret {
    /// What signs: `whsec_…` or `whsk_…`.
    pub secret: Secret,
    /// What verifies it, if that is something else: `whpk_…`.
    pub public: Option<String>,
}

/// Makes one: of Ed25519, or one that both ends know.
pub fn new_secret(ed25519: bool) -> Result<NewSecret, Unspecified> {
    let mut bytes = Zeroizing::new([0; BYTES]);
    rand::fill(bytes.as_mut_slice())?;
    let text = Zeroizing::new(STANDARD.encode(bytes.as_slice()));
    if !ed25519 {
        let secret = Secret::new(format!("whsec_{}", *text));
        return Ok(NewSecret { secret, public: None });
    }
    let pair = Ed25519KeyPair::from_seed_unchecked(bytes.as_slice()).map_err(|_| Unspecified)?;
    Ok(NewSecret {
        secret: Secret::new(format!("whsk_{}", *text)),
        public: Some(format!("whpk_{}", STANDARD.encode(pair.public_key()))),
    })
}
