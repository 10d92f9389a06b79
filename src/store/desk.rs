//! What the house asks of its memory about commands and links; the fourth part of the port.
//!
//! A command is on disk before it is sent, and every step of it before the next one: a crash between two steps leaves
//! the earlier one under a lease, and whoever finds it when the lease ends asks the service before anything else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Error, Transition};
use crate::domain::command::{Action, Command, Order, Service, Stage};
use crate::domain::event::EventType;
use crate::domain::id::{CommandId, Namespace, TokenReference};
use crate::domain::masked::masked;

/// What is asked of the memory about commands and links. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Desk: Send + Sync {
    /// Keeps a command, `requested` and due now, and supersedes the older open ones of its network token that are not
    /// being sent just now (those are superseded when their lease ends or they are settled). One that waits for approval
    /// takes nobody's place before it has it, and nobody takes its: once approved it is the newest. The same key of the same asker with the same order gives the same
    /// command; with another order it is [`Ordered::Conflict`].
    async fn order(&self, command: &NewCommand) -> Result<Ordered, Error>;

    /// Lets a command go that waits for another operator's approval, as if it were asked for now.
    async fn approve(&self, id: CommandId, by: &str) -> Result<Approved, Error>;

    /// Refuses a command that waits for approval, because somebody says so; whether it did wait.
    async fn withdraw(&self, id: CommandId, by: &str) -> Result<bool, Error>;

    /// One command.
    async fn command(&self, id: CommandId) -> Result<Option<KeptCommand>, Error>;

    /// Commands, newest first, before that one, at most `limit` (1 to 1,000).
    async fn commands(
        &self,
        which: &CommandFilter,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<KeptCommand>, Error>;

    /// How many of that asker's commands are open; nobody counts beyond `at_most`.
    async fn open_of(&self, asked_by: &str, at_most: u32) -> Result<u32, Error>;

    /// What a command went through, in order.
    async fn steps(&self, id: CommandId) -> Result<Vec<Step>, Error>;

    /// Takes open commands of that service that are due, or whose token has moved since they last looked, under a lease; of a
    /// network token the oldest open one alone, and none that waits for approval. With each come the token's applied
    /// changes since it last looked (at most 100; then again at once). What waited too long for approval is refused.
    async fn claim(&self, through: Service, lease: Duration, limit: u32) -> Result<Claims, Error>;

    /// Writes a claimed command as it stands now, with its step and, if it is worth one, its event, in one transaction;
    /// `false`, and nothing written, if the claim has gone to another or the command has ended, or if it is to be sent
    /// and its lease has run out; `false`, and it is superseded, if it has not come to its end by itself and there is a
    /// newer one of its network token. A final stage, or [`Progress::due_in`], ends the lease; without either it goes on.
    async fn progress(&self, progress: &Progress) -> Result<bool, Error>;

    /// Joins names of one token; a link that is there already is kept as it is. Says how many are new.
    async fn link(&self, links: &[Link]) -> Result<u64, Error>;

    /// The links in which that token stands, at most 100.
    async fn links_of(&self, token: &TokenReference) -> Result<Vec<Link>, Error>;

    /// All links in the order of their names, after that one, at most `limit` (1 to 1,000).
    async fn links(&self, after: Option<&Link>, limit: u32) -> Result<Vec<Link>, Error>;

    /// Takes a link away; says whether it was there.
    async fn unlink(&self, link: &Link) -> Result<bool, Error>;
}

/// What the callers hold.
pub type SharedDesk = Arc<dyn Desk>;

/// A command on its way to disk.
#[derive(Clone, Debug, PartialEq)]
pub struct NewCommand {
    /// Its id.
    pub id: CommandId,
    /// What is asked.
    pub order: Order,
    /// Who asks: an operator's name, or `tokenex:` and the id of a client of the served contract.
    pub asked_by: String,
    /// The asker's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// It waits so long until another operator approves of it, and is refused if none does; `None`: it may go.
    pub approve_within: Option<Duration>,
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq)]
pub enum Ordered {
    /// It is on disk.
    New(KeptCommand),
    /// The same was asked before, under the same key.
    Same(KeptCommand),
    /// Something else was asked before, under the same key.
    Conflict(CommandId),
}

impl fmt::Display for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ordered::New(kept) => write!(f, "command {}", kept.command.id),
            Ordered::Same(kept) => write!(f, "command {}, asked for before", kept.command.id),
            Ordered::Conflict(id) => write!(f, "refused: the key is that of command {id}"),
        }
    }
}

