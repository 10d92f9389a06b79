//! From what is so to what needs a person. Thresholds are those of `deploy/prometheus`, so that both say the same.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Alarm, Alert};
use crate::domain::missed::Missed;
use crate::domain::silence::Quiet;

/// A certificate that expires within so many days is renewed in working hours …
pub const SOON_DAYS: i64 = 30;
/// … and one that does within so many, now.
pub const NOW_DAYS: i64 = 3;
/// A revocation list lives for days: it is late when its next one is due within that.
pub const LIST_DAYS: i64 = 1;
/// What is older than that was told too late.
pub const LATE: Duration = Duration::from_mins(15);
/// For so long it is said that nobody asked after a gap.
pub const UNFOLLOWED_DAYS: i64 = 7;

/// So many entries in quarantine are open.
pub fn quarantine(open: u64) -> Option<Alarm> {
    let says = format!("{open} in quarantine: what came and could not be used");
    (open > 0).then(|| Alarm::new(Alert::QuarantineOpen, "", says).of(open))
}

/// A time in which a notification may have been missed.
#[derive(Clone, Copy, Debug)]
pub struct Gap<'a> {
    /// How.
    pub missed: Missed,
    /// Whose: a name of the configuration, or empty.
    pub peer: &'a str,
    /// How often.
    pub count: u64,
    /// Until when.
    pub until: OffsetDateTime,
    /// It has ended.
    pub closed: bool,
    /// What may have been missed is or was asked after.
    pub followed: bool,
}

/// Each open one, and those that ended of late and that nobody asked after, together.
pub fn gaps<'a>(gaps: impl Iterator<Item = Gap<'a>>, now: OffsetDateTime) -> Vec<Alarm> {
    let mut unfollowed = 0;
    let mut alarms = Vec::new();
    for gap in gaps {
        if !gap.closed {
            alarms.push(open_gap(&gap));
        } else if !gap.followed && now - gap.until < time::Duration::days(UNFOLLOWED_DAYS) {
            unfollowed += 1;
        }
    }
    if unfollowed > 0 {
        let says = format!("{unfollowed} times of late a notification may have been missed, and nobody asked after it");
        alarms.push(Alarm::new(Alert::Gap, "unfollowed", says).of(unfollowed));
    }
    alarms
}

fn open_gap(gap: &Gap<'_>) -> Alarm {
    let (peer, count) = (gap.peer, gap.count);
    let says = match gap.missed {
        Missed::Downtime => "no receiver was here: notifications may have been missed".to_owned(),
        Missed::Refused => format!("{peer} was refused {count} times: notifications may have been missed"),
        Missed::Unavailable => format!("{count} notifications were answered 503, and may not come again"),
    };
    let about = format!("{} {peer}", gap.missed.as_str());
    Alarm::new(Alert::Gap, about.trim_end(), says).of(count)
}

/// So many tokens of which something was said after they were deactivated, and so many doubts that nothing settles.
pub fn anomalies(woken: u64, given_up: u64) -> impl Iterator<Item = Alarm> {
    let says = format!("{woken} deactivated tokens were spoken of as if they lived");
    let woken = (woken > 0).then(|| Alarm::new(Alert::TokenAnomaly, "", says).of(woken));
    let says =
        format!("{given_up} asked after in vain: tokens in doubt of which the network says nothing that settles it");
    let given_up = (given_up > 0).then(|| Alarm::new(Alert::DoubtGivenUp, "", says).of(given_up));
    woken.into_iter().chain(given_up)
}

/// A certificate or a revocation list (a file that ends with `.crl`) and when it runs out.
pub fn expiring(file: &str, at: OffsetDateTime, now: OffsetDateTime) -> Option<Alarm> {
    let is_list = file.to_ascii_lowercase().ends_with(".crl");
    let days = |days| at - now < time::Duration::days(days);
    let alert = match is_list {
        true if days(LIST_DAYS) => Alert::CrlExpires,
        false if days(NOW_DAYS) => Alert::CertificateExpiresNow,
        false if days(SOON_DAYS) => Alert::CertificateExpires,
        _ => return None,
    };
    Some(Alarm::new(alert, file, format!("{file} {}", runs_out(at, now))))
}

/// The certificate of a decryption key and when it runs out.
pub fn key_expiring(file: &str, at: OffsetDateTime, now: OffsetDateTime) -> Option<Alarm> {
    let says = format!("the decryption key's certificate {file} {}", runs_out(at, now));
    (at - now < time::Duration::days(SOON_DAYS)).then(|| Alarm::new(Alert::KeyExpires, file, says))
}

fn runs_out(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let left = at - now;
    match left.whole_days() {
        _ if left.is_negative() => format!("has expired on {}", at.date()),
        0 => "expires within a day".to_owned(),
        1 => "expires in 1 day".to_owned(),
        days => format!("expires in {days} days"),
    }
}

/// How a destination stands.
#[derive(Clone, Copy, Debug)]
pub struct Backlog<'a> {
    /// As the configuration calls it.
    pub name: &'a str,
    /// Nothing is sent to it; why.
    pub paused: Option<&'a str>,
    /// Deliveries that were given up.
    pub parked: u64,
    /// Age of the oldest open delivery.
    pub oldest: Duration,
    /// Events that wait for it although it is in no configuration any more.
    pub left: u64,
}

