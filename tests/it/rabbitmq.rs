//! Telling RabbitMQ, against a real server. One takes seconds to start, so that a few tests each make several promises.

mod broker;
mod queues;
mod secured;
mod trouble;

use std::time::Duration;

use bytes::Bytes;
use mdes_receiver::config::settings;
use mdes_receiver::delivery::rabbitmq::RabbitMq;
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
    pub rabbitmq: settings::RabbitMq,
    pub egress: settings::Egress,
}

impl Setup {
    /// By default but for the loopback; to the exchange `tokens`.
    pub fn to(url: &str) -> Self {
        Setup {
            rabbitmq: settings::RabbitMq {
                urls: vec![Secret::new(url)],
                exchange: "tokens".to_owned(),
                routing_key: SubjectTemplate::parse("tokens.{token_requestor_id}.{type}").expect("a template"),
            },
            egress: settings::Egress {
                allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
                connect: Duration::from_secs(5),
                total: Duration::from_secs(15),
                ..settings::Egress::default()
            },
        }
    }

    pub fn open(&self) -> RabbitMq {
        RabbitMq::new(&self.rabbitmq, &self.egress).expect("the URLs are servers")
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
pub async fn taken(rabbitmq: &RabbitMq, event: &Outgoing) -> String {
    match rabbitmq.send(event).await {
        Sent::Taken(answer) => answer.text,
        other => panic!("not taken: {other:?}"),
    }
}

/// Why it was not taken.
pub async fn refused(rabbitmq: &RabbitMq, event: &Outgoing) -> (Failure, String) {
    match rabbitmq.send(event).await {
        Sent::Failed { answer, class, .. } => (class, answer.text),
        other => panic!("it did not fail: {other:?}"),
    }
}
