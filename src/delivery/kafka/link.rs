//! One producer, from its beginning until no broker is left.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::metadata::Metadata;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::util::Timeout;
use tokio::sync::{Mutex as AsyncMutex, oneshot, watch};
use tokio::time::Instant;

use super::failed::{complaint, unasked, unmade, unproduced};
use super::producer;
use super::server::Servers;
use crate::config::settings::{self, Egress};
use crate::delivery::broker::{Living, failed, resolved};
use crate::delivery::{Answer, Failure, Outgoing, Sent};
use crate::net::egress::guard;

/// For how long what the guard has seen of a cluster is believed: as long as the library itself believes it.
const LOOKED_AT: Duration = Duration::from_mins(5);

/// A living producer. When it is dropped, what waits in it is thrown away.
pub(super) struct Link {
    /// `None` only while it is dropped.
    producer: Option<FutureProducer<Events>>,
    events: Events,
    /// When the cluster's servers were last held against the guard.
    looked: AsyncMutex<Instant>,
}

/// What the library told beside any message.
#[derive(Clone, Default)]
struct Events {
    /// No server of the cluster is left.
    down: watch::Sender<bool>,
    /// The last complaint, such as that its certificate is not to be trusted.
    complaint: Arc<Mutex<Option<Sent>>>,
}

impl Link {
    /// Makes it, once the guard has seen the servers that it begins with, and those that they tell of.
    pub(super) async fn connect(
        servers: &Servers,
        settings: &settings::Kafka,
        egress: &Egress,
        topic: &str,
    ) -> Result<Self, Sent> {
        let mut spare = false;
        for (host, port) in &servers.all {
            spare |= guarded(host, *port, servers.tls, egress).await? > 1;
        }
        let events = Events::default();
        let made = made(servers.clone(), settings.clone(), egress.clone(), events.clone());
        let link = Link {
            producer: Some(made.await?),
            events,
            looked: AsyncMutex::new(Instant::now()),
        };
        link.guard(topic, servers, egress, spare).await?;
        // A name may have several addresses, the first of which did not answer.
        link.events.down.send_replace(false);
        Ok(link)
    }

    fn producer(&self) -> &FutureProducer<Events> {
        self.producer.as_ref().expect("only its drop takes it")
    }

    /// The guard has seen the cluster's servers a short while ago. Those who wait for this share what was seen.
    pub(super) async fn look(&self, topic: &str, servers: &Servers, egress: &Egress) -> Result<(), Sent> {
        let mut looked = self.looked.lock().await;
        if looked.elapsed() >= LOOKED_AT {
            self.guard(topic, servers, egress, false).await?;
            *looked = Instant::now();
        }
        Ok(())
    }

    /// Asks the cluster which servers it has, and the guard for each of them: the library follows them by itself.
    async fn guard(&self, topic: &str, servers: &Servers, egress: &Egress, spare: bool) -> Result<(), Sent> {
        for (host, port) in self.cluster(topic, egress.connect, spare).await? {
            if let Err(why) = guarded(&host, port, servers.tls, egress).await {
                self.events.down.send_replace(true);
                return Err(why);
            }
        }
        Ok(())
    }

    /// Host and port of each server of the cluster. With a `spare` address it is worth waiting while none answers.
    async fn cluster(&self, topic: &str, patience: Duration, spare: bool) -> Result<Vec<(String, u16)>, Sent> {
        let (producer, topic) = (self.producer().clone(), topic.to_owned());
        let (tell, told) = oneshot::channel();
        // A thread of its own: it may outlive the wait by the library's patience, and nobody's stop waits for it.
        std::thread::spawn(move || {
            let metadata = producer.client().fetch_metadata(Some(&topic), Timeout::After(patience));
            // Who asked may be gone.
            let _ = tell.send(metadata.map(|metadata| all(&metadata)));
        });
        tokio::select! {
            told = told => match told {
                Ok(Ok(all)) => Ok(all),
                Ok(Err(why)) => Err(self.explained(unasked(&why))),
                Err(_) => Err(failed(Failure::Connection, "the cluster's servers could not be read")),
            },
            () = self.events.is_down(), if !spare => Err(self.broke()),
        }
    }

