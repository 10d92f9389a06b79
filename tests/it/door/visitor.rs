//! Those who knock: clients, how they ask, and what they hear.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::simulator::pki::{Authority, Issued};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::street::PATIENCE;

pub type Versions<'a> = &'a [&'static SupportedProtocolVersion];

/// A client that trusts this root, shows this chain (PEM) and speaks these versions.
pub fn client_config(server: &Authority, client: Option<(String, &Issued)>, versions: Versions<'_>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(server.certificate_pem().as_bytes()).expect("a root");
    roots.add(root).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    let builder = builder.expect("known versions").with_root_certificates(roots);
    let Some((chain, client)) = client else {
        return builder.with_no_client_auth();
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(client.private_key_pem.as_bytes()).expect("a key");
    builder
        .with_client_auth_cert(chain.expect("a chain"), key)
        .expect("a pair")
}

pub async fn tls_over(socket: TcpStream, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// One request that closes the connection after it, with further header lines.
pub async fn ask_over(stream: &mut TlsStream<TcpStream>, headers: &str) -> Result<String, String> {
    let request = format!("GET /who HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n");
    // A refusal may come while this is being written; the read says which.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut response = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut response))
        .await
        .expect("an end");
    read.map_err(|e| e.to_string())?;
    Ok(String::from_utf8(response).expect("text"))
}

/// One request on a connection that stays open; gives the body.
pub async fn ask_again(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream
        .write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await?;
    read_answer(stream).await
}

/// Reads one response with a content-length; gives the body.
pub async fn read_answer(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    let reading = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("a head is text").to_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .expect("a length");
        let mut body = vec![0; length.trim().parse().expect("a number")];
        stream.read_exact(&mut body).await?;
        Ok(String::from_utf8(body).expect("text"))
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("an answer or an end, in time")
}

/// The other side says goodbye and closes, before our patience ends.
pub async fn says_goodbye(stream: &mut (impl AsyncRead + Unpin)) {
    let read = tokio::time::timeout(PATIENCE, async { stream.read(&mut [0; 1]).await });
    assert_eq!(read.await.expect("in time").expect("an orderly end"), 0);
}

/// What the other side wrote before it closed in good order.
pub async fn last_words(socket: &mut TcpStream) -> Vec<u8> {
    let mut words = Vec::new();
    let read = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut words));
    read.await.expect("in time").expect("an orderly end");
    words
}

/// Whether the other side closes, cleanly or not, before our patience ends.
pub async fn closes(stream: &mut TlsStream<TcpStream>) -> bool {
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut Vec::new()))
        .await
        .is_ok()
}

/// Whether it becomes true before our patience ends.
pub async fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polling).await.is_ok()
}
