//! How far long work is: one line on standard error, where somebody sits before it, and nowhere else.

use std::time::{Duration, Instant};

use super::output;

/// Faster than this nobody reads.
const SHOW_EVERY: Duration = Duration::from_millis(100);
const BAR_CHARS: u64 = 30;

/// The line; it goes when the work ends.
pub(super) struct Progress {
    is_shown: bool,
    shown_at: Option<Instant>,
    /// When it was first looked at, and how much was done by then.
    since: Option<(Instant, u64)>,
}

impl Progress {
    pub(super) fn new() -> Self {
        Progress {
            is_shown: output::shows_status(),
            shown_at: None,
            since: None,
        }
    }

    /// Where nobody sees it, it is not even written.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if self.is_shown && self.shown_at.is_none_or(|at| at.elapsed() >= SHOW_EVERY) {
            self.shown_at = Some(Instant::now());
            output::status(&line());
        }
    }

    /// `[#########.....................]  312 of 1000  2.0/s  6 min left  3 repaired`
    pub(super) fn bar(&mut self, done: u64, total: u64, more: &str) {
        let (since, from) = *self.since.get_or_insert((Instant::now(), done));
        let per_second = done.saturating_sub(from) as f64 / since.elapsed().as_secs_f64().max(0.001);
        self.tell(|| {
            format!(
                "{}{}{more}",
                bar(done, total),
                pace(total.saturating_sub(done), per_second)
            )
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        output::status("");
    }
}

/// `[#########.....................]  312 of 1000`
pub(super) fn bar(done: u64, total: u64) -> String {
    let filled = (done * BAR_CHARS)
        .checked_div(total)
        .unwrap_or(BAR_CHARS)
        .min(BAR_CHARS);
    let bar: String = (0..BAR_CHARS)
        .map(|place| if place < filled { '#' } else { '.' })
        .collect();
    format!("[{bar}]  {done} of {total}")
}

fn pace(left: u64, per_second: f64) -> String {
    if left == 0 || per_second <= 0.0 {
        return String::new();
    }
    format!("  {per_second:.1}/s  {} left", long((left as f64 / per_second) as u64))
}

fn long(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        assert_eq!(bar(312, 1000), "[#########.....................]  312 of 1000");
        assert_eq!(bar(0, 0), "[##############################]  0 of 0");
        assert_eq!(pace(688, 2.0), "  2.0/s  5 min left");
        assert_eq!(pace(688, 0.0), "");
    }
}
