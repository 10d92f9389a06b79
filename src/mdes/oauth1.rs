//! How Mastercard wants to be asked: OAuth 1.0a, RSA-SHA256, with a hash of the body.
//!
//! Not as RFC 5849 says: the `oauth_*` values go into the base string as they are (a body hash keeps its `+/=`, a
//! consumer key its `!`), and a query's values are encoded only if something in it was. Mastercard's own signers
//! do so, and tests compare with one of them, byte for byte. Nonce and time come in as arguments.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::{digest, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use time::OffsetDateTime;
use url::{Position, Url};

use crate::domain::masked::Secret;
use crate::keys;

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Signs requests in the name of one consumer. Debug shows no key.
pub struct Signer {
    consumer_key: String,
    key: KeyPair,
}

/// Why the signing key cannot be used. Names the setting and the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("key `lifecycle.mdes.signing_key`: {}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// The signature could not be made.
    #[error("the request cannot be signed: the key of `lifecycle.mdes.signing_key` does not sign")]
    Unsigned,
}

/// What is to be signed. No `Debug`: it holds a body.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// `POST`, in capitals.
    pub method: &'a str,
    /// As it is asked for: encoded, its default port left out.
    pub url: &'a Url,
    /// The very bytes that are sent.
    pub body: &'a [u8],
    /// Used once only.
    pub nonce: &'a str,
    /// When.
    pub at: OffsetDateTime,
}

impl Signer {
    /// Reads the key from PKCS#12 (or PKCS#8, PKCS#1; PEM, DER).
    pub fn load(consumer_key: &str, file: &Path, password: Option<&Secret>) -> Result<Self, Error> {
        let key = keys::signing_key(file, password).map_err(|problem| Error::File {
            file: file.to_owned(),
            problem,
        })?;
        Ok(Signer {
            consumer_key: consumer_key.to_owned(),
            key,
        })
    }

    /// The `Authorization` header.
    pub fn authorization(&self, request: &Signed<'_>) -> Result<String, Error> {
        let base = self.base_string(request);
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &signature::RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                base.as_bytes(),
                &mut signature,
            )
            .map_err(|_| Error::Unsigned)?;
        let signature = encoded(&STANDARD.encode(signature));
        let parameters = self
            .parameters(request)
            .map(|(name, value)| format!("{name}=\"{value}\""));
        Ok(format!(
            "OAuth {},oauth_signature=\"{signature}\"",
            parameters.join(",")
        ))
    }

    /// What is signed.
    pub fn base_string(&self, request: &Signed<'_>) -> String {
        let mut parameters = query(request.url.query().unwrap_or_default());
        parameters.extend(self.parameters(request).map(|(name, value)| format!("{name}={value}")));
        parameters.sort_unstable();
        let address = &request.url[..Position::AfterPath];
        format!(
            "{}&{}&{}",
            request.method,
            encoded(address),
            encoded(&parameters.join("&"))
        )
    }

    /// In the order in which they stand in the header.
    fn parameters(&self, request: &Signed<'_>) -> [(&'static str, String); 6] {
        let hash = digest::digest(&digest::SHA256, request.body);
        [
            ("oauth_consumer_key", self.consumer_key.clone()),
            ("oauth_nonce", request.nonce.to_owned()),
            ("oauth_timestamp", request.at.unix_timestamp().to_string()),
            ("oauth_signature_method", "RSA-SHA256".to_owned()),
            ("oauth_version", "1.0".to_owned()),
            ("oauth_body_hash", STANDARD.encode(hash)),
        ]
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(····)")
    }
}

/// The pairs of a query, decoded; encoded again only if something in the query was.
fn query(query: &str) -> Vec<String> {
    let was_encoded = percent_decode_str(query).decode_utf8_lossy() != query;
    let shown = |text: &str| {
        let text = text.replace('+', " ");
        let text = percent_decode_str(&text).decode_utf8_lossy();
        match was_encoded {
            true => encoded(&text),
            false => text.replace(' ', "+"),
        }
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| format!("{}={}", shown(name), shown(value)))
        .collect()
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_encoded_only_if_it_was() {
        assert_eq!(query("a=b+c&d=e:f"), ["a=b+c", "d=e:f"]);
        assert_eq!(query("a=b+c&d=e%3Af"), ["a=b%20c", "d=e%3Af"]);
    }

    #[test]
    fn a_name_alone_has_an_empty_value() {
        assert_eq!(query("a&&b="), ["a=", "b="]);
    }
}
