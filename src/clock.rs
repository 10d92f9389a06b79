//! The only place that reads the time, and makes ids that sort by it.

use std::sync::Mutex;

use time::OffsetDateTime;
use uuid::{NoContext, Timestamp, Uuid};

/// Tells the time, and nothing else.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// An id that sorts by this time.
pub fn new_id(now: OffsetDateTime) -> Uuid {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, now.nanosecond()))
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
