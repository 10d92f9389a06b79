//! A client certificate that a balancer forwards in a header, because it ended TLS before us.
//!
//! The header counts only once, only from a listed address, and only if the balancer has proved itself: by
//! its own client certificate (then the handshake has seen to it) or by a secret. The certificate in it is
//! judged by the same rules as in a handshake. What the balancer says of it besides is not read.

use aws_lc_rs::{constant_time, digest};
use axum::http::{HeaderMap, HeaderValue};
use percent_encoding::percent_decode;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::peer::{Identity, Refusal, Refused};
use super::pem::chain_of;
use super::rules::Rules;
use crate::config::settings::{Forwarded, ForwardedForm, ForwardedProof};

/// Certificates in one header.
const CHAIN_MAX: usize = 8;

/// Judges the certificate in the request's header. Takes the header and the secret out: nobody behind the door
/// has a use for them, and neither may reach a log.
pub(super) fn judge(
    headers: &mut HeaderMap,
    forwarded: &Forwarded,
    callers: &Rules,
    now: OffsetDateTime,
) -> Result<Identity, Refusal> {
    let proof = match &forwarded.proof {
        ForwardedProof::MutualTls(_) => Ok(()),
        ForwardedProof::SharedSecret { header, secret } => {
            let given = only_one(headers, header);
            let matches = given.is_ok_and(|given| same(given.as_bytes(), secret.expose().as_bytes()));
            matches.then_some(()).ok_or(Refused::NoProof)
        }
    };
    let certificate = only_one(headers, &forwarded.header);
    let (leaf, above) = proof
        .and(certificate)
        .and_then(|text| chain(forwarded.form, text.as_bytes()).ok_or(Refused::ForwardedHeader))
        .map_err(Refusal::nameless)?;
    callers.judge(&leaf, &above, now)
}

/// Removes the header; its value if it came exactly once.
fn only_one(headers: &mut HeaderMap, name: &str) -> Result<HeaderValue, Refused> {
    let count = headers.get_all(name).iter().count();
    match (headers.remove(name), count) {
        (Some(value), 1) if !value.is_empty() => Ok(value),
        (None, _) | (Some(_), 1) => Err(Refused::NoCertificate),
        (Some(_), _) => Err(Refused::ForwardedHeader),
    }
}

/// A certificate, and what was sent to stand above it.
pub type Chain = (CertificateDer<'static>, Vec<CertificateDer<'static>>);

/// The certificates in a header's value; `None` if it is not of that form, holds none, or holds too many.
pub fn chain(form: ForwardedForm, value: &[u8]) -> Option<Chain> {
    let chain = match form {
        ForwardedForm::Aws | ForwardedForm::Nginx => decoded(value)?,
        ForwardedForm::Envoy => envoy(value)?,
    };
    let mut chain = chain.into_iter();
    Some((chain.next()?, chain.collect()))
}

/// `+` stands for itself here: none of the three writes spaces as `+`.
fn decoded(value: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let text: Vec<u8> = percent_decode(value).collect();
    chain_of(&text, CHAIN_MAX)
}

/// XFCC: `Key=value;Key="value"`, elements apart by commas. Two elements mean that somebody before the
/// balancer wrote one, and that it was not removed.
fn envoy(value: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (mut leaf, mut chain) = (None, None);
    for pair in split_outside_quotes(value, b';')? {
        let at = pair.iter().position(|b| *b == b'=')?;
        let (key, value) = (&pair[..at], &pair[at + 1..]);
        let place = match key.to_ascii_lowercase().as_slice() {
            b"cert" => &mut leaf,
            b"chain" => &mut chain,
            _ => continue,
        };
        let value = value
            .strip_prefix(b"\"")
            .and_then(|v| v.strip_suffix(b"\""))
            .unwrap_or(value);
        if place.replace(decoded(value)?).is_some() {
            return None;
        }
    }
    match (leaf, chain) {
        (Some(leaf), Some(chain)) if leaf.first() != chain.first() => None,
        (_, Some(chain)) => Some(chain),
        (leaf, None) => leaf,
    }
}

/// `None` if a comma stands outside quotes, or a quote is left open.
fn split_outside_quotes(value: &[u8], separator: u8) -> Option<Vec<&[u8]>> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return None,
            b if *b == separator && !quoted => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    (!quoted).then_some(parts)
}

/// Compared as hashes, so that not even the length shows.
fn same(given: &[u8], secret: &[u8]) -> bool {
    let hash = |bytes| digest::digest(&digest::SHA256, bytes);
    constant_time::verify_slices_are_equal(hash(given).as_ref(), hash(secret).as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_and_commas_in_quotes_separate_nothing() {
        let parts = split_outside_quotes(br#"Hash=ab;Subject="CN=a;b,c\"";URI=x"#, b';').expect("well formed");
        assert_eq!(parts, [b"Hash=ab".as_slice(), br#"Subject="CN=a;b,c\"""#, b"URI=x"]);
    }

    #[test]
    fn two_elements_or_an_open_quote_are_no_header() {
        assert_eq!(split_outside_quotes(b"Cert=a,Cert=b", b';'), None);
        assert_eq!(split_outside_quotes(b"Cert=\"a", b';'), None);
    }

    #[test]
    fn a_secret_matches_itself_only() {
        assert!(same(b"secret", b"secret"));
        assert!(!same(b"secret ", b"secret"));
        assert!(!same(b"", b"secret"));
    }
}
