//! The desk: files and a configuration, as an operator has them.

use std::path::PathBuf;
use std::sync::Arc;

use mdes_receiver::clock::{Clock, SystemClock};
use mdes_receiver::config;
use mdes_receiver::config::settings::Settings;
use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes;
use mdes_receiver::service::{Reread, Service};
use mdes_receiver::simulator::dev_files::{self, DevFiles};
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf};
use mdes_receiver::simulator::seal::{Sealer, Style};
use mdes_receiver::simulator::sender::{Deadlines, Http, Identity, Sender};
use mdes_receiver::store::{KeptQuarantine, SealedBy};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::{World, authority, read, valid};
use crate::support::Database;

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

    /// And with these after those.
    pub fn and(mut self, extra: &str) -> Self {
        self.extra += extra;
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

    /// The same, by this clock.
    pub async fn open_at(self, clock: Arc<dyn Clock>) -> World {
        let service = self.replica_at(clock).await;
        World { desk: self, service }
    }

    /// One more replica over the same store.
    pub async fn replica(&self) -> Service {
        self.replica_at(Arc::new(SystemClock)).await
    }

    async fn replica_at(&self, clock: Arc<dyn Clock>) -> Service {
        let (file, flags) = (self.config_file(), self.flags.clone());
        let reread = Reread {
            file: Some(file.clone()),
            keys: Box::new(move || Ok(config::load(Some(&file), &flags, [])?.keys)),
        };
        Service::start(self.settings(), clock, reread)
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
        let (client, url) = (&self.files.client, format!("https://{address}"));
        self.sender_as(&read(&client.certificate), &read(&client.private_key), &url, http)
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
