//! One who speaks HTTP/1.1 byte by byte: whatever a sender may write, and the answer as it came.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Desk, PATIENCE, read};

/// The header that a notification comes with.
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// An answer, as it came.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    head: String,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Its body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("answers are JSON")
    }

    /// Its body.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A request with a body of known length.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        head += &format!("content-length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// A connection.
pub struct Line<S = TlsStream<TcpStream>>(S);

impl Line {
    /// Mastercard's, to that receiver.
    pub async fn of_mastercard(desk: &Desk, address: SocketAddr) -> Self {
        let client = &desk.files.client;
        let identity = (read(&client.certificate), read(&client.private_key));
        let socket = TcpStream::connect(address).await.expect("the door listens");
        let line = Line::over(socket, config(desk, Some(identity))).await;
        line.expect("let in")
    }

    /// A handshake on this socket.
    pub async fn over(socket: TcpStream, config: ClientConfig) -> std::io::Result<Self> {
        let name = ServerName::try_from("localhost").expect("a name");
        Ok(Line(TlsConnector::from(Arc::new(config)).connect(name, socket).await?))
    }

    /// The certificate that the receiver showed, DER.
    pub fn server_certificate(&self) -> Vec<u8> {
        let (_, tls) = self.0.get_ref();
        tls.peer_certificates().expect("a server shows one")[0].to_vec()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Writes these bytes; a receiver that has heard enough may have closed.
    pub async fn say(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let saying = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        tokio::time::timeout(PATIENCE, saying).await.expect("written in time")
    }

    /// Reads one answer.
    pub async fn hear(&mut self) -> std::io::Result<Reply> {
        let hearing = async {
            let mut reply = self.hear_head().await?;
            let length = match reply.status {
                204 => "0", // it has none, and so no length (RFC 9110, 8.6)
                _ => reply.header("content-length").expect("a length"),
            };
            reply.body = vec![0; length.parse().expect("a number")];
            self.0.read_exact(&mut reply.body).await?;
            Ok(reply)
        };
        tokio::time::timeout(PATIENCE, hearing)
            .await
            .expect("an answer in time")
    }

    /// Writes the head of a request and waits until it is asked for the body.
    pub async fn begin(&mut self, head: &[u8]) {
        self.say(head).await.expect("it is listened to");
        let interim = tokio::time::timeout(PATIENCE, self.hear_head()).await;
        let interim = interim.expect("in time").expect("a head");
        assert_eq!(interim.status, 100);
    }

    async fn hear_head(&mut self) -> std::io::Result<Reply> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("a head is text");
        let status = head.split(' ').nth(1).expect("a status line");
        Ok(Reply {
            status: status.parse().expect("a status"),
            body: Vec::new(),
            head,
        })
    }

    /// Writes a request and reads its answer.
    pub async fn ask(&mut self, request: &[u8]) -> Reply {
        self.say(request).await.expect("it is listened to");
        self.hear().await.expect("an answer")
    }
}

/// A client that trusts the desk's server and shows this certificate and key (PEM), or none.
pub fn config(desk: &Desk, identity: Option<(Vec<u8>, Vec<u8>)>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(&read(&desk.files.ca.certificate)).expect("a root");
    roots.add(root).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("known versions").with_root_certificates(roots);
    let Some((certificate, key)) = identity else {
        return builder.with_no_client_auth();
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate).collect();
    let key = PrivateKeyDer::from_pem_slice(&key).expect("a key");
    builder
        .with_client_auth_cert(chain.expect("a chain"), key)
        .expect("a pair")
}

/// A page of the admin listener.
pub async fn page(address: SocketAddr, path: &str) -> Reply {
    let socket = TcpStream::connect(address).await.expect("the admin side listens");
    Line(socket).ask(&request("GET", path, &[], b"")).await
}
