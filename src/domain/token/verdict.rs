//! What became of a statement, in words that can be said aloud.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Asked, Token};
use crate::domain::notification::{FieldName, Flag, Hearing, Statement, Windows};

/// How a statement came to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    /// Somebody who proved who they are told it.
    #[default]
    Told,
    /// It answers this question of ours.
    Answers(Asked),
    /// Somebody told it who cannot prove who they are.
    Hinted,
}

impl Token {
    /// The token after this statement, by how it came to us, and what became of it.
    pub fn heard(&self, statement: &Statement, hearing: &Hearing, manner: &Manner, windows: &Windows) -> Decision {
        match manner {
            Manner::Told => self.after(statement, hearing, windows),
            Manner::Answers(asked) => self.answered(statement, hearing, asked, windows),
            Manner::Hinted => self.hinted(statement, hearing, windows),
        }
    }
}

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
    /// Nothing of it was applied, since nobody proves it: the token is asked after.
    Hinted,
}

impl Verdict {
    /// What it means, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Verdict::Advanced => "applied: it changed the token",
            Verdict::Unchanged => "nothing new: it says what is held already",
            Verdict::Stale => "stale: older than what we hold",
            Verdict::Untimed => "no readable instant, and it would have loosened the status: not applied",
            Verdict::Anomaly => "an anomaly: it speaks of a deactivated token as if it lived; not applied",
            Verdict::Repeat => "a repeat: it was heard before",
            Verdict::Late => "too late: it answers a question of ours, and the token had moved since; not applied",
            Verdict::Hinted => "not applied yet: nobody has proven it, and it is asked after",
        }
    }

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
            Verdict::Hinted => "hinted",
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
    /// The reason of what changed: the statement's own, or what a hint gave before this answer agreed with it.
    pub fn reason_code(&self, statement: &Statement) -> Option<String> {
        let of_status = self.kind().filter(|kind| *kind != "metadata");
        let given = statement.reason_code.clone();
        given.or_else(|| of_status.and_then(|_| self.token.reason_code().map(str::to_owned)))
    }

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
