//! Who is calling: the identity rules, and what they conclude.
//!
//! The same check serves a TLS handshake and a certificate that a balancer forwards. It trusts the
//! configured roots only, never a web root store, and it never looks at what a request says.
//!
//! Extended key usage: a certificate that lists its usages must list clientAuth (`client_eku_required`, the
//! default) or at least serverAuth or clientAuth. One that lists none is restricted to none (RFC 5280,
//! 4.2.1.12) and is admitted either way, as other TLS servers do.

use std::fmt;
use std::net::SocketAddr;

use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use super::refused::Refused;
use crate::domain::peer::Peer;

/// Who sent a request; each request through the callback's door bears one.
///
/// With `client_auth = "required"` it is always `Ok`, for others do not get past the handshake.
/// With `"forwarded"` it is what the header proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller(pub Result<Peer, Refused>);

/// What a certificate proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The allowed name that it bore, as configured.
    pub name: String,
    /// The organization of the rule that admitted it.
    pub organization: Option<String>,
    /// SHA-256 of its DER form, lower-case hex.
    pub certificate_sha256: String,
}

impl Identity {
    /// The same, seen from this address.
    pub fn at(&self, address: SocketAddr) -> Peer {
        Peer {
            name: self.name.clone(),
            organization: self.organization.clone(),
            address,
            certificate_sha256: self.certificate_sha256.clone(),
        }
    }
}

/// Why a certificate was not admitted, and what name it bore. The name is the stranger's choice: escape it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Refused,
    /// The names it presented, as they stand there.
    pub presented: String,
}

impl Refusal {
    /// Before any name was known.
    pub fn nameless(reason: Refused) -> Self {
        let presented = String::new();
        Refusal { reason, presented }
    }
}

/// Whose certificates are admitted.
pub struct Rules {
    /// Names bound to their roots; one that admits is enough.
    pub(super) rules: Vec<Rule>,
    /// Lists of revoked certificates; a certificate that none speaks of is not revoked.
    pub(super) crls: Vec<CertRevocationList<'static>>,
    /// A list past its `nextUpdate` refuses what it speaks of.
    pub(super) crl_expiry_enforced: bool,
    /// See the module's text.
    pub(super) client_eku_required: bool,
    /// What signatures are understood.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// One of them.
pub(super) struct Rule {
    pub(super) roots: RootCertStore,
    pub(super) names: Vec<String>,
    pub(super) pins: Vec<[u8; 32]>,
    pub(super) organization: Option<String>,
}

impl Rules {
    /// Judges a certificate with what was sent to stand above it, in any order. Where several rules refuse,
    /// the one that it came furthest with says why.
    pub fn judge(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: OffsetDateTime,
    ) -> Result<Identity, Refusal> {
        let malformed = || Refusal::nameless(Refused::Malformed);
        let certificate = EndEntityCert::try_from(leaf).map_err(|_| malformed())?;
        let presented = Presented::by(leaf).ok_or_else(malformed)?;

        let mut refused = Refused::UnknownIssuer;
        for rule in &self.rules {
            match self.admits(rule, &certificate, above, &presented, now) {
                Ok(name) => {
                    return Ok(Identity {
                        name: name.to_owned(),
                        organization: rule.organization.clone(),
                        certificate_sha256: hex::encode(sha256(leaf)),
                    });
                }
                Err(reason) if steps_before(reason) >= steps_before(refused) => refused = reason,
                Err(_) => {}
            }
        }
        Err(Refusal {
            reason: refused,
            presented: presented.0.join(", "),
        })
    }

    /// The allowed name that it bears under this rule.
    fn admits<'r>(
        &self,
        rule: &'r Rule,
        certificate: &EndEntityCert<'_>,
        above: &[CertificateDer<'_>],
        presented: &Presented,
        now: OffsetDateTime,
    ) -> Result<&'r str, Refused> {
        let crls: Vec<_> = self.crls.iter().collect();
        let usage = Usage {
            client_required: self.client_eku_required,
        };
        certificate
            .verify_for_usage(
                self.algorithms.all,
                &rule.roots.roots,
                above,
                unix(now),
                usage,
                self.revocation(&crls),
                None,
            )
            .map_err(|e| Refused::by_chain(&e))?;
        let name = rule
            .names
            .iter()
            .find(|name| presented.bears(name))
            .ok_or(Refused::WrongName)?;
        let key = sha256(&certificate.subject_public_key_info());
        if !rule.pins.is_empty() && !rule.pins.contains(&key) {
            return Err(Refused::PinMismatch);
        }
        Ok(name)
    }

    /// The whole chain is asked for, so that a revoked intermediate is found where its list is at hand.
    fn revocation<'c>(&self, crls: &'c [&'c CertRevocationList<'c>]) -> Option<RevocationOptions<'c>> {
        let expiry = match self.crl_expiry_enforced {
            true => ExpirationPolicy::Enforce,
            false => ExpirationPolicy::Ignore,
        };
        let options = RevocationOptionsBuilder::new(crls).ok()?; // an empty list is the only error
        let options = options.with_depth(RevocationCheckDepth::Chain);
        Some(
            options
                .with_status_policy(UnknownStatusPolicy::Allow)
                .with_expiration_policy(expiry)
                .build(),
        )
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rules.iter().map(|rule| &rule.names))
            .finish()
    }
}

/// The names on a certificate: its DNS subject alternative names, or its common name only where there are none.
struct Presented(Vec<String>);

impl Presented {
    /// `None` if they cannot be read.
    fn by(leaf: &[u8]) -> Option<Self> {
        let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
        let mut names = Vec::new();
        if let Some(alternative) = leaf.subject_alternative_name().ok()? {
            for name in &alternative.value.general_names {
                match name {
                    GeneralName::DNSName(name) => names.push((*name).to_owned()),
                    GeneralName::Invalid(..) => return None,
                    _ => {}
                }
            }
        }
        if names.is_empty() {
            let mut common = leaf.subject().iter_common_name();
            // Of several common names none is the name.
            if let (Some(name), None) = (common.next(), common.next()) {
                names.push(name.as_str().ok()?.to_owned());
            }
        }
        Some(Presented(names))
    }

    /// Exact but for ASCII case; a wildcard is only a name with an asterisk.
    fn bears(&self, allowed: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(allowed))
    }
}

struct Usage {
    client_required: bool,
}

impl ExtendedKeyUsageValidator for Usage {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        if self.client_required {
            return KeyUsage::client_auth().validate(purposes);
        }
        let mut present = Vec::new();
        for purpose in purposes {
            present.push(purpose?.to_decoded_oid());
        }
        let is_for_tls = |purpose: &Vec<usize>| {
            [KeyUsage::CLIENT_AUTH_REPR, KeyUsage::SERVER_AUTH_REPR].contains(&purpose.as_slice())
        };
        if present.is_empty() || present.iter().any(is_for_tls) {
            return Ok(());
        }
        let required = KeyUsage::client_auth();
        Err(webpki::Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
            required,
            present,
        }))
    }
}

/// How far a certificate came before this: chain, revocation, name, pin.
fn steps_before(reason: Refused) -> u8 {
    match reason {
        Refused::PinMismatch => 3,
        Refused::WrongName => 2,
        Refused::UnknownIssuer => 0,
        _ => 1,
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}

/// Before 1970 everything is not valid yet.
fn unix(now: OffsetDateTime) -> UnixTime {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}
