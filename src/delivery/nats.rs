//! A NATS JetStream: an event is told when a stream has acknowledged it.
//!
//! It connects when the first event leaves, and again when a connection broke. Each connection is new from the ground:
//! files read, names resolved, addresses guarded; what waited in a broken one goes nowhere. The event's id is the
//! message's, so that a stream drops what it took before (within its duplicate window) and acknowledges it again.

mod failed;
mod link;
mod server;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};

use self::link::Link;
use self::server::Server;
use super::broker::{self, Kept, failed, tls};
use super::{Answer, Destination, Failure, Outgoing, Sent, shown};
use crate::config::settings;

pub use self::server::NoServer;

/// One destination of `kind = "nats"`.
pub struct Nats {
    settings: settings::Nats,
    egress: settings::Egress,
    servers: Vec<Server>,
    kept: Kept<Link>,
    /// With which of the servers to begin: a dead one must not cost every attempt its time.
    next: AtomicUsize,
}

impl Nats {
    /// Made from its settings; nothing is connected yet.
    pub fn new(settings: &settings::Nats, egress: &settings::Egress) -> Result<Self, NoServer> {
        let servers = settings.urls.iter().enumerate();
        let servers = servers.map(|(index, url)| Server::parse(index, url));
        Ok(Nats {
            servers: servers.collect::<Result<_, _>>()?,
            settings: settings.clone(),
            egress: egress.clone(),
            kept: Kept::none(),
            next: AtomicUsize::new(0),
        })
    }

    /// The servers in turn, until one lets us in. One that takes all the time is not the first next time.
    async fn connect(&self) -> Result<Link, Sent> {
        let first = self.next.load(Ordering::Relaxed);
        let mut failure = failed(Failure::Unresolved, "no server to connect to");
        for turn in 0..self.servers.len() {
            let at = (first + turn) % self.servers.len();
            self.next.store(at + 1, Ordering::Relaxed);
            match Link::connect(&self.servers[at], &self.settings, &self.egress).await {
                Ok(link) => {
                    self.next.store(at, Ordering::Relaxed);
                    return Ok(link);
                }
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    async fn attempt(&self, outgoing: &Outgoing, deadline: Instant) -> Result<Answer, Sent> {
        let link = timeout_at(deadline, self.kept.link(self.connect()));
        let link = link
            .await
            .unwrap_or_else(|_| Err(failed(Failure::Timeout, "not connected in time")))?;
        let subject = self.settings.subject.subject(
            outgoing.kind,
            outgoing.requestor.as_deref(),
            outgoing.token.as_ref().map(|token| token.namespace),
        );
        let published = timeout_at(
            deadline,
            link.publish(&subject, outgoing, self.settings.stream.as_deref()),
        );
        let published = published.await.unwrap_or_else(|_| Err(link.silence(&subject)));
        published.inspect_err(|failure| {
            if failed::is_silence(failure) || self.settings.create_stream {
                self.kept.forget(&link);
            }
        })
    }
}

#[async_trait]
impl Destination for Nats {
    /// A crash after the publish and before the settling publishes it again, under the same id.
    async fn send(&self, outgoing: &Outgoing) -> Sent {
        let deadline = Instant::now() + self.egress.total;
        match self.attempt(outgoing, deadline).await {
            Ok(answer) => Sent::Taken(Answer {
                status: None,
                text: shown(&answer.text),
            }),
            Err(failure) => failure,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = broker::files(&self.egress);
        files.extend(self.settings.credentials.clone());
        files
    }

    /// Every connection reads them; afterwards the next attempt makes one. With a bad file the present one stays.
    fn reload(&self) -> Result<(), String> {
        for server in &self.servers {
            tls::config(&server.host, &self.egress)?;
        }
        if let Some(file) = &self.settings.credentials {
            link::credentials(file)?;
        }
        self.kept.forget_any();
        Ok(())
    }
}
