//! Verifies who calls MDES: OAuth 1.0a with RSA-SHA256 and a body hash, as Mastercard's gateway does.
//!
//! The base string is Mastercard's, which is not RFC 5849's: the `oauth_*` values enter it as they stand in the header,
//! without an encoding of their own, and the query's are encoded only where the query as sent has escapes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use time::OffsetDateTime;

use crate::simulator::seal;
use crate::simulator::services::{StartError, held};

/// A timestamp may be so far from our clock.
const WINDOW_SECS: i64 = 300;
/// As many nonces as two windows may hold; more are refused rather than forgotten.
const NONCES_MAX: usize = 100_000;
const HEADER_BYTES_MAX: usize = 8 << 10;
/// All that RFC 3986 calls unreserved stays as it is.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const PARAMETERS: [&str; 7] = [
    "oauth_body_hash",
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_version",
];

/// Why a caller is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// There is no header, or it has not the seven parameters, each once.
    #[error("the Authorization header is not OAuth with its seven parameters")]
    Header,
    /// It is somebody else.
    #[error("the consumer key is not known")]
    ConsumerKey,
    /// Another method or version.
    #[error("oauth_signature_method must be RSA-SHA256 and oauth_version 1.0")]
    Method,
    /// The body is not the one that was hashed.
    #[error("oauth_body_hash is not the body's")]
    BodyHash,
    /// Too old, or from the future.
    #[error("oauth_timestamp is more than five minutes off")]
    Timestamp,
    /// The key or the base string is another.
    #[error("oauth_signature does not verify")]
    Signature,
    /// It was used before.
    #[error("oauth_nonce was used before")]
    Nonce,
}

impl Forged {
    /// The gateway's word for it.
    pub fn reason_code(self) -> &'static str {
        match self {
            Forged::ConsumerKey => "INVALID_CLIENT_ID",
            Forged::BodyHash => "INVALID_BODY_HASH",
            _ => "AUTHENTICATION_FAILED",
        }
    }
}

/// What was signed.
pub struct Signed<'a> {
    /// In upper case.
    pub method: &'a str,
    /// With scheme, authority, path and query, as the caller wrote it.
    pub url: &'a str,
    /// The body's very bytes.
    pub body: &'a [u8],
    /// The `Authorization` header.
    pub header: &'a str,
}

/// Knows one caller.
pub struct Verifier {
    consumer_key: String,
    public_key: Option<Vec<u8>>,
    nonces: Mutex<BTreeSet<(i64, String)>>,
}

impl Verifier {
    /// Of that consumer key and that certificate (or bare public key).
    pub fn new(consumer_key: String, certificate: Option<&[u8]>) -> Result<Self, StartError> {
        let public_key = certificate.map(|file| seal::public_key(file).map(|(key, _)| key));
        Ok(Verifier {
            consumer_key,
            public_key: public_key.transpose().map_err(|_| StartError::SigningCertificate)?,
            nonces: Mutex::default(),
        })
    }

    /// Whether the caller is who it says, and the request what it signed. A nonce counts as used only then.
    pub fn verify(&self, signed: &Signed<'_>, now: OffsetDateTime) -> Result<(), Forged> {
        let parameters = parameters(signed.header).ok_or(Forged::Header)?;
        if parameters["oauth_consumer_key"] != self.consumer_key {
            return Err(Forged::ConsumerKey);
        }
        if parameters["oauth_signature_method"] != "RSA-SHA256" || parameters["oauth_version"] != "1.0" {
            return Err(Forged::Method);
        }
        if parameters["oauth_body_hash"] != STANDARD.encode(digest(&SHA256, signed.body)) {
            return Err(Forged::BodyHash);
        }
        let at: i64 = parameters["oauth_timestamp"].parse().map_err(|_| Forged::Timestamp)?;
        if at.abs_diff(now.unix_timestamp()) > WINDOW_SECS.unsigned_abs() {
            return Err(Forged::Timestamp);
        }
        self.verify_signature(signed, &parameters)?;
        self.use_up(at, parameters["oauth_nonce"], now)
    }

