//! What a person looks for: a token by what is known of it, a token's story, a notification; the part of the port that
//! only reads, and reads no more than a page.

use std::sync::Arc;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::desk::Step;
use super::outbox::Standing;
use super::{Error, KeptStatement, SealedBy, Transition};
use crate::domain::command::Action;
use crate::domain::delivery::State;
use crate::domain::event::Event;
use crate::domain::id::{CommandId, DeliveryId, Namespace, NotificationId, TokenReference};
use crate::domain::notification::Flag;
use crate::domain::peer::Peer;
use crate::domain::status::Status;

/// What is asked of the memory by who looks. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Search: Send + Sync {
    /// The token of that reference, or else the tokens that the merchant registered under that reference of its own, at
    /// most [`CALLED_MAX`] and one; in one read.
    async fn called(&self, namespace: Namespace, reference: &str) -> Result<Vec<Standing>, Error>;

    /// Tokens that fit, after that place, at most `limit` (1 to 1,000): by identity, or with a status or a time the
    /// newest first. What no index holds together is looked at token by token, [`WALKED_MAX`] of them for a page: one
    /// with fewer than `limit`, or with none, may still have a next.
    async fn found(&self, which: &Sought, after: Option<&Place>, limit: u32) -> Result<Found, Error>;

    /// Notifications, newest first, before that one, at most `limit` (1 to 1,000).
    async fn heads(&self, before: Option<NotificationId>, limit: u32) -> Result<Vec<Head>, Error>;

    /// One notification.
    async fn head(&self, id: NotificationId) -> Result<Option<Head>, Error>;

    /// What one notification said, in the order in which it did, at most 1,000.
    async fn statements_in(&self, id: NotificationId) -> Result<Vec<KeptStatement>, Error>;

    /// What happened to a token, newest first, from that moment on backwards, at most `limit` (1 to 1,000).
    async fn story(&self, token: &TokenReference, before: &Moment, limit: u32) -> Result<Vec<Scene>, Error>;
}

/// What the callers hold.
pub type SharedSearch = Arc<dyn Search>;

/// Tokens of one reference of the merchant's that are looked at.
pub const CALLED_MAX: usize = 100;

/// Tokens that a page looks at, where it has to look at each.
pub const WALKED_MAX: i64 = 10_000;

/// A page of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// They.
    pub tokens: Vec<Standing>,
    /// Where to go on; `None` at the end.
    pub next: Option<Place>,
}

/// Which tokens are meant; every part that is given narrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sought {
    /// The last digits of the token or of the card, as MDES gives them.
    pub suffix: Option<String>,
    /// Standing so.
    pub status: Option<Status>,
    /// Whose (TRID).
    pub requestor: Option<String>,
    /// Registered under this reference of the merchant's.
    pub merchant_reference: Option<String>,
    /// Whose status became what it is then or later.
    pub since: Option<OffsetDateTime>,
    /// Before.
    pub until: Option<OffsetDateTime>,
    /// What is held of it may not be the truth.
    pub provisional: bool,
}

impl Sought {
    /// They come newest first.
    pub fn is_by_time(&self) -> bool {
        let is_few = self.suffix.is_some() || self.merchant_reference.is_some() || self.provisional;
        !is_few && (self.status.is_some() || self.since.is_some() || self.until.is_some())
    }

    /// They are found among those that are provisional.
    pub(super) fn is_of_the_provisional(&self) -> bool {
        self.provisional && self.suffix.is_none() && self.merchant_reference.is_none()
    }

    /// More is asked than that they are provisional.
    pub(super) fn is_narrowed(&self) -> bool {
        let timed = self.since.is_some() || self.until.is_some();
        timed || self.status.is_some() || self.requestor.is_some()
    }
}

/// Where a page of tokens ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The last one's time; `None` if it has none, or the order is that of identity.
    pub at: Option<OffsetDateTime>,
    /// The last one.
    pub token: TokenReference,
}

/// A notification without its body.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Our id.
    pub id: NotificationId,
    /// What the answer carried as `responseId`.
    pub request_id: String,
    /// When it was received.
    pub received_at: OffsetDateTime,
    /// Who sent it.
    pub peer: Peer,
    /// Who sealed its body.
    pub sealed_by: SealedBy,
    /// How long that is.
    pub sealed_bytes: u64,
    /// SPKI SHA-256 (hex) of the key that opens it.
    pub key: String,
    /// How often it was told again.
    pub repeats: u64,
    /// What was odd about it.
    pub flags: Vec<Flag>,
}

/// A place in a story: an instant, and how many of its scenes were shown already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The instant.
    pub at: OffsetDateTime,
    /// How many.
    pub shown: u32,
}

/// An event of a token's story.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldEvent {
    /// When it was recorded, as precisely as a store keeps it.
    pub at: OffsetDateTime,
    /// Its place in the order of commits.
    pub position: u64,
    /// It.
    pub event: Event,
    /// To whom, and how far.
    pub sendings: Vec<Sending>,
}

/// A delivery as a story tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sending {
    /// Its id.
    pub id: DeliveryId,
    /// To whom.
    pub destination: String,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub attempts: u32,
    /// When the newest attempt ended.
    pub attempted_at: Option<OffsetDateTime>,
    /// The HTTP status of the newest answer.
    pub answer_status: Option<u16>,
    /// Who skipped it, and why.
    pub settled_by: Option<String>,
}

/// One thing that happened to a token.
#[derive(Clone, Debug, PartialEq)]
pub enum Scene {
    /// Something was said of it.
    Heard(KeptStatement),
    /// A change was applied.
    Changed(Transition),
    /// You were told of it; with its deliveries, replays aside.
    Told(Box<ToldEvent>),
    /// A command about it went one step on.
    Commanded(CommandId, Action, Step),
}

impl Scene {
    /// When.
    pub fn at(&self) -> OffsetDateTime {
        match self {
            Scene::Heard(statement) => statement.received_at,
            Scene::Changed(transition) => transition.recorded_at,
            Scene::Told(told) => told.at,
            Scene::Commanded(.., step) => step.at,
        }
    }
}
