//! MDES's timestamps: `YYYY-MM-DDThh:mm:ss[.sss]` and `Z` or `±hh:mm`, and the forms that come close to it.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use crate::domain::status::Instant;

/// Earlier ones are a default that someone forgot to fill in.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;
/// With nine digits of fraction and an offset it is 35.
const CHARS_MAX: usize = 40;

/// The instant; `None` if it is none, or without an offset, or in no year of ours.
///
/// Also read: a fraction of one to nine digits, lower-case `t` and `z`, a space for the `T`, `±hhmm`, `±hh`.
pub(super) fn parse(text: &str) -> Option<Instant> {
    let text = text.trim();
    if !text.is_ascii() || text.len() > CHARS_MAX {
        return None;
    }
    let (date, rest) = text.split_at_checked(10)?;
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    let rfc3339 = format!("{date}T{}", with_colon(clock));
    let at = OffsetDateTime::parse(&rfc3339, &Rfc3339).ok()?;
    let at = at.checked_to_offset(UtcOffset::UTC)?;
    YEARS
        .contains(&at.year())
        .then(|| Instant::new(at, !clock.contains('.')))
}

/// `Z` and `±hh:mm` for the other ways to write an offset.
fn with_colon(clock: &str) -> String {
    if let Some(zulu) = clock.strip_suffix(['Z', 'z']) {
        return format!("{zulu}Z");
    }
    match clock.rfind(['+', '-']).map(|place| clock.split_at(place)) {
        Some((clock, offset)) if offset.len() == 3 => format!("{clock}{offset}:00"),
        Some((clock, offset)) if offset.len() == 5 => format!("{clock}{}:{}", &offset[..3], &offset[3..]),
        _ => clock.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn every_form_of_one_instant_is_that_instant() {
        let same = datetime!(2023-10-10 11:56:23.5 UTC);
        for text in [
            "2023-10-10T11:56:23.5Z",
            "2023-10-10T04:56:23.500-07:00",
            "2023-10-10t11:56:23.500000000z",
            "2023-10-10 13:56:23.5+0200",
            " 2023-10-10T13:56:23.5+02 ",
            "2023-10-10T17:26:23.5+05:30",
        ] {
            let instant = parse(text).unwrap_or_else(|| panic!("{text} is an instant"));
            assert_eq!(instant, Instant::new(same, false), "{text}");
        }
    }

    #[test]
    fn without_a_fraction_it_stands_for_its_whole_second() {
        let instant = parse("2026-11-04T08:00:00Z");
        assert_eq!(instant, Some(Instant::new(datetime!(2026-11-04 08:00 UTC), true)));
    }

    #[test]
    fn what_is_no_instant_of_ours_is_none() {
        for text in [
            "",
            "now",
            "2023-10-10",
            "2023-10-10T11:56:23",
            "2023-13-10T11:56:23Z",
            "2023-10-10T25:56:23Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "2023-10-10T11:56:23.Z",
            "2023-10-10é11:56:23Z",
            "20231010T115623Z",
            "2023-10-10T11:56:23+5",
            "1696938983",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
