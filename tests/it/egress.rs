//! The way out, and what is sent by it: whom it lets be reached, what it makes of hostile ends, and who can tell
//! that it was us. Loopback only.

mod failures;
mod guard;
mod proxy;
mod resolving;
mod signing;
pub mod sink;
mod snippets;
mod tls;
mod verifying;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::SystemClock;
use mdes_receiver::config::settings;
use mdes_receiver::delivery::webhook::Webhook;
use mdes_receiver::delivery::{Destination as _, Failure, Outgoing, Sent};
use mdes_receiver::domain::event::EventType;
use mdes_receiver::domain::id::EventId;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::net::egress::{Resolver, System};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &str = r#"{"type":"token.suspended","data":{"card":"ünïcode"}}"#;

/// A way out to this machine, with a short breath.
fn egress() -> settings::Egress {
    settings::Egress {
        allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
        connect: Duration::from_secs(2),
        total: Duration::from_secs(4),
        ..Default::default()
    }
}

/// The same, out of breath soon.
fn hasty() -> settings::Egress {
    settings::Egress {
        connect: Duration::from_millis(300),
        total: Duration::from_millis(600),
        ..egress()
    }
}

fn webhook(url: &str) -> settings::Webhook {
    settings::Webhook {
        url: Secret::new(url),
        secrets: vec![Secret::new(SECRET)],
        secret_files: Vec::new(),
        include_token_number: false,
    }
}

fn destination(url: &str, egress: &settings::Egress) -> Webhook {
    resolved_by(Arc::new(System), url, egress)
}

fn resolved_by(resolver: Arc<dyn Resolver>, url: &str, egress: &settings::Egress) -> Webhook {
    Webhook::with_resolver(&webhook(url), egress, Arc::new(SystemClock), resolver).expect("the settings are good")
}

fn outgoing() -> Outgoing {
    Outgoing {
        id: EventId(Uuid::from_u128(7)),
        kind: EventType::TokenSuspended,
        token: None,
        requestor: None,
        now: NOW,
        body: BODY.into(),
        trace: None,
    }
}

/// One attempt's failure: its class, its words, and how long to wait.
async fn failed(destination: &Webhook) -> (Failure, String, Option<Duration>) {
    match destination.send(&outgoing()).await {
        Sent::Failed {
            answer,
            class,
            retry_after,
        } => (class, answer.text, retry_after),
        other => panic!("{other:?}"),
    }
}

async fn taken(destination: &Webhook) {
    let sent = destination.send(&outgoing()).await;
    assert!(matches!(sent, Sent::Taken(_)), "{sent:?}");
}

async fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let polling = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), polling).await.is_ok()
}
