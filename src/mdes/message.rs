//! What stands inside the seal: `tokens[]`, each entry read on its own.
//!
//! It is lenient: a wrong type is read for what it means, an unknown word is kept and flagged. Only what
//! names no token, or what no database would hold, is unreadable, and that entry alone.

mod fields;
mod metadata;
mod plaintext;
mod timestamp;
mod token;

use std::collections::BTreeSet;

use serde_json::Value;
use time::OffsetDateTime;

pub(super) use plaintext::{Plaintext, canonical};
pub(super) use token::state;

use super::Reading;
use super::reason::{Fault, Field, Reason};
use crate::domain::masked::Secret;
use crate::domain::notification::{Flag, Notification, Statement, UnreadableToken};
use crate::keys::DecryptionKey;

/// MDES states no limit for this call; its requests take 10.
const TOKENS_MAX: usize = 1_000;
const TOKENS: &str = "tokens";
const VALID_UNTIL: &str = "dataValidUntilTimestamp";
const KNOWN: [&str; 4] = [TOKENS, VALID_UNTIL, "responseHost", "requestId"];

/// What a decrypted object says. `requestId` stands outside the seal and is the caller's to add.
pub(super) fn notification(
    mut plaintext: Plaintext,
    key: &DecryptionKey,
    rules: &Reading,
    received_at: OffsetDateTime,
) -> Result<Notification, Fault> {
    let mut flags = BTreeSet::new();
    if !plaintext.fields().keys().all(|name| KNOWN.contains(&name.as_str())) {
        flags.insert(Flag::UnknownField);
    }
    read_valid_until(&plaintext, rules, received_at, &mut flags)?;

    let mut statements = Vec::new();
    let mut unreadable = Vec::new();
    let mut first_fault = None;
    for (index, entry) in (0..).zip(tokens(&plaintext)?) {
        match token::read(entry, index, key) {
            Ok(statement) => statements.push(statement),
            Err(fault) => {
                unreadable.push(UnreadableToken {
                    index,
                    reason: fault.detail.clone(),
                });
                first_fault.get_or_insert(fault);
            }
        }
    }
    match first_fault {
        Some(fault) if statements.is_empty() => {
            let detail = format!("no token can be read, the first because {}", fault.detail);
            return Err(Fault::new(fault.reason, detail));
        }
        _ => {}
    }
    // Which of its sites sent it does not tell two notifications apart.
    plaintext.fields_mut().remove("responseHost");
    Ok(Notification {
        request_id: None,
        content: key.hash(&canonical(plaintext.value())),
        statements,
        unreadable,
        flags,
    })
}

/// What one entry of a decrypted object's `tokens[]` says.
pub(super) fn statement(
    plaintext: &Plaintext,
    index: u32,
    key: &DecryptionKey,
    rules: &Reading,
    received_at: OffsetDateTime,
) -> Result<Statement, Fault> {
    check_valid_until(plaintext, rules, received_at)?;
    let entry = entry_at(plaintext, index)
        .ok_or_else(|| Fault::new(Reason::Missing(Field::Tokens), "the body has no token at that place"))?;
    token::read(entry, index, key)
}

/// The token's own number in that entry; a number is read as its digits.
pub(super) fn token_number(plaintext: &Plaintext, index: u32) -> Option<Secret> {
    match entry_at(plaintext, index)?.get("tokenInfo")?.get("tokenNumber")? {
        Value::String(number) => Some(Secret::new(number.as_str())),
        Value::Number(number) => Some(Secret::new(number.to_string())),
        _ => None,
    }
}

fn entry_at(plaintext: &Plaintext, index: u32) -> Option<&Value> {
    tokens(plaintext).ok()?.get(usize::try_from(index).ok()?)
}

fn tokens(plaintext: &Plaintext) -> Result<&[Value], Fault> {
    match plaintext.fields().get(TOKENS) {
        Some(Value::Array(tokens)) if tokens.is_empty() => {
            Err(Fault::new(Reason::Length(Field::Tokens), "tokens is empty"))
        }
        Some(Value::Array(tokens)) if tokens.len() > TOKENS_MAX => {
            let detail = format!("tokens holds {}, more than {TOKENS_MAX}", tokens.len());
            Err(Fault::new(Reason::Length(Field::Tokens), detail))
        }
        Some(Value::Array(tokens)) => Ok(tokens),
        Some(Value::Null) | None => Err(Fault::new(Reason::Missing(Field::Tokens), "tokens is missing")),
        Some(_) => Err(Fault::new(Reason::Format(Field::Tokens), "tokens is no array")),
    }
}

/// The same of what else was sealed to us.
pub(super) fn check_valid_until(
    plaintext: &Plaintext,
    rules: &Reading,
    received_at: OffsetDateTime,
) -> Result<(), Fault> {
    read_valid_until(plaintext, rules, received_at, &mut BTreeSet::new())
}

/// In MDES's sister API everyone must reject what is past it; for this call that is only precedent.
fn read_valid_until(
    plaintext: &Plaintext,
    rules: &Reading,
    received_at: OffsetDateTime,
    flags: &mut BTreeSet<Flag>,
) -> Result<(), Fault> {
    let until = match plaintext.fields().get(VALID_UNTIL) {
        None | Some(Value::Null) => return Ok(()),
        Some(value) => value.as_str().and_then(timestamp::parse),
    };
    match until {
        Some(until) if until.at() < received_at => {
            if rules.envelope.refuse_expired {
                let detail = "dataValidUntilTimestamp had passed when it came, see `envelope.expired`";
                return Err(Fault::new(Reason::Value(Field::DataValidUntilTimestamp), detail));
            }
            flags.insert(Flag::Expired);
        }
        Some(_) => {}
        None => {
            flags.insert(Flag::OddField);
        }
    }
    Ok(())
}
