//! Who spoke to us: the identity that a client certificate proved, whom we asked, or who knew a path.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What stands for the certificate of who answered a request of ours.
pub const ANSWERED: &str = "none: it answered a request of ours";

/// What stands for the certificate of who sent one of TokenEx's own notifications.
const OVERHEARD: &str = "none: known by its address and its path";

/// A peer whose certificate chained to a configured root and bore an allowed name; a service that we called; or who
/// sent one of TokenEx's own notifications.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The allowed name that the certificate bore, for example `ws.mastercard.com`.
    pub name: String,
    /// The `organization` of the `[[callback.tls.peers]]` entry that admitted it, if one did.
    pub organization: Option<String>,
    /// Where the connection came from (behind a balancer: what the balancer said).
    pub address: SocketAddr,
    /// SHA-256 of the certificate's DER form, lower-case hex; or [`ANSWERED`].
    pub certificate_sha256: String,
}

impl Peer {
    /// Who sent one of TokenEx's own notifications, from there.
    pub fn overheard(address: SocketAddr) -> Self {
        Peer {
            name: "tokenex-callback".to_owned(),
            organization: None,
            address,
            certificate_sha256: OVERHEARD.to_owned(),
        }
    }

    /// It did; no certificate has such a hash.
    pub fn is_overheard(&self) -> bool {
        self.certificate_sha256 == OVERHEARD
    }

    /// The service of that name, which we called; where it stands is its client's own affair.
    pub fn called(service: &str) -> Self {
        Peer {
            name: service.to_owned(),
            organization: None,
            address: SocketAddr::from(([0, 0, 0, 0], 0)),
            certificate_sha256: ANSWERED.to_owned(),
        }
    }
}
