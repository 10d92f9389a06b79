//! The whole service on loopback with real TLS and a database of its own, and those who deal with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mdes_receiver::clock::SystemClock;
use mdes_receiver::config;
use mdes_receiver::config::settings::Settings;
use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::Token;
use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes;
use mdes_receiver::service::{Reread, Service};
use mdes_receiver::simulator::dev_files::{self, DevFiles, Pair};
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf, Validity};
use mdes_receiver::simulator::play::Mastercard;
use mdes_receiver::simulator::seal::{Sealer, Style};
use mdes_receiver::simulator::sender::{Answer, Deadlines, Http, Identity, Sender};
use mdes_receiver::simulator::story::Story;
use mdes_receiver::store::{KeptQuarantine, KeptStatement, QuarantineFilter, SealedBy, SharedStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::support::Database;

mod raw;

pub use raw::{JSON, Line, Reply, config as client_config, page, request};

/// Long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The desk: its files and its configuration, from which any number of replicas may be started.
pub struct Desk {
    folder: TempDir,
    /// What `dev` would make.
    pub files: DevFiles,
    /// Where the store is.
    pub database: Database,
    extra: String,
    flags: Vec<(String, String)>,
}

impl Desk {
    /// A desk over this database.
    pub fn over(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = dev_files::ensure(folder.path(), OffsetDateTime::now_utc()).expect("files are made");
        Desk {
            folder,
            files,
            database,
            extra: String::new(),
            flags: Vec::new(),
        }
    }

    /// With this key set by a flag: `set("callback.refusal_status", "200")`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.flags.retain(|(set, _)| set != key);
        self.flags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// With these further lines of configuration; they may open tables.
    pub fn with(mut self, extra: &str) -> Self {
        self.extra = extra.to_owned();
        self
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The configuration, as an operator would have written it; ports are free ones.
    pub fn toml(&self) -> String {
        format!(
            r#"
[callback]
listen = "127.0.0.1:0"
response_host = "tokens.merchant.example"
[callback.tls]
certificate = "server.pem"
private_key = "server.key"
client_roots = ["mastercard-client-ca.pem"]
[store]
url = "{}"
[admin]
listen = "127.0.0.1:0"
{}
"#,
            self.database.url(),
            match self.extra.contains("[[keys]]") {
                true => self.extra.clone(),
                false => format!(
                    "[[keys]]\nprivate_key = \"decrypt.key\"\ncertificate = \"decrypt.pem\"\n{}",
                    self.extra
                ),
            }
        )
    }

    /// Writes the configuration to a file.
    pub fn config_file(&self) -> PathBuf {
        let file = self.path("receiver.toml");
        std::fs::write(&file, self.toml()).expect("a file is written");
        file
    }

    /// The configuration, resolved.
    pub fn settings(&self) -> Settings {
        config::load(Some(&self.config_file()), &self.flags, []).expect("the configuration is good")
    }

    /// The decryption keys.
    pub fn ring(&self) -> KeyRing {
        KeyRing::load(&self.settings().keys).expect("the keys are good")
    }

    /// What came, out of what rests of it.
    pub fn came(&self, entry: &KeptQuarantine) -> Vec<u8> {
        let resting = entry.body.as_deref().expect("a body of its own");
        let opened = mdes::open_resting(resting, entry.sealed_by == SealedBy::Us, &self.ring());
        opened.expect("our key opens what we sealed").to_vec()
    }

    /// Opens the doors.
    pub async fn open(self) -> World {
        let service = self.replica().await;
        World { desk: self, service }
    }

    /// One more replica over the same store.
    pub async fn replica(&self) -> Service {
        let (file, flags) = (self.config_file(), self.flags.clone());
        let reread = Reread {
            file: Some(file.clone()),
            keys: Box::new(move || Ok(config::load(Some(&file), &flags, [])?.keys)),
        };
        Service::start(self.settings(), Arc::new(SystemClock), reread)
            .await
            .expect("the service starts")
    }

    /// The CA whose clients are let in.
    pub fn client_ca(&self) -> Authority {
        authority(&self.files.client_ca)
    }

    /// A client with this name under the CA whose clients are let in.
    pub fn client(&self, name: &str) -> Issued {
        self.client_ca().issue(&Leaf::client(name, valid()))
    }

    /// Mastercard, calling this address.
    pub fn sender(&self, address: std::net::SocketAddr) -> Sender {
        self.sender_by(Http::One, address)
    }

    /// Mastercard, calling this address by this HTTP.
    pub fn sender_by(&self, http: Http, address: std::net::SocketAddr) -> Sender {
        self.sender_as(
            &read(&self.files.client.certificate),
            &read(&self.files.client.private_key),
            &format!("https://{address}"),
            http,
        )
    }

    /// Somebody with this certificate, calling this URL.
    pub fn sender_as(&self, certificate: &[u8], private_key: &[u8], url: &str, http: Http) -> Sender {
        let identity = Identity::from_pem(certificate, private_key);
        let roots = read(&self.files.ca.certificate);
        let target = url.parse().expect("a URL");
        Sender::new(
            target,
            Some(identity.expect("a pair")),
            &roots,
            http,
            Deadlines::default(),
        )
        .expect("a sender")
    }

    /// Seals to the decryption key.
    pub fn sealer(&self) -> Sealer {
        Sealer::new(&read(&self.files.decryption.certificate), Style::default()).expect("a sealer")
    }
}

/// The desk, and one open receiver.
pub struct World {
    /// Its files and its database.
    pub desk: Desk,
    /// The receiver.
    pub service: Service,
}

impl World {
    /// The service with everything by default.
    pub async fn over(database: Database) -> Self {
        let world = Desk::over(database).open().await;
        world.ready().await;
        world
    }

    /// Waits until the store is.
    pub async fn ready(&self) {
        eventually("the store is ready", || async { self.store().ready().await.is_ok() }).await;
    }

    /// The memory.
    pub fn store(&self) -> &SharedStore {
        self.service.store()
    }

    /// One who sends by Mastercard's certificate.
    pub fn sender(&self) -> Sender {
        self.desk.sender(self.service.callback_address)
    }

    /// Mastercard, for scenarios.
    pub fn mastercard(&self) -> Mastercard {
        Mastercard::new(self.sender(), self.desk.sealer()).with_client_ca(self.desk.client_ca())
    }

    /// Mastercard's connection, to write on byte by byte.
    pub async fn line(&self) -> Line {
        Line::of_mastercard(&self.desk, self.service.callback_address).await
    }

    /// Closes and opens again over the same store, with the desk changed so.
    pub async fn reopened(self, changed: impl FnOnce(Desk) -> Desk) -> World {
        self.service.stop().await;
        let world = changed(self.desk).open().await;
        world.ready().await;
        world
    }

    /// A story to tell.
    pub fn story(&self, seed: u64) -> Story {
        Story::new(seed, OffsetDateTime::now_utc())
    }

    /// Seals this content into a notification.
    pub fn sealed(&self, request_id: &str, content: &Value) -> Bytes {
        sealed(&self.desk.sealer(), request_id, content)
    }

    /// Sends this content sealed, as a notification.
    pub async fn told(&self, request_id: &str, content: &Value) -> Answer {
        let body = self.sealed(request_id, content);
        self.sender().send(body).await.expect("an answer")
    }

    /// A token as it is held.
    pub async fn token(&self, reference: &str) -> Option<Token> {
        let kept = self
            .store()
            .token(&TokenReference::mdes(reference))
            .await
            .expect("the store answers");
        kept.map(|kept| kept.token)
    }

    /// The status of a token, in MDES's word.
    pub async fn status(&self, reference: &str) -> String {
        let token = self.token(reference).await;
        token
            .and_then(|token| token.status().map(ToString::to_string))
            .unwrap_or_default()
    }

    /// Its applied changes in words: `2 status ACTIVE>SUSPENDED`. Fails if a sequence is missing.
    pub async fn transitions(&self, reference: &str) -> Vec<String> {
        let token = TokenReference::mdes(reference);
        let transitions = self.store().transitions(&token, 0, 1_000).await;
        let word = |status: &Option<Status>| status.as_ref().map_or("-".to_owned(), ToString::to_string);
        let mut words = Vec::new();
        for (expected, one) in (1..).zip(transitions.expect("the store answers")) {
            assert_eq!(one.sequence, expected, "{reference} has a gap");
            let (from, to) = (word(&one.from_status), word(&one.to_status));
            words.push(format!("{expected} {} {from}>{to}", one.kind));
        }
        words
    }

    /// Everything heard of it, oldest first, in words: `SUSPENDED stale`, with ` again` for each repeat.
    pub async fn journal(&self, reference: &str) -> Vec<String> {
        let token = TokenReference::mdes(reference);
        let statements = self.store().statements(&token, 1_000).await;
        let words = |one: &KeptStatement| {
            let status = one.status.as_ref().map_or("-", Status::as_str);
            let again = " again".repeat(usize::try_from(one.repeats).expect("a few"));
            format!("{status} {}{again}", one.verdict.as_str())
        };
        statements.expect("the store answers").iter().rev().map(words).collect()
    }

    /// A counter or gauge of `/metrics`, zero if it is not there.
    pub fn count(&self, series: &str) -> u64 {
        let text = self.service.metrics().text();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a number"))
    }

    /// What is open in quarantine.
    pub async fn quarantined(&self) -> Vec<KeptQuarantine> {
        let open = QuarantineFilter {
            open: true,
            ..QuarantineFilter::default()
        };
        self.store()
            .quarantined(&open, None, 100)
            .await
            .expect("the store answers")
    }
}

/// A statement about one token.
pub fn statement(reference: &str, status: &str, at: &str) -> Value {
    json!({"tokens": [{"tokenUniqueReference": reference, "tokenRequestorId": "50100000001", "status": status, "statusTimestamp": at}]})
}

/// An envelope around this content.
pub fn sealed(sealer: &Sealer, request_id: &str, content: &Value) -> Bytes {
    let payload = sealer.seal(content.to_string().as_bytes()).expect("it seals");
    let body = json!({
        "responseHost": "site1.mastercard.com",
        "requestId": request_id,
        "encryptedPayload": payload,
    });
    Bytes::from(body.to_string())
}

/// An answer's body.
pub fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).expect("answers are JSON")
}

/// Yesterday and a year from now.
pub fn valid() -> Validity {
    let now = OffsetDateTime::now_utc();
    (now - time::Duration::DAY, now + time::Duration::days(365))
}

/// A CA of the desk.
pub fn authority(pair: &Pair) -> Authority {
    let text = |file: &Path| String::from_utf8(read(file)).expect("PEM");
    Authority::from_pem(&text(&pair.certificate), &text(&pair.private_key)).expect("a CA")
}

/// A file's bytes.
pub fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).expect("a file of the desk")
}

/// Asks until it holds; fails past a deadline.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
