//! The whole service on loopback with real TLS and a database of its own, and those who deal with it.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::Token;
use mdes_receiver::service::Service;
use mdes_receiver::simulator::dev_files::Pair;
use mdes_receiver::simulator::pki::{Authority, Validity};
use mdes_receiver::simulator::play::Mastercard;
use mdes_receiver::simulator::seal::Sealer;
use mdes_receiver::simulator::sender::{Answer, Sender};
use mdes_receiver::simulator::story::Story;
use mdes_receiver::store::{KeptQuarantine, KeptStatement, QuarantineFilter, SharedStore};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::support::Database;

mod desk;
mod merchant;
mod raw;

pub use desk::Desk;
pub use merchant::{Merchant, Reaction, SECRET, Told};
pub use raw::{JSON, Line, Reply, config as client_config, page, request};

/// Long enough for a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The desk, and one open receiver.
pub struct World {
    /// Its files and its database.
    pub desk: Desk,
    /// The receiver.
    pub service: Service,
}

/// Waits until the store is there for this service.
pub async fn ready(service: &Service) {
    let prepared = tokio::time::timeout(PATIENCE, service.prepared()).await;
    prepared.expect("the store is prepared");
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
        ready(&self.service).await;
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
