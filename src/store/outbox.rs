//! What the house asks of its memory about events and their deliveries; the second half of the port.
//!
//! An event is written by [`super::Store::record`], in the transaction of its change. Positions are counted up under a
//! lock just before the commit, so that their order is the order of commits: a reader that has come to a position
//! has missed nothing before it, and a destination is no more than a cursor. What a destination asked for and has
//! not taken is a delivery. A crash between two verbs repeats an attempt under the same event id; it loses none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::watch;

use super::Error;
use super::ledger::named;
pub use crate::config::settings::Start;
use crate::domain::delivery::{Outcome, State};
use crate::domain::event::{Attempt, Current, Event, Pattern, Subscription};
use crate::domain::id::{DeliveryId, EventId, TokenReference};
use crate::domain::status::Status;
use crate::domain::token::Registration;

/// What is asked of the memory about events and deliveries. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Registers tokens, all or none; a token that is registered already takes the new reference, requestor and status
    /// where they are given. One answer each, in their order.
    async fn register(&self, tokens: &[NewRegistration]) -> Result<Vec<Registered>, Error>;

    /// What a token was registered with; `None` if nobody registered it.
    async fn registration(&self, token: &TokenReference) -> Result<Option<Registration>, Error>;

    /// Every token with what it was registered with, in the order of their identity, after that one,
    /// at most `limit` (1 to 1,000): those only registered too.
    async fn standing(&self, after: Option<&TokenReference>, limit: u32) -> Result<Vec<Standing>, Error>;

    /// Events for everyone after that position, in the order of commits, at most `limit` (1 to 1,000).
    /// A reader that goes on from [`Events::next`] never skips one, whatever is being committed meanwhile. With each comes
    /// its token as it stands now: who reads late must not resume what has since been stopped.
    async fn events(&self, after: u64, limit: u32) -> Result<Events, Error>;

    /// Makes a destination's cursor if it has none; one that has keeps it. Says whether it was made.
    async fn enrol(&self, destination: &str, start: Start) -> Result<bool, Error>;

    /// All destinations that were ever enrolled, by name.
    async fn destinations(&self) -> Result<Vec<KeptDestination>, Error>;

    /// Stops sending to a destination, or (`None`) goes on with it. Says whether that was a change.
    async fn pause(&self, destination: &str, why: Option<&str>) -> Result<bool, Error>;

    /// Lets go of a destination: sets aside what is open for it, by whom and why, a page at a time, and then takes its
    /// place in the order of events away, which nothing is kept for any more. How much was set aside; `None` if nobody is
    /// called so. After an `Err` some pages may be done, and the same call made again does the rest; a receiver that has it
    /// in its configuration meets it anew.
    async fn forget(&self, destination: &str, by: &str) -> Result<Option<u64>, Error>;

    /// One turn of a destination's worker, in one transaction: settles what ended, looks for new events, claims what may
    /// be sent now. Its commit need not reach the disk: what is lost of it is sent again under the same id.
    async fn turn(&self, turn: &Turn<'_>) -> Result<Turned, Error>;

    /// Deliveries in the order of their ids, after that one, at most `limit` (1 to 1,000).
    async fn deliveries(
        &self,
        which: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<KeptDelivery>, Error>;

    /// Makes what is parked or due later due now, and says of how many deliveries that is true; `dry_run` only counts.
    ///
    /// This act and the two after it go a page at a time, each page all or none: after an `Err` some pages may be
    /// done, and the same call made again does the rest. Each page has the deadline, not the whole.
    async fn retry(&self, which: &DeliveryFilter, dry_run: bool) -> Result<u64, Error>;

    /// Sets open deliveries aside for good, by whom and why; says how many; `dry_run` only counts.
    /// What is being sent just now is set aside too: its settling comes too late.
    async fn skip(&self, which: &DeliveryFilter, by: &str, dry_run: bool) -> Result<u64, Error>;

    /// Makes past events due once more for one destination, if it asks for such events; says how many; `dry_run` only counts.
    /// What an earlier replay made and is still open is not made again.
    async fn replay(&self, which: &ReplayFilter, dry_run: bool) -> Result<u64, Error>;

    /// Rings whenever there may be new events, or deliveries that someone made due.
    fn bell(&self) -> watch::Receiver<()>;

    /// Rings the bell for what other processes commit, until it is dropped. Trouble on the way only makes it quieter:
    /// who waits for the bell looks from time to time all the same.
    async fn listen(&self);
}

/// What the callers hold.
pub type SharedOutbox = Arc<dyn Outbox>;

/// A token that the merchant made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRegistration {
    /// Which.
    pub token: TokenReference,
    /// Whose (TRID).
    pub requestor: Option<String>,
    /// The merchant's own reference for the card or customer.
    pub merchant_reference: Option<String>,
    /// The status that the merchant knows of.
    pub status: Option<Status>,
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Registered {
    /// It was not registered before; nothing was heard of it either.
    New,
    /// It was not registered before, but the network had spoken of it already.
    Known,
    /// It was registered before; what was given anew holds.
    Again,
}

/// A token as it stands, with what it was registered with.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Its state; [`crate::domain::token::Token::is_unheard`] if it was only registered.
    pub token: crate::domain::token::Token,
    /// If it was.
    pub registration: Option<Registration>,
    /// When its row last changed.
    pub updated_at: OffsetDateTime,
    /// What of its row cannot be read, by its place: then nothing is known of its state. `None` for who may change it.
    pub unreadable: Option<String>,
}

