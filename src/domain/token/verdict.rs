//! What became of a statement, in words that can be said aloud.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Token;
use crate::domain::notification::{FieldName, Flag};

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Something changed, and the sequence moved by one.
    Advanced,
    /// It said what we knew; at most the instant of the status moved.
    Unchanged,
    /// It was older than what we hold.
    Stale,
    /// It had no readable instant and would have loosened the status, so that it was not applied.
    Untimed,
    /// It spoke of a deactivated token as if it lived.
    Anomaly,
    /// It had been heard before, within the retry window.
    Repeat,
    /// It answered a question of ours, and the token had moved since we asked: nothing of it was applied.
    Late,
}

impl Verdict {
    /// The word that the store, the logs and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Advanced => "advanced",
            Verdict::Unchanged => "unchanged",
            Verdict::Stale => "stale",
            Verdict::Untimed => "untimed",
            Verdict::Anomaly => "anomaly",
            Verdict::Repeat => "repeat",
            Verdict::Late => "late",
        }
    }
}

/// One thing that is other than it was: `status`, `suspendedBy`, or a metadata field by MDES's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// What changed.
    pub field: FieldName,
    /// What it was; nothing if we did not know, or it was not set.
    pub from: Option<Value>,
    /// What it is; nothing if it was cleared.
    pub to: Option<Value>,
}

/// The answer of [`Token::after`].
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The token as it is now (whatever the verdict, this is what is to be kept).
    pub token: Token,
    /// What became of the statement.
    pub verdict: Verdict,
    /// Everything that changed; empty unless the verdict is [`Verdict::Advanced`].
    pub changes: Vec<Change>,
    /// The statement's flags and those that the rules add.
    pub flags: BTreeSet<Flag>,
}

impl Decision {
    /// What kind of transition it is: `status`, `suspenders` or `metadata`; `None` if nothing changed.
    pub fn kind(&self) -> Option<&'static str> {
        let changed = |field| self.changes.iter().any(|change| change.field == field);
        match self.verdict {
            Verdict::Advanced if changed("status") => Some("status"),
            Verdict::Advanced if changed("suspendedBy") => Some("suspenders"),
            Verdict::Advanced => Some("metadata"),
            _ => None,
        }
    }
}
