//! One entry of `tokens[]`: what is said about one token.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::reason::{Fault, Field, Reason};
use super::plaintext::canonical;
use super::{fields, metadata, timestamp};
use crate::domain::command::Seen;
use crate::domain::id::TokenReference;
use crate::domain::masked;
use crate::domain::notification::{Flag, Statement};
use crate::domain::status::{Instant, Status};
use crate::keys::DecryptionKey;

/// Bounds of sanity, far above what the specification allows.
const STRING_BYTES_MAX: usize = 4 << 10;
const NAME_BYTES_MAX: usize = 256;
const DEPTH_MAX: usize = 32;
const TOKEN_BYTES_MAX: usize = 64 << 10;
const REFERENCE_CHARS_MAX: usize = 128;
/// It is 11 by the specification. A database's index holds no text of any length.
const REQUESTOR_CHARS_MAX: usize = 128;
const SUSPENDERS_MAX: usize = 64;

/// The specification's own: `tokenUniqueReference` 64, words 32, `statusTimestamp` 29.
const REFERENCE_CHARS: usize = 64;
const WORD_CHARS: usize = 32;

const REFERENCE: &str = "tokenUniqueReference";
const KNOWN: [&str; 8] = [
    REFERENCE,
    "tokenRequestorId",
    "status",
    "eventReasonCode",
    "suspendedBy",
    "statusTimestamp",
    "productConfig",
    "tokenInfo",
];
const REASONS: [&str; 8] = [
    "DEVICE_LOST",
    "DEVICE_STOLEN",
    "SUSPECTED_FRAUD",
    "ACCOUNT_CLOSED",
    "NOT_FRAUD",
    "DEVICE_FOUND",
    "REDIGITIZATION_COMPLETE",
    "OTHER",
];
const SUSPENDERS: [&str; 5] = [
    "ISSUER",
    "TOKEN_REQUESTOR",
    "MOBILE_PIN_LOCKED",
    "CARDHOLDER",
    "PAYMENT_APP_PROVIDER",
];

/// Reads it. The fault says why it cannot be read, in words that hold nothing of it.
pub(super) fn read(entry: &Value, index: u32, key: &DecryptionKey) -> Result<Statement, Fault> {
    let Value::Object(fields) = entry else {
        return Err(unreadable("it is no object"));
    };
    check(entry, 0).map_err(unreadable)?;
    check_requestor(fields).map_err(unreadable)?;
    let canonical = canonical(entry);
    if canonical.len() > TOKEN_BYTES_MAX {
        return Err(unreadable("it is too large"));
    }

    let mut flags = BTreeSet::new();
    let mut statement = Statement {
        token: reference(fields, &mut flags)?,
        index,
        hash: key.hash(&canonical),
        status: status(fields, &mut flags)?,
        suspended_by: suspenders(fields, &mut flags)?,
        reason_code: reason_code(fields, &mut flags),
        instant: None,
        metadata: BTreeMap::new(),
        unrecognized: Map::new(),
        flags,
    };
    read_instant(fields, &mut statement);
    read_metadata(fields, &mut statement);
    read_unknown(fields, &mut statement);
    Ok(statement)
}

/// The state alone, as an answer to us says it; `None` if it says none. Suspended by nobody is by nobody knows whom.
pub(in crate::mdes) fn state(fields: &Map<String, Value>) -> Result<Option<Seen>, Fault> {
    let mut flags = BTreeSet::new();
    let Some(status) = status(fields, &mut flags)? else {
        return Ok(None);
    };
    let suspenders = suspenders(fields, &mut flags)?;
    let is_named = status != Status::Suspended || !suspenders.is_empty();
    let instant = fields.get("statusTimestamp").and_then(Value::as_str);
    Ok(Some(Seen {
        suspended_by: is_named.then_some(suspenders),
        at: instant.and_then(timestamp::parse).map(Instant::at),
        status,
    }))
}

fn unreadable(why: &'static str) -> Fault {
    Fault::new(Reason::Format(Field::Tokens), why)
}

/// Refuses what no database holds, and what is too large to be meant.
fn check(value: &Value, depth: usize) -> Result<(), &'static str> {
    let check_text = |text: &str, bytes_max| match text {
        _ if text.contains('\0') => Err("it holds a NUL character"),
        _ if text.len() > bytes_max => Err("it holds a text that is too long"),
        _ => Ok(()),
    };
    match value {
        _ if depth > DEPTH_MAX => Err("it is nested too deeply"),
        Value::String(text) => check_text(text, STRING_BYTES_MAX),
        Value::Array(items) => items.iter().try_for_each(|item| check(item, depth + 1)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
            check_text(name, NAME_BYTES_MAX)?;
            check(value, depth + 1)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn check_requestor(fields: &Map<String, Value>) -> Result<(), &'static str> {
    match fields.get("tokenRequestorId").and_then(Value::as_str) {
        Some(text) if text.chars().count() > REQUESTOR_CHARS_MAX => Err("tokenRequestorId is too long"),
        _ => Ok(()),
    }
}

fn reference(fields: &Map<String, Value>, flags: &mut BTreeSet<Flag>) -> Result<TokenReference, Fault> {
    let missing = |why| Err(Fault::new(Reason::Missing(Field::TokenUniqueReference), why));
    let text = match fields.get(REFERENCE) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => {
            flags.insert(Flag::OddField);
            number.to_string()
        }
        Some(Value::Null) | None => return missing("tokenUniqueReference is missing"),
        Some(_) => {
            let why = "tokenUniqueReference is no string";
            return Err(Fault::new(Reason::Format(Field::TokenUniqueReference), why));
        }
    };
    match text.chars().count() {
        _ if text.trim().is_empty() => missing("tokenUniqueReference is empty"),
        chars if chars > REFERENCE_CHARS_MAX => {
            let why = "tokenUniqueReference is too long";
            Err(Fault::new(Reason::Length(Field::TokenUniqueReference), why))
        }
        chars => {
            if chars > REFERENCE_CHARS {
                flags.insert(Flag::OddField);
            }
            Ok(TokenReference::mdes(text))
        }
    }
}

