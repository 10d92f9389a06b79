//! The rules: what a command does on what is heard of it. The README has them as a table.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::judged::Judged;
use super::pace::LOST;
use super::ways::{shown, suspenders};
use super::{Action, Command, Proof, Rules, Seen, Stage};
use crate::domain::event::EventType;
use crate::domain::status::Status;

/// What is heard of a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The service was asked just now, and shows the token so.
    Looked {
        /// So.
        seen: Seen,
        /// The network's newest instant that we hold of the token by other ways.
        newest: Option<OffsetDateTime>,
        /// It was time to ask; else a word of the network was the reason.
        in_turn: bool,
    },
    /// It was asked, and did not say.
    Unlooked {
        /// Why not.
        because: Because,
        /// It knows no such token.
        no_such_token: bool,
        /// As in [`Heard::Looked`].
        in_turn: bool,
    },
    /// It answered yes to our request, and shows the token after it, if it does.
    Accepted(Option<Seen>),
    /// It answered no.
    Refused(Because),
    /// It answered that the token is in no state for it, and shows the token, asked then; `None`: it could not be asked.
    WrongState(Because, Option<Seen>),
    /// It may have heard our request or not, and done it or not.
    Lost(Because),
    /// Our request did not leave.
    Unsent(Because),
    /// The network told of the token, of itself.
    Told(Seen),
    /// Whoever sent it did not live to say what came of it.
    Crashed,
}

/// Why something did not work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Because {
    /// The service's code, if it gave one.
    pub code: Option<String>,
    /// For people; masked.
    pub why: String,
}

/// What is next.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The command as it stands now; to be on disk before anything else is done.
    pub command: Command,
    /// What is to be done.
    pub then: Then,
    /// What the merchant is told of it.
    pub event: Option<EventType>,
}

/// What is to be done with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Ask the service.
    Look,
    /// Send it.
    Send,
    /// Leave it alone for that long.
    Wait(Duration),
    /// Nothing more, ever.
    Rest,
}

impl Command {
    /// The command after what was heard of it, and what is to be done.
    ///
    /// Pure: the same command, word and rules always give the same. It is sent only where [`Then::Send`] says so, and
    /// that follows only from a fresh look: at first, or one that shows that what was sent did not happen.
    pub fn after(&self, heard: &Heard, rules: &Rules) -> Next {
        let mut command = self.clone();
        if self.stage.is_final() {
            return command.rests();
        }
        match heard {
            Heard::Looked { seen, newest, in_turn } => {
                command.known_before(*newest);
                if *in_turn {
                    command.asks = command.asks.saturating_add(1);
                }
                match command.is_to_be_sent() {
                    true => command.before_sending(seen, rules),
                    false => command.after_sending(seen, rules),
                }
            }
            Heard::Unlooked {
                because,
                no_such_token,
                in_turn,
            } => {
                if *in_turn {
                    command.asks = command.asks.saturating_add(1);
                }
                command.unseen(because, *no_such_token, rules)
            }
            Heard::Told(seen) => command.told(seen, rules),
            Heard::Crashed if self.stage == Stage::Sent => {
                let why = "whoever sent it did not live to say what came of it";
                command.stands(Stage::Unknown, why).then(Then::Wait(LOST))
            }
            Heard::Accepted(seen) if self.stage == Stage::Sent => command.accepted(seen.as_ref(), rules),
            Heard::Refused(because) if self.stage == Stage::Sent => command.because(because).ends(Stage::Refused),
            Heard::WrongState(because, seen) if self.stage == Stage::Sent => {
                command.wrong_state(because, seen.as_ref())
            }
            Heard::Lost(because) if self.stage == Stage::Sent => {
                let command = command.because(because);
                let why = format!("nobody knows whether it happened: {}", because.why);
                command.stands(Stage::Unknown, why).then(Then::Wait(LOST))
            }
            Heard::Unsent(because) if self.stage == Stage::Sent => command.unsent(because, rules),
            // An answer to what is not being sent says nothing.
            _ => command.goes_on(rules),
        }
    }

