//! Who is calling: what a certificate proved, or why it was not enough.
//!
//! The names on a certificate are its DNS subject alternative names, or its common name only where there are
//! none. They are compared whole; nothing here looks at what a request says.

use std::net::SocketAddr;
use std::time::Instant;

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use super::refused::Refused;
use crate::domain::peer::Peer;

/// Who sent a request; each request through the callback's door bears one.
///
/// With `client_auth = "required"` it is never `Refused`, for those do not get past the handshake.
/// With `"forwarded"` it is what the header proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// One who may notify us.
    Sender(Peer),
    /// A probe, which may ask whether the door is open, and nothing else.
    Probe(Peer),
    /// Nobody whom we know.
    Refused(Refused),
}

/// Where a request came from (behind a balancer that says so: what it said; behind another, the balancer's); each request
/// through any door of ours bears one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub SocketAddr);

/// How a connection came in, for the trace of its first request, which bears one if traces are on.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    /// When it was accepted.
    pub began: Instant,
    /// When it was let in.
    pub ended: Instant,
}

/// What a certificate proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The allowed name that it bore, as configured.
    pub name: String,
    /// The organization of the rule that admitted it.
    pub organization: Option<String>,
    /// SHA-256 of its DER form, lower-case hex.
    pub certificate_sha256: String,
    /// It was admitted as a probe, and as nothing else.
    pub is_probe: bool,
}

impl Identity {
    /// The same, calling from this address.
    pub fn at(&self, address: SocketAddr) -> Caller {
        let peer = Peer {
            name: self.name.clone(),
            organization: self.organization.clone(),
            address,
            certificate_sha256: self.certificate_sha256.clone(),
        };
        match self.is_probe {
            true => Caller::Probe(peer),
            false => Caller::Sender(peer),
        }
    }
}

/// Why a certificate was not admitted, and what name it bore. The name is the stranger's choice: escape it.
///
/// Nothing proves that the stranger is who the name says, not even where it is a known one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Refused,
    /// The names it presented, as they stand there.
    pub presented: String,
    /// The allowed name that it bore all the same, as configured: a sender whom we know may stand outside.
    pub known: Option<String>,
}

impl Refusal {
    /// Before any name was known.
    pub fn nameless(reason: Refused) -> Self {
        Refusal {
            reason,
            presented: String::new(),
            known: None,
        }
    }

    /// The certificate would have done, but the handshake was not finished. Who does not hold its key is nobody we know.
    pub(super) fn after_all(reason: Refused, identity: Identity) -> Self {
        Refusal {
            reason,
            presented: identity.name.clone(),
            known: (reason != Refused::BadSignature && !identity.is_probe).then_some(identity.name),
        }
    }
}

/// The names on a certificate, as they stand there.
pub(super) struct Presented(pub(super) Vec<String>);

impl Presented {
    /// `None` if they cannot be read.
    pub(super) fn by(leaf: &[u8]) -> Option<Self> {
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
    pub(super) fn bears(&self, allowed: &str) -> bool {
        self.0.iter().any(|name| name.eq_ignore_ascii_case(allowed))
    }
}
