//! The identity rules: roots, usage, revocation, names, pins.
//!
//! The same check serves a TLS handshake and a certificate that a balancer forwards. It trusts the
//! configured roots only, never a web root store.
//!
//! Extended key usage: a certificate that lists its usages must list clientAuth (`client_eku_required`, the
//! default) or at least serverAuth or clientAuth. One that lists none is restricted to none (RFC 5280,
//! 4.2.1.12) and is admitted either way, as other TLS servers do.

use std::fmt;

use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, UnixTime};
use time::OffsetDateTime;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage,
    RequiredEkuNotFoundContext, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::Error;
use super::peer::{Identity, Presented, Refusal, Refused};
use super::pem::{Expiries, File};
use super::tls::provider;
use crate::config::settings::{PeerRule, Tls};

/// Whose certificates are admitted.
pub struct Rules {
    /// Names bound to their roots; one that admits is enough.
    rules: Vec<Rule>,
    /// Lists of revoked certificates; a certificate that none speaks of is not revoked.
    crls: Vec<CertRevocationList<'static>>,
    /// A list past its `nextUpdate` refuses what it speaks of.
    crl_expiry_enforced: bool,
    /// See the module's text.
    client_eku_required: bool,
    /// What signatures are understood.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

/// One of them.
struct Rule {
    roots: RootCertStore,
    names: Vec<String>,
    pins: Vec<[u8; 32]>,
    organization: Option<String>,
    is_probe: bool,
}

impl Rules {
    /// Reads the files that these peers and the revocation settings name; `key` is the setting of the roots.
    pub(super) fn read(
        tls: &Tls,
        key: &'static str,
        peers: &[PeerRule],
        expiries: &mut Expiries,
    ) -> Result<Self, Error> {
        let mut crls = Vec::new();
        for path in &tls.crls {
            let file = File::read("callback.tls.crls", path)?;
            for (list, next_update) in file.revocation_lists()? {
                crls.push(list);
                file.note_expiry(next_update, expiries);
            }
        }
        let peers: Result<Vec<_>, _> = peers.iter().map(|peer| Rule::read(key, peer, expiries)).collect();
        let rules = peers?;
        if rules.is_empty() {
            let problem = "no roots; name the bundle that Mastercard's client certificate chains to".to_owned();
            return Err(Error::Setting { key, problem });
        }
        Ok(Rules {
            rules,
            crls,
            crl_expiry_enforced: tls.crl_expiry_enforced,
            client_eku_required: tls.client_eku_required,
            algorithms: provider().signature_verification_algorithms,
        })
    }

    /// And with this one, whose certificates are a probe's. Who is a sender by another rule stays one.
    pub(super) fn with_probe(mut self, probe: Option<&PeerRule>, expiries: &mut Expiries) -> Result<Self, Error> {
        if let Some(probe) = probe {
            let rule = Rule::read("callback.probe.roots", probe, expiries)?;
            self.rules.push(Rule { is_probe: true, ..rule });
        }
        Ok(self)
    }

    /// The subjects of all roots.
    pub(super) fn subjects(&self) -> Vec<rustls::DistinguishedName> {
        self.rules.iter().flat_map(|rule| rule.roots.subjects()).collect()
    }

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
                        is_probe: rule.is_probe,
                    });
                }
                Err(reason) if steps_before(reason) >= steps_before(refused) => refused = reason,
                Err(_) => {}
            }
        }
        Err(Refusal {
            reason: refused,
            known: self.known(&presented),
            presented: presented.0.join(", "),
        })
    }

    /// The name of any sender's rule that it bears, whatever it was refused for: a probe is nobody who is missed.
    fn known(&self, presented: &Presented) -> Option<String> {
        let senders = self.rules.iter().filter(|rule| !rule.is_probe);
        let mut names = senders.flat_map(|rule| &rule.names);
        names.find(|name| presented.bears(name)).cloned()
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

impl Rule {
    fn read(key: &'static str, peer: &PeerRule, expiries: &mut Expiries) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for path in &peer.roots {
            let file = File::read(key, path)?;
            roots.roots.extend(file.anchors()?);
            file.note_expiry(file.expiry(&file.certificates()?)?, expiries);
        }
        if roots.is_empty() || peer.names.is_empty() {
            let problem = "a rule needs roots and names; without them nobody could come in".to_owned();
            return Err(Error::Setting { key, problem });
        }
        let pin = |text: &String| {
            let mut pin = [0; 32];
            let problem = || format!("`{text}` is no SHA-256 of a public key; write 64 hexadecimal digits");
            match hex::decode_to_slice(text, &mut pin) {
                Ok(()) => Ok(pin),
                Err(_) => Err(Error::Setting {
                    key: "callback.tls.client_pins",
                    problem: problem(),
                }),
            }
        };
        Ok(Rule {
            roots,
            names: peer.names.clone(),
            pins: peer.pins.iter().map(pin).collect::<Result<_, _>>()?,
            organization: peer.organization.clone(),
            is_probe: false,
        })
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.rules.iter().map(|rule| &rule.names))
            .finish()
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
