//! The only place that reads the time.

use std::sync::Mutex;

use time::OffsetDateTime;

/// Tells the time, and nothing else.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}

/// A clock that stands still until it is told otherwise, for tests.
#[derive(Debug)]
pub struct ManualClock(Mutex<OffsetDateTime>);

impl ManualClock {
    /// A clock that stands at this time.
    pub fn at(now: OffsetDateTime) -> Self {
        ManualClock(Mutex::new(now))
    }

    /// Moves it on.
    pub fn advance(&self, by: time::Duration) {
        *self.0.lock().expect("no one panics while holding it") += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.0.lock().expect("no one panics while holding it")
    }
}
