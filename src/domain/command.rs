//! A command: what the merchant wants of a token, from the wish to its proof.
//!
//! `requested → sent → accepted | refused | unknown`, then `confirmed | contradicted | overdue`. The one door is
//! [`Command::after`]: pure, and the same for whoever reports. Instants are compared only with the network's own
//! instants, never with our clock; our clock says no more than that we have waited long enough to ask.

mod after;
mod judged;
mod pace;
mod ways;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use self::after::{Because, Heard, Next, Then};
pub use self::pace::Rules;
use super::id::{CommandId, Namespace, TokenReference};
use super::masked::masked;
use super::status::Status;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Not to be charged until we let go.
    Suspend,
    /// We let go; others may hold on.
    Resume,
    /// Gone for good.
    Delete,
}

impl Action {
    /// The word that the store, the API and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Suspend => "suspend",
            Action::Resume => "resume",
            Action::Delete => "delete",
        }
    }

    /// The action of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        [Action::Suspend, Action::Resume, Action::Delete]
            .into_iter()
            .find(|action| action.as_str() == word)
    }
}

/// Who carries it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// TokenEx.
    TokenEx,
    /// Mastercard's MDES itself.
    Mdes,
}

impl Service {
    /// Both.
    pub const ALL: [Service; 2] = [Service::TokenEx, Service::Mdes];

    /// The word that the configuration, the store and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Service::TokenEx => "tokenex",
            Service::Mdes => "mdes",
        }
    }

    /// The service of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Service::ALL.into_iter().find(|service| service.as_str() == word)
    }
}

/// MDES's `causedBy`; its word is also the suspender that we then are, unless MDES's answer shows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CausedBy {
    /// The cardholder asked for it.
    Cardholder,
    /// The merchant did.
    TokenRequestor,
}

impl CausedBy {
    /// MDES's word.
    pub fn as_str(self) -> &'static str {
        match self {
            CausedBy::Cardholder => "CARDHOLDER",
            CausedBy::TokenRequestor => "TOKEN_REQUESTOR",
        }
    }
}

/// The name by which the service knows the token. TokenEx's names and MDES's are different things; a link joins them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// TokenEx's token, or MDES's `tokenUniqueReference`.
    pub token: String,
    /// TokenEx's `tokenReferenceId`, where its token has several network tokens.
    pub reference_id: Option<String>,
}

/// TokenEx's token may look like a card's number.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("token", &masked(&self.token))
            .field("reference_id", &self.reference_id)
            .finish()
    }
}

/// What is asked of us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The token, as who asked names it: its state is what proves the command.
    pub token: TokenReference,
    /// What is wanted.
    pub action: Action,
    /// Who carries it out.
    pub through: Service,
    /// The token, as that service names it.
    pub target: Target,
    /// Whom the network is told.
    pub caused_by: CausedBy,
    /// MDES's `reasonCode`: `SUSPECTED_FRAUD`, `OTHER`, or what comes after them.
    pub reason_code: String,
    /// For people; card numbers masked; at most 256 characters.
    pub reason: Option<String>,
    /// Send it even if it cannot work.
    pub forced: bool,
}

impl Order {
    /// The token, as a token of the service's own: a link may have found it.
    pub fn named(&self) -> TokenReference {
        let namespace = match self.through {
            Service::Mdes => Namespace::Mdes,
            Service::TokenEx => Namespace::TokenEx,
        };
        TokenReference {
            namespace,
            reference: self.target.token.clone(),
        }
    }
}

/// Where a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// On disk; it has not been sent, or is known not to have happened.
    Requested,
    /// It is being sent; after a crash it may have been.
    Sent,
    /// The service said yes; the state is not seen yet.
    Accepted,
    /// Sent, and nobody knows whether it happened: ask, before anything else.
    Unknown,
    /// The state was not seen in time; it is being asked after.
    Overdue,
    /// Seen. The end.
    Confirmed,
    /// The service said no, or a fresh look said that it cannot work. The end.
    Refused,
    /// The state is, by a newer word of the network, another. The end.
    Contradicted,
    /// A newer command took its place; it is never sent again. The end.
    Superseded,
}

