//! A question of ours: what we ask the network about a token, because what we hold may not be the truth.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::{Seen, Service};
use super::id::Namespace;
use super::status::Status;
use super::token::Token;

/// What came of one question, compared with what we held when it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The network says what we held, or what you registered, if nothing was heard of the token before; what it says
    /// besides and nobody had said yet is taken in.
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

/// Who answers for a namespace's tokens: the service whose references they are.
pub fn answers_for(namespace: Namespace) -> Service {
    match namespace {
        Namespace::Mdes => Service::Mdes,
        Namespace::TokenEx => Service::TokenEx,
    }
}

/// When a question that was asked in vain is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// After so long.
    pub due_in: Duration,
    /// A person has to look at it; it is asked all the same, seldom.
    pub given_up: bool,
}

/// Two answers that speak against DEACTIVATED count as two only if they come five minutes apart.
const WAITS: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(40),
    Duration::from_mins(2),
    Duration::from_mins(6),
    Duration::from_mins(6),
    Duration::from_mins(30),
];
/// Asked so often in vain it is asked again in some minutes yet.
pub const NOT_GIVEN_UP: u32 = 5;
const SELDOM: Duration = Duration::from_hours(24);

/// What follows after it was asked so often in vain (from 1).
pub fn again(asks: u32) -> Again {
    let place = usize::try_from(asks.saturating_sub(1)).unwrap_or(usize::MAX);
    match WAITS.get(place) {
        Some(&due_in) => Again {
            due_in,
            given_up: false,
        },
        None => Again {
            due_in: SELDOM,
            given_up: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_ever_more_seldom_and_never_forgotten() {
        let waits: Vec<Again> = (0..20).map(again).collect();
        assert!(waits.is_sorted_by_key(|again| (again.given_up, again.due_in)));
        assert_eq!(waits[1].due_in, Duration::from_secs(5));
        assert!(again(u32::MAX).given_up);
    }

    #[test]
    fn two_of_its_askings_are_far_enough_apart_to_count_as_two() {
        let apart = Duration::from_mins(5);
        assert!((1..6).any(|asks| again(asks).due_in > apart && !again(asks + 1).given_up));
    }
}
