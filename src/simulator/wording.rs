//! The ways in which Mastercard writes a moment: UTC or with an offset, with a fraction or without.

use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, UtcOffset};

const MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const SECONDS_WITH_OFFSET: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]");
const MILLIS_WITH_OFFSET: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory]:[offset_minute]"
);

/// One of the ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wording {
    /// `2026-11-02T09:15:03.120Z`
    Millis,
    /// `2026-11-02T02:15:03-07:00`
    Pacific,
    /// `2026-11-02T14:45:03.120+05:30`
    India,
}

impl Wording {
    /// The way for a throw of the dice; the plain one is the most common.
    pub fn of(throw: u64) -> Self {
        match throw {
            0 => Wording::Pacific,
            1 => Wording::India,
            _ => Wording::Millis,
        }
    }
}

/// That moment, written that way; at most 29 characters.
pub fn written(at: OffsetDateTime, wording: Wording) -> String {
    let (offset, format) = match wording {
        Wording::Millis => (UtcOffset::UTC, MILLIS),
        Wording::Pacific => (offset!(-7), SECONDS_WITH_OFFSET),
        Wording::India => (offset!(+5:30), MILLIS_WITH_OFFSET),
    };
    at.to_offset(offset)
        .format(&format)
        .expect("the formats name only what every moment has")
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_three_ways_name_the_same_moment() {
        let at = datetime!(2026-11-02 09:15:03.120 UTC);
        assert_eq!(written(at, Wording::Millis), "2026-11-02T09:15:03.120Z");
        assert_eq!(written(at, Wording::Pacific), "2026-11-02T02:15:03-07:00");
        assert_eq!(written(at, Wording::India), "2026-11-02T14:45:03.120+05:30");
    }
}
