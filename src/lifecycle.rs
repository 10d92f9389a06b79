//! The lifecycle desk: carries out what the merchant wants of a token, through a token service, and follows it to its
//! proof.
//!
//! It owns the port that the services fit ([`TokenService`]) and knows no wire. A command is on disk before it is sent;
//! what nobody knows the end of is asked after, never sent again blindly. And it asks: what is in doubt, what may have
//! been missed ([`asker`]).

pub mod art;
pub mod asker;
pub mod desk;
pub mod ordering;
pub mod reconcile;
pub mod throttle;
mod traced;

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::command::{Action, CausedBy, Seen, Service, Target};
use crate::domain::id::{CommandId, NotificationId, TokenReference};
use crate::domain::token::Verdict;

/// A token service, as the desk speaks to it. Every call has a deadline of its own.
#[async_trait]
pub trait TokenService: Send + Sync {
    /// Which one it is.
    fn service(&self) -> Service;

    /// How it sees a token now (GetStatus, getToken).
    async fn look(&self, target: &Target) -> Result<Looked, Trouble>;

    /// The same, and the token's own number within the statement, sealed to us, where the service gives one (getToken).
    async fn look_with_number(&self, target: &Target) -> Result<Looked, Trouble> {
        self.look(target).await
    }

    /// Asks it once to change a token. It retries nothing: what came of it is the desk's to find out.
    async fn change(&self, request: &Request<'_>) -> Reply;
}

/// One request to change a token.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose.
    pub command: CommandId,
    /// How often it was sent, this time included: an id on the wire must not repeat.
    pub send: u32,
    /// What is wanted.
    pub action: Action,
    /// Of which token.
    pub target: &'a Target,
    /// Whom the network is told.
    pub caused_by: CausedBy,
    /// MDES's `reasonCode`.
    pub reason_code: &'a str,
    /// For people.
    pub reason: Option<&'a str>,
}

/// An answer about a token's state.
#[derive(Clone, PartialEq)]
pub struct Looked {
    /// The state.
    pub seen: Seen,
    /// A body that the inbox reads as a statement of the service's; it may hold a number and is sealed before it rests.
    pub statement: Option<bytes::Bytes>,
    /// The service's own words, masked.
    pub words: Value,
}

/// Without its body, in which a number may stand.
impl fmt::Debug for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Looked")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

/// What a service answered to a request.
#[derive(Clone, PartialEq)]
pub enum Reply {
    /// Yes.
    Accepted {
        /// The state after it, where the answer says (MDES).
        seen: Option<Seen>,
        /// As [`Looked::statement`].
        statement: Option<bytes::Bytes>,
        /// Its own words, masked.
        words: Value,
    },
    /// No, and asking again will not help.
    Refused {
        /// Its code, if it gave one.
        code: Option<String>,
        /// Why, for people; masked.
        why: String,
        /// The token is not in a state for it: look.
        wrong_state: bool,
        /// Its own words, masked.
        words: Value,
    },
    /// Nobody knows: it may have happened. Look, and only then send again.
    Lost(Trouble),
    /// It was never sent: there was no connection, or no way to make the request.
    Unsent(Trouble),
}

/// Without its body, in which a number may stand.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Accepted { seen, .. } => f.debug_struct("Accepted").field("seen", seen).finish_non_exhaustive(),
            Reply::Refused { why, .. } => f.debug_struct("Refused").field("why", why).finish_non_exhaustive(),
            Reply::Lost(trouble) => f.debug_tuple("Lost").field(trouble).finish(),
            Reply::Unsent(trouble) => f.debug_tuple("Unsent").field(trouble).finish(),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Trouble {
    /// The service's code, if it gave one.
    pub code: Option<String>,
    /// For people; masked.
    pub why: String,
    /// The service knows no such token; asking again will not help.
    pub no_such_token: bool,
    /// It heard, and refuses this one token: of others it may speak.
    pub of_this_token: bool,
    /// It was not asked at all: there was no turn in its line.
    pub unasked: bool,
    /// Its own words, masked, if there were any.
    pub words: Option<Value>,
}

/// Who takes in what a service said of a token, through the same reading and rules as what Mastercard tells of itself.
#[async_trait]
pub trait Listener: Send + Sync {
    /// On disk after `Ok`. The error is for the log: what it said can be asked for again.
    async fn learn(&self, answer: Learned) -> Result<Taken, String>;
}

/// What a service said of a token. No `Debug`: a number may stand in it.
#[derive(Clone)]
pub struct Learned {
    /// Which service.
    pub service: Service,
    /// Of which token.
    pub token: TokenReference,
    /// In its own form; it may hold a number and is sealed before it rests.
    pub body: bytes::Bytes,
    /// It answers a question of ours, asked when we held that sequence of the token; `None`: it answers a request.
    pub asked_at_sequence: Option<u64>,
    /// A reconcile asked: what it changes was missed before.
    pub reconciles: bool,
    /// When the last byte of it came in.
    pub received_at: OffsetDateTime,
}

/// What became of what a service said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// As which notification it was recorded.
    pub notification: NotificationId,
    /// What it did to the token; `None`: the very same had been recorded before.
    pub verdict: Option<Verdict>,
    /// The token's sequence after it, if it was told.
    pub sequence: Option<u64>,
    /// It changed nothing that was held: it said what was not known yet, if it said anything new.
    pub adds_only: bool,
}
