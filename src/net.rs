//! The door: who may come in, and how long they may take; and the way out.
//!
//! It demands TLS and a client certificate, proves who is calling, and hands on requests that bear a
//! [`peer::Caller`]. It knows nothing of what a request says, and a stranger's bytes never reach HTTP.
//! Out goes what the guard of [`egress`] lets through.
//!
//! | module | what it is |
//! |---|---|
//! | [`listener`] | the accept loop: permits, deadlines, a soft stop |
//! | [`tls`] | reloadable TLS configurations |
//! | [`peer`] | who is calling, or why not |
//! | [`rules`] | the identity rules: roots, usage, revocation, names, pins |
//! | [`proxy`] | the PROXY protocol of a TCP balancer |
//! | [`forwarded`] | the certificate header of a balancer that ends TLS |
//! | [`refusals`] | one line and one count for each refusal |
//! | [`egress`] | the only HTTP client: guarded, bounded, live |

mod connection;
pub mod egress;
mod entry;
pub mod exhibit;
pub mod file_limit;
pub mod forwarded;
pub mod lifetime;
pub mod listener;
pub mod peer;
mod pem;
pub mod proxy;
pub mod refusals;
mod refused;
pub mod rules;
mod streamed;
pub mod tls;
mod verifier;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the door cannot be opened. No text holds anything of a private key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that a setting names is absent, unreadable, or not what it should be.
    #[error("key `{key}`: {}: {problem}", file.display())]
    File {
        /// The setting.
        key: &'static str,
        /// What it names.
        file: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A setting's value cannot work.
    #[error("key `{key}`: {problem}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The address cannot be listened on.
    #[error("key `{key}`: cannot listen on {address}: {cause}; {}", next_step(cause))]
    Listen {
        /// The setting.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the machine said.
        cause: io::Error,
    },
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop what listens there, or choose another port",
        io::ErrorKind::PermissionDenied => "choose a port above 1023, or grant CAP_NET_BIND_SERVICE",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address",
    }
}
