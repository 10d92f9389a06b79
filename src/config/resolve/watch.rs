//! `[watch]`: when a silence is too long.

use super::super::error::Error;
use super::super::{file, settings};
use super::Resolver;
use crate::domain::silence::Rule;

const OFF: &str = "off";

pub(super) fn watch(watch: &file::Watch, at: &Resolver<'_>) -> Result<settings::Watch, Error> {
    let [silence, first] = ["watch.silence", "watch.first_within"];
    Ok(settings::Watch {
        silence: match &*watch.silence {
            "auto" => Rule::Auto,
            OFF => Rule::Off,
            fixed => Rule::After(at.wait(fixed, silence)?),
        },
        first_within: match &*watch.first_within {
            OFF => None,
            fixed => Some(at.wait(fixed, first)?),
        },
    })
}