    fn verify_signature(&self, signed: &Signed<'_>, parameters: &BTreeMap<&str, &str>) -> Result<(), Forged> {
        let public_key = self.public_key.as_ref().ok_or(Forged::Signature)?;
        let written = percent_decode_str(parameters["oauth_signature"]).decode_utf8();
        let signature = written.ok().and_then(|text| STANDARD.decode(text.as_bytes()).ok());
        let base = base_string(signed.method, signed.url, parameters);
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public_key)
            .verify(base.as_bytes(), &signature.ok_or(Forged::Signature)?)
            .map_err(|_| Forged::Signature)
    }

    fn use_up(&self, at: i64, nonce: &str, now: OffsetDateTime) -> Result<(), Forged> {
        let mut nonces = held(&self.nonces);
        let oldest = now.unix_timestamp() - WINDOW_SECS;
        *nonces = nonces.split_off(&(oldest, String::new()));
        if nonce.is_empty() || nonces.len() >= NONCES_MAX || !nonces.insert((at, nonce.to_owned())) {
            return Err(Forged::Nonce);
        }
        Ok(())
    }
}

/// The header's parameters as they stand there; `None` unless each of the seven is there once and nothing else.
fn parameters(header: &str) -> Option<BTreeMap<&str, &str>> {
    if header.len() > HEADER_BYTES_MAX {
        return None;
    }
    let mut found = BTreeMap::new();
    for pair in header.strip_prefix("OAuth ")?.split(',') {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        if !PARAMETERS.contains(&name) || found.insert(name, value).is_some() {
            return None;
        }
    }
    (found.len() == PARAMETERS.len()).then_some(found)
}

/// What the signature is of.
fn base_string(method: &str, url: &str, parameters: &BTreeMap<&str, &str>) -> String {
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let is_escaped = query.contains('%');
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            format!("{}={}", query_part(name, is_escaped), query_part(value, is_escaped))
        })
        .collect();
    let oauth = parameters.iter().filter(|(name, _)| **name != "oauth_signature");
    pairs.extend(oauth.map(|(name, value)| format!("{name}={value}")));
    pairs.sort();
    format!("{method}&{}&{}", encoded(&normal(place)), encoded(&pairs.join("&")))
}

fn query_part(part: &str, is_escaped: bool) -> String {
    if !is_escaped {
        return part.to_owned();
    }
    encoded(&percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy())
}

/// The authority in lower case, without the scheme's own port, and at least a slash behind it.
fn normal(place: &str) -> String {
    let (scheme, rest) = place.split_once("://").unwrap_or(("http", place));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.to_lowercase();
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(own_port).unwrap_or(&authority);
    let path = if path.is_empty() { "/" } else { path };
    format!("{scheme}://{authority}{path}")
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_string_is_mastercards_and_not_the_rfcs() {
        let header = "OAuth oauth_consumer_key=\"a!b\",oauth_nonce=\"n\",oauth_timestamp=\"1\",\
                      oauth_signature_method=\"RSA-SHA256\",oauth_version=\"1.0\",oauth_body_hash=\"a+/=\",\
                      oauth_signature=\"s%3D\"";
        let parameters = parameters(header).expect("seven parameters");
        assert_eq!(
            base_string(
                "POST",
                "HTTPS://API.example:443?b=2&a=1".replace("HTTPS", "https").as_str(),
                &parameters
            ),
            "POST&https%3A%2F%2Fapi.example%2F&a%3D1%26b%3D2%26oauth_body_hash%3Da%2B%2F%3D%26oauth_consumer_key%3D\
             a%21b%26oauth_nonce%3Dn%26oauth_signature_method%3DRSA-SHA256%26oauth_timestamp%3D1%26oauth_version%3D1.0"
        );
    }

    #[test]
    fn a_header_that_says_something_twice_or_not_at_all_is_none() {
        let all: Vec<String> = PARAMETERS.iter().map(|name| format!("{name}=\"v\"")).collect();
        assert!(parameters(&format!("OAuth {}", all.join(", "))).is_some());
        assert!(parameters(&format!("OAuth {}", all[1..].join(","))).is_none());
        assert!(parameters(&format!("OAuth {},{}", all.join(","), all[0])).is_none());
        assert!(parameters(&format!("Bearer {}", all.join(","))).is_none());
    }
}