/// What became of an approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approved {
    /// It is due now.
    Now,
    /// Who asked for it cannot approve of it.
    ByTheSame,
    /// There is no such command, or it waits for nobody.
    NotWaiting,
}

impl Approved {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Approved::Now => "approved",
            Approved::ByTheSame => "refused: another must",
            Approved::NotWaiting => "it does not wait for approval, or is not there",
        }
    }
}

/// A command as kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptCommand {
    /// It.
    pub command: Command,
    /// Who asked for it.
    pub asked_by: String,
    /// It waits until another operator approves of it.
    pub waits: bool,
    /// Who did.
    pub approved_by: Option<String>,
    /// The service's own words to the newest attempt, as its client keeps them; masked.
    pub answer: Option<Value>,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it last went on.
    pub updated_at: OffsetDateTime,
    /// When it is looked at next; of one that is being worked on, when the lease ends; of one that waits for approval,
    /// when it is refused.
    pub due_at: OffsetDateTime,
}

impl KeptCommand {
    /// In JSON, for programs; times in RFC 3339, what is not known is null.
    pub fn shown(&self) -> Value {
        let (command, order) = (&self.command, &self.command.order);
        json!({
            "id": command.id,
            "namespace": order.token.namespace,
            "token_unique_reference": order.token.reference,
            "action": order.action,
            "through": order.through,
            "caused_by": order.caused_by,
            "reason_code": order.reason_code,
            "reason": order.reason,
            "forced": order.forced,
            "stage": command.stage,
            "final": command.stage.is_final(),
            "proof": command.proof,
            "code": command.code,
            "why": command.why,
            "sends": command.sends,
            "landed_at": command.landed_at.map(stamp),
            "asked_by": self.asked_by,
            "waits_for_approval": self.waits,
            "approved_by": self.approved_by,
            "answer": self.answer,
            "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at),
        })
    }
}

fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// One step of a command, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Where it stood after.
    pub stage: Stage,
    /// Why, for people; masked.
    pub why: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Which commands are meant; every part that is given narrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CommandFilter {
    /// About this token.
    pub token: Option<TokenReference>,
    /// Standing there.
    pub stage: Option<Stage>,
    /// Wanting this.
    pub action: Option<Action>,
    /// Not at their end.
    pub open: bool,
}

/// What a claim brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// They.
    pub claimed: Vec<ClaimedCommand>,
    /// Those that nobody approved of in time, refused just now.
    pub lapsed: Vec<CommandId>,
    /// More was due.
    pub more: bool,
    /// When the next one is due, if one is.
    pub next_due: Option<OffsetDateTime>,
}

/// A command under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedCommand {
    /// It, as it stands.
    pub kept: KeptCommand,
    /// What the claim is known by.
    pub claim: u32,
    /// Its token's applied changes since it last looked, in order: of the token as ordered, and of those linked to it.
    pub moved: Vec<Transition>,
    /// Time enough went by for it to be due; else it was woken by `moved` alone.
    pub is_due: bool,
    /// When it was due, or would have been.
    pub was_due_at: OffsetDateTime,
}

/// One step of a claimed command, on its way to disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// As it stands now.
    pub command: Command,
    /// The claim.
    pub claim: u32,
    /// What it has looked at of its token's changes is looked at once only.
    pub seen: Vec<(TokenReference, u64)>,
    /// The service's own words, if it said something new.
    pub answer: Option<Value>,
    /// When it is to be looked at again; ends the lease.
    pub due_in: Option<Duration>,
    /// What the merchant is told of it: `command.confirmed` and its like.
    pub event: Option<EventType>,
}

/// Names of one token, joined: for reading, and for finding the name that a service wants. Nothing is merged.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Link {
    /// MDES's `tokenUniqueReference`.
    pub token_unique_reference: String,
    /// TokenEx's token.
    pub tokenex_token: String,
    /// TokenEx's `tokenReferenceId`, where its token has several network tokens; an empty one is none.
    pub token_reference_id: Option<String>,
}

impl Link {
    /// MDES's name for the token, and TokenEx's.
    pub fn names(&self) -> [TokenReference; 2] {
        let tokenex = TokenReference {
            namespace: Namespace::TokenEx,
            reference: self.tokenex_token.clone(),
        };
        [TokenReference::mdes(&self.token_unique_reference), tokenex]
    }
}

/// TokenEx's token may look like a card's number.
impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("token_unique_reference", &self.token_unique_reference)
            .field("tokenex_token", &masked(&self.tokenex_token))
            .field("token_reference_id", &self.token_reference_id)
            .finish()
    }
}
