//! What the brokers share: the guard before the connection, TLS, and one connection for all who want it.

mod kept;
pub(super) mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::time::timeout;

pub(super) use self::kept::{Kept, Living};
use super::{Answer, Failure, Sent, shown};
use crate::config::settings::Egress;
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
use crate::net::egress::guard;

/// An attempt that failed so.
pub(super) fn failed(class: Failure, words: &str) -> Sent {
    Sent::Failed {
        answer: Answer {
            status: None,
            text: shown(words),
        },
        class,
        retry_after: None,
    }
}

/// The addresses of a server that the guard lets us connect to, at least one. What was looked at is to be what is
/// connected to: a name that changes its address in between then gains nothing.
#[cfg(any(feature = "nats", feature = "rabbitmq"))]
pub(super) async fn addresses(host: &str, port: u16, tls: bool, egress: &Egress) -> Result<Vec<SocketAddr>, Sent> {
    let mut allowed = Vec::new();
    let mut refused = failed(Failure::Unresolved, "its name has no address");
    for address in resolved(host, port, egress).await? {
        match guard::address(address.ip(), !tls, &egress.allow_networks) {
            Ok(()) => allowed.push(address),
            Err(why) => refused = failed(Failure::Guarded, &why.to_string()),
        }
    }
    if allowed.is_empty() { Err(refused) } else { Ok(allowed) }
}

/// All addresses of a name, guarded or not.
pub(super) async fn resolved(host: &str, port: u16, egress: &Egress) -> Result<Vec<SocketAddr>, Sent> {
    let found = timeout(egress.connect, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| failed(Failure::Timeout, "its name was not resolved in time"))?
        .map_err(|e| failed(Failure::Unresolved, &format!("its name has no address: {e}")))?;
    Ok(found.collect())
}

/// The files that every connection reads.
pub(super) fn files(egress: &Egress) -> Vec<PathBuf> {
    let mut files = egress.roots.clone();
    if let Some((certificate, key)) = &egress.client_certificate {
        files.extend([certificate.clone(), key.clone()]);
    }
    files
}
