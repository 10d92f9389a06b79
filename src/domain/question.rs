//! A question of ours: what we ask the network about a token, because what we hold may not be the truth.

use serde::{Deserialize, Serialize};

use super::command::{Seen, Service};
use super::id::{Namespace, TokenReference};
use super::status::Status;
use super::token::Token;

/// What came of one question, compared with what we held when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The network says what we held.
    Agrees,
    /// It says something else, and we hold that now.
    Repaired,
    /// It says something else, and we hold on to ours: a dry run, or the state rules do not take it yet.
    Differs,
    /// The token moved while we asked: what moved it is newer than the answer.
    Moved,
    /// The service knows no such token.
    NotThere,
    /// There was no answer that could be used.
    Unanswered,
}

impl Finding {
    /// Every finding there is.
    pub const ALL: &[Finding] = &[
        Finding::Agrees,
        Finding::Repaired,
        Finding::Differs,
        Finding::Moved,
        Finding::NotThere,
        Finding::Unanswered,
    ];

    /// The word that the store, the metrics and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Finding::Agrees => "agrees",
            Finding::Repaired => "repaired",
            Finding::Differs => "differs",
            Finding::Moved => "moved",
            Finding::NotThere => "not_there",
            Finding::Unanswered => "unanswered",
        }
    }

    /// The finding of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        Finding::ALL.iter().copied().find(|finding| finding.as_str() == word)
    }
}

/// What the network says is what we hold: the status, and the suspenders where it names them.
pub fn agrees(held: &Token, seen: &Seen) -> bool {
    let same_suspenders = || {
        let named = seen.suspended_by.as_ref();
        seen.status != Status::Suspended
            || named.is_none_or(|named| named.iter().map(String::as_str).eq(held.suspended_by()))
    };
    held.status() == Some(&seen.status) && same_suspenders()
}

/// Who answers for a token: the service whose reference it is.
pub fn answers_for(token: &TokenReference) -> Service {
    match token.namespace {
        Namespace::Mdes => Service::Mdes,
        Namespace::TokenEx => Service::TokenEx,
    }
}