impl Stage {
    /// Every stage there is.
    pub const ALL: &[Stage] = &[
        Stage::Requested,
        Stage::Sent,
        Stage::Accepted,
        Stage::Unknown,
        Stage::Overdue,
        Stage::Confirmed,
        Stage::Refused,
        Stage::Contradicted,
        Stage::Superseded,
    ];

    /// The word that the store, the API and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Requested => "requested",
            Stage::Sent => "sent",
            Stage::Accepted => "accepted",
            Stage::Unknown => "unknown",
            Stage::Overdue => "overdue",
            Stage::Confirmed => "confirmed",
            Stage::Refused => "refused",
            Stage::Contradicted => "contradicted",
            Stage::Superseded => "superseded",
        }
    }

    /// The stage of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Stage::ALL.iter().copied().find(|stage| stage.as_str() == word)
    }

    /// Nothing more will happen to it.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Stage::Confirmed | Stage::Refused | Stage::Contradicted | Stage::Superseded
        )
    }
}

/// How sure a confirmation is that it was we.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The network names our own suspender, or no longer does.
    Ours,
    /// The state is as wanted; the service names no suspenders, so that it may be another's doing.
    Satisfied,
    /// We let go, and others still hold on: nobody may charge it.
    HeldByOthers,
}

/// A token's state as somebody saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// MDES's word.
    pub status: Status,
    /// Who suspended it; `None`: the service does not say (TokenEx).
    pub suspended_by: Option<BTreeSet<String>>,
    /// Since when, as the network says; `None`: it does not.
    #[serde(with = "time::serde::rfc3339::option")]
    pub at: Option<OffsetDateTime>,
}

/// A command as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Ours; MDES is told it as `requestId`.
    pub id: CommandId,
    /// What is asked of us.
    pub order: Order,
    /// Where it stands.
    pub stage: Stage,
    /// The network's newest instant before it was first sent: what is not newer says nothing of it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub baseline: Option<OffsetDateTime>,
    /// The network's instant of its landing, where the service named it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub landed_at: Option<OffsetDateTime>,
    /// The newest word of the network since it was sent that is newer than the baseline, and not what is wanted.
    #[serde(default)]
    pub otherwise: Option<Seen>,
    /// The service said yes to it.
    #[serde(default)]
    pub accepted: bool,
    /// Who held it just before it was sent, where the service names them.
    #[serde(default)]
    pub held_by: Option<BTreeSet<String>>,
    /// The name by which the network knows us, where its answer to our request showed that it is not `caused_by`'s.
    #[serde(default)]
    pub suspender: Option<String>,
    /// It took the place of one that was sent and had not come to its end, and may land yet: what a look shows may not
    /// last.
    #[serde(default)]
    pub after_another: bool,
    /// How often it was sent.
    pub sends: u32,
    /// How often the service was asked or called in vain since the stage began.
    pub asks: u32,
    /// How sure the confirmation is.
    pub proof: Option<Proof>,
    /// The service's code for why, if it gave one (`9104`, `INVALID_TOKEN_STATUS`).
    pub code: Option<String>,
    /// Why it stands where it does, for people; masked.
    pub why: String,
}

impl Command {
    /// One that was just asked for; nothing was done about it.
    pub fn requested(id: CommandId, order: Order, why: &str) -> Self {
        Command {
            id,
            order,
            stage: Stage::Requested,
            baseline: None,
            landed_at: None,
            otherwise: None,
            accepted: false,
            held_by: None,
            suspender: None,
            after_another: false,
            sends: 0,
            asks: 0,
            proof: None,
            code: None,
            why: why.to_owned(),
        }
    }

    /// Of it, or of one whose place it took, something may be on its way, whoever takes its own place.
    pub fn may_land_yet(&self) -> bool {
        self.sends > 0 || self.after_another
    }
}
