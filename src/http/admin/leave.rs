//! Leave to read on: whoever was let in to a stream is asked after while it is open, so that a stream outlives neither
//! its operator's token nor the session that opened it.

use std::time::Duration;

use tokio::time::sleep;

use crate::store::{Error, SharedRoster};

/// So long a stream may go on when its leave has ended.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// What somebody was let in by.
#[derive(Clone)]
pub(in crate::http) struct Leave {
    roster: SharedRoster,
    by: By,
}

#[derive(Clone)]
enum By {
    /// The SHA-256 of an operator's token.
    Token([u8; 32]),
    /// The SHA-256 of a session's number.
    Session([u8; 32]),
}

impl Leave {
    /// As long as that token holds.
    pub(in crate::http) fn by_token(roster: &SharedRoster, sha256: [u8; 32]) -> Self {
        Leave {
            roster: roster.clone(),
            by: By::Token(sha256),
        }
    }

    /// As long as that session does, and its operator's token.
    pub(in crate::http) fn by_session(roster: &SharedRoster, sha256: [u8; 32]) -> Self {
        Leave {
            roster: roster.clone(),
            by: By::Session(sha256),
        }
    }

    /// Returns once it was taken away, or is over, or the store does not say: who may still come, comes again.
    pub(in crate::http) async fn ended(&self) {
        loop {
            sleep(ASK_EVERY).await;
            match self.holds().await {
                Ok(true) => {}
                Ok(false) | Err(_) => return,
            }
        }
    }

    async fn holds(&self) -> Result<bool, Error> {
        let operator = match &self.by {
            By::Token(sha256) => self.roster.operator_of(sha256).await?,
            By::Session(sha256) => self.roster.session_of(sha256).await?,
        };
        Ok(operator.is_some())
    }
}
