//! Takes in what TokenEx says without being asked, through the same queue and the same quarantine.
//!
//! Nobody proves these calls: the sender is known by an address and a path. So they are hints, unless the operator
//! believes them; and however many come, only so many of them may speak of tokens that we never heard of.

use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use super::{Arrival, Inbox, Receipt, Refusal};
use crate::domain::id::QuarantineId;
use crate::domain::token::Manner;
use crate::keys::KeyRing;
use crate::mdes::{self, Read};
use crate::store::{self, NewQuarantine, Recording};
use crate::tokenex::notice;

/// So many tokens that we never heard of may be spoken of within [`WHILE`], in each replica.
const NEWCOMERS_MAX: u32 = 600;
const WHILE: Duration = Duration::minutes(1);

/// It was not taken in.
#[derive(Debug)]
pub enum Unheeded {
    /// It cannot be used. It is in quarantine.
    Unusable {
        /// Under this id.
        id: QuarantineId,
        /// Why, in the words of quarantine.
        reason: &'static str,
        /// Which step failed; holds nothing of what came.
        detail: &'static str,
    },
    /// The store refuses it. It is in quarantine.
    Poison(QuarantineId),
    /// It is about a token that we never heard of, and so were too many before it. Nothing is kept of it.
    TooMany,
    /// Nothing could be kept; the sender should try again.
    Unavailable(String),
}

impl Inbox {
    /// The same inbox, which hears what TokenEx says without being asked in this manner: hinted, unless told otherwise.
    #[must_use]
    pub fn heeding(self, callbacks: Manner) -> Self {
        Inbox { callbacks, ..self }
    }

    /// Reads and records it, sealed to our newest key. After `Ok` it is on disk; after `Unusable` or `Poison` it is in
    /// quarantine, from where a redrive comes through here again.
    ///
    /// A crash before the answer leaves either nothing or a recorded notification that the sender's retry repeats.
    pub async fn overhear(&self, arrival: Arrival) -> Result<Receipt, Unheeded> {
        let read = read(&arrival.body, &self.keys.current());
        let read = match read {
            Ok(read) => read,
            Err(unreadable) => return Err(self.set_aside_notice(&arrival, unreadable).await),
        };
        match self.may_speak(&read, arrival.received_at).await {
            Ok(true) => {}
            Ok(false) => return Err(Unheeded::TooMany),
            Err(error) => return Err(Unheeded::Unavailable(error.to_string())),
        }
        let recorded = self.record(arrival, read, self.callbacks).await;
        recorded.map_err(|refusal| match refusal {
            Refusal::Poison { id, .. } | Refusal::Unusable { id, .. } => Unheeded::Poison(id),
            Refusal::Unavailable(why) => Unheeded::Unavailable(why),
        })
    }

    async fn set_aside_notice(&self, arrival: &Arrival, unreadable: notice::Unreadable) -> Unheeded {
        let notice::Unreadable { reason, detail } = unreadable;
        let resting = mdes::rest(&arrival.body, &self.keys.current());
        let entry: NewQuarantine = self.entry(arrival, resting, reason.to_owned(), detail.to_owned());
        match self.quarantine(entry).await {
            Ok(id) => Unheeded::Unusable { id, reason, detail },
            Err(refusal) => Unheeded::Unavailable(format!("{refusal:?}")),
        }
    }

    /// Its token was heard of, or there is room for one more that was not.
    async fn may_speak(&self, read: &Read, now: OffsetDateTime) -> Result<bool, store::Error> {
        let Some(statement) = read.notification.statements.first() else {
            return Ok(true);
        };
        let is_known = self.store.token(&statement.token).await?.is_some();
        Ok(is_known || self.newcomers.admit(now))
    }

    /// What of a quarantined body is to be recorded, now that it can be read.
    pub(super) fn overheard_again(&self, arrival: &Arrival, read: Read) -> Recording {
        Recording {
            manner: self.callbacks,
            ..self.recording(arrival, read)
        }
    }
}

/// What it says, as the rest of the inbox takes it.
pub(super) fn read(body: &[u8], ring: &KeyRing) -> Result<Read, notice::Unreadable> {
    let key = ring.newest();
    let notification = notice::read(body, &|bytes| key.hash(bytes))?;
    Ok(Read {
        notification,
        key: key.spki_sha256().to_owned(),
        resting: mdes::rest(body, ring),
    })
}

/// Counts those that speak of tokens that we never heard of.
#[derive(Default)]
pub(super) struct Newcomers(Mutex<Option<(OffsetDateTime, u32)>>);

impl Newcomers {
    /// One more, if there is room in this while.
    fn admit(&self, now: OffsetDateTime) -> bool {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, admitted) = match *count {
            Some((since, admitted)) if now - since < WHILE && now >= since => (since, admitted),
            _ => (now, 0),
        };
        let fits = admitted < NEWCOMERS_MAX;
        *count = Some((since, admitted + u32::from(fits)));
        fits
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_flood_about_tokens_nobody_knows_is_cut_and_let_in_again_a_minute_later() {
        let newcomers = Newcomers::default();
        let noon = datetime!(2026-11-22 12:00 UTC);
        let admitted = (0..10_000).filter(|_| newcomers.admit(noon)).count();
        assert_eq!(admitted, 600);
        assert!(!newcomers.admit(noon + Duration::seconds(59)));
        assert!(newcomers.admit(noon + Duration::seconds(60)));
    }
}
