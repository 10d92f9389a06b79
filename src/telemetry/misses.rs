//! What may have been missed, gathered until it is on disk: how, whose, how often, and from when to when.
//!
//! It stands between the doors and the store, so that no refusal and no 503 waits for a disk. Whoever notes something
//! gives a name of the configuration, never one that a stranger chose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use time::OffsetDateTime;

use crate::domain::missed::Missed;

/// So many lines bear names; what comes after them stands together under none.
const LINES_MAX: usize = 1_000;

/// Gathers misses. Cheap to clone; all clones gather together.
#[derive(Clone, Default)]
pub struct Misses(Arc<Mutex<BTreeMap<Key, Gathered>>>);

type Key = (Missed, String);

/// Misses of one kind and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered {
    /// How.
    pub missed: Missed,
    /// Whose: a name of the configuration, or empty.
    pub peer: String,
    /// The newest reason.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
    /// The first.
    pub from: OffsetDateTime,
    /// The last.
    pub until: OffsetDateTime,
}

impl Misses {
    /// Notes one.
    pub fn note(&self, missed: Missed, peer: &str, reason: &'static str, now: OffsetDateTime) {
        self.join(Gathered {
            missed,
            peer: peer.to_owned(),
            reason,
            count: 1,
            from: now,
            until: now,
        });
    }

    /// A notification of this sender on its way.
    pub fn unanswered<'a>(&'a self, peer: &'a str, now: OffsetDateTime) -> Unanswered<'a> {
        Unanswered {
            misses: self,
            peer,
            since: now,
            is_miss: true,
        }
    }

    /// Everything since the last time.
    pub fn take(&self) -> Taken {
        let mut lines = self.0.lock().expect("no one panics while holding it");
        Taken {
            misses: self.clone(),
            lines: std::mem::take(&mut *lines).into_values().collect(),
        }
    }

    fn join(&self, mut one: Gathered) {
        let mut lines = self.0.lock().expect("no one panics while holding it");
        if lines.len() >= LINES_MAX && !lines.contains_key(&(one.missed, one.peer.clone())) {
            one.peer.clear();
        }
        match lines.get_mut(&(one.missed, one.peer.clone())) {
            Some(line) => line.and(&one),
            None => drop(lines.insert((one.missed, one.peer.clone()), one)),
        }
    }
}

/// A notification on its way: whoever hangs up before it is answered has missed us as much as who is answered with 503.
/// It may be on disk by then all the same, and costs a question too many.
pub struct Unanswered<'a> {
    misses: &'a Misses,
    peer: &'a str,
    since: OffsetDateTime,
    /// As long as nobody says otherwise.
    pub is_miss: bool,
}

impl Drop for Unanswered<'_> {
    /// A panic is noted by whoever catches it.
    fn drop(&mut self) {
        if self.is_miss && !std::thread::panicking() {
            self.misses
                .note(Missed::Unavailable, self.peer, "unavailable", self.since);
        }
    }
}

/// What was taken. Unless it is said to be [`Taken::kept`], it stands with the others again, with what came meanwhile.
pub struct Taken {
    misses: Misses,
    lines: Vec<Gathered>,
}

impl Taken {
    /// It.
    pub fn lines(&self) -> &[Gathered] {
        &self.lines
    }

    /// It is on disk, and need not be gathered any more.
    pub fn kept(mut self) {
        self.lines.clear();
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.lines.drain(..).for_each(|one| self.misses.join(one));
    }
}

impl Gathered {
    fn and(&mut self, other: &Gathered) {
        if other.until >= self.until {
            self.reason = other.reason;
        }
        self.count = self.count.saturating_add(other.count);
        self.from = self.from.min(other.from);
        self.until = self.until.max(other.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOON: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const LATER: OffsetDateTime = datetime!(2026-11-22 12:01 UTC);

    #[test]
    fn however_many_names_there_are_it_does_not_grow_without_end() {
        let misses = Misses::default();
        for name in 0..3 * LINES_MAX {
            misses.note(Missed::Refused, &name.to_string(), "expired", NOON);
            misses.note(Missed::Unavailable, &name.to_string(), "unavailable", NOON);
        }
        let taken = misses.take();
        assert!(taken.lines().len() <= LINES_MAX + 2, "{}", taken.lines().len());
        let all: u64 = taken.lines().iter().map(|one| one.count).sum();
        assert_eq!(all, 6 * LINES_MAX as u64);
    }

    #[test]
    fn what_was_kept_is_not_taken_again() {
        let misses = Misses::default();
        misses.note(Missed::Refused, "ws.mastercard.com", "expired", NOON);
        let taken = misses.take();
        assert_eq!((taken.lines().len(), misses.take().lines().len()), (1, 0));
        taken.kept();
        assert_eq!(misses.take().lines(), []);
    }

    #[test]
    fn what_was_not_kept_joins_what_came_meanwhile() {
        let misses = Misses::default();
        misses.note(Missed::Refused, "ws.mastercard.com", "expired", NOON);
        let taken = misses.take();
        misses.note(Missed::Refused, "ws.mastercard.com", "revoked", LATER);
        drop(taken);
        let expected = Gathered {
            missed: Missed::Refused,
            peer: "ws.mastercard.com".to_owned(),
            reason: "revoked",
            count: 2,
            from: NOON,
            until: LATER,
        };
        assert_eq!(misses.take().lines(), [expected]);
    }
}
