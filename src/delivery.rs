//! Tells the merchant's own systems: in order per token, at least once.
//!
//! One worker a destination. It looks at the outbox in turns (settle what ended, look for new events, claim what may go
//! now), and sends outside of any transaction. What it holds when it dies is due again when the lease ends.

mod attempt;
#[cfg(any(feature = "kafka", feature = "nats", feature = "rabbitmq"))]
mod broker;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
pub mod signature;
mod traced;
pub mod webhook;
mod worker;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use time::OffsetDateTime;

pub use self::attempt::Line;
pub use self::worker::Worker;
use crate::clock::Clock;
use crate::config::settings::{self, DestinationKind};
use crate::domain::event::EventType;
use crate::domain::id::{EventId, NotificationId, TokenReference};
use crate::domain::masked::{Secret, without_written_numbers};
use crate::net::egress::Expiries;
use crate::telemetry::traces::Place;
use webhook::Webhook;

/// Where events go: one file for each kind below.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Sends one event, once, within a deadline of its own.
    async fn send(&self, outgoing: &Outgoing) -> Sent;

    /// The files that it lives on (secrets, certificates), to be watched.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Reads them again; what is bad stays as it was, and the text says which and why.
    fn reload(&self) -> Result<(), String> {
        Ok(())
    }

    /// When a certificate that we show there expires, by its file.
    fn expiries(&self) -> Expiries {
        Expiries::default()
    }
}

/// Opens what rests sealed, for a destination that asked for the numbers of tokens.
#[async_trait]
pub trait Numbers: Send + Sync {
    /// The number of the token at that place (from 0) of a notification; `None` if it cannot be opened any more.
    /// The error is for now: asked again, it may be there.
    async fn number(&self, notification: NotificationId, token_index: u32) -> Result<Option<Secret>, String>;
}

/// Why a destination cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("destination `{name}`: {why}")]
pub struct Unfit {
    name: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Webhook(#[from] webhook::Error),
    #[cfg(feature = "nats")]
    #[error(transparent)]
    Nats(#[from] nats::NoServer),
    #[cfg(feature = "kafka")]
    #[error(transparent)]
    Kafka(#[from] kafka::NoServer),
    #[cfg(feature = "rabbitmq")]
    #[error(transparent)]
    RabbitMq(#[from] rabbitmq::NoServer),
    #[cfg(not(all(feature = "kafka", feature = "nats", feature = "rabbitmq")))]
    #[error("its kind `{0}` is not in this program")]
    Missing(&'static str),
}

/// The destination that these settings mean. What the operator wrote wrong is an error; one that is away is not.
pub fn open(settings: &settings::Destination, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Destination>, Unfit> {
    of_its_kind(settings, clock).map_err(|why| Unfit {
        name: settings.name.clone(),
        why,
    })
}

fn of_its_kind(settings: &settings::Destination, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Destination>, Why> {
    match &settings.kind {
        DestinationKind::Webhook(webhook) => Ok(Arc::new(Webhook::load(webhook, &settings.egress, clock.clone())?)),
        #[cfg(feature = "nats")]
        DestinationKind::Nats(nats) => Ok(Arc::new(nats::Nats::new(nats, &settings.egress)?)),
        #[cfg(feature = "kafka")]
        DestinationKind::Kafka(kafka) => Ok(Arc::new(kafka::Kafka::new(kafka, &settings.egress)?)),
        #[cfg(feature = "rabbitmq")]
        DestinationKind::RabbitMq(rabbitmq) => Ok(Arc::new(rabbitmq::RabbitMq::new(rabbitmq, &settings.egress)?)),
        #[cfg(not(all(feature = "kafka", feature = "nats", feature = "rabbitmq")))]
        missing => Err(Why::Missing(missing.as_str())),
    }
}

/// One attempt, ready to leave.
#[derive(Clone)]
pub struct Outgoing {
    /// The same on every attempt.
    pub id: EventId,
    /// What happened.
    pub kind: EventType,
    /// About which token, if about one: what keeps the order.
    pub token: Option<TokenReference>,
    /// Whose token (TRID), if that is known.
    pub requestor: Option<String>,
    /// When this attempt is made.
    pub now: OffsetDateTime,
    /// The body, JSON.
    pub body: Bytes,
    /// The trace that it belongs to, if one is kept: for who is told over HTTP.
    pub trace: Option<Place>,
}

/// How an attempt ended. The texts are cut and masked by [`shown`], and may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was taken.
    Taken(Answer),
    /// It was not; it may be later.
    Failed {
        /// What was said, or what went wrong.
        answer: Answer,
        /// In one word, for the log and the metrics.
        class: Failure,
        /// Not before that long.
        retry_after: Option<Duration>,
    },
    /// The destination says that it wants no more (HTTP 410).
    Gone(Answer),
}

/// What a destination said, cut and masked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status, if it speaks HTTP and said anything.
    pub status: Option<u16>,
    /// Its words, or what went wrong.
    pub text: String,
}

/// Why an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Our address guard does not let us go there.
    Guarded,
    /// Its name has no address.
    Unresolved,
    /// No connection, or it broke.
    Connection,
    /// A TLS handshake that failed, its certificate above all.
    Tls,
    /// A peer so old that our TLS does not speak to it.
    TlsTooOld,
    /// Not in time.
    Timeout,
    /// It asks us to slow down (429, 503).
    Busy,
    /// It redirects, which we do not follow.
    Redirect,
    /// It refused (any other status that is not 2xx).
    Refused,
    /// A broker did not acknowledge.
    Unacknowledged,
    /// Nothing was sent: what was to be sent could not be had just then.
    Ours,
}

impl Failure {
    /// The word that the log and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Failure::Guarded => "guarded",
            Failure::Unresolved => "unresolved",
            Failure::Connection => "connection",
            Failure::Tls => "tls",
            Failure::TlsTooOld => "tls_too_old",
            Failure::Timeout => "timeout",
            Failure::Busy => "busy",
            Failure::Redirect => "redirect",
            Failure::Refused => "refused",
            Failure::Unacknowledged => "unacknowledged",
            Failure::Ours => "ours",
        }
    }
}

/// What is kept of an answer at most, in bytes.
const SHOWN_BYTES_MAX: usize = 1_024;

/// Someone else's words, fit to be kept: printable, card numbers masked, cut.
pub fn shown(words: &str) -> String {
    fit(words, false)
}

/// The same of words that break off.
pub fn shown_in_part(words: &str) -> String {
    fit(words, true)
}

fn fit(words: &str, is_cut: bool) -> String {
    let masked = without_written_numbers(words, is_cut);
    let mut text: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > SHOWN_BYTES_MAX {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
        text.push('…');
    }
    text
}