    /// It has not been sent, or is known not to have happened.
    fn is_to_be_sent(&self) -> bool {
        self.stage == Stage::Requested || self.stage == Stage::Overdue && self.sends == 0
    }

    /// A fresh look before it is sent: what is so already is not asked for, and what cannot work is refused.
    fn before_sending(mut self, seen: &Seen, rules: &Rules) -> Next {
        self.known_before(seen.at);
        self.held_by.clone_from(&seen.suspended_by);
        if self.sends == 0 && self.order.forced {
            return self.sent();
        }
        match self.judge(seen) {
            Judged::Gone => self.refused("the token is deactivated"),
            _ if self.is_stale(seen) && seen.status != Status::Deactivated => {
                self.asks_on("the service shows the token as it was before", rules)
            }
            // What is so now would be undone by the one whose place it took, if that lands late; behind it, it is not.
            Judged::Wanted(_) if self.sends == 0 && self.after_another && seen.status != Status::Deactivated => {
                self.sent()
            }
            // Nobody says who holds it: it may be another, who lets go tomorrow.
            Judged::Wanted(Proof::Satisfied) if self.sends == 0 && self.order.action == Action::Suspend => self.sent(),
            Judged::Wanted(Proof::HeldByOthers) if self.sends == 0 && self.is_held_by_us(seen) => self.sent(),
            Judged::Wanted(Proof::HeldByOthers) if self.sends == 0 => {
                let why = format!("we do not hold it: it is suspended by {}", suspenders(seen));
                self.refused(&why)
            }
            Judged::Wanted(proof) => self.confirmed(seen, proof),
            // Sent before, and moved since that was found not to have happened: it may have happened after all.
            Judged::Other if self.sends > 0 && self.is_newer(seen) => {
                self.note_otherwise(seen);
                let why = "it was changed since it was sent: nobody knows whether it happened";
                let unknown = self.stands(Stage::Unknown, why);
                unknown.goes_on(rules)
            }
            Judged::Other if self.sends < rules.sends_max => self.sent(),
            Judged::Other => self.overdue("it was sent as often as it may be, and did not happen"),
        }
    }

    /// A look at what was sent.
    fn after_sending(mut self, seen: &Seen, rules: &Rules) -> Next {
        match self.judge(seen) {
            Judged::Gone => return self.contradicted("the token is deactivated"),
            _ if self.is_stale(seen) && seen.status != Status::Deactivated => {
                return self.asks_on("the service shows the token as it was before", rules);
            }
            Judged::Wanted(proof) => return self.confirmed(seen, proof),
            Judged::Other => self.note_otherwise(seen),
        }
        let moved = self.otherwise.is_some();
        let agrees = self.is_newer(seen) || self.otherwise.as_ref().is_some_and(|told| told.status == seen.status);
        let shows = format!("the service shows it {}", shown(seen));
        let stage = match self.stage {
            // Time went by; nobody has said since whether it happened.
            Stage::Overdue if !self.accepted && !agrees && self.sends < rules.sends_max => Stage::Unknown,
            stage => stage,
        };
        match stage {
            Stage::Accepted | Stage::Overdue if agrees => {
                self.contradicted(&format!("changed by another since it was sent: {shows}"))
            }
            // It may have happened and been undone: to send it again would undo that.
            Stage::Unknown if moved => self.asks_on(&format!("changed since it was sent, by whomever: {shows}"), rules),
            Stage::Unknown if self.sends >= rules.sends_max => {
                self.overdue("it was sent as often as it may be, and did not happen")
            }
            Stage::Unknown => {
                let why = format!("it did not happen: {shows}");
                let mut again = self.stands(Stage::Requested, why);
                again.asks = again.sends;
                again.goes_on(rules)
            }
            // Its answer is under way.
            Stage::Sent => self.goes_on(rules),
            _ => self.asks_on(&format!("not seen yet: {shows}"), rules),
        }
    }

