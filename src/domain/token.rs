//! A token is a join of statements, not a log of arrivals.
//!
//! Each part of it takes the greatest statement heard, in a total order that does not depend on
//! arrival; so that any order and any repetition of timed statements ends in the same token.
//! The door is [`Token::heard`]: statements come by [`Token::after`], answers to questions of ours by
//! [`Token::answered`], and what is said without proof by [`Token::hinted`].

mod answers;
mod hints;
mod number;
mod rules;
mod said;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

pub use self::answers::Asked;
pub use self::verdict::{Change, Decision, Manner, Verdict};
use super::id::{ContentHash, NotificationId, TokenReference};
use super::notification::FieldName;
use super::status::{Instant, Status};
use answers::Contrary;
use hints::Hint;
use said::{Register, Said};

/// Why what we hold may not be the truth; such a token is worth asking after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Two different statements share an instant; the stricter holds.
    Tie,
    /// Something was said without a readable instant.
    Untimed,
    /// Something was said with an instant far ahead of our clock.
    FromTheFuture,
    /// DEACTIVATED came with an older instant than what we held.
    DeactivatedOutOfOrder,
    /// A statement was heard again after another had come between.
    RepeatedAcross,
    /// Something else was said after DEACTIVATED.
    WokeAfterDeactivation,
    /// The status is one that we do not know; it is so until the network, asked, has said it again.
    Unrecognized,
    /// Somebody who cannot prove it said that something changed.
    Hinted,
    /// Several network tokens share its name (TokenEx's), and nobody can tell of which one an answer speaks.
    SeveralNetworkTokens,
    /// It was digitised anew, and its new number was not given.
    NumberMissing,
}

impl Doubt {
    /// What it means, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Doubt::Tie => "two different statements share an instant: the stricter holds",
            Doubt::Untimed => "something was said without a readable time",
            Doubt::FromTheFuture => "something was said with a time far ahead of our clock",
            Doubt::DeactivatedOutOfOrder => "DEACTIVATED came with an older time than what was held",
            Doubt::RepeatedAcross => "a statement was heard again after another had come between",
            Doubt::WokeAfterDeactivation => "something else was said after DEACTIVATED, and not applied",
            Doubt::Unrecognized => "the status is one that we do not know",
            Doubt::SeveralNetworkTokens => {
                "several network tokens share this name: what is held is of the first of them"
            }
            Doubt::NumberMissing => "it was digitised anew, and its new number was not given; it is being asked for",
            Doubt::Hinted => "somebody who cannot prove it said that something changed; it is being asked after",
        }
    }
}

/// What the merchant said of a token when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whose token it is (TRID).
    pub requestor: Option<String>,
    /// The merchant's own reference for the card or customer.
    pub merchant_reference: Option<String>,
    /// The status that the merchant knew of.
    pub status: Option<Status>,
    /// When it was first registered.
    pub registered_at: OffsetDateTime,
}

/// What we know of one token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Its identity.
    pub reference: TokenReference,
    /// How many changes were applied; the `sequence` of the newest transition, 0 before the first.
    pub sequence: u64,
    timed: Option<Said>,
    untimed: Option<Said>,
    doubts: BTreeSet<Doubt>,
    fields: BTreeMap<FieldName, Register>,
    number_in: Option<NotificationId>,
    latest: Option<ContentHash>,
    /// The first answer that it lives, against DEACTIVATED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contrary: Option<Contrary>,
    /// A DEACTIVATED that is no newer than this was answered against.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    survived: Option<OffsetDateTime>,
    /// What somebody said who cannot prove it; an answer settles it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<Hint>,
    /// It was spoken of as more than one network token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    several_network_tokens: bool,
    /// Its number was replaced then, and what we hold of before is its number no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced: Option<Register>,
}

impl Token {
    /// A token of which nothing was heard yet.
    pub fn unheard(reference: TokenReference) -> Self {
        Token {
            reference,
            sequence: 0,
            timed: None,
            untimed: None,
            doubts: BTreeSet::new(),
            fields: BTreeMap::new(),
            number_in: None,
            latest: None,
            contrary: None,
            survived: None,
            hint: None,
            several_network_tokens: false,
            replaced: None,
        }
    }

    /// Nothing was ever heard of it.
    pub fn is_unheard(&self) -> bool {
        self.latest.is_none()
    }

    /// The statement that holds: the untimed one where it tightens the timed one.
    fn said(&self) -> Option<&Said> {
        self.untimed.as_ref().or(self.timed.as_ref())
    }

    /// The status that holds; `None` as long as nothing was said of it.
    pub fn status(&self) -> Option<&Status> {
        self.said().map(|said| &said.status)
    }

    /// Who suspended it, as the statement that holds says.
    pub fn suspended_by(&self) -> impl Iterator<Item = &str> {
        self.said()
            .into_iter()
            .flat_map(|said| said.suspended_by.iter().map(String::as_str))
    }

    /// When the status became what it is, as the network says.
    pub fn status_at(&self) -> Option<OffsetDateTime> {
        self.said().and_then(|said| said.instant).map(Instant::at)
    }

    /// The reason that came with the status.
    pub fn reason_code(&self) -> Option<&str> {
        self.said().and_then(|said| said.reason_code.as_deref())
    }

    /// Why what we hold may not be the truth; empty if nothing speaks against it.
    pub fn doubts(&self) -> &BTreeSet<Doubt> {
        &self.doubts
    }

    /// What we hold is marked so as to be asked after.
    pub fn is_provisional(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// The value of one metadata field, by MDES's name with its object: `tokenInfo.tokenExpiry`.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).and_then(|register| register.value.as_ref())
    }

    /// The fields of one object (`tokenInfo`, `productConfig`) that are set, by their names within it.
    pub fn object(&self, name: &str) -> serde_json::Map<String, Value> {
        self.fields
            .iter()
            .filter_map(|(field, register)| {
                let inner = field.strip_prefix(name)?.strip_prefix('.')?;
                Some((inner.to_owned(), register.value.clone()?))
            })
            .collect()
    }

    /// The token requestor (TRID) whose token it is, if it was ever said.
    pub fn requestor(&self) -> Option<&str> {
        self.field("tokenRequestorId").and_then(Value::as_str)
    }

    /// The notification whose sealed body holds the token's current number.
    pub fn number_in(&self) -> Option<NotificationId> {
        self.number_in
    }
}

#[cfg(test)]
mod tests;
