//! A bearer token's text: what it looks like, and nothing of whose it is.
//!
//! The text is shown once, when it is made; what is kept is its hash.

use std::fmt;

use aws_lc_rs::digest;
use zeroize::Zeroizing;

/// So that a scanner for leaked secrets knows one when it sees it.
const PREFIX: &str = "mdr_";
/// 32 bytes in base64url without padding.
const REST_CHARS: usize = 43;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// `mdr_` and 32 random bytes in base64url. Debug shows nothing of it; it is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(Zeroizing<String>);

impl Bearer {
    /// The token of these random bytes.
    pub fn of(random: &[u8; 32]) -> Self {
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + REST_CHARS));
        text.push_str(PREFIX);
        for three in random.chunks(3) {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            for place in 0..=three.len() {
                let six = bits >> (18 - 6 * place) & 63;
                text.push(char::from(ALPHABET[six as usize]));
            }
        }
        Bearer(text)
    }

    /// The token of this text, if it looks like one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let is_ours = rest.len() == REST_CHARS && rest.bytes().all(|byte| ALPHABET.contains(&byte));
        is_ours.then(|| Bearer(Zeroizing::new(text.to_owned())))
    }

    /// What is kept of it, and what it is looked up by: whoever can time that lookup learns of a hash, not of a token.
    pub fn sha256(&self) -> [u8; 32] {
        let digest = digest::digest(&digest::SHA256, self.0.as_bytes());
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// It, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("····")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_is_base64url_of_its_bytes() {
        let counted: [u8; 32] = std::array::from_fn(|index| index as u8);
        // Python: base64.urlsafe_b64encode(bytes(range(32)))
        let expected = "mdr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        assert_eq!(Bearer::of(&counted).expose(), expected);
        assert!(Bearer::of(&[0xff; 32]).expose().ends_with("__8"));
    }

    #[test]
    fn what_it_made_it_reads_and_nothing_else() {
        let token = Bearer::of(&[7; 32]);
        assert_eq!(Bearer::parse(token.expose()), Some(token));
        for text in [
            "",
            "mdr_",
            "mdr_short",
            "Mdr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "mdr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh+",
        ] {
            assert_eq!(Bearer::parse(text), None, "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_it() {
        assert_eq!(format!("{:?}", Bearer::of(&[7; 32])), "····");
    }
}
