//! TokenEx's own notifications: heard by who knows the path, believed by nobody until TokenEx was asked. Loopback only.

mod door;
mod heard;
mod kept;

use bytes::Bytes;
use mdes_receiver::domain::command::Service;
use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::domain::token::Token;
use mdes_receiver::inbox::{Learned, Receipt};
use mdes_receiver::simulator::sender::{Answer, Deadlines, Http, Sender, Target};
use mdes_receiver::store::{KeptQuarantine, KeptStatement, Transition};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::Database;
use crate::world::{Desk, World, read};

/// It looks like a card number, and may stand nowhere in clear but as the token's name.
const TOKEN: &str = "4761202544127718";
const REFERENCE_ID: &str = "749f4d0d-4005-443e-9a66-0ea2d317b8f6";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A receiver with a second ear.
struct Ear(World);

/// What an operator writes.
fn table(more: &str) -> String {
    format!(
        r#"
[lifecycle]
allow_networks = ["127.0.0.0/8"]
[lifecycle.tokenex]
url = "http://127.0.0.1:9"
tokenex_id = "1234567890123456"
api_key = "key"
[tokenex_callbacks]
listen = "127.0.0.1:0"
certificate = "server.pem"
private_key = "server.key"
path_secret = "{SECRET}"
{more}
"#
    )
}

fn desk(database: Database, more: &str) -> Desk {
    Desk::over(database).with(&table(more))
}

impl Ear {
    async fn over(database: Database) -> Self {
        Ear::with(database, "allow_from = [\"127.0.0.0/8\"]").await
    }

    async fn with(database: Database, more: &str) -> Self {
        let world = desk(database, more).open().await;
        world.ready().await;
        Ear(world)
    }

    fn url(&self, path: &str) -> String {
        let address = self.0.service.tokenex_callbacks_address.expect("it listens");
        format!("https://{address}{path}")
    }

    fn sender(&self, path: &str) -> Sender {
        let roots = read(&self.0.desk.files.ca.certificate);
        let target = Target::exactly(&self.url(path)).expect("a URL");
        Sender::new(target, None, &roots, Http::One, Deadlines::default()).expect("a sender")
    }

    /// Posts that to where state changes go.
    async fn told(&self, body: &Value) -> Answer {
        self.posted("state", body.to_string().into_bytes()).await
    }

    async fn posted(&self, place: &str, body: Vec<u8>) -> Answer {
        let sender = self.sender(&format!("/{SECRET}/{place}"));
        sender.send(Bytes::from(body)).await.expect("an answer")
    }

    /// What GetStatus answered, so long after now.
    async fn answered(&self, status: &str, after: Duration) -> Receipt {
        let sequence = self.token().await.map_or(0, |token| token.sequence);
        let body = json!({ "tokens": [{ "tokenUniqueReference": TOKEN, "status": status }] });
        let learned = Learned {
            service: Service::TokenEx,
            token: tokenex(),
            body: Bytes::from(body.to_string()),
            asked_at_sequence: Some(sequence),
            reconciles: false,
            received_at: OffsetDateTime::now_utc() + after,
        };
        self.0.service.inbox().learn(learned).await.expect("it is taken in")
    }

    async fn token(&self) -> Option<Token> {
        let kept = self.0.store().token(&tokenex()).await.expect("the store answers");
        kept.map(|kept| kept.token)
    }

    /// Its status, whether it is in doubt, and its sequence.
    async fn stands(&self) -> (String, bool, u64) {
        let token = self.token().await.expect("it was heard of");
        let status = token.status().map_or("-", |status| status.as_str());
        (status.to_owned(), token.is_provisional(), token.sequence)
    }

    async fn journal(&self) -> Vec<KeptStatement> {
        let statements = self.0.store().statements(&tokenex(), 100).await;
        statements.expect("the store answers")
    }

    /// The verdicts, oldest first.
    async fn verdicts(&self) -> Vec<&'static str> {
        let journal = self.journal().await;
        journal.iter().rev().map(|one| one.verdict.as_str()).collect()
    }

    async fn transitions(&self) -> Vec<Transition> {
        let transitions = self.0.store().transitions(&tokenex(), 0, 100).await;
        transitions.expect("the store answers")
    }

    async fn quarantined(&self) -> Vec<KeptQuarantine> {
        self.0.quarantined().await
    }
}

fn tokenex() -> TokenReference {
    TokenReference {
        namespace: Namespace::TokenEx,
        reference: TOKEN.to_owned(),
    }
}

/// So many seconds ago, as TokenEx writes it.
fn millis(seconds_ago: i64) -> String {
    let at = OffsetDateTime::now_utc() - Duration::seconds(seconds_ago);
    (at.unix_timestamp_nanos() / 1_000_000).to_string()
}

/// A state change with the documentation's quirks.
fn change(message: &str, state: &str, reason: &str, at: &str) -> Value {
    json!({
        "token": TOKEN, "referenceNumber": "21082509302518698472", "success": "true", "error": "",
        "networkTokenStateChangeNotification": {
            "messageId": message, "conversationId": "b5a9390f-c232-4ab0-9808-a68168472dec",
            "tokenRequestorId": "12345678901", "tokenReferenceId": REFERENCE_ID,
            "tokenTimestamp": at, "requestReason": "", "requestReasonCode": reason,
            "previousTokenState": "ACTIVE", "currentTokenState": state,
        },
    })
}
