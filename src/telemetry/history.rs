//! The last day of this process, minute by minute, for who would rather look than ask Prometheus.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// So many minutes are kept.
const MINUTES_MAX: usize = 24 * 60;

/// What happened in one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Which, in minutes since 1970.
    pub number: i64,
    /// Notifications recorded.
    pub recorded: u64,
    /// Requests that were not taken in, repeats aside.
    pub refused: u64,
    /// Deliveries that their destination took.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
}

/// What was counted since the start, and what of it in which minute.
#[derive(Default)]
pub(super) struct History {
    pub(super) recorded: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) failed: AtomicU64,
    minutes: Mutex<Minutes>,
}

#[derive(Default)]
struct Minutes {
    /// What was counted when it was last looked at.
    counted: Minute,
    kept: VecDeque<Minute>,
}

impl History {
    /// Gives what was counted since the last call to the minute of now.
    pub(super) fn sample(&self, now_unix: i64) {
        let number = now_unix.div_euclid(60);
        let now = Minute {
            number,
            recorded: self.recorded.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            delivered: self.delivered.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        };
        let mut minutes = self.minutes.lock().expect("no one panics while holding it");
        let before = std::mem::replace(&mut minutes.counted, now);
        if minutes.kept.back().is_none_or(|newest| newest.number < number) {
            minutes.kept.push_back(Minute {
                number,
                ..Minute::default()
            });
        }
        if let Some(newest) = minutes.kept.back_mut() {
            newest.recorded += now.recorded - before.recorded;
            newest.refused += now.refused - before.refused;
            newest.delivered += now.delivered - before.delivered;
            newest.failed += now.failed - before.failed;
        }
        while minutes.kept.len() > MINUTES_MAX {
            minutes.kept.pop_front();
        }
    }

    /// The last so many minutes up to now, those in which nothing was looked at as nothing.
    pub(super) fn last(&self, count: usize, now_unix: i64) -> Vec<Minute> {
        let newest = now_unix.div_euclid(60);
        let count = i64::try_from(count.min(MINUTES_MAX)).unwrap_or_default();
        let minutes = self.minutes.lock().expect("no one panics while holding it");
        let of = |number| {
            let kept = minutes.kept.iter().rev().find(|minute| minute.number == number);
            kept.copied().unwrap_or(Minute {
                number,
                ..Minute::default()
            })
        };
        (newest - count + 1..=newest).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_has_what_was_counted_in_it() {
        let history = History::default();
        history.recorded.store(3, Ordering::Relaxed);
        history.sample(60 * 10);
        history.recorded.store(5, Ordering::Relaxed);
        history.sample(60 * 10 + 59);
        history.refused.store(1, Ordering::Relaxed);
        history.sample(60 * 12);
        let last = history.last(4, 60 * 12 + 5);
        assert_eq!(
            last.iter().map(|minute| minute.number).collect::<Vec<_>>(),
            [9, 10, 11, 12]
        );
        assert_eq!(
            last.iter().map(|minute| minute.recorded).collect::<Vec<_>>(),
            [0, 5, 0, 0]
        );
        assert_eq!(
            last.iter().map(|minute| minute.refused).collect::<Vec<_>>(),
            [0, 0, 0, 1]
        );
    }

    #[test]
    fn a_day_is_kept_and_no_more() {
        let history = History::default();
        (0..2 * MINUTES_MAX as i64).for_each(|minute| history.sample(60 * minute));
        let kept = history.minutes.lock().expect("it is free").kept.len();
        assert_eq!(kept, MINUTES_MAX);
    }
}
