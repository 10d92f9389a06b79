//! A real `nats-server` on loopback, with a folder of its own, gone when the value is.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use async_nats::jetstream::{self, stream};
use async_nats::{Client, ConnectOptions};
use tempfile::TempDir;

use crate::world::eventually;

/// One server. Stopped, it keeps its port and its folder, and may be started again.
pub struct Broker {
    folder: TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Broker {
    /// With JetStream, and these further lines of its configuration.
    pub async fn start(extra: &str) -> Self {
        let mut broker = Broker::new(free_port(), extra);
        broker.resume().await;
        broker
    }

    /// Not started yet.
    pub fn new(port: u16, extra: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let configuration = format!(
            "host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: \"{}\" }}\n{extra}\n",
            folder.path().join("data").display()
        );
        fs::write(folder.path().join("nats.conf"), configuration).expect("a file");
        Broker {
            folder,
            port,
            child: None,
        }
    }

    /// Runs it, with what it kept, until it listens.
    pub async fn resume(&mut self) {
        let log = self.folder.path().join("log");
        let child = Command::new(program())
            .arg("-c")
            .arg(self.folder.path().join("nats.conf"))
            .arg("-l")
            .arg(&log)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.expect("nats-server starts"));
        let port = self.port;
        eventually("nats-server listens", || async move {
            tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))
                .await
                .is_ok()
        })
        .await;
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours to kill");
            child.wait().expect("it ends");
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Another client, which looks at what is there.
    pub async fn client(&self) -> Client {
        self.client_with(ConnectOptions::new()).await
    }

    pub async fn client_with(&self, options: ConnectOptions) -> Client {
        options.connect(self.url()).await.expect("the server takes us")
    }

    /// A stream of these subjects.
    pub async fn with_stream(self, name: &str, subject: &str) -> Self {
        make_stream(&self.client().await, name, subject, 1).await;
        self
    }

    /// What lies on a stream, as (subject, body), in its order.
    pub async fn kept(&self, stream: &str) -> Vec<(String, String)> {
        kept(&self.client().await, stream).await
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of nats-server on {}:\n{}", self.port, self.log());
        }
        self.kill();
    }
}

pub async fn make_stream(client: &Client, name: &str, subject: &str, replicas: usize) {
    let context = jetstream::new(client.clone());
    eventually("the stream is made", || async {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: vec![subject.to_owned()],
            num_replicas: replicas,
            ..stream::Config::default()
        };
        context.create_stream(config).await.is_ok()
    })
    .await;
}

/// What lies on a stream, as (subject, body), in its order.
pub async fn kept(client: &Client, stream: &str) -> Vec<(String, String)> {
    let mut stream = jetstream::new(client.clone())
        .get_stream(stream)
        .await
        .expect("the stream is there");
    let last = stream.info().await.expect("the stream answers").state.last_sequence;
    let mut kept = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.expect("the message is there");
        let body = String::from_utf8(message.payload.to_vec()).expect("text");
        kept.push((message.subject.to_string(), body));
    }
    kept
}

/// One that nobody had a moment ago. Tests run in processes of their own, which begin in different places.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 1_000).expect("below a thousand") * 20;
    for _ in 0..20_000 {
        let port = 20_000 + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}

fn program() -> PathBuf {
    if let Some(named) = std::env::var_os("MDES_RECEIVER_TEST_NATS_SERVER") {
        return named.into();
    }
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/nats/bin/nats-server");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    std::iter::once(installed)
        .chain(on_path)
        .find(|file| file.is_file())
        .expect("no nats-server here: `tests/run` installs one; or name one by MDES_RECEIVER_TEST_NATS_SERVER")
}
