//! The HTTPS client: one address, one client certificate, connections that are kept.
//!
//! It trusts the given roots and no others, follows no redirect, reads at most 64 KiB of an answer,
//! and never waits without a deadline.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::Mutex;

use super::refusal::SendError;

mod connection;
mod target;

pub use connection::Connection;
pub use target::{BadTarget, Target};

/// More than any answer should have.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How long each part may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Until there is a TCP connection.
    pub connect: Duration,
    /// Until the TLS handshake is done.
    pub handshake: Duration,
    /// From the first byte of the request to the last of the answer.
    pub answer: Duration,
    /// How long to listen before the first request on a connection. A refusal by TLS 1.3 comes after our side of the
    /// handshake; a request sent in the meantime may turn it into a mere reset.
    pub listen_first: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Deadlines {
            connect: Duration::from_secs(10),
            handshake: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            listen_first: Duration::from_millis(100),
        }
    }
}

/// Which HTTP is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1, kept alive.
    #[default]
    One,
    /// HTTP/2.
    Two,
}

/// A client certificate with its key. No `Debug`: it holds the key.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From the texts of two PEM files: the certificate with its intermediates, and the private key.
    pub fn from_pem(certificate: &[u8], private_key: &[u8]) -> Result<Self, SenderError> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|cause| SenderError::NotPem("client certificate", cause))?;
        let key =
            PrivateKeyDer::from_pem_slice(private_key).map_err(|cause| SenderError::NotPem("client key", cause))?;
        Ok(Identity { chain, key })
    }
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
pub enum SenderError {
    /// A file is not PEM, or not of that kind.
    #[error("{0}: no such thing in that file ({1}); PEM is expected")]
    NotPem(&'static str, pem::Error),
    /// There is no certificate among the roots.
    #[error("server roots: no certificate in that file; PEM is expected")]
    NoRoots,
    /// The certificate and its key do not fit, or one is of an unknown kind.
    #[error("client certificate and key: {0}")]
    Identity(rustls::Error),
}

/// An answer, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, at most [`ANSWER_BYTES_MAX`].
    pub body: Bytes,
    /// From the first byte of the request to the last of the answer.
    pub took: Duration,
}

/// Sends requests to one address as one caller.
pub struct Sender {
    target: Target,
    roots: Arc<RootCertStore>,
    tls: Arc<ClientConfig>,
    http: Http,
    deadlines: Deadlines,
    kept: Mutex<Option<Connection>>,
}

impl Sender {
    /// A sender to this address that trusts these roots (PEM) and shows this identity, or none.
    pub fn new(
        target: Target,
        identity: Option<Identity>,
        server_roots: &[u8],
        http: Http,
        deadlines: Deadlines,
    ) -> Result<Self, SenderError> {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(server_roots) {
            let root = root.map_err(|cause| SenderError::NotPem("server roots", cause))?;
            roots.add(root).map_err(SenderError::Identity)?;
        }
        if roots.is_empty() {
            return Err(SenderError::NoRoots);
        }
        let roots = Arc::new(roots);
        Ok(Sender {
            tls: tls_config(&roots, identity, http)?,
            target,
            roots,
            http,
            deadlines,
            kept: Mutex::new(None),
        })
    }

    /// The same address, roots and HTTP, another caller, who listens this long for a refusal before speaking.
    pub fn as_caller(&self, identity: Option<Identity>, listen_first: Duration) -> Result<Self, SenderError> {
        Ok(Sender {
            target: self.target.clone(),
            roots: Arc::clone(&self.roots),
            tls: tls_config(&self.roots, identity, self.http)?,
            http: self.http,
            deadlines: Deadlines {
                listen_first,
                ..self.deadlines
            },
            kept: Mutex::new(None),
        })
    }

    /// Sends this body, on the kept connection if there is one that still stands.
    pub async fn send(&self, body: Bytes) -> Result<Answer, SendError> {
        let mut kept = self.kept.lock().await;
        if let Some(mut connection) = kept.take().filter(Connection::is_open) {
            match connection.send(body.clone()).await {
                // It was closed while nobody looked: an idle connection's end is no answer.
                Err(error) if error.is_hang_up() => {}
                outcome => {
                    *kept = Some(connection).filter(|_| outcome.is_ok());
                    return outcome;
                }
            }
        }
        let mut connection = self.connect().await?;
        let outcome = connection.send(body).await;
        *kept = Some(connection).filter(|_| outcome.is_ok());
        outcome
    }

    /// A new connection of one's own.
    pub async fn connect(&self) -> Result<Connection, SendError> {
        Connection::open(&self.target, Arc::clone(&self.tls), self.http, &self.deadlines).await
    }

    /// Where it sends to.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

fn tls_config(
    roots: &Arc<RootCertStore>,
    identity: Option<Identity>,
    http: Http,
) -> Result<Arc<ClientConfig>, SenderError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SenderError::Identity)?
        .with_root_certificates(Arc::clone(roots));
    let mut config = match identity {
        Some(Identity { chain, key }) => builder
            .with_client_auth_cert(chain, key)
            .map_err(SenderError::Identity)?,
        None => builder.with_no_client_auth(),
    };
    // A resumed session shows no certificate: each connection is to be a whole handshake.
    config.resumption = rustls::client::Resumption::disabled();
    config.alpn_protocols = match http {
        Http::One => vec![b"http/1.1".to_vec()],
        Http::Two => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(config))
}
