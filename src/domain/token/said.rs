//! What a token holds of the statements that won: one for the status, one for each metadata field.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use crate::domain::status::{Instant, Status};

/// One status statement, as far as it matters later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    pub status: Status,
    pub suspended_by: BTreeSet<String>,
    pub instant: Option<Instant>,
    pub reason_code: Option<String>,
    /// It is an answer, and only what is newer than this takes over: the newest instant that was held when it came.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub bar: Option<OffsetDateTime>,
}

impl Said {
    /// The total order of the rules: DEACTIVATED absorbs, then the instant, then strictness, then the word. Nothing of
    /// its own instant exceeds an answer.
    pub fn rank(&self) -> (bool, Option<OffsetDateTime>, u8, &str) {
        let strictness = match self.bar {
            Some(_) => u8::MAX,
            None => self.status.strictness(),
        };
        (
            self.status == Status::Deactivated,
            self.standing(),
            strictness,
            self.status.as_str(),
        )
    }

    pub fn standing(&self) -> Option<OffsetDateTime> {
        let own = self.instant.map(|instant| instant.standing_for(&self.status));
        self.bar.or(own)
    }

    /// The two may be of one instant and do not say the same.
    pub fn ties_with(&self, other: &Said) -> bool {
        let same_instant = match (self.instant, other.instant) {
            // An answer settles what was said of its instant.
            _ if self.bar.is_some() || other.bar.is_some() => false,
            (Some(a), Some(b)) => a.may_equal(b),
            _ => false,
        };
        let suspenders_differ =
            self.suspended_by != other.suspended_by && !self.suspended_by.is_empty() && !other.suspended_by.is_empty();
        same_instant && (self.status != other.status || suspenders_differ)
    }
}

/// One metadata field and the stamp by which a later statement must exceed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Register {
    pub value: Option<Value>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub instant: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub received_at: OffsetDateTime,
}

impl Register {
    pub fn exceeds(&self, held: &Register) -> bool {
        let stamp = (self.instant, self.received_at);
        let held_stamp = (held.instant, held.received_at);
        // The last resort only makes two statements of one receipt fall out the same everywhere.
        match stamp.cmp(&held_stamp) {
            Ordering::Equal => self.printed() > held.printed(),
            order => order == Ordering::Greater,
        }
    }

    fn printed(&self) -> String {
        self.value.as_ref().map(Value::to_string).unwrap_or_default()
    }
}
