//! Who spoke to us: the identity that a client certificate proved.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A peer whose certificate chained to a configured root and bore an allowed name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The allowed name that the certificate bore, for example `ws.mastercard.com`.
    pub name: String,
    /// The `organization` of the `[[callback.tls.peers]]` entry that admitted it, if one did.
    pub organization: Option<String>,
    /// Where the connection came from (behind a balancer: what the balancer said).
    pub address: SocketAddr,
    /// SHA-256 of the certificate's DER form, lower-case hex.
    pub certificate_sha256: String,
}
