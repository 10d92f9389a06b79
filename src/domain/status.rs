//! A token's status and the instant at which it became so, as the network says them.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A token's status, in MDES's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// Not yet activated.
    Inactive,
    /// Ready to transact.
    Active,
    /// Unable to transact, until every suspender lets go.
    Suspended,
    /// Gone for good.
    Deactivated,
    /// A word that we do not know, verbatim. Not chargeable until someone says so.
    Unknown(String),
}

impl Status {
    /// MDES's word, verbatim.
    pub fn as_str(&self) -> &str {
        match self {
            Status::Inactive => "INACTIVE",
            Status::Active => "ACTIVE",
            Status::Suspended => "SUSPENDED",
            Status::Deactivated => "DEACTIVATED",
            Status::Unknown(word) => word,
        }
    }

    /// How much it forbids: at equal instants the stricter statement wins.
    pub(super) fn strictness(&self) -> u8 {
        match self {
            Status::Inactive => 0,
            Status::Active => 1,
            Status::Suspended => 2,
            Status::Unknown(_) => 3,
            Status::Deactivated => 4,
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "INACTIVE" => Status::Inactive,
            "ACTIVE" => Status::Active,
            "SUSPENDED" => Status::Suspended,
            "DEACTIVATED" => Status::Deactivated,
            _ => Status::Unknown(word),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A `statusTimestamp`: an instant, and whether it was given only to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant {
    /// The instant as stated, in UTC, to the microsecond.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// It had no fraction, so that it stands somewhere within its second.
    whole_second: bool,
}

impl Instant {
    /// The instant as stated; finer than a microsecond is dropped, since no store keeps it.
    pub fn new(at: OffsetDateTime, whole_second: bool) -> Self {
        let at = at.to_offset(time::UtcOffset::UTC);
        let micros = at.nanosecond() / 1_000 * 1_000;
        Instant {
            at: at.replace_nanosecond(micros).unwrap_or(at),
            whole_second,
        }
    }

    /// As stated.
    pub fn at(self) -> OffsetDateTime {
        self.at
    }

    /// Where in its second it stands for this status, so that the doubt falls on the safe side:
    /// at the end if it forbids, at the beginning if it allows.
    pub(super) fn standing_for(self, status: &Status) -> OffsetDateTime {
        let forbids = status.strictness() >= Status::Suspended.strictness();
        if self.whole_second && forbids {
            self.at + time::Duration::microseconds(999_999)
        } else {
            self.at
        }
    }

    pub(super) fn may_equal(self, other: Instant) -> bool {
        if self.whole_second || other.whole_second {
            self.at.unix_timestamp() == other.at.unix_timestamp()
        } else {
            self.at == other.at
        }
    }
}
