//! What a merchant is told of a command: how it stands, beside its token as it stands.

use serde::{Deserialize, Serialize};

use super::{Advice, EventType};
use crate::domain::command::{Action, Command, Proof, Service, Stage};
use crate::domain::id::CommandId;

/// The command that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfCommand {
    /// Its id, as it was answered when it was asked for.
    pub id: CommandId,
    /// What was wanted.
    pub action: Action,
    /// Who carried it out.
    pub through: Service,
    /// Where it stands.
    pub stage: Stage,
    /// How sure a confirmation is; null unless it is confirmed.
    pub proof: Option<Proof>,
    /// The service's code for why, if it gave one.
    pub code: Option<String>,
    /// Why it stands there, for people; numbers masked.
    pub why: String,
}

impl OfCommand {
    /// A command as it stands.
    pub fn of(command: &Command) -> Self {
        OfCommand {
            id: command.id,
            action: command.order.action,
            through: command.order.through,
            stage: command.stage,
            proof: command.proof,
            code: command.code.clone(),
            why: command.why.clone(),
        }
    }
}

impl EventType {
    /// It is about a command.
    pub fn is_of_command(self) -> bool {
        matches!(
            self,
            EventType::CommandConfirmed | EventType::CommandContradicted | EventType::CommandOverdue
        )
    }
}

impl Advice {
    /// What to do about an event of a command: a confirmed one's token has told by itself.
    pub fn on_command(kind: EventType) -> Self {
        match kind {
            EventType::CommandConfirmed => Advice::None,
            _ => Advice::Confirm,
        }
    }
}
