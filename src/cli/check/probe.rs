//! Asks the running receiver's admin listener for one page.
//!
//! It sends nothing secret and believes no more than a page, so that whose certificate answers does not matter:
//! a certificate that was renewed a moment ago must not make a healthy receiver look ill.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::config::settings::Admin;

const WITHIN: Duration = Duration::from_secs(2);
const BODY_BYTES_MAX: usize = 64 * 1024;

/// A page.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// The page at `path`, within two seconds.
pub(super) async fn get(admin: &Admin, path: &str) -> anyhow::Result<Answer> {
    let address = from_here(admin.listen);
    let asked = tokio::time::timeout(WITHIN, ask(admin, address, path)).await;
    let Ok(answer) = asked else {
        bail!(
            "the admin listener at {address} did not answer within {} s",
            WITHIN.as_secs()
        );
    };
    answer.with_context(|| format!("the admin listener at {address} does not answer"))
}

/// Where a listener on an unspecified address is reached from its own machine.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(admin: &Admin, address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    let socket = TcpStream::connect(address).await?;
    if admin.tls.is_none() {
        return exchange(socket, address, path).await;
    }
    let connector = tokio_rustls::TlsConnector::from(Arc::new(tls()?));
    let stream = connector
        .connect(ServerName::IpAddress(address.ip().into()), socket)
        .await?;
    exchange(stream, address, path).await
}

async fn exchange<S>(stream: S, address: SocketAddr, path: &str) -> anyhow::Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driven = tokio::spawn(connection);
    let request = Request::get(path)
        .header("host", address.to_string())
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
    driven.abort();
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let anyone = Arc::new(Anyone(provider.signature_verification_algorithms));
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(anyone)
        .with_no_client_auth())
}

/// Takes any certificate; whoever shows it must still hold its key.
#[derive(Debug)]
struct Anyone(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
