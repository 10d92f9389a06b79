//! A text that may stand where everybody looks: in a URL, a cursor, a referrer, another's log.
//!
//! AES-256-GCM-SIV (RFC 8452) under a key that only the decryption key gives, with one nonce for all: the same text gives
//! the same veil, on every replica and over restarts, and that two veils are of one text is all that they tell.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What is longer was not given out by us.
const VEILED_CHARS_MAX: usize = 8_192;

/// Veils, and takes the veil off again.
pub(super) struct Veil(LessSafeKey);

impl Veil {
    pub(super) fn of(secret: &hkdf::Prk) -> Result<Self, Unspecified> {
        let key = UnboundKey::from(secret.expand(&[b"veil"], &AES_256_GCM_SIV)?);
        Ok(Veil(LessSafeKey::new(key)))
    }

    /// In letters, digits, `-` and `_` alone.
    pub(super) fn over(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        let sealed = self.0.seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes);
        sealed.expect("a text that is held in memory is short enough to seal");
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What is under it; `None` if this key did not put it on.
    pub(super) fn off(&self, veiled: &str) -> Option<String> {
        if veiled.len() > VEILED_CHARS_MAX {
            return None;
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(veiled).ok()?;
        let text = self.0.open_in_place(nonce(), Aad::empty(), &mut bytes).ok()?;
        String::from_utf8(text.to_vec()).ok()
    }
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veil(secret: &[u8]) -> Veil {
        Veil::of(&hkdf::Salt::new(hkdf::HKDF_SHA256, b"salt").extract(secret)).expect("a key")
    }

    #[test]
    fn a_veil_says_nothing_and_comes_off_for_who_has_the_key() {
        let veiled = veil(b"ours").over("tokenex:4761202544127718");
        assert_eq!(veil(b"ours").over("tokenex:4761202544127718"), veiled);
        assert_eq!(veil(b"ours").off(&veiled).as_deref(), Some("tokenex:4761202544127718"));
        let bytes = URL_SAFE_NO_PAD.decode(&veiled).expect("base64url");
        assert!(!String::from_utf8_lossy(&bytes).contains("47612025"));
        assert_eq!(veil(b"another's").off(&veiled), None);
        for forged in ["", "x", "dG9rZW5leDo0NzYx", &format!("{veiled}A")] {
            assert_eq!(veil(b"ours").off(forged), None, "{forged}");
        }
    }
}
