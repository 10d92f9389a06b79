//! Strangers choose how often they knock: so many lines in a while, and the next one says how many were left out.

use time::{Duration, OffsetDateTime};

/// Lines within one [`WINDOW`].
const LINES_MAX: u32 = 10;
const WINDOW: Duration = Duration::seconds(10);

/// Counts the lines of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    since: OffsetDateTime,
    lines: u32,
    suppressed: u64,
}

impl Flood {
    /// No line was written yet.
    pub fn new(now: OffsetDateTime) -> Self {
        Flood {
            since: now,
            lines: 0,
            suppressed: 0,
        }
    }

    /// `Some` if a line may be written now: how many were left out since the last one.
    pub fn line(&mut self, now: OffsetDateTime) -> Option<u64> {
        // A clock that was set back must not silence the log until it has caught up.
        if now - self.since >= WINDOW || now < self.since {
            let suppressed = self.suppressed;
            *self = Flood {
                suppressed,
                ..Flood::new(now)
            };
        }
        if self.lines == LINES_MAX {
            self.suppressed += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}
