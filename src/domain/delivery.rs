//! A delivery's life: one event on its way to one destination.
//!
//! `due → leased → delivered | due again | parked`; an operator may retry what is parked, or skip it. Order is kept
//! within a token at a destination, its *lane*: the earliest delivery that is still open holds up the later ones.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be sent when its time comes and its lane is free.
    Due,
    /// Being sent; if that is not settled in time it is due again.
    Leased,
    /// Tried as often as the schedule says; waits for a person, and its lane with it.
    Parked,
    /// The destination took it.
    Delivered,
    /// A person decided that it need not be sent.
    Skipped,
}

impl State {
    /// The word that the store, the logs and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Due => "due",
            State::Leased => "leased",
            State::Parked => "parked",
            State::Delivered => "delivered",
            State::Skipped => "skipped",
        }
    }

    /// The state of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [
            State::Due,
            State::Leased,
            State::Parked,
            State::Delivered,
            State::Skipped,
        ];
        all.into_iter().find(|state| state.as_str() == word)
    }
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination took it.
    Delivered,
    /// It did not; to be tried again then.
    Again(OffsetDateTime),
    /// It did not, and the schedule is at its end.
    Parked,
}

/// When a failed attempt is made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// Jitter lengthens a wait by at most this part of it.
const JITTER_PART: f64 = 0.2;
/// No destination makes us wait longer than this at a time.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

impl Schedule {
    /// The waits after the first, the second … failed attempt; after the last one more failure parks it.
    pub fn new(waits: Vec<Duration>) -> Self {
        Schedule(waits)
    }

    /// What follows the failure of the attempt of that number (from 1). `dice` (0 to 1) and `retry_after` only lengthen.
    pub fn after_failure(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        dice: f64,
        now: OffsetDateTime,
    ) -> Outcome {
        let failures = usize::try_from(attempt.max(1) - 1).unwrap_or(usize::MAX);
        let Some(wait) = self.0.get(failures) else {
            return Outcome::Parked;
        };
        let wait = wait.mul_f64(1.0 + JITTER_PART * dice.clamp(0.0, 1.0));
        let wait = wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
        Outcome::Again(now + wait)
    }
}

impl Default for Schedule {
    /// As Standard Webhooks suggests: about 75 hours in all.
    fn default() -> Self {
        const HOUR: u64 = 3_600;
        let secs = [
            5,
            300,
            1_800,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Schedule(secs.into_iter().map(Duration::from_secs).collect())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    #[test]
    fn the_waits_follow_the_schedule_and_then_it_is_parked() {
        let schedule = Schedule::new(vec![Duration::from_secs(5), Duration::from_mins(5)]);
        assert_eq!(
            schedule.after_failure(1, None, 0.0, NOW),
            Outcome::Again(NOW + Duration::from_secs(5))
        );
        assert_eq!(
            schedule.after_failure(2, None, 0.0, NOW),
            Outcome::Again(NOW + Duration::from_mins(5))
        );
        assert_eq!(schedule.after_failure(3, None, 0.0, NOW), Outcome::Parked);
    }

    #[test]
    fn jitter_and_retry_after_only_lengthen() {
        let schedule = Schedule::default();
        let wait = |retry_after, dice| match schedule.after_failure(1, retry_after, dice, NOW) {
            Outcome::Again(at) => at - NOW,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(None, 1.0), time::Duration::seconds(6));
        assert_eq!(wait(Some(Duration::from_secs(1)), 0.0), time::Duration::seconds(5));
        assert_eq!(wait(Some(Duration::from_mins(2)), 1.0), time::Duration::minutes(2));
        assert_eq!(wait(Some(Duration::from_hours(99)), 0.0), time::Duration::hours(24));
    }

    #[test]
    fn every_word_reads_back() {
        for state in [
            State::Due,
            State::Leased,
            State::Parked,
            State::Delivered,
            State::Skipped,
        ] {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
    }
}
