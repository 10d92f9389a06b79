use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const NOON: OffsetDateTime = datetime!(2026-11-01 12:00 UTC);
const HOUR: Duration = Duration::from_hours(1);

fn nothing() -> Hearing {
    Hearing {
        since: NOON,
        hours: Vec::new(),
    }
}

/// Notifications with these pauses between them, in seconds, from noon on.
fn traffic(pauses: impl IntoIterator<Item = u64>) -> Hearing {
    let mut hearing = nothing();
    let mut at = NOON;
    hearing.hear(at);
    for pause in pauses {
        at += Duration::from_secs(pause);
        assert!(hearing.hear(at));
    }
    hearing
}

fn is_alarm(hearing: &Hearing, silent: Duration) -> bool {
    let now = hearing.last().unwrap_or(hearing.since) + silent;
    let quiet = hearing.quiet(Rule::Auto, Some(A_DAY), now);
    assert_eq!(quiet.age, silent);
    quiet.threshold.is_some_and(|threshold| quiet.age > threshold)
}

#[test]
fn without_anything_ever_it_is_an_alarm_after_the_time_that_was_set() {
    let hearing = nothing();
    assert!(!is_alarm(&hearing, A_DAY));
    assert!(is_alarm(&hearing, A_DAY + Duration::from_secs(1)));
    assert_eq!(hearing.quiet(Rule::Auto, None, NOON + 30 * A_DAY).threshold, None);
    assert_eq!(hearing.quiet(Rule::Off, Some(HOUR), NOON + A_DAY).threshold, None);
}

#[test]
fn without_a_day_of_history_a_day_is_too_long() {
    let hearing = traffic([600; 60]);
    assert!(!is_alarm(&hearing, A_DAY));
    assert!(is_alarm(&hearing, A_DAY + Duration::from_secs(1)));
}

#[test]
fn who_is_told_all_day_hears_of_an_hours_silence() {
    let hearing = traffic(std::iter::repeat_n(60, 2 * 24 * 60));
    assert!(!is_alarm(&hearing, HOUR));
    assert!(is_alarm(&hearing, HOUR + Duration::from_secs(1)));
}

#[test]
fn a_night_is_usual_and_two_nights_are_not() {
    let day = std::iter::repeat_n(600, 15 * 6).chain([9 * 3_600]);
    let hearing = traffic(std::iter::repeat_n(day, 5).flatten());
    assert!(!is_alarm(&hearing, 18 * HOUR));
    assert!(is_alarm(&hearing, 18 * HOUR + Duration::from_secs(1)));
}

#[test]
fn what_is_longer_ago_than_two_weeks_is_not_usual_any_more() {
    let outage = [40 * 3_600];
    let hearing = traffic(outage.into_iter().chain([600; 15 * 24 * 6]));
    assert!(is_alarm(&hearing, HOUR + Duration::from_secs(1)));
    assert!(hearing.hours.len() <= 14 * 24 + 1, "{}", hearing.hours.len());
}

#[test]
fn a_fixed_time_is_a_fixed_time() {
    let quiet = traffic([60; 60]).quiet(Rule::After(2 * HOUR), None, NOON + 3 * HOUR);
    assert_eq!((quiet.ever, quiet.threshold), (true, Some(2 * HOUR)));
}

#[test]
fn a_clock_that_was_set_back_is_no_silence() {
    let quiet = traffic([60; 60]).quiet(Rule::Auto, None, NOON - 3 * HOUR);
    assert_eq!(quiet.age, Duration::ZERO);
}

proptest! {
    /// Whatever the traffic is: what it did itself within two weeks is no alarm, and more than twice that is one.
    #[test]
    fn a_silence_is_an_alarm_exactly_when_it_is_longer_than_twice_any_before_it(
        pauses in proptest::collection::vec(1_u64..50_000, 1..120),
    ) {
        let hearing = traffic(pauses.iter().copied());
        let all: u64 = pauses.iter().sum();
        prop_assume!(all >= A_DAY.as_secs() && all <= HISTORY.as_secs());
        let longest = Duration::from_secs(pauses.into_iter().max().unwrap_or(0));
        prop_assert!(!is_alarm(&hearing, longest));
        prop_assert!(!is_alarm(&hearing, (2 * longest).max(HOUR)));
        prop_assert!(is_alarm(&hearing, (2 * longest).max(HOUR) + Duration::from_secs(1)));
    }

    /// The threshold does not follow the silence that it is there for.
    #[test]
    fn a_silence_that_goes_on_does_not_become_usual(silent in 1_u64..100_000_000) {
        let hearing = traffic([3_000; 60]);
        let quiet = |secs| hearing.quiet(Rule::Auto, None, hearing.last().expect("one") + Duration::from_secs(secs));
        prop_assert_eq!(quiet(silent).threshold, quiet(1).threshold);
    }
}
