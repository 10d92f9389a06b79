//! Answers: what the network says of a token when we ask.
//!
//! An answer is how the token stands now, not what became of it some time. So it may settle what statements leave in
//! doubt, and says so without an instant of its own too; but only if the token has not moved since we asked. Of
//! DEACTIVATED it takes two that agree and are no echo of each other, or one that a person vouches for.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::rules::{Heard, decided, readable};
use super::said::Said;
use super::{Decision, Doubt, Token, Verdict};
use crate::domain::id::NotificationId;
use crate::domain::notification::{Flag, Hearing, Statement, Windows};
use crate::domain::status::{Instant, Status};

/// Two answers are two only if they came so far apart: what lags behind says the same twice in a row.
const APART: Duration = Duration::minutes(5);

/// A question of ours, as far as its answer is judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The token's sequence when we asked.
    pub sequence: u64,
    /// A person vouches for the answer.
    pub vouched: bool,
}

/// An answer that waits for another that agrees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contrary {
    status: Status,
    notification: NotificationId,
    /// The token's sequence when it was asked for: once the token has moved it counts for nothing.
    sequence: u64,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
}

impl Token {
    /// The token after this answer to a question of ours, and what became of it.
    ///
    /// Pure, as [`Token::after`]. If the token has moved since we asked, nothing of the answer applies: ask again. So it
    /// is if the answer would loosen what was hinted at only just now.
    /// Otherwise it settles ties and marks, and with another that agrees (or a person) even DEACTIVATED. An instant
    /// that is older than what we hold is as stale as in any statement, unless the status is in doubt and the answer
    /// does not loosen it. Who does not name suspenders leaves them as they are.
    pub fn answered(&self, statement: &Statement, hearing: &Hearing, asked: &Asked, windows: &Windows) -> Decision {
        let mut flags = statement.flags.clone();
        if self.sequence != asked.sequence || (!asked.vouched && self.is_overtaken(statement, hearing)) {
            return Decision {
                token: self.clone(),
                verdict: Verdict::Late,
                changes: Vec::new(),
                flags,
            };
        }
        let mut token = self.clone();
        let instant = readable(statement, hearing, windows, &mut flags);
        let heard = match statement.status.clone() {
            Some(status) => {
                let said = self.said_in(statement, status, instant);
                token.hear_answer(said, asked, hearing)
            }
            None => Heard::Nothing,
        };
        if matches!(heard, Heard::Woke) {
            flags.insert(Flag::WokeAfterDeactivation);
        }
        let mut changes = self.status_changes_to(&token);
        if let (Heard::Taken, Some(status)) = (&heard, &statement.status) {
            changes.extend(token.settle_hint(status, hearing));
            token.several_network_tokens &= !asked.vouched;
        }
        // What is metadata without an instant in a statement is how it stands now in an answer: no doubt.
        let doubts = token.doubts.clone();
        changes.extend(token.hear_metadata(statement, instant, hearing));
        changes.extend(token.take_due_number(statement, hearing));
        token.doubts = doubts;
        token.latest = Some(statement.hash);
        decided(token, &heard, changes, flags)
    }

    /// What the answer says, with what it leaves as it is.
    fn said_in(&self, statement: &Statement, status: Status, instant: Option<Instant>) -> Said {
        let mut said = self.as_hinted(Said {
            reason_code: statement.reason_code.clone(),
            status,
            suspended_by: statement.suspended_by.clone(),
            instant,
            bar: None,
        });
        if let Some(held) = self.said().filter(|held| held.status == said.status) {
            if said.suspended_by.is_empty() {
                said.suspended_by.clone_from(&held.suspended_by);
            }
            said.reason_code = said.reason_code.or_else(|| held.reason_code.clone());
        }
        said
    }

    fn hear_answer(&mut self, said: Said, asked: &Asked, hearing: &Hearing) -> Heard {
        let is_gone = self.is_gone();
        let deactivates = said.status == Status::Deactivated;
        let newest = self.timed.as_ref().and_then(Said::standing);
        let agrees = self
            .said()
            .is_some_and(|held| held.status == said.status && held.suspended_by == said.suspended_by);
        let is_newer = said.standing() > newest;
        let is_no_newer = said.standing().is_some() && !is_newer;
        let is_older = said.standing().is_some() && said.standing() < newest;
        match () {
            () if is_gone && !deactivates && is_no_newer && !asked.vouched => return Heard::TooOld,
            () if is_gone && !deactivates && !self.is_believed(&said, asked, hearing) => {
                return self.wait_for_another(said, asked, hearing);
            }
            () if is_older && !is_gone && !deactivates && !agrees && !self.is_open_to_older(&said) => {
                return Heard::TooOld;
            }
            () => {}
        }
        self.doubts.clear();
        self.contrary = None;
        if agrees && !is_newer && self.untimed.is_none() {
            return Heard::Taken;
        }
        let newest = newest.max(said.standing());
        if is_gone && !deactivates {
            self.survived = newest;
        }
        self.untimed = None;
        self.timed = Some(Said {
            bar: newest.filter(|_| !is_newer),
            ..said
        });
        Heard::Taken
    }

    /// What is older may tighten a status that is itself in doubt, and never loosens any. That a metadata field is in
    /// doubt, or that something was said twice, is no doubt about the status.
    fn is_open_to_older(&self, said: &Said) -> bool {
        let loosens = self
            .status()
            .is_some_and(|held| said.status.strictness() < held.strictness());
        let about_status = [Doubt::Tie, Doubt::FromTheFuture, Doubt::DeactivatedOutOfOrder];
        let is_doubted = self.untimed.is_some() || about_status.iter().any(|doubt| self.doubts.contains(doubt));
        !loosens && is_doubted
    }

    pub(super) fn is_gone(&self) -> bool {
        self.status() == Some(&Status::Deactivated)
    }

    /// Another answer said the same some time ago, and the token has not moved since; or a person vouches for it.
    fn is_believed(&self, said: &Said, asked: &Asked, hearing: &Hearing) -> bool {
        let is_another = |first: &Contrary| {
            first.notification != hearing.notification && hearing.received_at - first.received_at >= APART
        };
        asked.vouched || self.agreeing(said, asked).is_some_and(is_another)
    }

    /// The first answer, if this one says the same of the token as it stood then.
    fn agreeing(&self, said: &Said, asked: &Asked) -> Option<&Contrary> {
        let first = self.contrary.as_ref()?;
        (first.status == said.status && first.sequence == asked.sequence).then_some(first)
    }

    /// The first one stays the first, however often it is said again.
    fn wait_for_another(&mut self, said: Said, asked: &Asked, hearing: &Hearing) -> Heard {
        self.doubts.insert(Doubt::WokeAfterDeactivation);
        if self.agreeing(&said, asked).is_some() {
            // It is told once.
            return Heard::Nothing;
        }
        self.contrary = Some(Contrary {
            status: said.status,
            notification: hearing.notification,
            sequence: asked.sequence,
            received_at: hearing.received_at,
        });
        Heard::Woke
    }

    /// It speaks of an end that was answered against.
    pub(super) fn has_survived(&self, said: &Said) -> bool {
        said.standing().is_some() && said.standing() <= self.survived
    }
}
