//! TLS as this client speaks it: the web's roots and those of the settings, and a certificate of our own if one is named.
//!
//! The web's roots are compiled in (Mozilla's list): the same on every machine, and there in an empty container.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};

use crate::clock::Clock;
use crate::config::settings::Egress;
use crate::net::Error;
use crate::net::pem::{Expiries, File};
use crate::net::tls::provider;
use crate::net::verifier::ByClock;

const ROOTS: &str = "roots";
const CERTIFICATE: &str = "client_certificate";
const KEY: &str = "client_key";

/// One reading of all files.
pub(super) struct Snapshot {
    pub(super) config: Arc<ClientConfig>,
    pub(super) expiries: Expiries,
    /// Connections of another number are not used again.
    pub(super) number: u64,
}

impl Snapshot {
    pub(super) fn read(settings: &Egress, clock: &Arc<dyn Clock>, number: u64) -> Result<Self, Error> {
        let mut expiries = Expiries::new();
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        for path in &settings.roots {
            roots.roots.extend(File::read(ROOTS, path)?.anchors()?);
        }
        let config = ClientConfig::builder_with_details(provider(), Arc::new(ByClock(clock.clone())))
            .with_protocol_versions(&[&TLS12, &TLS13])
            .expect("the provider has suites for both")
            .with_root_certificates(roots);
        let mut config = match &settings.client_certificate {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let file = File::read(CERTIFICATE, certificate)?;
                let chain = file.certificates()?;
                file.note_expiry(file.expiry(&chain)?, &mut expiries);
                let file = File::read(KEY, key)?;
                config.with_client_auth_cert(chain, file.private_key()?).map_err(|e| {
                    file.wrong(format!(
                        "not the key of {}, or not usable: {e}; give the matching pair",
                        certificate.display()
                    ))
                })?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Snapshot {
            config: Arc::new(config),
            expiries,
            number,
        })
    }
}

/// Every file that is read.
pub(super) fn files(settings: &Egress) -> BTreeSet<PathBuf> {
    let own = settings.client_certificate.iter();
    let own = own.flat_map(|(certificate, key)| [certificate.clone(), key.clone()]);
    settings.roots.iter().cloned().chain(own).collect()
}