/// Some events, in the order of commits.
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// They.
    pub items: Vec<KeptEvent>,
    /// Where to go on: the position of the last one, or where this began.
    pub next: u64,
    /// The position before the oldest event that is still kept: a cursor below it has missed something.
    pub oldest: u64,
    /// The newest position of all.
    pub newest: u64,
}

/// One event as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptEvent {
    /// Its place in the order of commits, from 1.
    pub position: u64,
    /// It.
    pub event: Event,
    /// Its place in the notification that said so, from 0; for who opens that again.
    pub token_index: Option<u32>,
    /// Its token as it stands when this is read; `None` if the event speaks of none.
    pub current: Option<Current>,
}

impl KeptEvent {
    /// The body for whoever reads it now.
    pub fn body(&self) -> Value {
        self.event.body(&Attempt {
            current: self.current.clone(),
            ..Attempt::default()
        })
    }
}

/// A destination as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptDestination {
    /// As the configuration calls it.
    pub name: String,
    /// The newest event that was looked at for it.
    pub position: u64,
    /// How many events it has not been looked at for.
    pub behind: u64,
    /// Its snapshot is still being made.
    pub is_snapshotting: bool,
    /// Since when and why nothing is sent to it.
    pub paused: Option<(OffsetDateTime, String)>,
    /// Its open deliveries: due, being sent or parked; counted up to 100,001, which says that there are more than 100,000.
    pub open: u64,
    /// Of them, those that wait for a person; counted likewise.
    pub parked: u64,
    /// When the oldest open one was made. One that is being sent for the first time may be left out for as long as
    /// its lease lasts, if more than a thousand are due again before it.
    pub oldest_open: Option<OffsetDateTime>,
}

/// What a destination's worker asks for.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// Which destination; it is enrolled.
    pub destination: &'a str,
    /// What it asked for.
    pub subscription: &'a Subscription,
    /// Attempts that ended.
    pub settle: &'a [Settlement],
    /// How many may be claimed at most (0 to 1,000).
    pub claim: u32,
    /// How long a claim holds before it is due again.
    pub lease: Duration,
    /// For how long a delivery must have failed before one that stops charging may overtake it.
    pub stop_overtakes_after: Duration,
    /// Why the destination is to be paused from now on, if it is.
    pub pause: Option<&'a str>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Of which delivery.
    pub delivery: DeliveryId,
    /// The position of its event, as it was claimed: a database that fell over may have given the id to another.
    pub position: u64,
    /// The attempt, by the number that it was claimed under; if another has been made since, this one comes too late.
    pub attempt: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// The answer's body or the error, cut and masked.
    pub answer: String,
}

/// What a turn brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Turned {
    /// What may be sent now, under a lease.
    pub claimed: Vec<Claimed>,
    /// Settlements that came too late: the lease had ended and gone to another, or a person skipped it.
    pub late: Vec<DeliveryId>,
    /// There is more to look at at once: new events beyond this turn's page, or more due than was claimed.
    pub more: bool,
    /// When the next open delivery is due, if one is.
    pub next_due: Option<OffsetDateTime>,
    /// Why nothing was claimed: it is paused.
    pub paused: Option<String>,
}

