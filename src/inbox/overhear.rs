//! Takes in what TokenEx says without being asked, through the same queue and the same quarantine.
//!
//! Nobody proves these calls: the sender is known by an address and a path. So they are hints, unless the operator
//! believes them; and however many come, only so many of them are taken in: of tokens that we never heard of, of those
//! that we know, and of what cannot be read.

use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use super::{Arrival, Inbox, Receipt, Refusal};
use crate::domain::id::QuarantineId;
use crate::domain::token::Manner;
use crate::keys::KeyRing;
use crate::mdes::{self, Read};
use crate::store::{NewQuarantine, Recording};
use crate::tokenex::notice;

/// So many may speak of tokens that we never heard of within [`WHILE`], in each replica.
const OF_NEWCOMERS_MAX: u32 = 600;
/// So many of tokens that we know: a hundred a second, as when an issuer changes all of its cards.
const OF_KNOWN_MAX: u32 = 6_000;
/// So many that cannot be read, each of which is kept in quarantine.
const UNREADABLE_MAX: u32 = 600;
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
    /// Too many of its kind came before it. Nothing is kept of it.
    TooMany(&'static str),
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
        self.may_speak(&read, arrival.received_at).await?;
        let recorded = self.record(arrival, read, self.callbacks).await;
        recorded.map_err(|refusal| match refusal {
            Refusal::Poison { id, .. } | Refusal::Unusable { id, .. } => Unheeded::Poison(id),
            Refusal::Unavailable(why) => Unheeded::Unavailable(why),
        })
    }

    /// Keeps a body that the door does not take, as [`Inbox::keep`], within the bound of what cannot be read.
    pub async fn keep_overheard(
        &self,
        arrival: Arrival,
        fault: &'static str,
        body_bytes: u64,
    ) -> Result<QuarantineId, Unheeded> {
        self.floods.unreadable(arrival.received_at)?;
        let kept = self.keep(arrival, fault, body_bytes).await;
        kept.map_err(|refusal| Unheeded::Unavailable(format!("{refusal:?}")))
    }

    async fn set_aside_notice(&self, arrival: &Arrival, unreadable: notice::Unreadable) -> Unheeded {
        if let Err(too_many) = self.floods.unreadable(arrival.received_at) {
            return too_many;
        }
        let notice::Unreadable { reason, detail } = unreadable;
        let resting = mdes::rest(&arrival.body, &self.keys.current());
        let entry: NewQuarantine = self.entry(arrival, resting, reason.to_owned(), detail.to_owned());
        match self.quarantine(entry).await {
            Ok(id) => Unheeded::Unusable { id, reason, detail },
            Err(refusal) => Unheeded::Unavailable(format!("{refusal:?}")),
        }
    }

    /// There is room for one more that speaks of its token.
    async fn may_speak(&self, read: &Read, now: OffsetDateTime) -> Result<(), Unheeded> {
        let Some(statement) = read.notification.statements.first() else {
            return Ok(());
        };
        let known = self.store.token(&statement.token).await;
        match known.map_err(|error| Unheeded::Unavailable(error.to_string()))? {
            Some(_) => self.floods.of_known(now),
            None => self.floods.of_newcomer(now),
        }
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

/// Counts what comes, each kind by itself, so that a flood of one drowns no other.
#[derive(Default)]
pub(super) struct Floods {
    of_newcomers: Flood,
    of_known: Flood,
    unreadable: Flood,
}

impl Floods {
    fn of_newcomer(&self, now: OffsetDateTime) -> Result<(), Unheeded> {
        const WHY: &str = "too many speak of tokens that were never heard of";
        self.of_newcomers.admit(now, OF_NEWCOMERS_MAX, WHY)
    }

    fn of_known(&self, now: OffsetDateTime) -> Result<(), Unheeded> {
        self.of_known.admit(now, OF_KNOWN_MAX, "too many speak of tokens")
    }

    fn unreadable(&self, now: OffsetDateTime) -> Result<(), Unheeded> {
        self.unreadable.admit(now, UNREADABLE_MAX, "too many cannot be read")
    }
}

#[derive(Default)]
struct Flood(Mutex<Option<(OffsetDateTime, u32)>>);

impl Flood {
    /// One more, if there is room in this while.
    fn admit(&self, now: OffsetDateTime, max: u32, why: &'static str) -> Result<(), Unheeded> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, admitted) = match *count {
            // Those that come together are not looked at in the order in which they came.
            Some((since, admitted)) if (now - since).abs() < WHILE => (since, admitted),
            _ => (now, 0),
        };
        let fits = admitted < max;
        *count = Some((since, admitted + u32::from(fits)));
        fits.then_some(()).ok_or(Unheeded::TooMany(why))
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_cut_let_in_again_a_minute_later_and_drowns_no_other() {
        type Kind = fn(&Floods, OffsetDateTime) -> Result<(), Unheeded>;
        let kinds: [(Kind, usize); 3] = [
            (Floods::of_newcomer, 600),
            (Floods::of_known, 6_000),
            (Floods::unreadable, 600),
        ];
        let floods = Floods::default();
        let noon = datetime!(2026-11-22 12:00 UTC);
        for (kind, max) in kinds {
            let admitted = (0..10_000).filter(|_| kind(&floods, noon).is_ok()).count();
            assert_eq!(admitted, max);
            assert!(kind(&floods, noon + Duration::seconds(59)).is_err());
            assert!(kind(&floods, noon + Duration::seconds(60)).is_ok());
        }
    }
}
