//! The token's own number, when another takes its place: a token that was digitised anew keeps its reference.
//!
//! Whoever tells of it may leave the new number out. Then it is missing, which is a doubt like others: a number that is
//! newer than the replacement ends it, however it comes. What the rules hold is the time of the replacement; its order
//! with the number's own is that of any two registers, so that it does not matter which of them came first.

use super::said::Register;
use super::{Change, Token};
use crate::domain::id::Namespace;
use crate::domain::notification::{Hearing, REDIGITISED, Statement, TOKEN_EXPIRY, TOKEN_NUMBER, TOKEN_SUFFIX};
use crate::domain::status::Instant;

impl Token {
    /// It was digitised anew, and its new number was not given.
    pub fn lacks_number(&self) -> bool {
        let number = self.fields.get(TOKEN_NUMBER);
        let is_due = |replaced: &Register| number.is_none_or(|number| !number.exceeds(replaced));
        !self.is_gone() && self.replaced.as_ref().is_some_and(is_due)
    }

    /// When its number was replaced, by this statement compared with what is held; `None`: this says nothing of it.
    /// The number's last digits tell whether it is another one; where they cannot, the reason or a new expiry do.
    /// TokenEx speaks of no numbers.
    pub(super) fn replacement(
        &self,
        statement: &Statement,
        instant: Option<Instant>,
        hearing: &Hearing,
    ) -> Option<Register> {
        if self.reference.namespace != Namespace::Mdes {
            return None;
        }
        let now = |field| Register {
            value: None,
            instant: instant
                .map(Instant::at)
                .or_else(|| self.fields.get(field).and_then(|held| held.instant)),
            received_at: hearing.received_at,
        };
        match self.is_other(statement, TOKEN_SUFFIX) {
            Some(true) => Some(self.later(now(TOKEN_SUFFIX), TOKEN_SUFFIX)),
            Some(false) => None,
            None if statement.reason_code.as_deref() == Some(REDIGITISED) => Some(now(TOKEN_EXPIRY)),
            None if self.is_other(statement, TOKEN_EXPIRY) == Some(true) => {
                Some(self.later(now(TOKEN_EXPIRY), TOKEN_EXPIRY))
            }
            None => None,
        }
    }

    /// The statement says another value than is held; `None`: one of the two says nothing.
    fn is_other(&self, statement: &Statement, field: &str) -> Option<bool> {
        let said = statement.metadata.get(field)?.as_ref()?;
        Some(self.field(field)? != said)
    }

    /// Of two values the later one took the place of the other.
    fn later(&self, now: Register, field: &str) -> Register {
        match self.fields.get(field) {
            Some(held) if (held.instant, held.received_at) > (now.instant, now.received_at) => Register {
                value: None,
                ..held.clone()
            },
            _ => now,
        }
    }

    /// The number is due since then, unless it came with the same words.
    pub(super) fn expect_number(&mut self, replaced: Register, hearing: &Hearing) {
        let is_by_this = replaced.received_at == hearing.received_at;
        let came = is_by_this && self.number_in == Some(hearing.notification);
        if !came && self.replaced.as_ref().is_none_or(|held| replaced.exceeds(held)) {
            self.replaced = Some(replaced);
        }
    }

    /// An answer that has the number that was due settles it, whatever the instant of its status: that is how it
    /// stands now.
    pub(super) fn take_due_number(&mut self, statement: &Statement, hearing: &Hearing) -> Option<Change> {
        let number = statement.metadata.get(TOKEN_NUMBER)?.as_ref()?;
        let replaced = self.replaced.take()?;
        if self.number_in == Some(hearing.notification) {
            // Taken in already, under its own instant: it is the number since the replacement, and nothing older ends it.
            let held = self.fields.get_mut(TOKEN_NUMBER)?;
            held.instant = held.instant.max(replaced.instant);
            return None;
        }
        let held = self.fields.get(TOKEN_NUMBER);
        let change = Change {
            field: TOKEN_NUMBER.to_owned(),
            from: held.and_then(|held| held.value.clone()),
            to: Some(number.clone()),
        };
        let register = Register {
            value: Some(number.clone()),
            instant: replaced.instant.max(held.and_then(|held| held.instant)),
            received_at: hearing.received_at,
        };
        self.fields.insert(TOKEN_NUMBER.to_owned(), register);
        self.number_in = Some(hearing.notification);
        Some(change)
    }
}
