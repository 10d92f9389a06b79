//! Apache Kafka: an event is told when all in-sync replicas have it.
//!
//! The producer is made when the first event leaves, and again when no broker is left. It is idempotent, and what
//! it could not deliver in time it forgets. Its library resolves names and follows the cluster's own by itself, so that
//! the guard looks at them before, and again every few minutes.

mod failed;
mod link;
mod producer;
mod server;

use std::path::PathBuf;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use self::link::Link;
use self::server::Servers;
use super::broker::{self, Kept, failed};
use super::{Answer, Destination, Failure, Outgoing, Sent};
use crate::config::settings;

pub use self::server::NoServer;

/// One destination of `kind = "kafka"`.
pub struct Kafka {
    settings: settings::Kafka,
    egress: settings::Egress,
    servers: Servers,
    kept: Kept<Link>,
}

impl Kafka {
    /// Made from its settings; nothing is connected yet.
    pub fn new(settings: &settings::Kafka, egress: &settings::Egress) -> Result<Self, NoServer> {
        Ok(Kafka {
            servers: Servers::parse(&settings.urls)?,
            settings: settings.clone(),
            egress: egress.clone(),
            kept: Kept::none(),
        })
    }

    async fn attempt(&self, outgoing: &Outgoing, deadline: Instant) -> Result<Answer, Sent> {
        let topic = self.settings.topic.topic(
            outgoing.kind,
            outgoing.requestor.as_deref(),
            outgoing.token.as_ref().map(|token| token.namespace),
        );
        let connect = Link::connect(&self.servers, &self.settings, &self.egress, &topic);
        let link = timeout_at(deadline, self.kept.link(connect))
            .await
            .unwrap_or_else(|_| Err(failed(Failure::Timeout, "not connected in time")))?;
        let told = async {
            link.look(&topic, &self.servers, &self.egress).await?;
            link.produce(&topic, outgoing).await
        };
        timeout_at(deadline, told).await.unwrap_or_else(|_| {
            // What still waits in it must not leave after its attempt has been settled.
            self.kept.forget(&link);
            Err(link.silence())
        })
    }
}

#[async_trait]
impl Destination for Kafka {
    /// A crash after the broker took it and before the settling produces it again: another record with the same
    /// `event-id`.
    async fn send(&self, outgoing: &Outgoing) -> Sent {
        let deadline = Instant::now() + self.egress.total;
        match self.attempt(outgoing, deadline).await {
            Ok(answer) => Sent::Taken(answer),
            Err(failure) => failure,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        broker::files(&self.egress)
    }

    /// A new producer reads them; the next attempt makes one. With a bad file the present one stays.
    fn reload(&self) -> Result<(), String> {
        self.servers.check(&self.egress)?;
        self.kept.forget_any();
        Ok(())
    }
}
