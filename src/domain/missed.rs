//! How it can be that a notification never came to us.

use serde::{Deserialize, Serialize};

/// How a notification may have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// No replica was here.
    Downtime,
    /// One who bears a known name was not let in.
    Refused,
    /// A notification was answered with 503.
    Unavailable,
}

impl Missed {
    /// The word that the store, the metrics and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Missed::Downtime => "downtime",
            Missed::Refused => "refused",
            Missed::Unavailable => "unavailable",
        }
    }

    /// The way of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        [Missed::Downtime, Missed::Refused, Missed::Unavailable]
            .into_iter()
            .find(|missed| missed.as_str() == word)
    }
}
