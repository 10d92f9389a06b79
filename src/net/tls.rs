//! TLS as this door speaks it, read from files and read again without dropping a connection.
//!
//! 1.2 and 1.3, a client certificate where one is demanded, HTTP/2 and HTTP/1.1 by ALPN. Nothing is resumed:
//! a resumed session would skip the certificate and revocation checks.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoClientAuth, NoServerSessionStorage, danger::ClientCertVerifier};
use rustls::version::{TLS12, TLS13};
use time::OffsetDateTime;
use tokio::sync::watch;

use super::Error;
use super::pem::File;
use super::rules::Rules;
use super::verifier::{ByClock, Verifier};
use crate::clock::Clock;
use crate::config::settings::{Forwarded, ForwardedProof, Tls};

pub use super::pem::Expiries;

/// The callback's TLS and identity rules. One snapshot of all its files is in force at a time.
pub struct DoorTls {
    settings: Tls,
    forwarded: Option<Forwarded>,
    clock: Arc<dyn Clock>,
    current: ArcSwap<Door>,
    reloaded: watch::Sender<()>,
}

/// One snapshot.
pub(super) struct Door {
    pub(super) config: Arc<ServerConfig>,
    /// Whom a handshake admits; `None` if it asks for no certificate (a balancer with a secret).
    pub(super) connections: Option<Arc<Rules>>,
    /// Whom a forwarded certificate must satisfy; the same as `connections` if nothing is forwarded.
    pub(super) callers: Arc<Rules>,
    expiries: Expiries,
}

impl DoorTls {
    /// Reads all files that the settings name. `forwarded` is the balancer that ends TLS before us, if one does.
    pub fn load(tls: &Tls, forwarded: Option<&Forwarded>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Error> {
        let door = Door::read(tls, forwarded, &clock)?;
        Ok(Arc::new(DoorTls {
            settings: tls.clone(),
            forwarded: forwarded.cloned(),
            clock,
            current: ArcSwap::from_pointee(door),
            reloaded: watch::Sender::new(()),
        }))
    }

    /// Reads them again. After `Ok` new handshakes use them, and open connections whose certificate they do not
    /// admit are closed after the request at hand; after `Err` everything stays as it was.
    pub fn reload(&self) -> Result<(), Error> {
        let door = Door::read(&self.settings, self.forwarded.as_ref(), &self.clock)?;
        self.current.store(Arc::new(door));
        self.reloaded.send_replace(());
        Ok(())
    }

    /// When what is in force expires.
    pub fn expiries(&self) -> Expiries {
        self.current.load().expiries.clone()
    }

    /// Every file that a reload reads, for whoever watches them.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::from([self.settings.certificate.clone(), self.settings.private_key.clone()]);
        files.extend(self.settings.crls.iter().cloned());
        let proxy = self.forwarded.as_ref().and_then(|forwarded| match &forwarded.proof {
            ForwardedProof::MutualTls(rule) => Some(rule),
            ForwardedProof::SharedSecret { .. } => None,
        });
        for rule in self.settings.peers.iter().chain(&self.settings.probe).chain(proxy) {
            files.extend(rule.roots.iter().cloned());
        }
        files
    }

    pub(super) fn current(&self) -> Arc<Door> {
        self.current.load_full()
    }

