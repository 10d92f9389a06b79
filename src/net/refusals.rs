//! One log line and one count for each that is not let in.
//!
//! Strangers choose how often and under what name they knock, so lines are limited per reason, names
//! are escaped and cut, and what was left out is counted on the next line. Where the name is a known one, a notification
//! may have been missed: that is noted too, line or no line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tracing::warn;

use super::peer::{Refusal, Refused};
use crate::clock::Clock;
use crate::domain::missed::Missed;
use crate::telemetry::{Flood, Metrics, Misses};

const NAME_CHARS_MAX: usize = 64;

/// Writes down refusals. Cheap to clone; all clones share the limit.
#[derive(Clone)]
pub struct Refusals(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    misses: Misses,
    windows: Mutex<BTreeMap<Refused, Flood>>,
}

impl Refusals {
    /// With nothing refused yet.
    pub fn new(metrics: Metrics, misses: Misses, clock: Arc<dyn Clock>) -> Self {
        let windows = Mutex::default();
        Refusals(Arc::new(Inner {
            clock,
            metrics,
            misses,
            windows,
        }))
    }

    /// Counts a refusal and, within the limit, logs it; what the peer said of itself is escaped and cut here.
    pub fn note(&self, refusal: &Refusal, address: SocketAddr) {
        let reason = refusal.reason;
        if let Some(name) = &refusal.known {
            let now = self.0.clock.now();
            self.0.misses.note(Missed::Refused, name, reason.word(), now);
        }
        self.0.metrics.handshake(reason.word());
        if reason == Refused::Probe {
            return;
        }
        let Some(suppressed) = self.line(reason) else { return };
        warn!(
            reason = reason.word(),
            %address,
            presented = %shown(&refusal.presented),
            suppressed,
            "refused: {}",
            reason.sentence()
        );
    }

    /// `Some` if a line may be written now: how many were left out since the last one.
    fn line(&self, reason: Refused) -> Option<u64> {
        let now = self.0.clock.now();
        let mut windows = self.0.windows.lock().expect("no one panics while holding it");
        windows.entry(reason).or_insert(Flood::new(now)).line(now)
    }
}

/// Text that a stranger chose, fit for one line of a log.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .flat_map(char::escape_default)
        .take(NAME_CHARS_MAX)
        .collect();
    if text
        .chars()
        .flat_map(char::escape_default)
        .nth(NAME_CHARS_MAX)
        .is_some()
    {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use time::macros::datetime;

    #[test]
    fn a_flood_is_cut_and_the_next_line_says_by_how_much() {
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-22 03:00 UTC)));
        let refusals = Refusals::new(Metrics::new(), Misses::default(), clock.clone());
        let lines = (0..15).filter_map(|_| refusals.line(Refused::WrongName)).count();
        assert_eq!(lines, 10);
        assert_eq!(refusals.line(Refused::Expired), Some(0));

        clock.advance(time::Duration::seconds(10));
        assert_eq!(refusals.line(Refused::WrongName), Some(5));
    }

    #[test]
    fn a_name_cannot_write_a_line_of_its_own() {
        assert_eq!(shown("evil\n2026 INFO accepted"), "evil\\n2026 INFO accepted");
        assert_eq!(shown(&"x".repeat(300)).chars().count(), NAME_CHARS_MAX + 1);
    }
}