/// A word that is missing, null or empty states nothing. One that is there and cannot be read must not be passed
/// over in silence: it might say that the token is suspended.
fn status(fields: &Map<String, Value>, flags: &mut BTreeSet<Flag>) -> Result<Option<Status>, Fault> {
    let unreadable = || Fault::new(Reason::Format(Field::Status), "status is no string");
    let Some(word) = word(fields.get("status"), flags).map_err(|()| unreadable())? else {
        return Ok(None);
    };
    let status = Status::from(word);
    if matches!(status, Status::Unknown(_)) {
        flags.insert(Flag::UnknownStatus);
    }
    Ok(Some(status))
}

fn suspenders(fields: &Map<String, Value>, flags: &mut BTreeSet<Flag>) -> Result<BTreeSet<String>, Fault> {
    let given: &[Value] = match fields.get("suspendedBy") {
        Some(Value::Array(words)) => words,
        Some(one) if !one.is_null() => {
            flags.insert(Flag::OddField);
            std::slice::from_ref(one)
        }
        _ => &[],
    };
    if given.len() > SUSPENDERS_MAX {
        return Err(Fault::new(
            Reason::Length(Field::SuspendedBy),
            "suspendedBy holds too many",
        ));
    }
    let mut suspenders = BTreeSet::new();
    for value in given {
        let word = word(Some(value), flags)
            .map_err(|()| Fault::new(Reason::Format(Field::SuspendedBy), "suspendedBy holds no strings"))?;
        if word.as_deref().is_some_and(|word| !SUSPENDERS.contains(&word)) {
            flags.insert(Flag::UnknownSuspender);
        }
        suspenders.extend(word);
    }
    Ok(suspenders)
}

fn reason_code(fields: &Map<String, Value>, flags: &mut BTreeSet<Flag>) -> Option<String> {
    let word = word(fields.get("eventReasonCode"), flags).unwrap_or_else(|()| {
        flags.insert(Flag::OddField);
        None
    })?;
    if !REASONS.contains(&word.as_str()) {
        flags.insert(Flag::UnknownReason);
    }
    Some(word)
}

/// One of MDES's words, verbatim but for a card number. An error is a value that is no word at all.
fn word(value: Option<&Value>, flags: &mut BTreeSet<Flag>) -> Result<Option<String>, ()> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let text = fields::text(value).ok_or(())?;
    if !value.is_string() || text.is_empty() || text.chars().count() > WORD_CHARS {
        flags.insert(Flag::OddField);
    }
    let clean = masked::without_numbers(&text);
    if clean != text {
        flags.insert(Flag::MaskedNumber);
    }
    Ok((!clean.is_empty()).then_some(clean))
}

fn read_instant(fields: &Map<String, Value>, statement: &mut Statement) {
    let given = fields.get("statusTimestamp").filter(|value| !value.is_null());
    statement.instant = given.and_then(Value::as_str).and_then(timestamp::parse);
    if statement.instant.is_none() {
        statement.flags.insert(Flag::Untimed);
        if given.is_some() {
            statement.flags.insert(Flag::OddField);
        }
    }
}

fn read_metadata(fields: &Map<String, Value>, statement: &mut Statement) {
    let (into, flags) = (&mut statement.metadata, &mut statement.flags);
    if let Some(value) = fields.get("tokenRequestorId") {
        metadata::read_requestor(value, into, flags);
    }
    if let Some(Value::Object(object)) = fields.get("tokenInfo") {
        metadata::read_token_info(object, into, flags);
    }
    if let Some(Value::Object(object)) = fields.get("productConfig") {
        metadata::read_product_config(object, into, flags);
    }
}

/// Keeps what we do not know: fields without a name here, and an object that is none.
fn read_unknown(fields: &Map<String, Value>, statement: &mut Statement) {
    for (name, value) in fields {
        let is_object = ["tokenInfo", "productConfig"].contains(&name.as_str());
        let flag = match value {
            Value::Object(_) | Value::Null if is_object => continue,
            _ if is_object => Flag::OddField,
            _ if KNOWN.contains(&name.as_str()) => continue,
            _ => Flag::UnknownField,
        };
        statement.flags.insert(flag);
        let value = fields::mask(value.clone(), &mut statement.flags);
        let clean = masked::without_numbers(name);
        if clean != *name {
            statement.flags.insert(Flag::MaskedNumber);
        }
        statement.unrecognized.insert(clean, value);
    }
}