/// One delivery to be sent now.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// Its id.
    pub delivery: DeliveryId,
    /// The number of this attempt, from 1: what its settlement is known by.
    pub attempt: u32,
    /// Its place in the schedule of retries, from 1: a failure counts, and a person's retry begins anew.
    pub tries: u32,
    /// What to send.
    pub event: KeptEvent,
    /// It overtakes earlier ones of its token.
    pub out_of_order: bool,
    /// It goes once more because someone asked for it.
    pub replayed: bool,
}

/// Which deliveries are meant; every part that is given narrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DeliveryFilter {
    /// This very one.
    pub id: Option<DeliveryId>,
    /// To this destination.
    pub destination: Option<String>,
    /// About this token.
    pub token: Option<TokenReference>,
    /// Of this event.
    pub event: Option<EventId>,
    /// In this state.
    pub state: Option<State>,
    /// Only those that are still open: due, leased or parked.
    pub open: bool,
}

/// In a few words, for the audit.
impl fmt::Display for DeliveryFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            ("id", self.id.as_ref().map(ToString::to_string)),
            ("destination", self.destination.clone()),
            ("token", self.token.as_ref().map(named)),
            ("event", self.event.as_ref().map(ToString::to_string)),
            ("state", self.state.map(|state| state.as_str().to_owned())),
        ];
        let given = parts
            .into_iter()
            .filter_map(|(name, part)| Some(format!("{name}={}", part?)));
        f.write_str(&given.collect::<Vec<_>>().join(" "))
    }
}

/// One delivery as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub destination: String,
    /// Which event; nil if that is gone.
    pub event: EventId,
    /// Its place in the order of commits.
    pub position: u64,
    /// The event's type; empty if that is gone.
    pub kind: String,
    /// About which token, if it speaks of one.
    pub token: Option<TokenReference>,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When it may be sent next; of a leased one, when the lease ends.
    pub due_at: OffsetDateTime,
    /// When the first of its attempts failed.
    pub failing_since: Option<OffsetDateTime>,
    /// Its newest attempt overtook others.
    pub out_of_order: bool,
    /// It goes once more because someone asked for it.
    pub replayed: bool,
    /// When the newest attempt ended.
    pub attempted_at: Option<OffsetDateTime>,
    /// The HTTP status of the newest answer.
    pub answer_status: Option<u16>,
    /// The newest answer or error, cut and masked.
    pub answer: Option<String>,
    /// When it was delivered or skipped.
    pub settled_at: Option<OffsetDateTime>,
    /// Who skipped it, and why.
    pub settled_by: Option<String>,
}

impl KeptDelivery {
    /// In JSON, for programs; times in RFC 3339, what is not known is null.
    pub fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "destination": self.destination,
            "event_id": self.event,
            "event_cursor": self.position.to_string(),
            "type": self.kind,
            "namespace": self.token.as_ref().map(|token| token.namespace),
            "token_unique_reference": self.token.as_ref().map(|token| &token.reference),
            "state": self.state,
            "attempts": self.attempts,
            "due_at": stamp(self.due_at),
            "failing_since": self.failing_since.map(stamp),
            "out_of_order": self.out_of_order,
            "replayed": self.replayed,
            "attempted_at": self.attempted_at.map(stamp),
            "answer_status": self.answer_status,
            "answer": self.answer,
            "settled_at": self.settled_at.map(stamp),
            "settled_by": self.settled_by,
        })
    }
}

fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// Which past events go out once more.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayFilter {
    /// To whom.
    pub destination: String,
    /// Recorded then or later.
    pub since: Option<OffsetDateTime>,
    /// Recorded before.
    pub until: Option<OffsetDateTime>,
    /// About this token.
    pub token: Option<TokenReference>,
    /// Of these types; empty: of all that it asks for.
    pub types: Vec<Pattern>,
    /// What the destination asks for.
    pub subscription: Subscription,
}

/// In a few words, for the audit.
impl fmt::Display for ReplayFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "destination={}", self.destination)?;
        for (name, at) in [("since", self.since), ("until", self.until)] {
            if let Some(at) = at.and_then(|at| at.format(&Rfc3339).ok()) {
                write!(f, " {name}={at}")?;
            }
        }
        match &self.token {
            Some(token) => write!(f, " token={}", named(token)),
            None => Ok(()),
        }
    }
}
