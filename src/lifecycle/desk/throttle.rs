//! So many calls a second and no more: one after the other, each in its place.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets calls to one service pass, at most so many a second.
pub struct Throttle {
    every: Duration,
    next: Mutex<Instant>,
}

impl Throttle {
    /// At most so many a second; none is one.
    pub fn new(calls_per_second: u32) -> Self {
        Throttle {
            every: Duration::from_secs(1) / calls_per_second.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Returns when the next call may be made.
    pub(super) async fn pass(&self) {
        let mine = {
            let mut next = self.next.lock().expect("no one panics while holding it");
            let mine = (*next).max(Instant::now());
            *next = mine + self.every;
            mine
        };
        sleep_until(mine).await;
    }
}
