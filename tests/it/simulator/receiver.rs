//! A small receiver of its own, to play against: it shares no line with the program's.
//!
//! It asks for a certificate of its client CA with the right name, opens what is sealed with aws-lc-rs
//! directly, and remembers everything.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::cipher::{AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mdes_receiver::simulator::dev_files::DevFiles;
use mdes_receiver::simulator::sender::ANSWER_BYTES_MAX;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::names::OnlyMastercard;

const BODY_BYTES_MAX: usize = 1 << 20;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As a good receiver does.
    Good,
    /// 200 to everything, and no certificate asked.
    Careless,
    /// Errors with status 200, as MDES itself does.
    Conventional,
    /// As a good one, but only after [`SLOW`].
    Slow,
    /// Takes the request and never answers.
    Silent,
    /// More than anybody should answer.
    Verbose,
}

/// How long a slow one takes.
pub const SLOW: Duration = Duration::from_millis(50);

/// What it saw, in order.
#[derive(Default)]
pub struct Seen {
    /// The connections whose handshake succeeded.
    pub connections: usize,
    /// Request target and body of every request.
    pub requests: Vec<(String, Bytes)>,
    /// What it could open.
    pub opened: Vec<Value>,
}

/// A receiver on loopback, until it is dropped.
pub struct Receiver {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Seen>>,
    accepting: AbortHandle,
}

impl Receiver {
    pub async fn start(files: &DevFiles, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let room = Arc::new(Room {
            acceptor: TlsAcceptor::from(Arc::new(tls(files, manner))),
            key: opening_key(files),
            manner,
            seen: Arc::clone(&seen),
        });
        let accepting = tokio::spawn(accept(listener, room)).abort_handle();
        Receiver {
            address,
            seen,
            accepting,
        }
    }

    pub fn opened(&self) -> Vec<Value> {
        self.seen.lock().expect("no one panics while holding it").opened.clone()
    }

    pub fn requests(&self) -> Vec<(String, Bytes)> {
        self.seen
            .lock()
            .expect("no one panics while holding it")
            .requests
            .clone()
    }

    pub fn connections(&self) -> usize {
        self.seen.lock().expect("no one panics while holding it").connections
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

struct Room {
    acceptor: TlsAcceptor,
    key: OaepPrivateDecryptingKey,
    manner: Manner,
    seen: Arc<Mutex<Seen>>,
}

async fn accept(listener: TcpListener, room: Arc<Room>) {
    let mut callers = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        callers.spawn(serve(tcp, Arc::clone(&room)));
    }
}

async fn serve(tcp: TcpStream, room: Arc<Room>) {
    let Ok(tls) = room.acceptor.accept(tcp).await else {
        return;
    };
    room.seen.lock().expect("no one panics while holding it").connections += 1;
    let two = tls.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| answer(request, Arc::clone(&room)));
    let io = TokioIo::new(tls);
    // How a caller ends the conversation is the caller's business.
    let _ = match two {
        true => {
            http2::Builder::new(TokioExecutor::new())
                .serve_connection(io, service)
                .await
        }
        false => http1::Builder::new().serve_connection(io, service).await,
    };
}

async fn answer(request: Request<Incoming>, room: Arc<Room>) -> hyper::Result<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await?.to_bytes();
    let (status, said) = room.answer(&body);
    {
        let mut seen = room.seen.lock().expect("no one panics while holding it");
        seen.requests.push((path, body));
    }
    match room.manner {
        Manner::Silent => std::future::pending::<()>().await,
        Manner::Slow => tokio::time::sleep(SLOW).await,
        _ => {}
    }
    let mut response = Response::new(Full::from(said));
    *response.status_mut() = StatusCode::from_u16(status).expect("the statuses below");
    Ok(response)
}

impl Room {
    fn answer(&self, body: &[u8]) -> (u16, String) {
        let opened = self.open(body);
        match self.manner {
            Manner::Careless => return (200, json!({"responseHost": "h", "responseId": "1"}).to_string()),
            Manner::Verbose => return (200, "x".repeat(ANSWER_BYTES_MAX + 1)),
            _ => {}
        }
        let declined = match self.manner {
            Manner::Conventional => 200,
            _ => 400,
        };
        match opened {
            _ if body.len() > BODY_BYTES_MAX => (413, "{}".to_owned()),
            None => (
                declined,
                json!({"errors": [{"reasonCode": "CRYPTOGRAPHY_ERROR"}]}).to_string(),
            ),
            Some(content) => {
                let mut seen = self.seen.lock().expect("no one panics while holding it");
                seen.opened.push(content);
                (200, json!({"responseHost": "h", "responseId": "1"}).to_string())
            }
        }
    }

    fn open(&self, body: &[u8]) -> Option<Value> {
        let body: Value = serde_json::from_slice(body).ok()?;
        serde_json::from_slice(&open(&self.key, &body["encryptedPayload"])?).ok()
    }
}

/// The key that opens what is sealed to `decrypt.pem`.
pub fn opening_key(files: &DevFiles) -> OaepPrivateDecryptingKey {
    let key = PrivatePkcs8KeyDer::from_pem_file(&files.decryption.private_key).expect("a PKCS#8 key");
    let key = PrivateDecryptingKey::from_pkcs8(key.secret_pkcs8_der()).expect("an RSA key");
    OaepPrivateDecryptingKey::new(key).expect("a key for OAEP")
}

/// The plaintext of an `encryptedPayload`, by the specification.
pub fn open(key: &OaepPrivateDecryptingKey, payload: &Value) -> Option<Vec<u8>> {
    let bytes = |field: &str| hex::decode(payload[field].as_str()?).ok();
    let algorithm = match payload["oaepHashingAlgorithm"].as_str()? {
        "SHA256" => &OAEP_SHA256_MGF1SHA256,
        "SHA512" => &OAEP_SHA512_MGF1SHA512,
        _ => return None,
    };
    let mut room = vec![0; key.min_output_size()];
    let content_key = key.decrypt(algorithm, &bytes("encryptedKey")?, &mut room, None).ok()?;
    let cipher = match content_key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    let iv: [u8; 16] = bytes("iv")?.try_into().ok()?;
    let mut data = bytes("encryptedData")?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, content_key).ok()?).ok()?;
    let plain = key
        .decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from(iv)))
        .ok()?;
    Some(plain.to_vec())
}

fn tls(files: &DevFiles, manner: Manner) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_file(&files.client_ca.certificate).expect("a certificate");
    roots.add(root).expect("a root");
    let chain = vec![CertificateDer::from_pem_file(&files.server.certificate).expect("a certificate")];
    let key = PrivateKeyDer::from_pem_file(&files.server.private_key).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has TLS 1.2 and 1.3");
    let builder = match manner {
        Manner::Careless => builder.with_no_client_auth(),
        _ => {
            let chain_only = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .expect("there is a root");
            builder.with_client_cert_verifier(Arc::new(OnlyMastercard(chain_only)))
        }
    };
    let mut config = builder.with_single_cert(chain, key).expect("they fit");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}
