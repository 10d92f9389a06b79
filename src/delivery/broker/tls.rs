//! TLS to a broker: the web's roots and the destination's own, and a client certificate if there is one.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::config::settings::Egress;

/// Reads the files as they are now. Errors name the setting and the file, and nothing of a key.
pub(in crate::delivery) fn config(host: &str, egress: &Egress) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let name = ServerName::try_from(host.to_owned()).map_err(|_| "its host is no name of a certificate".to_owned())?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(egress)?), provider.clone())
        .build()
        .map_err(|e| format!("no root to trust it by: {e}; put its CA into `roots` of the destination"))?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByName { name, verifier }));
    let Some((certificate, key)) = &egress.client_certificate else {
        return Ok(config.with_no_client_auth());
    };
    let chain = certificates("client_certificate", certificate)?;
    let private_key = PrivateKeyDer::from_pem_file(key)
        .map_err(|_| format!("`client_key`: no private key to be read from {}", key.display()))?;
    config
        .with_client_auth_cert(chain, private_key)
        .map_err(|e| format!("`client_certificate` and `client_key` do not fit: {e}"))
}

fn roots(egress: &Egress) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for file in &egress.roots {
        for certificate in certificates("roots", file)? {
            let wrong = |e| wrong("roots", file, &e);
            roots.add(certificate).map_err(wrong)?;
        }
    }
    Ok(roots)
}

fn certificates(key: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|e| wrong(key, file, &e))?;
    if found.is_empty() {
        return Err(wrong(key, file, &"no certificate in it"));
    }
    Ok(found)
}

fn wrong(key: &str, file: &Path, why: &dyn Display) -> String {
    format!("`{key}`: {}: {why}", file.display())
}

/// Asks for the host's own name: the connection is made to its address, which the guard has seen.
#[derive(Debug)]
struct ByName {
    name: ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for ByName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier
            .verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
