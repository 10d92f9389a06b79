//! A merchant's endpoint on loopback that behaves as badly as it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mdes_receiver::simulator::pki::Issued;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What it does once it has heard a request.
#[derive(Clone)]
pub enum Says {
    /// This, byte for byte, again and again.
    Raw(String),
    /// This, and then it hangs up.
    Once(String),
    /// Nothing, ever.
    Nothing,
    /// A head with 200, and a byte of the body now and then.
    Drip,
    /// A head with 200, and a body without end.
    Endless,
}

/// What it heard.
#[derive(Clone, Default)]
pub struct Heard {
    pub head: String,
    pub body: Vec<u8>,
    /// The certificate that the connection was made with.
    pub client: Option<Vec<u8>>,
}

impl Heard {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }
}

pub struct Sink {
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    says: Says,
    heard: Mutex<Vec<Heard>>,
    connections: AtomicUsize,
    written: AtomicUsize,
    closed: AtomicUsize,
}

impl Sink {
    pub async fn plain(says: Says) -> Self {
        Sink::at("127.0.0.1:0", says, None).await
    }

    pub async fn tls(says: Says, config: ServerConfig) -> Self {
        Sink::at("127.0.0.1:0", says, Some(config)).await
    }

    pub async fn at(address: &str, says: Says, tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind(address).await.expect("loopback listens");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            says,
            heard: Mutex::default(),
            connections: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
        });
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let task = tokio::spawn(accept(listener, state.clone(), tls));
        Sink { address, state, task }
    }

    pub fn http(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// By the name that its certificate bears.
    pub fn https(&self) -> String {
        format!("https://localhost:{}/hook", self.address.port())
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().expect("no panic").clone()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Connections that the other end has hung up.
    pub fn closed(&self) -> usize {
        self.state.closed.load(Ordering::SeqCst)
    }

    /// Bytes of an endless body that went out.
    pub fn written(&self) -> usize {
        self.state.written.load(Ordering::SeqCst)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An answer of that status.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
}

/// TLS with that certificate, and no client certificate asked for.
pub fn server(issued: &Issued) -> ServerConfig {
    let key = PrivateKeyDer::from_pem_slice(issued.private_key_pem.as_bytes()).expect("a key");
    builder()
        .with_no_client_auth()
        .with_single_cert(vec![issued.certificate_der.clone().into()], key)
        .expect("a pair")
}

pub fn builder() -> rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("both versions")
}

async fn accept(listener: TcpListener, state: Arc<State>, tls: Option<TlsAcceptor>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (state, tls) = (state.clone(), tls.clone());
        state.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            handle(stream, tls, &state).await;
            state.closed.fetch_add(1, Ordering::SeqCst);
        });
    }
}

async fn handle(stream: TcpStream, tls: Option<TlsAcceptor>, state: &State) -> Option<()> {
    let Some(tls) = tls else {
        return serve(stream, state, None).await;
    };
    let stream = tls.accept(stream).await.ok()?;
    let chain = stream.get_ref().1.peer_certificates();
    let client = chain.and_then(|chain| chain.first()).map(|der| der.to_vec());
    serve(stream, state, client).await
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &State, client: Option<Vec<u8>>) -> Option<()> {
    loop {
        let mut heard = request(&mut stream).await?;
        heard.client = client.clone();
        state.heard.lock().expect("no panic").push(heard);
        match &state.says {
            Says::Raw(text) => stream.write_all(text.as_bytes()).await.ok()?,
            Says::Once(text) => {
                stream.write_all(text.as_bytes()).await.ok()?;
                stream.shutdown().await.ok()?;
                return stream.read_to_end(&mut Vec::new()).await.ok().map(drop);
            }
            Says::Nothing => std::future::pending().await,
            Says::Drip => drip(&mut stream, 1, Duration::from_millis(50), state).await?,
            Says::Endless => drip(&mut stream, 4_096, Duration::ZERO, state).await?,
        }
        stream.flush().await.ok()?;
    }
}

async fn drip(stream: &mut (impl AsyncWrite + Unpin), bytes: usize, pause: Duration, state: &State) -> Option<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    loop {
        stream.write_all(&vec![b'x'; bytes]).await.ok()?;
        stream.flush().await.ok()?;
        state.written.fetch_add(bytes, Ordering::SeqCst);
        tokio::time::sleep(pause).await;
    }
}

/// One request off the stream; `None` if it ends.
pub async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Heard> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut heard = Heard {
        head: String::from_utf8(head).ok()?,
        ..Heard::default()
    };
    let length = heard
        .header("content-length")
        .map_or(0, |text| text.parse().expect("a number"));
    heard.body = vec![0; length];
    stream.read_exact(&mut heard.body).await.ok()?;
    Some(heard)
}
