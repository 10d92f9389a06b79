//! A cursor over the events: the position of the last one read, as a text.
//!
//! It stays good as long as the events after it are kept, on every replica and over restarts. Readers take it as
//! it is: it is the `next` of a page, the `id` of a stream's event, the `x-events-position` of an export.

use super::problem::Problem;
use crate::store::Outbox;
use crate::store::outbox::Events;

/// The position that a cursor stands for; a text that we never gave out stands for none.
pub(super) fn parse(text: &str) -> Result<u64, Problem> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let position = text.parse().ok().filter(|position| i64::try_from(*position).is_ok());
    position
        .filter(|_| is_plain && (text == "0" || !text.starts_with('0')))
        .ok_or_else(Problem::unknown_cursor)
}

/// A page after that cursor, if the cursor is one that a reader may hold; `None` is the oldest event that is kept.
pub(super) async fn page(outbox: &dyn Outbox, after: Option<u64>, limit: u32) -> Result<Events, Problem> {
    let page = outbox.events(after.unwrap_or(0), limit).await?;
    match after {
        Some(after) if after > page.newest => Err(Problem::unknown_cursor()),
        Some(after) if after < page.oldest => Err(Problem::expired_cursor()),
        _ => Ok(page),
    }
}

/// The newest position of all: what is committed later comes after it.
pub(super) async fn newest(outbox: &dyn Outbox) -> Result<u64, Problem> {
    Ok(outbox.events(0, 1).await?.newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_position_has_one_text() {
        assert_eq!(parse("0").ok(), Some(0));
        assert_eq!(parse("42").ok(), Some(42));
        for text in [
            "",
            "042",
            "+42",
            "-1",
            "4 2",
            "4.2",
            "x",
            "9223372036854775808",
            "99999999999999999999",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
