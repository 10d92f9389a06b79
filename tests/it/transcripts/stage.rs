//! Where a transcript is played: a desk, a destination `orders`, an MDES that can be asked, and a shell.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mdes_receiver::simulator::dev_files;
use mdes_receiver::simulator::pki;
use mdes_receiver::simulator::seal::{Sealer, Style};
use mdes_receiver::simulator::services::tokens::{Act, Cause, NewToken};
use mdes_receiver::simulator::services::{Services, Settings};
use time::OffsetDateTime;

use crate::program::process::{BINARY, Program, config_file};
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, eventually, read, sealed, statement};

pub struct Stage {
    desk: Desk,
    services: Services,
    _orders: Merchant,
    fails: Arc<AtomicBool>,
    receiver: Option<Program>,
    /// The configuration without its destination.
    alone: String,
}

impl Stage {
    pub async fn over(database: Database) -> Self {
        let fails = Arc::new(AtomicBool::new(false));
        let failing = fails.clone();
        let orders = Merchant::who(move |_| match failing.load(Ordering::Relaxed) {
            true => Reaction::Status(500),
            false => Reaction::Status(204),
        })
        .await;
        let desk = Desk::over(database);
        let (signing, _) = dev_files::signing(&desk.path("."), OffsetDateTime::now_utc()).expect("a key is made");
        let services = Services::start(Settings {
            signing_certificate: Some(read(&signing.certificate)),
            ..Settings::default()
        });
        let services = services.await.expect("a free port on loopback");
        let alone = format!(
            "\n[lifecycle]\nallow_networks = [\"127.0.0.0/8\"]\n\
             [lifecycle.mdes]\nurl = \"{}\"\nconsumer_key = \"{}\"\nsigning_key = \"signing.key\"\n",
            services.mdes_url(),
            Settings::default().consumer_key,
        );
        let told = orders.destination("orders", "retry_schedule = []");
        let other = pki::decryption_key(2048, "the other key");
        std::fs::write(desk.path("other.key"), &other.private_key_pem).expect("a key is written");
        std::fs::write(desk.path("other.pem"), &other.certificate_pem).expect("a certificate is written");
        let stage = Stage {
            desk: desk.with(&format!("{told}{alone}")),
            services,
            _orders: orders,
            fails,
            receiver: None,
            alone,
        };
        config_file(&stage.desk);
        stage
    }

    pub fn folder(&self) -> PathBuf {
        self.desk.path("")
    }

    /// What happens without being typed: `tests/transcripts/README.md` lists it all.
    pub async fn follow(&mut self, direction: &str) {
        let (what, of) = direction.split_once(": ").unwrap_or((direction, ""));
        let words: Vec<&str> = of.split(' ').collect();
        match (what, &words[..]) {
            ("the receiver starts", _) => self.receiver = Some(Program::serve(&self.desk).await),
            ("the receiver stops", _) => {
                let mut receiver = self.receiver.take().expect("a receiver runs");
                receiver.process.signal("TERM");
                receiver.process.ended().await;
            }
            ("the network says", [token, status, at]) => self.says(&self.desk.sealer(), token, status, at, 200).await,
            ("the network says, sealed to another key", [token, status, at]) => {
                let sealer = Sealer::new(&read(&self.desk.path("other.pem")), Style::default()).expect("a sealer");
                self.says(&sealer, token, status, at, 400).await;
            }
            ("the network has", [token]) => self.made(token),
            ("the issuer suspends, and nobody is told", [token]) => {
                let done = self.services.act(token, Act::Suspend, &Cause::by("ISSUER"));
                assert!(done.is_ok(), "{token} cannot be suspended");
            }
            ("orders fails", _) => self.fails.store(true, Ordering::Relaxed),
            ("orders takes again", _) => self.fails.store(false, Ordering::Relaxed),
            ("orders leaves the configuration", _) => {
                let database = Database::sqlite().await;
                let desk = std::mem::replace(&mut self.desk, Desk::over(database));
                self.desk = desk.with(&self.alone);
                config_file(&self.desk);
            }
            ("until", _) => self.until(of).await,
            _ => panic!("no such direction: {direction}"),
        }
    }

    /// `COMMAND | says WORDS`.
    async fn until(&self, of: &str) {
        let (command, words) = of.split_once(" | says ").expect("`until: COMMAND | says WORDS`");
        eventually(of, async || self.typed(command).await.contains(words)).await;
    }

    fn made(&self, token: &str) {
        let new = NewToken {
            token_unique_reference: Some(token.to_owned()),
            ..NewToken::default()
        };
        self.services.make(&new).expect("a new token");
    }

    async fn says(&self, sealer: &Sealer, token: &str, status: &str, at: &str, answered: u16) {
        let body = sealed(sealer, &format!("{token} {status} {at}"), &statement(token, status, at));
        let receiver = self.receiver.as_ref().expect("a receiver runs");
        let answer = self.desk.sender(receiver.callback).send(body).await.expect("an answer");
        assert_eq!(answer.status, answered, "{token} {status}");
    }

    /// What a shell prints of it, both streams as they come, and the exit code if it is not 0.
    pub async fn typed(&self, command: &str) -> String {
        let programs = std::path::Path::new(BINARY)
            .parent()
            .expect("a folder")
            .display()
            .to_string();
        let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
        let admin = self
            .receiver
            .as_ref()
            .map(|receiver| format!("http://{}", receiver.admin));
        let line = format!("exec 2>&1\n{command}");
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &line])
            .env_clear()
            .env("PATH", path)
            .env("USER", "ana")
            .env("MDES_RECEIVER_CONFIG", "receiver.toml")
            .env("ADMIN", admin.unwrap_or_default())
            .current_dir(self.folder());
        let ran = tokio::task::spawn_blocking(move || shell.output());
        let ran = ran.await.expect("no panic").expect("a shell");
        let mut printed = String::from_utf8(ran.stdout).expect("UTF-8");
        if !printed.is_empty() && !printed.ends_with('\n') {
            printed.push('\n');
        }
        match ran.status.code() {
            Some(0) => printed,
            code => format!("{printed}[exit code {}]\n", code.unwrap_or(-1)),
        }
    }
}
