//! How hard a destination may be pressed: fewer at once when it says that it is busy, none while it fails.
//!
//! A breaker of the usual kind: it opens when most of the latest attempts failed, stays open for a while, and then lets
//! one attempt try. While it is open no delivery spends an attempt.

use std::collections::VecDeque;
use std::time::Duration;

use time::OffsetDateTime;

/// How many of the latest attempts are looked at.
const LATEST: usize = 20;
/// With fewer than this nothing is concluded.
const LATEST_MIN: usize = 10;
const OPEN_FIRST: Duration = Duration::from_secs(5);
const OPEN_MAX: Duration = Duration::from_mins(1);
/// No destination keeps us away for longer at a time.
const BUSY_MAX: Duration = Duration::from_hours(1);

/// One destination's pace, as one worker sees it.
#[derive(Clone, Debug)]
pub struct Pace {
    concurrency: usize,
    /// At once, now.
    limit: usize,
    latest: VecDeque<bool>,
    /// Nothing goes before.
    not_before: Option<OffsetDateTime>,
    /// How often the breaker opened without having closed since.
    opened: u32,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Breaker {
    /// Attempts are made.
    Closed,
    /// None are.
    Open,
    /// One may try.
    HalfOpen,
}

impl Breaker {
    /// The word that the log and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Breaker::Closed => "closed",
            Breaker::Open => "open",
            Breaker::HalfOpen => "half_open",
        }
    }
}

/// What an attempt says of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It took it.
    Well,
    /// It did not.
    Unwell,
    /// It asks us to slow down, for so long if it said so.
    Busy(Option<Duration>),
    /// Nothing: it was not asked.
    Silent,
}

impl Pace {
    /// At most so many at once.
    pub fn new(concurrency: usize) -> Self {
        Pace {
            concurrency: concurrency.max(1),
            limit: concurrency.max(1),
            latest: VecDeque::with_capacity(LATEST),
            not_before: None,
            opened: 0,
        }
    }

    /// How many may be under way at once, now.
    pub fn room(&self, now: OffsetDateTime) -> usize {
        match self.breaker(now) {
            _ if self.waits_until(now).is_some() => 0,
            Breaker::Closed => self.limit,
            Breaker::HalfOpen => 1,
            Breaker::Open => 0,
        }
    }

    /// Until when nothing may go, if that is so.
    pub fn waits_until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        // Further ahead than we ever wait: the clock was, and has been set right.
        self.not_before.filter(|until| *until > now && *until - now <= BUSY_MAX)
    }

    /// Where the breaker stands.
    pub fn breaker(&self, now: OffsetDateTime) -> Breaker {
        match (self.opened, self.waits_until(now)) {
            (0, _) => Breaker::Closed,
            (_, Some(_)) => Breaker::Open,
            (_, None) => Breaker::HalfOpen,
        }
    }

    /// Takes in how an attempt ended.
    pub fn hear(&mut self, sign: Sign, now: OffsetDateTime) {
        if sign == Sign::Silent {
            return;
        }
        if self.latest.len() == LATEST {
            self.latest.pop_front();
        }
        self.latest.push_back(sign == Sign::Well);
        match sign {
            Sign::Well => self.recover(),
            Sign::Busy(wait) => {
                self.limit = (self.limit / 2).max(1);
                self.wait_until(now + wait.unwrap_or_default().min(BUSY_MAX));
            }
            Sign::Unwell | Sign::Silent => {}
        }
        let failed = self.latest.iter().filter(|well| !**well).count();
        let is_failing = self.latest.len() >= LATEST_MIN && failed * 2 >= self.latest.len();
        // One that was under way when it opened says nothing new.
        if sign != Sign::Well && (is_failing || self.opened > 0) && self.waits_until(now).is_none() {
            let wait = OPEN_FIRST * 2_u32.saturating_pow(self.opened).min(OPEN_MAX.as_secs() as u32);
            self.wait_until(now + wait.min(OPEN_MAX));
            self.opened += 1;
        }
    }

    fn recover(&mut self) {
        if self.opened > 0 {
            self.opened = 0;
            self.not_before = None;
            self.latest.clear();
        }
        self.limit = (self.limit + 1).min(self.concurrency);
    }

    fn wait_until(&mut self, until: OffsetDateTime) {
        self.not_before = Some(self.not_before.map_or(until, |before| before.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn failing(times: usize) -> Pace {
        let mut pace = Pace::new(32);
        for _ in 0..times {
            pace.hear(Sign::Unwell, NOW);
        }
        pace
    }

    #[test]
    fn a_few_failures_conclude_nothing() {
        assert_eq!(failing(LATEST_MIN - 1).room(NOW), 32);
    }

    #[test]
    fn it_opens_on_failures_and_then_lets_one_try() {
        let mut pace = failing(LATEST_MIN);
        assert_eq!((pace.breaker(NOW), pace.room(NOW)), (Breaker::Open, 0));

        let later = NOW + OPEN_FIRST;
        assert_eq!((pace.breaker(later), pace.room(later)), (Breaker::HalfOpen, 1));

        pace.hear(Sign::Well, later);
        assert_eq!((pace.breaker(later), pace.room(later)), (Breaker::Closed, 32));
    }

    #[test]
    fn each_vain_try_keeps_it_open_for_longer_but_never_for_long() {
        let mut pace = failing(LATEST_MIN);
        let (mut now, mut waits) = (NOW, Vec::new());
        for _ in 0..6 {
            let until = pace.waits_until(now).expect("it is open");
            waits.push((until - now).whole_seconds());
            now = until;
            pace.hear(Sign::Unwell, now);
        }
        assert_eq!(waits, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn those_under_way_when_it_opened_do_not_keep_it_open_for_longer() {
        let pace = failing(LATEST_MIN + 20);
        assert_eq!(pace.waits_until(NOW), Some(NOW + OPEN_FIRST));
    }

    #[test]
    fn a_busy_destination_is_given_its_time_and_then_half() {
        let mut pace = Pace::new(32);
        pace.hear(Sign::Busy(Some(Duration::from_secs(7))), NOW);
        assert_eq!(pace.room(NOW), 0);
        let later = NOW + Duration::from_secs(7);
        assert_eq!(pace.room(later), 16);
        pace.hear(Sign::Well, later);
        assert_eq!(pace.room(later), 17);
    }

    #[test]
    fn one_bad_token_among_good_ones_does_not_open_it() {
        let mut pace = Pace::new(32);
        for turn in 0..100 {
            let sign = if turn % 3 == 0 { Sign::Unwell } else { Sign::Well };
            pace.hear(sign, NOW);
        }
        assert_eq!(pace.breaker(NOW), Breaker::Closed);
    }
}