    pub(super) fn forwarded(&self) -> Option<&Forwarded> {
        self.forwarded.as_ref()
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// Changes with every reload from now on.
    pub(super) fn reloads(&self) -> watch::Receiver<()> {
        self.reloaded.subscribe()
    }
}

impl Door {
    fn read(tls: &Tls, forwarded: Option<&Forwarded>, clock: &Arc<dyn Clock>) -> Result<Self, Error> {
        let mut expiries = Expiries::new();
        let senders = Rules::read(tls, "callback.tls.client_roots", &tls.peers, &mut expiries)?;
        let callers = Arc::new(senders.with_probe(tls.probe.as_ref(), &mut expiries)?);
        let connections = match forwarded.map(|forwarded| &forwarded.proof) {
            None => Some(callers.clone()),
            Some(ForwardedProof::SharedSecret { .. }) => None,
            Some(ForwardedProof::MutualTls(proxy)) => {
                let proxy = std::slice::from_ref(proxy);
                Some(Arc::new(Rules::read(
                    tls,
                    "callback.forwarded.roots",
                    proxy,
                    &mut expiries,
                )?))
            }
        };
        let verifier: Arc<dyn ClientCertVerifier> = match &connections {
            Some(rules) => Arc::new(Verifier::new(rules.clone())),
            None => Arc::new(NoClientAuth),
        };
        let own = OwnFiles {
            keys: ["callback.tls.certificate", "callback.tls.private_key"],
            certificate: &tls.certificate,
            private_key: &tls.private_key,
        };
        let config = own.config(verifier, clock, &mut expiries)?;
        Ok(Door {
            config,
            connections,
            callers,
            expiries,
        })
    }
}

/// TLS without client certificates, for the admin side and for TokenEx's own notifications.
pub struct ServerTls {
    keys: [&'static str; 2],
    files: (PathBuf, PathBuf),
    clock: Arc<dyn Clock>,
    current: ArcSwap<(Arc<ServerConfig>, Expiries)>,
}

impl ServerTls {
    /// Reads `[admin.tls]`'s certificate and key.
    pub fn load(certificate: PathBuf, private_key: PathBuf, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Error> {
        let keys = ["admin.tls.certificate", "admin.tls.private_key"];
        ServerTls::named(keys, certificate, private_key, clock)
    }

    /// Reads a certificate and its key, which these settings name.
    pub fn named(
        keys: [&'static str; 2],
        certificate: PathBuf,
        private_key: PathBuf,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Error> {
        let files = (certificate, private_key);
        let current = ArcSwap::from_pointee(Self::read(keys, &files, &clock)?);
        Ok(Arc::new(ServerTls {
            keys,
            files,
            clock,
            current,
        }))
    }

    /// Reads them again; after `Err` the old ones stay.
    pub fn reload(&self) -> Result<(), Error> {
        let read = Self::read(self.keys, &self.files, &self.clock)?;
        self.current.store(Arc::new(read));
        Ok(())
    }

    /// When what is in force expires.
    pub fn expiries(&self) -> Expiries {
        self.current.load().1.clone()
    }

    /// Every file that a reload reads.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        BTreeSet::from([self.files.0.clone(), self.files.1.clone()])
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.current.load().0.clone()
    }

    fn read(
        keys: [&'static str; 2],
        files: &(PathBuf, PathBuf),
        clock: &Arc<dyn Clock>,
    ) -> Result<(Arc<ServerConfig>, Expiries), Error> {
        let own = OwnFiles {
            keys,
            certificate: &files.0,
            private_key: &files.1,
        };
        let mut expiries = Expiries::new();
        let config = own.config(Arc::new(NoClientAuth), clock, &mut expiries)?;
        Ok((config, expiries))
    }
}

/// Our own certificate and key, and the settings that name them.
struct OwnFiles<'a> {
    keys: [&'static str; 2],
    certificate: &'a PathBuf,
    private_key: &'a PathBuf,
}

impl OwnFiles<'_> {
    fn config(
        &self,
        verifier: Arc<dyn ClientCertVerifier>,
        clock: &Arc<dyn Clock>,
        expiries: &mut Expiries,
    ) -> Result<Arc<ServerConfig>, Error> {
        let certificate = File::read(self.keys[0], self.certificate)?;
        let chain = certificate.certificates()?;
        certificate.note_expiry(certificate.expiry(&chain)?, expiries);
        let private_key = File::read(self.keys[1], self.private_key)?;
        let key = private_key.private_key()?;

        let mut config = ServerConfig::builder_with_details(provider(), Arc::new(ByClock(clock.clone())))
            .with_protocol_versions(&[&TLS12, &TLS13])
            .expect("the provider has suites for both")
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|e| match e {
                rustls::Error::InconsistentKeys(_) => private_key.wrong(format!(
                    "not the key of {}; give the matching pair",
                    self.certificate.display()
                )),
                other => private_key.wrong(format!("not usable as a TLS key: {other}")),
            })?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }
}

/// The one crypto provider of this program.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
