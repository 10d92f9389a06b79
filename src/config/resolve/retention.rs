//! `[retention]`: for how long what nobody needs any more is kept.

use std::time::Duration;

use super::Resolver;
use crate::config::error::Error;
use crate::config::{file, settings};

const DAY: Duration = Duration::from_hours(24);
/// A hundred years.
const DAYS_MAX: u64 = 36_500;
/// A look through everything is not free.
const EVERY_MIN: Duration = Duration::from_hours(1);

pub(super) fn retention(written: &file::Retention, at: &Resolver<'_>) -> Result<settings::Retention, Error> {
    let every = at.wait(&written.every, "retention.every")?;
    if every < EVERY_MIN {
        let why = "must be an hour at least, such as `1d`: each time everything that is old is looked at";
        return Err(at.invalid("retention.every", why));
    }
    let kept = |text: &str, name: &str| kept(text, &format!("retention.{name}"), at);
    Ok(settings::Retention {
        every,
        notifications: kept(&written.notifications, "notifications")?,
        statements: kept(&written.statements, "statements")?,
        events: kept(&written.events, "events")?,
        quarantine: kept(&written.quarantine, "quarantine")?,
        commands: kept(&written.commands, "commands")?,
        reconciles: kept(&written.reconciles, "reconciles")?,
    })
}

/// Whole days, a day at least: no repeat is told for so long that what it repeats may be gone.
fn kept(text: &str, key: &str, at: &Resolver<'_>) -> Result<Option<Duration>, Error> {
    if text == "never" {
        return Ok(None);
    }
    let days: Option<u64> = text.strip_suffix('d').and_then(|days| days.parse().ok());
    let fitting = days.filter(|days| (1..=DAYS_MAX).contains(days));
    let why = format!("must be a number of days from `1d` to `{DAYS_MAX}d`, such as `400d`, or `never`");
    let kept = fitting.and_then(|days| DAY.checked_mul(u32::try_from(days).ok()?));
    kept.map(Some).ok_or_else(|| at.invalid(key, why))
}
