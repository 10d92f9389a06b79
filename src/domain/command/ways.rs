//! Ways on for a command: it waits, it is asked after, it is sent, it ends.

use super::after::{Because, Next, Then};
use super::pace::{LATER, LOST, nth};
use super::{Action, Command, Proof, Rules, Seen, Stage};
use crate::domain::event::EventType;

impl Command {
    pub(super) fn then(self, then: Then) -> Next {
        Next {
            command: self,
            then,
            event: None,
        }
    }

    pub(super) fn rests(self) -> Next {
        self.then(Then::Rest)
    }

    /// In a stage that begins now.
    pub(super) fn stands(mut self, stage: Stage, why: impl Into<String>) -> Self {
        self.stage = stage;
        self.asks = 0;
        self.why = why.into();
        self
    }

    pub(super) fn because(mut self, because: &Because) -> Self {
        self.code.clone_from(&because.code);
        self.why.clone_from(&because.why);
        self
    }

    pub(super) fn sent(mut self) -> Next {
        self.stage = Stage::Sent;
        self.sends = self.sends.saturating_add(1);
        self.why = "it is being sent".to_owned();
        self.then(Then::Send)
    }

    pub(super) fn asks_now(self) -> Next {
        self.then(Then::Look)
    }

    /// As it stands, for as long as it has to wait.
    pub(super) fn goes_on(self, rules: &Rules) -> Next {
        let wait = self.pause(rules).unwrap_or(LOST);
        self.then(Then::Wait(wait))
    }

    /// After a question in vain: later again, or it is overdue.
    pub(super) fn asks_on(mut self, why: &str, rules: &Rules) -> Next {
        match self.pause(rules) {
            Some(wait) => {
                why.clone_into(&mut self.why);
                self.then(Then::Wait(wait))
            }
            None => self.overdue(why),
        }
    }

    /// Told once: an overdue command stays so until it is seen, or sent.
    pub(super) fn overdue(self, why: &str) -> Next {
        let was_overdue = self.stage == Stage::Overdue;
        let mut command = self.stands(Stage::Overdue, why);
        command.asks = 1;
        let wait = nth(LATER, 0);
        Next {
            command,
            then: Then::Wait(wait),
            event: (!was_overdue).then_some(EventType::CommandOverdue),
        }
    }

    pub(super) fn confirmed(mut self, seen: &Seen, proof: Proof) -> Next {
        self.proof = Some(proof);
        // One that was so before it was sent is as wanted, and not by this one.
        let landed = self.sends > 0 && (self.baseline.is_none() || self.is_newer(seen));
        self.landed_at = seen.at.filter(|_| landed);
        self.why = match proof {
            Proof::Ours if self.order.action == Action::Suspend => {
                format!(
                    "seen: the network names {} among who suspended it",
                    self.our_suspender()
                )
            }
            Proof::Ours | Proof::Satisfied => format!("seen: it is {}", shown(seen)),
            Proof::HeldByOthers => format!("we let go; it stays suspended by {}", suspenders(seen)),
        };
        self.ends(Stage::Confirmed)
    }

    pub(super) fn refused(mut self, why: &str) -> Next {
        why.clone_into(&mut self.why);
        self.ends(Stage::Refused)
    }

    pub(super) fn contradicted(mut self, why: &str) -> Next {
        why.clone_into(&mut self.why);
        self.ends(Stage::Contradicted)
    }

    /// A refusal is answered to who asked; what ends later than that is told.
    pub(super) fn ends(mut self, stage: Stage) -> Next {
        self.stage = stage;
        let event = match stage {
            Stage::Confirmed => Some(EventType::CommandConfirmed),
            Stage::Contradicted => Some(EventType::CommandContradicted),
            _ => None,
        };
        Next { event, ..self.rests() }
    }
}

/// A state in a few words.
pub(super) fn shown(seen: &Seen) -> String {
    match &seen.suspended_by {
        Some(by) if !by.is_empty() => format!("{} by {}", seen.status, suspenders(seen)),
        _ => seen.status.to_string(),
    }
}

pub(super) fn suspenders(seen: &Seen) -> String {
    let names: Vec<&str> = seen.suspended_by.iter().flatten().map(String::as_str).collect();
    names.join(", ")
}
