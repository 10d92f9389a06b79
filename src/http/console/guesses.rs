//! Logins that failed, by where they came from: who guesses too often waits, and nobody else does.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Mutex;

use time::{Duration, OffsetDateTime};

use crate::telemetry::Flood;

/// Of one source within [`WINDOW`].
const FAILED_MAX: u32 = 10;
const WINDOW: Duration = Duration::minutes(1);
/// Sources that are remembered: of more, the one that began first is forgotten.
const SOURCES_MAX: usize = 10_000;

/// Who guesses.
#[derive(Default)]
pub(super) struct Guesses {
    by_source: Mutex<BTreeMap<IpAddr, Window>>,
    flood: Mutex<Option<Flood>>,
}

struct Window {
    began: OffsetDateTime,
    failed: u32,
}

impl Window {
    fn is_over(&self, now: OffsetDateTime) -> bool {
        now - self.began >= WINDOW
    }
}

impl Guesses {
    /// That source may try.
    pub(super) fn may_try(&self, source: Option<IpAddr>, now: OffsetDateTime) -> bool {
        let by_source = self.by_source.lock().expect("no one panics while holding it");
        let window = by_source.get(&network(source));
        window.is_none_or(|window| window.is_over(now) || window.failed < FAILED_MAX)
    }

    /// It failed. Within the log's bound, a line says where it came from; nothing of what was shown stands in it.
    pub(super) fn failed(&self, source: Option<IpAddr>, now: OffsetDateTime) {
        let mut by_source = self.by_source.lock().expect("no one panics while holding it");
        let source = network(source);
        if by_source.len() >= SOURCES_MAX && !by_source.contains_key(&source) {
            by_source.retain(|_, window| !window.is_over(now));
            let first = by_source.iter().min_by_key(|(_, window)| window.began);
            let first = first.map(|(source, _)| *source);
            if let Some(first) = first.filter(|_| by_source.len() >= SOURCES_MAX) {
                by_source.remove(&first);
            }
        }
        let window = by_source.entry(source).or_insert(Window { began: now, failed: 0 });
        if window.is_over(now) {
            *window = Window { began: now, failed: 0 };
        }
        window.failed += 1;
        drop(by_source);
        self.tell(source, now);
    }

    fn tell(&self, source: IpAddr, now: OffsetDateTime) {
        let mut flood = self.flood.lock().expect("no one panics while holding it");
        if let Some(suppressed) = flood.get_or_insert_with(|| Flood::new(now)).line(now) {
            tracing::warn!(from = %source, suppressed, "a login at the console failed");
        }
    }
}

/// Whoever has one address of IPv6 has 2^64 of them.
fn network(source: Option<IpAddr>) -> IpAddr {
    match source.map(|source| source.to_canonical()) {
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        Some(address) => address,
        None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-23 10:00 UTC);

    fn from(address: &str) -> Option<IpAddr> {
        Some(address.parse().expect("an address"))
    }

    #[test]
    fn who_guesses_too_often_waits_and_nobody_else_does() {
        let guesses = Guesses::default();
        for _ in 0..FAILED_MAX {
            assert!(guesses.may_try(from("192.0.2.1"), NOW));
            guesses.failed(from("192.0.2.1"), NOW);
        }
        assert!(!guesses.may_try(from("192.0.2.1"), NOW));
        assert!(
            !guesses.may_try(from("::ffff:192.0.2.1"), NOW),
            "the same by another name"
        );
        assert!(guesses.may_try(from("192.0.2.2"), NOW));
        assert!(guesses.may_try(from("192.0.2.1"), NOW + WINDOW));
        guesses.failed(from("192.0.2.1"), NOW + WINDOW);
        assert!(guesses.may_try(from("192.0.2.1"), NOW + WINDOW));
    }

    #[test]
    fn a_whole_network_of_ipv6_is_one_source() {
        let guesses = Guesses::default();
        (0..FAILED_MAX).for_each(|n| guesses.failed(from(&format!("2001:db8::{n}")), NOW));
        assert!(!guesses.may_try(from("2001:db8::ffff"), NOW));
        assert!(guesses.may_try(from("2001:db8:0:1::1"), NOW));
    }

    #[test]
    fn many_sources_cost_no_more_than_so_much() {
        let guesses = Guesses::default();
        for n in 0..u32::try_from(SOURCES_MAX).expect("a small number") + 10 {
            guesses.failed(Some(IpAddr::V4(Ipv4Addr::from_bits(n + 1))), NOW);
        }
        assert_eq!(guesses.by_source.lock().expect("no panic").len(), SOURCES_MAX);
    }
}
