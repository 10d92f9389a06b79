//! For how long nothing came, and when that is longer than usual.
//!
//! What is usual is read off the traffic itself: the longest pause between two notifications in the last two weeks, of
//! which the hours keep one figure each. A night, a weekend, an outage are pauses as any other.

use std::time::Duration;

use time::OffsetDateTime;

/// So far back what is usual is read off.
pub const HISTORY: Duration = Duration::from_hours(14 * 24);
/// However busy it is: a silence that is no longer than this is none.
const LEAST: Duration = Duration::from_hours(1);
/// Twice the longest pause is unusual.
const TIMES: u32 = 2;
/// With less than a day between the first notification and the last there is nothing to read off; then this is too long.
const A_DAY: Duration = Duration::from_hours(24);

/// When a silence is an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// When it is longer than usual.
    Auto,
    /// Never.
    Off,
    /// When it is longer than this.
    After(Duration),
}

/// One hour in which something came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When the last notification of it came.
    pub heard: OffsetDateTime,
    /// The longest pause that ended in it.
    pub pause: Duration,
}

/// What is known of the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// When somebody listened for the first time.
    pub since: OffsetDateTime,
    /// The hours in which something came, oldest first: those of the last two weeks, and the newest in any case.
    pub hours: Vec<Hour>,
}

/// How quiet it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quiet {
    /// Something came once.
    pub ever: bool,
    /// For so long: since the last notification, or since somebody listened for the first time.
    pub age: Duration,
    /// Longer than this it is an alarm; `None`: it never is.
    pub threshold: Option<Duration>,
}

impl Hearing {
    /// When the last notification came.
    pub fn last(&self) -> Option<OffsetDateTime> {
        self.hours.last().map(|hour| hour.heard)
    }

    /// A notification came then; says whether that is news. Hours that are too old go, but for the newest.
    pub fn hear(&mut self, at: OffsetDateTime) -> bool {
        let pause = match self.last() {
            Some(last) if at <= last => return false,
            Some(last) => between(last, at),
            None => Duration::ZERO,
        };
        match self.hours.last_mut() {
            Some(hour) if hour_of(hour.heard) == hour_of(at) => {
                hour.heard = at;
                hour.pause = hour.pause.max(pause);
            }
            _ => self.hours.push(Hour { heard: at, pause }),
        }
        self.hours.retain(|hour| between(hour.heard, at) <= HISTORY);
        true
    }

    /// How quiet it is now; `never`: without any notification at all it is an alarm after so long, if ever.
    pub fn quiet(&self, rule: Rule, never: Option<Duration>, now: OffsetDateTime) -> Quiet {
        let ever = self.last().is_some();
        let threshold = match rule {
            Rule::Off => None,
            _ if !ever => never,
            Rule::After(fixed) => Some(fixed),
            Rule::Auto => Some(self.usual()),
        };
        Quiet {
            ever,
            age: between(self.last().unwrap_or(self.since), now),
            threshold,
        }
    }

    /// Longer than this is longer than usual.
    fn usual(&self) -> Duration {
        let [Some(first), Some(last)] = [self.hours.first(), self.hours.last()] else {
            return A_DAY;
        };
        let pauses = self.hours.iter().map(|hour| hour.pause);
        let longest = pauses.max().unwrap_or_default() * TIMES;
        match between(first.heard, last.heard) + first.pause < A_DAY {
            true => longest.max(A_DAY),
            false => longest.max(LEAST),
        }
    }
}

/// A clock that was set back makes no time go by.
fn between(from: OffsetDateTime, until: OffsetDateTime) -> Duration {
    Duration::try_from(until - from).unwrap_or_default()
}

/// The hour that an instant is in.
pub fn hour_of(at: OffsetDateTime) -> OffsetDateTime {
    let seconds = at.unix_timestamp().div_euclid(3_600) * 3_600;
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(at)
}

#[cfg(test)]
mod tests;
