//! Telling a NATS JetStream, against a real server of its own for each test.

mod broker;
mod cluster;
mod login;
mod streams;
mod trouble;

use std::time::Duration;

use bytes::Bytes;
use mdes_receiver::config::settings;
use mdes_receiver::delivery::nats::Nats;
use mdes_receiver::delivery::{Destination as _, Failure, Outgoing, Sent};
use mdes_receiver::domain::event::EventType;
use mdes_receiver::domain::id::{EventId, TokenReference};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::subject::SubjectTemplate;
use time::macros::datetime;
use uuid::Uuid;

pub use self::broker::Broker;

/// How a destination is set up, before it is made.
pub struct Setup {
    pub nats: settings::Nats,
    pub egress: settings::Egress,
}

impl Setup {
    /// By default but for the loopback.
    pub fn to(urls: &[String]) -> Self {
        Setup {
            nats: settings::Nats {
                urls: urls.iter().map(Secret::new).collect(),
                subject: SubjectTemplate::parse("tokens.{token_requestor_id}.{type}").expect("a template"),
                stream: None,
                create_stream: false,
                credentials: None,
            },
            egress: settings::Egress {
                allow_networks: vec!["127.0.0.0/8".parse().expect("a network")],
                connect: Duration::from_secs(5),
                total: Duration::from_secs(15),
                ..settings::Egress::default()
            },
        }
    }

    pub fn on_stream(mut self, name: &str, create: bool) -> Self {
        self.nats.stream = Some(name.to_owned());
        self.nats.create_stream = create;
        self
    }

    pub fn within(mut self, total: Duration) -> Self {
        self.egress.total = total;
        self
    }

    pub fn open(&self) -> Nats {
        Nats::new(&self.nats, &self.egress).expect("the URLs are servers")
    }
}

/// An event with this body.
pub fn event(body: &str) -> Outgoing {
    Outgoing {
        id: EventId(Uuid::now_v7()),
        kind: EventType::TokenSuspended,
        token: Some(TokenReference::mdes("DM4MMC0000000001")),
        requestor: Some("50100000001".to_owned()),
        now: datetime!(2026-11-22 12:00 UTC),
        body: Bytes::copy_from_slice(body.as_bytes()),
        trace: None,
    }
}

/// What the destination said, which took it.
pub async fn taken(nats: &Nats, event: &Outgoing) -> String {
    match nats.send(event).await {
        Sent::Taken(answer) => answer.text,
        other => panic!("not taken: {other:?}"),
    }
}

/// Why it was not taken.
pub async fn refused(nats: &Nats, event: &Outgoing) -> (Failure, String) {
    match nats.send(event).await {
        Sent::Failed { answer, class, .. } => (class, answer.text),
        other => panic!("it did not fail: {other:?}"),
    }
}

/// The bodies alone.
pub fn bodies(kept: &[(String, String)]) -> Vec<&str> {
    kept.iter().map(|(_, body)| body.as_str()).collect()
}
