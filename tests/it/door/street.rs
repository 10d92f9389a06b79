//! What the door's tests share: a door with its files in a temporary folder, and those who knock.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Router};
use mdes_receiver::clock::{Clock, ManualClock};
use mdes_receiver::config::settings::{Forwarded, Limits, PeerRule, Tls};
use mdes_receiver::net::listener::{Listener, Security};
use mdes_receiver::net::peer::Caller;
use mdes_receiver::net::tls::DoorTls;
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf, Validity};
use mdes_receiver::telemetry::{Metrics, Misses};
use rustls::ClientConfig;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::visitor::{Versions, ask_over, client_config, eventually, tls_over};

pub const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
pub const YEAR: Validity = (datetime!(2026-01-01 0:00 UTC), datetime!(2027-01-01 0:00 UTC));
/// Whatever the machine's clock says: the clients of these tests judge the server by it.
pub const ALWAYS: Validity = (datetime!(2000-01-01 0:00 UTC), datetime!(2049-01-01 0:00 UTC));
pub const NAME: &str = "ws.mastercard.com";
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A house whose door is not open yet: settings to change, files to write.
pub struct Setup {
    pub root: Authority,
    pub server_root: Authority,
    pub tls: Tls,
    pub limits: Limits,
    pub forwarded: Option<Forwarded>,
    pub proxy_protocol_from: Vec<ipnet::IpNet>,
    folder: TempDir,
}

/// An open door.
pub struct Door {
    pub address: SocketAddr,
    pub root: Authority,
    pub tls: Arc<DoorTls>,
    pub metrics: Metrics,
    pub misses: Misses,
    pub gate: Arc<Gate>,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
    server_root: Authority,
    folder: TempDir,
}

impl Setup {
    /// Mastercard's name under one root; every deadline far away.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (root, server_root) = (
            Authority::new("Client Root", ALWAYS),
            Authority::new("Server Root", ALWAYS),
        );
        let server = server_root.issue(&Leaf::localhost(ALWAYS));
        let mut setup = Setup {
            tls: Tls {
                certificate: folder.path().join("server.pem"),
                private_key: folder.path().join("server.key"),
                peers: Vec::new(),
                probe: None,
                crls: Vec::new(),
                crl_expiry_enforced: false,
                client_eku_required: true,
            },
            limits: limits(),
            forwarded: None,
            proxy_protocol_from: Vec::new(),
            root,
            server_root,
            folder,
        };
        setup.write("server.pem", &server.certificate_pem);
        setup.write("server.key", &server.private_key_pem);
        setup.tls.peers = vec![setup.rule("roots.pem", &setup.root, &[NAME])];
        setup
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the folder is ours");
        path
    }

    /// A rule that binds these names to this root.
    pub fn rule(&self, file: &str, root: &Authority, names: &[&str]) -> PeerRule {
        PeerRule {
            roots: vec![self.write(file, &root.certificate_pem())],
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            pins: Vec::new(),
            organization: None,
        }
    }

    pub fn client(&self) -> Issued {
        self.root.issue(&Leaf::client(NAME, YEAR))
    }

    pub async fn open(self) -> Door {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
        let tls = DoorTls::load(&self.tls, self.forwarded.as_ref(), clock.clone()).expect("the files are good");
        let metrics = Metrics::new();
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind("callback.listen", any, self.limits, metrics.clone(), clock).expect("port 0");
        let listener = listener.with_proxy_protocol(self.proxy_protocol_from);
        let misses = Misses::default();
        let listener = listener.with_misses(misses.clone());
        let (address, stop, gate) = (
            listener.local_addr(),
            CancellationToken::new(),
            Arc::new(Gate::default()),
        );
        let serving = tokio::spawn(listener.serve(Security::Tls(tls.clone()), router(gate.clone()), stop.clone()));
        Door {
            address,
            root: self.root,
            tls,
            metrics,
            misses,
            gate,
            stop,
            serving,
            server_root: self.server_root,
            folder: self.folder,
        }
    }
}

