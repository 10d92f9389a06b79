//! Telling a Kafka cluster: the library's own, in this process, which speaks the protocol over real sockets.

mod cluster;
mod front;
mod records;
mod tls;
mod trouble;

use std::time::Duration;

use bytes::Bytes;
use mdes_receiver::config::settings;
use mdes_receiver::delivery::kafka::Kafka;
use mdes_receiver::delivery::{Destination as _, Failure, Outgoing, Sent};
use mdes_receiver::domain::event::EventType;
use mdes_receiver::domain::id::{EventId, TokenReference};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::topic::TopicTemplate;
use time::macros::datetime;
use uuid::Uuid;

pub use self::cluster::Cluster;

/// How a destination is set up, before it is made.
pub struct Setup {
    pub kafka: settings::Kafka,
    pub egress: settings::Egress,
}

impl Setup {
    /// By default but for the loopback.
    pub fn to(url: &str) -> Self {
        Setup {
            kafka: settings::Kafka {
                urls: vec![Secret::new(url)],
                topic: TopicTemplate::parse("tokens").expect("a template"),
                sasl: settings::Sasl::Plain,
            },
            egress: settings::Egress {
                allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
                connect: Duration::from_secs(5),
                total: Duration::from_secs(15),
                ..settings::Egress::default()
            },
        }
    }

    pub fn open(&self) -> Kafka {
        Kafka::new(&self.kafka, &self.egress).expect("the URLs are servers")
    }
}

/// An event about this token, with this body.
pub fn event(token: &str, body: &str) -> Outgoing {
    Outgoing {
        id: EventId(Uuid::now_v7()),
        kind: EventType::TokenSuspended,
        token: Some(TokenReference::mdes(token)),
        requestor: Some("50100000001".to_owned()),
        now: datetime!(2026-11-22 12:00 UTC),
        body: Bytes::copy_from_slice(body.as_bytes()),
        trace: None,
    }
}

/// What the destination said, which took it.
pub async fn taken(kafka: &Kafka, event: &Outgoing) -> String {
    match kafka.send(event).await {
        Sent::Taken(answer) => answer.text,
        other => panic!("not taken: {other:?}"),
    }
}

/// Why it was not taken.
pub async fn refused(kafka: &Kafka, event: &Outgoing) -> (Failure, String) {
    match kafka.send(event).await {
        Sent::Failed { answer, class, .. } => (class, answer.text),
        other => panic!("it did not fail: {other:?}"),
    }
}
