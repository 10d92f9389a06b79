//! A real `rabbitmq-server` on loopback, with a name, a folder and ports of its own, gone when the value is.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lapin::message::BasicGetMessage;
use lapin::options::{BasicGetOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use tempfile::TempDir;

/// Debian's own scripts want another user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const NAMES: &str = "epmd";
/// It is Erlang that starts, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(90);
const ATTEMPT: Duration = Duration::from_secs(10);

/// One server. Stopped, it keeps its ports and its folder, and may be started again.
pub struct Broker {
    folder: TempDir,
    pub port: u16,
    dist: u16,
    /// Erlang's own name service, and where it listens.
    names: (Child, u16),
    server: Option<Child>,
}

impl Broker {
    /// With these further lines of its configuration.
    pub async fn start(extra: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ports: [TcpListener; 3] =
            std::array::from_fn(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
        let [port, dist, names] = ports.map(|listener| listener.local_addr().expect("its address").port());
        let configuration = format!("listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = true\n{extra}\n");
        fs::write(folder.path().join("rabbitmq.conf"), configuration).expect("a file");
        fs::write(folder.path().join("enabled_plugins"), "[].").expect("a file");
        let of_names = Command::new(NAMES)
            .args(["-port", &names.to_string(), "-address", "127.0.0.1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("epmd starts: `tests/run` installs rabbitmq-server");
        let mut broker = Broker {
            folder,
            port,
            dist,
            names: (of_names, names),
            server: None,
        };
        broker.resume().await;
        broker
    }

    /// Runs it, with what it kept, until it lets us in.
    pub async fn resume(&mut self) {
        let folder = self.folder.path();
        let log = fs::File::options().create(true).append(true).open(folder.join("log"));
        let log = log.expect("a file");
        let mut command = Command::new(SERVER);
        let place = |name: &str| folder.join(name);
        command
            .env("HOME", folder)
            .env("RABBITMQ_NODENAME", format!("test{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", self.dist.to_string())
            .env("ERL_EPMD_PORT", self.names.1.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", place("none"))
            .env("RABBITMQ_CONFIG_FILE", place("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", place("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", place("mnesia"))
            .env("RABBITMQ_LOG_BASE", place("logs"))
            .env("RABBITMQ_PID_FILE", place("pid"))
            // One scheduler: the test beside it wants to live too.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1")
            .stdin(Stdio::null())
            .stderr(log.try_clone().expect("a file"))
            .stdout(log)
            .process_group(0);
        assert!(
            Path::new(SERVER).is_file(),
            "no {SERVER}: `tests/run` installs rabbitmq-server"
        );
        self.server = Some(command.spawn().expect("rabbitmq-server starts"));
        let began = Instant::now();
        while self.connection().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "rabbitmq-server does not let us in");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.server.take() {
            let group = format!("-{}", child.id());
            let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
            assert!(killed.is_ok_and(|status| status.success()), "it is ours to kill");
            child.wait().expect("it ends");
        }
    }

    pub fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }

    /// A server that is just starting may take a connection and never speak on it.
    async fn connection(&self) -> Result<Connection, String> {
        let url = self.url();
        let connecting = Connection::connect(&url, ConnectionProperties::default());
        let connected = tokio::time::timeout(ATTEMPT, connecting).await;
        connected
            .map_err(|late| late.to_string())?
            .map_err(|error| error.to_string())
    }

    /// Another client, which looks at what is there. It lives as long as the connection beside it.
    pub async fn client(&self) -> (Connection, Channel) {
        let connection = self.connection().await.expect("it lets us in");
        let channel = connection.create_channel().await.expect("a channel");
        (connection, channel)
    }

    /// The durable topic exchange `tokens`, with no queue yet.
    pub async fn with_exchange(self) -> Self {
        let (_connection, channel) = self.client().await;
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let declared = channel.exchange_declare("tokens".into(), ExchangeKind::Topic, durable, FieldTable::default());
        declared.await.expect("an exchange");
        self
    }

    /// A durable queue of that name, which takes these routing keys.
    pub async fn bind(&self, queue: &str, key: &str) {
        let (_connection, channel) = self.client().await;
        let durable = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        let declared = channel.queue_declare(queue.into(), durable, FieldTable::default());
        declared.await.expect("a queue");
        let none = (QueueBindOptions::default(), FieldTable::default());
        let bound = channel.queue_bind(queue.into(), "tokens".into(), key.into(), none.0, none.1);
        bound.await.expect("it is bound");
    }

    /// Everything that lies in the queue, in its order, taken out of it.
    pub async fn drained(&self, queue: &str) -> Vec<BasicGetMessage> {
        let (_connection, channel) = self.client().await;
        let mut all = Vec::new();
        let options = BasicGetOptions { no_ack: true };
        while let Some(message) = channel.basic_get(queue.into(), options).await.expect("it answers") {
            all.push(message);
        }
        all
    }

    /// The bodies alone.
    pub async fn bodies(&self, queue: &str) -> Vec<String> {
        let all = self.drained(queue).await.into_iter();
        all.map(|message| String::from_utf8(message.delivery.data).expect("text"))
            .collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("the log of rabbitmq-server on {}:\n{log}", self.port);
        }
        self.kill();
        let _ = self.names.0.kill();
        let _ = self.names.0.wait();
    }
}