    /// Produces, and waits until all in-sync replicas have it.
    pub(super) async fn produce(&self, topic: &str, outgoing: &Outgoing) -> Result<Answer, Sent> {
        let id = outgoing.id.to_string();
        let key = outgoing
            .token
            .as_ref()
            .map_or(id.as_str(), |token| token.reference.as_str());
        let header = |key, value| Header {
            key,
            value: Some(value),
        };
        let headers = OwnedHeaders::new()
            .insert(header("event-id", id.as_str()))
            .insert(header("event-type", outgoing.kind.as_str()))
            .insert(header("content-type", "application/json"));
        let record = FutureRecord::to(topic)
            .key(key)
            .payload(&outgoing.body[..])
            .headers(headers);
        tokio::select! {
            produced = self.producer().send(record, Timeout::Never) => match produced {
                Ok(at) => {
                    self.events.complain(None);
                    Ok(Answer {
                        status: None,
                        text: format!("topic {topic}, partition {}, offset {}", at.partition, at.offset),
                    })
                }
                Err((why, _)) => Err(self.explained(unproduced(&why, topic))),
            },
            () = self.events.is_down() => Err(self.broke()),
        }
    }

    /// Silence has a cause, if the library complained of one since it last went well.
    fn explained(&self, failure: Sent) -> Sent {
        match &failure {
            Sent::Failed {
                class: Failure::Timeout | Failure::Connection,
                ..
            } => self.events.complaint().unwrap_or(failure),
            _ => failure,
        }
    }

    fn broke(&self) -> Sent {
        self.explained(failed(Failure::Connection, "no server of the cluster is left"))
    }

    /// Nothing was heard in time.
    pub(super) fn silence(&self) -> Sent {
        self.explained(failed(Failure::Timeout, "no acknowledgement in time"))
    }
}

impl Living for Link {
    fn is_over(&self) -> bool {
        *self.events.down.borrow()
    }
}

impl Drop for Link {
    /// The library's threads are waited for, which is nothing for a thread of ours that others wait for.
    fn drop(&mut self) {
        let producer = self.producer.take();
        std::thread::spawn(move || drop(producer));
    }
}

impl ClientContext for Events {
    /// Its errors come by the other way; the rest is the library's own business.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(sent) = complaint(&error, reason) {
            self.complain(Some(sent));
        }
        let code = error.rdkafka_error_code();
        if matches!(code, Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::Fatal)) {
            self.down.send_replace(true);
        }
    }
}

impl Events {
    async fn is_down(&self) {
        let mut down = self.down.subscribe();
        // Its sender is ours, and so outlives the wait.
        let _ = down.wait_for(|down| *down).await;
    }

    fn complain(&self, of: Option<Sent>) {
        *self.complaint.lock().unwrap_or_else(PoisonError::into_inner) = of;
    }

    fn complaint(&self) -> Option<Sent> {
        self.complaint.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A producer, with the files as they are now.
async fn made(
    servers: Servers,
    settings: settings::Kafka,
    egress: Egress,
    events: Events,
) -> Result<FutureProducer<Events>, Sent> {
    let made = tokio::task::spawn_blocking(move || {
        let config = producer::config(&servers, &settings, &egress).map_err(|why| failed(Failure::Tls, &why))?;
        FutureProducer::from_config_and_context(&config, events).map_err(|why| unmade(&why))
    });
    let cut_off = |_| {
        Err(failed(
            Failure::Connection,
            "its files could not be read: we are stopping",
        ))
    };
    made.await.unwrap_or_else(cut_off)
}

/// Host and port of each server.
fn all(metadata: &Metadata) -> Vec<(String, u16)> {
    let servers = metadata.brokers().iter().map(|broker| (broker.host(), broker.port()));
    let server = |(host, port): (&str, i32)| u16::try_from(port).ok().map(|port| (host.to_owned(), port));
    servers.filter_map(server).collect()
}

/// Every address of that name may be connected to: which one the library takes is not ours to say. There are so many.
async fn guarded(host: &str, port: u16, tls: bool, egress: &Egress) -> Result<usize, Sent> {
    let found = resolved(host, port, egress).await?;
    if found.is_empty() {
        return Err(failed(Failure::Unresolved, "its name has no address"));
    }
    for address in &found {
        let allowed = guard::address(address.ip(), !tls, &egress.allow_networks);
        allowed.map_err(|why| failed(Failure::Guarded, &format!("{host}: {why}")))?;
    }
    Ok(found.len())
}
