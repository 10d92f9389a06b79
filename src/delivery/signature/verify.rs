//! The other end: whether a request was signed by one of these, and if not, why not.

use std::time::Duration;

use time::OffsetDateTime;

use super::Key;

/// What came: the three headers and the body, byte for byte.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
    /// The body as it came.
    pub body: &'a [u8],
}

/// Why it is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// Not a number.
    #[error("webhook-timestamp is not a number of seconds since 1970")]
    Timestamp,
    /// Not one signature that these keys could have made.
    #[error("webhook-signature has no {wanted} signature{}", found(.there))]
    NoSuchVersion {
        /// What the keys make.
        wanted: String,
        /// What there is.
        there: Vec<String>,
    },
    /// Signed by another secret, or altered.
    #[error(
        "no signature fits: the secret is another one, or the id, the timestamp or the body is not what was sent \
         (the body must be taken as it came, before any JSON parser)"
    )]
    NoneFits,
    /// The signature is right, and repeated.
    #[error("the signature fits, but its timestamp is {0} s old: too old, a repeat perhaps; check this clock")]
    TooOld(u64),
    /// The signature is right, and the clocks differ.
    #[error("the signature fits, but its timestamp is {0} s in the future: check this clock")]
    TooNew(u64),
}

/// The place of the key that signed it, if one did, and not longer ago (or ahead) than `tolerance`.
pub fn verify(
    signed: &Signed<'_>,
    keys: &[Key],
    now: OffsetDateTime,
    tolerance: Duration,
) -> Result<usize, Unverified> {
    let timestamp: i64 = signed.timestamp.parse().map_err(|_| Unverified::Timestamp)?;
    let signatures: Vec<(&str, &str)> = signed
        .signature
        .split(' ')
        .filter_map(|one| one.split_once(','))
        .collect();
    let is_of = |key: &Key, version: &str| key.version() == version;
    if !signatures
        .iter()
        .any(|(version, _)| keys.iter().any(|key| is_of(key, version)))
    {
        return Err(no_such_version(&signatures, keys));
    }
    let begin = format!("{}.{}.", signed.id, signed.timestamp);
    let made = |key: &Key| {
        let of_key = signatures.iter().filter(|(version, _)| is_of(key, version));
        of_key.fold(false, |found, (_, one)| {
            found | key.made(one, begin.as_bytes(), signed.body)
        })
    };
    let place = keys.iter().position(made).ok_or(Unverified::NoneFits)?;
    let age = now.unix_timestamp().saturating_sub(timestamp);
    match age.unsigned_abs() {
        off if off <= tolerance.as_secs() => Ok(place),
        off if age > 0 => Err(Unverified::TooOld(off)),
        off => Err(Unverified::TooNew(off)),
    }
}

fn no_such_version(signatures: &[(&str, &str)], keys: &[Key]) -> Unverified {
    let mut wanted: Vec<&str> = keys.iter().map(Key::version).collect();
    wanted.sort_unstable();
    wanted.dedup();
    Unverified::NoSuchVersion {
        wanted: wanted.join(" or "),
        there: signatures
            .iter()
            .map(|(version, _)| version.escape_debug().to_string())
            .collect(),
    }
}

fn found(there: &[String]) -> String {
    match there {
        [] => ", nor any other: it must be `v1,…`".to_owned(),
        there => format!(", only {}: give the secret of that kind", there.join(", ")),
    }
}