/// What is wrong with it. One that is paused or left is not late as well: nobody sends.
pub fn destination(one: &Backlog<'_>) -> impl Iterator<Item = Alarm> {
    let Backlog { name, parked, left, .. } = *one;
    let paused = one.paused.map(|why| {
        let because = if why.is_empty() { "" } else { ": " };
        Alarm::new(
            Alert::DestinationPaused,
            name,
            format!("{name} is paused{because}{why}"),
        )
    });
    let says = format!("{parked} parked for {name}: tried to the end");
    let parked = (parked > 0).then(|| Alarm::new(Alert::DeliveriesParked, name, says).of(parked));
    let is_late = one.oldest > LATE && paused.is_none() && left == 0;
    let says = format!("{name} was not told for {}", long(one.oldest));
    let late = is_late.then(|| Alarm::new(Alert::DeliveriesLate, name, says));
    let says = format!("{left} events wait for {name}, which is not in the configuration any more");
    let left = (left > 0).then(|| Alarm::new(Alert::DestinationLeft, name, says).of(left));
    [paused, parked, late, left].into_iter().flatten()
}

/// So many commands wait for approval, and of so many there is no proof.
pub fn commands(waiting: u64, overdue: u64) -> impl Iterator<Item = Alarm> {
    let says = format!("{waiting} wait for approval");
    let waiting = (waiting > 0).then(|| Alarm::new(Alert::CommandWaits, "", says).of(waiting));
    let says = format!("{overdue} overdue: the service took them and nothing was seen of it");
    let overdue = (overdue > 0).then(|| Alarm::new(Alert::CommandOverdue, "", says).of(overdue));
    waiting.into_iter().chain(overdue)
}

/// Nothing comes, and for how long.
pub fn silence(quiet: &Quiet) -> Option<Alarm> {
    let threshold = quiet.threshold.filter(|threshold| quiet.age > *threshold)?;
    let says = match quiet.ever {
        true => format!(
            "no notification for {}; usual is less than {}",
            long(quiet.age),
            long(threshold)
        ),
        false => format!("no notification ever, {} after the first start", long(quiet.age)),
    };
    Some(Alarm::new(Alert::Silent, "", says))
}

/// For people: in the largest unit of which there are two.
fn long(span: Duration) -> String {
    let minutes = span.as_secs() / 60;
    match minutes {
        2_880.. => format!("{} days", minutes / 1_440),
        120.. => format!("{} hours", minutes / 60),
        2.. => format!("{minutes} minutes"),
        _ => format!("{} s", span.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

    fn alert(file: &str, days: i64) -> Option<Alert> {
        expiring(file, NOON + time::Duration::days(days), NOON).map(|alarm| alarm.alert)
    }

    #[test]
    fn a_certificate_is_an_alarm_before_it_is_too_late_and_another_one_when_it_is_days() {
        assert_eq!(alert("server.pem", 31), None);
        assert_eq!(alert("server.pem", 29), Some(Alert::CertificateExpires));
        assert_eq!(alert("server.pem", 2), Some(Alert::CertificateExpiresNow));
        assert_eq!(alert("server.pem", -5), Some(Alert::CertificateExpiresNow));
        let expired = expiring("server.pem", NOON - time::Duration::days(5), NOON).expect("it has");
        assert_eq!(expired.says, "server.pem has expired on 2026-11-17");
    }

    #[test]
    fn a_revocation_list_lives_for_days() {
        assert_eq!(alert("root.CRL", 2), None);
        assert_eq!(alert("root.crl", 0), Some(Alert::CrlExpires));
    }

    #[test]
    fn what_is_paused_is_not_late_as_well() {
        let backlog = |paused, oldest| Backlog {
            name: "orders",
            paused,
            parked: 0,
            oldest,
            left: 0,
        };
        let alerts = |one: &Backlog<'_>| destination(one).map(|alarm| alarm.alert).collect::<Vec<_>>();
        let day = Duration::from_hours(24);
        assert_eq!(alerts(&backlog(Some("they deploy"), day)), [Alert::DestinationPaused]);
        assert_eq!(alerts(&backlog(None, day)), [Alert::DeliveriesLate]);
        assert_eq!(alerts(&backlog(None, LATE)), []);
        let left = Backlog {
            left: 3,
            ..backlog(None, day)
        };
        assert_eq!(alerts(&left), [Alert::DestinationLeft]);
    }

    #[test]
    fn a_gap_that_somebody_asked_after_or_that_is_long_over_needs_nobody() {
        let gap = Gap {
            missed: Missed::Refused,
            peer: "ws.mastercard.com",
            count: 2,
            until: NOON,
            closed: true,
            followed: false,
        };
        let alarms = |gap, now| {
            gaps([gap].into_iter(), now)
                .into_iter()
                .map(|alarm| alarm.about)
                .collect::<Vec<_>>()
        };
        assert_eq!(alarms(gap, NOON), ["unfollowed"]);
        assert_eq!(alarms(Gap { followed: true, ..gap }, NOON), Vec::<String>::new());
        assert_eq!(alarms(gap, NOON + time::Duration::days(8)), Vec::<String>::new());
        assert_eq!(
            alarms(Gap { closed: false, ..gap }, NOON),
            ["refused ws.mastercard.com"]
        );
    }
}