impl Door {
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the folder is ours");
        path
    }

    pub fn client(&self) -> Issued {
        self.root.issue(&Leaf::client(NAME, YEAR))
    }

    /// A client that trusts this door and shows that certificate.
    pub fn config(&self, client: Option<&Issued>) -> ClientConfig {
        self.config_with(client.map(|c| (c.certificate_pem.clone(), c)), rustls::ALL_VERSIONS)
    }

    /// The same with a chain of its own (PEM) and only these versions.
    pub fn config_with(&self, client: Option<(String, &Issued)>, versions: Versions<'_>) -> ClientConfig {
        client_config(&self.server_root, client, versions)
    }

    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the door listens")
    }

    /// Comes to the door; in TLS 1.3 this succeeds even if the door refuses.
    pub async fn knock(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        tls_over(self.tcp().await, config).await
    }

    /// Knocks, asks once, and gives the whole response, or what the first read said.
    pub async fn ask(&self, config: ClientConfig) -> Result<String, String> {
        let mut stream = self.knock(config).await.map_err(|e| e.to_string())?;
        ask_over(&mut stream, "").await
    }

    /// Asks with this certificate.
    pub async fn ask_as(&self, client: &Issued) -> Result<String, String> {
        self.ask(self.config(Some(client))).await
    }

    pub fn handshakes(&self, word: &str) -> u64 {
        count(
            &self.metrics,
            &format!("mdes_receiver_handshakes_total{{outcome=\"{word}\"}}"),
        )
    }

    /// What was noted of known names that were not let in: name, reason, how often. What was read is not read again.
    pub fn missed(&self) -> Vec<(String, &'static str, u64)> {
        let taken = self.misses.take();
        let lines = taken.lines().iter();
        let missed = lines.map(|one| (one.peer.clone(), one.reason, one.count)).collect();
        taken.kept();
        missed
    }

    pub fn connections(&self) -> u64 {
        count(&self.metrics, "mdes_receiver_connections")
    }

    /// Waits until so many handshakes ended so.
    pub async fn saw(&self, word: &str, times: u64) {
        let seen = eventually(|| self.handshakes(word) >= times).await;
        assert!(seen, "{word} is not {times} in:\n{}", self.metrics.text());
        assert_eq!(self.handshakes(word), times, "{word}");
    }
}

fn count(metrics: &Metrics, series: &str) -> u64 {
    let text = metrics.text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().expect("a number"))
}

pub fn limits() -> Limits {
    let far = Duration::from_secs(60);
    Limits {
        handshake: far,
        first_request: far,
        idle: far,
        body: far,
        body_bytes_max: 1 << 20,
        drain_bytes_max: 8 << 20,
        drain: far,
        connections_max: 100,
        connection_age: far,
        answer: far,
        stop: Duration::from_secs(10),
    }
}

/// Holds the requests to `/slow` until it lets one go.
#[derive(Default)]
pub struct Gate {
    waiting: AtomicUsize,
    open: Notify,
}

impl Gate {
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    pub fn let_one_go(&self) {
        self.open.notify_one();
    }
}

/// `/who` says who called; `/slow` answers when the gate lets it.
fn router(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/who", get(who))
        .route("/slow", post(slow))
        .with_state(gate)
}

async fn who(Extension(caller): Extension<Caller>) -> String {
    match caller {
        Caller::Sender(peer) => format!("{} of {:?} at {}", peer.name, peer.organization, peer.address.ip()),
        Caller::Probe(peer) => format!("a probe: {}", peer.name),
        Caller::Refused(refused) => format!("refused: {}", refused.word()),
    }
}

async fn slow(State(gate): State<Arc<Gate>>) -> &'static str {
    gate.waiting.fetch_add(1, Ordering::SeqCst);
    gate.open.notified().await;
    "done"
}
