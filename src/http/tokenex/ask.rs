//! What a body asks, in TokenEx's words: keys in any case, an action by its name or number.

use bytes::Bytes;

use super::answer::No;
use crate::domain::command::{Action, Target};
use crate::domain::masked::{masked, without_written_numbers};
use crate::tokenex::wire::{self, Fields};

/// What is kept of a reason: MDES takes no more.
const REASON_CHARS_MAX: usize = 256;

/// A wish about a token.
pub(super) struct Wish {
    pub(super) asked: Target,
    pub(super) action: Action,
    pub(super) reason: Option<String>,
}

/// Reads a body of LifecycleManagement.
pub(super) fn wish(body: &Bytes) -> Result<Wish, No> {
    let fields = read(body)?;
    let asked = target(&fields)?;
    let action = fields.word("lifecyclemanagementaction");
    let action = action.and_then(|word| wire::action(&word)).ok_or(No::of("2998"))?;
    let reason = optional(&fields, "requestreason")?;
    Ok(Wish {
        reason: reason.map(|text| shown(text, &asked.token)),
        asked,
        action,
    })
}

/// Reads a body of GetStatus.
pub(super) fn asked(body: &Bytes) -> Result<Target, No> {
    target(&read(body)?)
}

/// Not JSON is one thing, JSON that is no such object another.
fn read(body: &Bytes) -> Result<Fields, No> {
    Fields::read(body).map_err(|error| match error.is_data() {
        true => No::of("2998"),
        false => No::of("2999"),
    })
}

fn target(fields: &Fields) -> Result<Target, No> {
    let token = optional(fields, "token")?.ok_or(No::of("2003"))?;
    if !wire::is_name(token) {
        return Err(No::of("2423"));
    }
    let reference_id = optional(fields, "tokenreferenceid")?;
    if reference_id.is_some_and(|id| !wire::is_name(id)) {
        return Err(No::of("2998"));
    }
    Ok(Target {
        token: token.to_owned(),
        reference_id: reference_id.map(str::to_owned),
    })
}

/// A text; an empty one is none.
fn optional<'a>(fields: &'a Fields, key: &str) -> Result<Option<&'a str>, No> {
    match fields.text(key) {
        Some(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        None if fields.says(key) => Err(No::of("2998")),
        None => Ok(None),
    }
}

/// A person's words, on their way to the store and the network: without numbers, the token, or control characters.
fn shown(text: &str, token: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.replace(token, &masked(token));
    let text = without_written_numbers(&text, false);
    text.chars().take(REASON_CHARS_MAX).collect()
}