    /// A question in vain.
    fn unseen(self, because: &Because, no_such_token: bool, rules: &Rules) -> Next {
        let unsent = self.is_to_be_sent();
        match (no_such_token, self.sends) {
            (true, 0) if unsent && self.order.forced => self.sent(),
            (true, 0) if unsent => self.because(because).ends(Stage::Refused),
            // It was known before it was sent.
            (true, 1..) if self.order.action == Action::Delete && !self.order.forced => {
                let mut command = self.because(because);
                command.proof = Some(Proof::Satisfied);
                command.why = "the service knows the token no more".to_owned();
                command.ends(Stage::Confirmed)
            }
            _ => {
                let why = format!("the service cannot be asked: {}", because.why);
                self.asks_on(&why, rules)
            }
        }
    }

    /// A word of the network proves; what it does not prove it makes us ask.
    fn told(mut self, seen: &Seen, rules: &Rules) -> Next {
        // TokenEx's, which says neither since when nor of which of several network tokens: it ends nothing.
        if seen.at.is_none() && seen.suspended_by.is_none() {
            let is_idle = self.is_to_be_sent() && (self.order.forced || seen.status != Status::Deactivated);
            return match is_idle || self.stage == Stage::Sent {
                true => self.goes_on(rules),
                false => self.asks_now(),
            };
        }
        let judged = self.judge(seen);
        if self.is_to_be_sent() {
            self.known_before(seen.at);
            return match judged {
                _ if self.order.forced || seen.status != Status::Deactivated => self.goes_on(rules),
                Judged::Wanted(proof) => self.confirmed(seen, proof),
                _ => self.refused("the token is deactivated"),
            };
        }
        match judged {
            Judged::Gone => self.contradicted("the token is deactivated"),
            Judged::Wanted(proof) if self.is_newer(seen) || self.order.action == Action::Delete => {
                self.confirmed(seen, proof)
            }
            // Stale; or the answer to what is being sent says more.
            _ if seen.at.is_some() && seen.at < self.baseline || self.stage == Stage::Sent => self.goes_on(rules),
            Judged::Other => {
                self.note_otherwise(seen);
                self.asks_now()
            }
            Judged::Wanted(_) => self.asks_now(),
        }
    }

    fn accepted(mut self, seen: Option<&Seen>, rules: &Rules) -> Next {
        self.code = None;
        self.accepted = true;
        if let Some(seen) = seen {
            self.learn_suspender(seen);
        }
        let accepted = self.stands(Stage::Accepted, "the service said yes");
        match seen {
            Some(seen) if accepted.judge(seen) == Judged::Other || accepted.is_stale(seen) => accepted.goes_on(rules),
            Some(seen) => accepted.after_sending(seen, rules),
            None => accepted.then(Then::Look),
        }
    }

    /// What the service shows decides: the state may be there already, by whomever.
    fn wrong_state(self, because: &Because, seen: Option<&Seen>) -> Next {
        let command = self.because(because);
        let Some(seen) = seen.filter(|seen| !command.is_stale(seen)) else {
            let why = format!("in no state for it, and it cannot be asked in which: {}", because.why);
            return command.stands(Stage::Unknown, why).then(Then::Wait(LOST));
        };
        match command.judge(seen) {
            Judged::Wanted(Proof::HeldByOthers) if command.sends > 1 || command.after_another => {
                command.confirmed(seen, Proof::HeldByOthers)
            }
            Judged::Wanted(Proof::Ours | Proof::Satisfied) => command.confirmed(seen, Proof::Satisfied),
            _ => {
                let why = format!("{}; it is {}", because.why, shown(seen));
                command.refused(&why)
            }
        }
    }

    fn unsent(self, because: &Because, rules: &Rules) -> Next {
        let why = format!("it could not be sent: {}", because.why);
        let mut command = self.because(because);
        command.sends = command.sends.saturating_sub(1);
        let asks = command.asks.saturating_add(1);
        command = command.stands(Stage::Requested, &why);
        command.asks = asks;
        command.asks_on(&why, rules)
    }
}
