//! `[watch]`: when a silence is too long.

use std::time::Duration;

use super::super::error::Error;
use super::super::{file, settings};
use super::Resolver;
use crate::domain::silence::Rule;

const OFF: &str = "off";
const LEAST: Duration = Duration::from_mins(1);

pub(super) fn watch(watch: &file::Watch, at: &Resolver<'_>) -> Result<settings::Watch, Error> {
    Ok(settings::Watch {
        silence: match &*watch.silence {
            "auto" => Rule::Auto,
            OFF => Rule::Off,
            text => Rule::After(span(text, "watch.silence", at)?),
        },
        first_within: match &*watch.first_within {
            OFF => None,
            text => Some(span(text, "watch.first_within", at)?),
        },
    })
}

fn span(text: &str, key: &str, at: &Resolver<'_>) -> Result<Duration, Error> {
    match at.wait(text, key)? {
        span if span < LEAST => Err(at.invalid(key, "must be a minute at least, such as `6h`, or `off`")),
        span => Ok(span),
    }
}
