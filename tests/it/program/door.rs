//! The real door, by each protocol that it offers.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use mdes_receiver::simulator::sender::Http;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::process::{PATIENCE, Program};
use super::traffic::{expected, sender};
use crate::support::Database;
use crate::world::{Desk, body, read, sealed, statement};

promises!(every_protocol_leads_to_the_same_answer);

const PATH: &str = "/digitization/static/1/0/notifyTokenUpdated";

async fn every_protocol_leads_to_the_same_answer(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    for (name, knock) in [
        ("tls-1.2", Knock::by(&rustls::version::TLS12)),
        ("tls-1.3", Knock::by(&rustls::version::TLS13)),
    ] {
        let mut spoken = Spoken::to(&desk, program.callback, knock).await;
        for number in 1..=2 {
            let request_id = format!("{name}-kept-alive-{number}");
            spoken.post(&notice(&desk, &request_id)).await;
            assert_eq!(spoken.answer().await, (200, expected(&request_id)), "{name}");
        }
        let request_id = format!("{name}-close");
        spoken.post_and_close(&notice(&desk, &request_id)).await;
        assert_eq!(spoken.answer().await, (200, expected(&request_id)), "{name}");
        assert!(spoken.is_closed().await, "{name}: `connection: close` closes it");
    }
    let answer = sender(&desk, Http::Two, program.callback)
        .send(notice(&desk, "h2"))
        .await;
    let answer = answer.expect("an answer");
    assert_eq!((answer.status, body(&answer)), (200, expected("h2")));
}

fn notice(desk: &Desk, request_id: &str) -> Bytes {
    let content = statement("DM4MMC-1", "ACTIVE", "2025-11-02T09:15:03Z");
    sealed(&desk.sealer(), request_id, &content)
}

/// How a connection is made.
pub struct Knock {
    version: &'static SupportedProtocolVersion,
}

impl Knock {
    /// By this version of TLS alone.
    pub fn by(version: &'static SupportedProtocolVersion) -> Self {
        Knock { version }
    }
}

impl Default for Knock {
    fn default() -> Self {
        Knock::by(&rustls::version::TLS13)
    }
}

/// A connection over which HTTP/1.1 is spoken byte by byte.
pub struct Spoken {
    stream: TlsStream<TcpStream>,
    heard: Vec<u8>,
}

impl Spoken {
    /// Shakes hands as Mastercard.
    pub async fn to(desk: &Desk, address: SocketAddr, knock: Knock) -> Self {
        let client = &desk.files.client;
        let chain = CertificateDer::pem_slice_iter(&read(&client.certificate))
            .collect::<Result<Vec<_>, _>>()
            .expect("a chain");
        let key = PrivateKeyDer::from_pem_slice(&read(&client.private_key)).expect("a key");
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(&read(&desk.files.ca.certificate)).expect("a root");
        roots.add(root).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[knock.version])
            .expect("a version that rustls knows")
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .expect("a pair");
        let socket = TcpStream::connect(address).await.expect("the door is open");
        let name = ServerName::try_from("localhost").expect("a name");
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, socket);
        let stream = timeout(PATIENCE, shaken).await.expect("in time").expect("a handshake");
        let spoken = stream.get_ref().1.protocol_version();
        assert_eq!(spoken, Some(knock.version.version));
        let heard = Vec::new();
        Spoken { stream, heard }
    }

    /// The head of a notification with a body of this length, and these further lines.
    pub fn head(length: usize, more: &str) -> Vec<u8> {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
        );
        head.into_bytes()
    }

    /// Sends a notification.
    pub async fn post(&mut self, body: &[u8]) {
        self.say(&[&Spoken::head(body.len(), ""), body].concat()).await;
    }

    /// Sends a notification, the last one on this connection.
    pub async fn post_and_close(&mut self, body: &[u8]) {
        self.say(&[&Spoken::head(body.len(), "connection: close\r\n"), body].concat())
            .await;
    }

    /// Sends these bytes.
    pub async fn say(&mut self, bytes: &[u8]) {
        let said = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        timeout(PATIENCE, said).await.expect("in time").expect("it is heard");
    }

    /// The status of the next answer; its body is read, too.
    pub async fn status(&mut self) -> u16 {
        self.whole().await.0
    }

    /// The next answer.
    pub async fn answer(&mut self) -> (u16, serde_json::Value) {
        let (status, body) = self.whole().await;
        (status, serde_json::from_slice(&body).expect("answers are JSON"))
    }

    /// Whether the other side has said goodbye.
    pub async fn is_closed(&mut self) -> bool {
        self.heard.is_empty() && self.hear().await == 0
    }

    async fn whole(&mut self) -> (u16, Vec<u8>) {
        let end_of_head = loop {
            if let Some(at) = self.heard.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            assert_ne!(self.hear().await, 0, "closed without an answer");
        };
        let head: Vec<u8> = self.heard.drain(..end_of_head).collect();
        let head = String::from_utf8(head).expect("heads are ASCII").to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next());
        let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
        while self.heard.len() < length {
            assert_ne!(self.hear().await, 0, "closed in the middle of an answer");
        }
        (status.expect("a status"), self.heard.drain(..length).collect())
    }

    async fn hear(&mut self) -> usize {
        let mut buffer = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("in time");
        let read = read.expect("it is heard");
        self.heard.extend_from_slice(&buffer[..read]);
        read
    }
}
