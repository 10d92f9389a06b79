//! What TokenEx says without being asked: its Token State Change and Card Metadata Update notifications.
//!
//! Bytes in, domain out, read gently: keys in any case and trimmed (one sample has a blank before a key), booleans that
//! are strings, milliseconds that are a string; what we do not know is kept and flagged. Nothing here is proven: these
//! calls bear no signature. Which of the two it is, it says itself; the path that it came on does not matter.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::wire::{self, Fields};
use crate::domain::id::{ContentHash, Namespace, TokenReference};
use crate::domain::masked;
use crate::domain::notification::{CARD_METADATA, Flag, Notification, Statement, TOKEN_REFERENCE_ID};
use crate::domain::status::{Instant, Status};

mod words;

use words::{is_reason, suspender};

const STATE: &str = "networktokenstatechangenotification";
const CARD: &str = "networktokencardupdatenotification";
const ENVELOPE: [&str; 7] = ["token", "referencenumber", "success", "error", "message", STATE, CARD];
const WITHIN: [&str; 9] = [
    "messageid",
    "conversationid",
    "tokenrequestorid",
    "tokenreferenceid",
    "tokentimestamp",
    "requestreason",
    "requestreasoncode",
    "previoustokenstate",
    "currenttokenstate",
];
const WORD_CHARS_MAX: usize = 128;
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// September 2001, and the year 5138: what is less was meant in seconds, what is more in something finer.
const MILLIS: std::ops::Range<i64> = 1_000_000_000_000..100_000_000_000_000;

/// Why it cannot be used. It holds nothing of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Unreadable {
    /// The word that quarantine, metrics and logs use: the same as of what MDES sends.
    pub reason: &'static str,
    /// Which step failed.
    pub detail: &'static str,
}

const fn unreadable(reason: &'static str, detail: &'static str) -> Unreadable {
    Unreadable { reason, detail }
}

const NOT_JSON: Unreadable = unreadable("INVALID_JSON", "it is no JSON object, or says a key twice");
const NO_NOTICE: Unreadable = unreadable(
    "MISSING_REQUIRED_FIELD",
    "it holds neither networkTokenStateChangeNotification nor networkTokenCardUpdateNotification",
);
const NO_TOKEN: Unreadable = unreadable("MISSING_REQUIRED_FIELD", "token is missing");
const BAD_TOKEN: Unreadable = unreadable("INVALID_FIELD_FORMAT", "token is no name: 1 to 128 visible characters");
const BAD_REFERENCE: Unreadable = unreadable("INVALID_FIELD_FORMAT", "tokenReferenceId is no name");
const NO_STATE: Unreadable = unreadable("MISSING_REQUIRED_FIELD", "currentTokenState is missing");
const BAD_STATE: Unreadable = unreadable("INVALID_FIELD_FORMAT", "currentTokenState is no word");
const NUL: Unreadable = unreadable("INVALID_FIELD_FORMAT", "it holds a NUL character");

/// A keyed hash, so that nobody can guess at what was hashed.
pub type Hash<'a> = &'a dyn Fn(&[u8]) -> ContentHash;

/// What it says. It is known by its `messageId` and by what it says, or by the latter alone if it has none.
pub fn read(body: &[u8], hash: Hash<'_>) -> Result<Notification, Unreadable> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let envelope = Fields::read(body).map_err(|_| NOT_JSON)?;
    let mut flags = BTreeSet::new();
    let token = token(&envelope, &mut flags)?;
    if envelope.says("success") && envelope.flag("success") != Some(true) {
        flags.insert(Flag::OddField);
    }
    if envelope.text("error").is_some_and(|error| !error.trim().is_empty()) {
        flags.insert(Flag::OddField);
    }
    let mut unrecognized = unknown(envelope.besides(&ENVELOPE), &mut flags)?;
    let mut statements = Vec::new();
    for (index, name) in (0..).zip([STATE, CARD]) {
        let Some(notice) = envelope.object(name) else {
            continue;
        };
        let mut statement = blank(&token, index, flags.clone());
        read_names(notice, &mut statement)?;
        match name {
            STATE => read_state(notice, &mut statement)?,
            _ => read_card(notice, hash, &mut statement),
        }
        statement.unrecognized = unknown(notice.besides(&WITHIN), &mut statement.flags)?;
        statement.unrecognized.append(&mut unrecognized);
        statement.hash = hash(said(&statement, name).to_string().as_bytes());
        statements.push(statement);
    }
    let message = message_id(&envelope, &mut flags);
    notification(statements, message, hash, flags)
}

fn notification(
    statements: Vec<Statement>,
    message: Option<String>,
    hash: Hash<'_>,
    flags: BTreeSet<Flag>,
) -> Result<Notification, Unreadable> {
    if statements.is_empty() {
        return Err(NO_NOTICE);
    }
    let hashes: String = statements.iter().map(|statement| statement.hash.to_hex()).collect();
    let content = hash(hashes.as_bytes());
    Ok(Notification {
        request_id: Some(message.unwrap_or_else(|| format!("tokenex-{}", content.to_hex()))),
        content,
        statements,
        unreadable: Vec::new(),
        flags,
    })
}

/// What of a statement tells it from another: not how it is written, nor what the sender adds to each attempt.
fn said(statement: &Statement, name: &str) -> Value {
    let reference_id = statement.metadata.get(TOKEN_REFERENCE_ID);
    let card = statement.metadata.get(CARD_METADATA);
    let millis = statement.instant.map(|at| at.at().unix_timestamp_nanos() / 1_000_000);
    json!([
        name,
        statement.token.reference,
        reference_id,
        card,
        millis.map(|millis| millis.to_string()),
        statement.status,
        statement.reason_code,
    ])
}

fn token(envelope: &Fields, flags: &mut BTreeSet<Flag>) -> Result<TokenReference, Unreadable> {
    let Some(reference) = envelope.word("token") else {
        return Err(if envelope.says("token") { BAD_TOKEN } else { NO_TOKEN });
    };
    match reference.as_str() {
        "" => return Err(NO_TOKEN),
        name if !wire::is_name(name) => return Err(BAD_TOKEN),
        _ => {}
    }
    if envelope.text("token").is_none() {
        flags.insert(Flag::OddField);
    }
    Ok(TokenReference {
        namespace: Namespace::TokenEx,
        reference,
    })
}

/// The first that is there; one that no database would hold is as good as none.
fn message_id(envelope: &Fields, flags: &mut BTreeSet<Flag>) -> Option<String> {
    let notices = [STATE, CARD].into_iter().filter_map(|name| envelope.object(name));
    let id = notices.filter_map(|notice| notice.word("messageid")).next();
    let id = id.filter(|id| wire::is_name(id)).map(|id| masked::without_numbers(&id));
    if id.is_none() {
        flags.insert(Flag::MissingRequestId);
    }
    id
}

fn blank(token: &TokenReference, index: u32, flags: BTreeSet<Flag>) -> Statement {
    Statement {
        token: token.clone(),
        index,
        hash: ContentHash([0; 32]),
        status: None,
        suspended_by: BTreeSet::new(),
        reason_code: None,
        instant: None,
        metadata: BTreeMap::new(),
        unrecognized: Map::new(),
        flags,
    }
}

/// Whose token it is, and which of its network tokens is meant: of the latter nothing may be passed over, since another
/// one's state is not this one's.
fn read_names(notice: &Fields, statement: &mut Statement) -> Result<(), Unreadable> {
    if notice.says("tokenreferenceid") {
        let id = notice.word("tokenreferenceid").ok_or(BAD_REFERENCE)?;
        match id.as_str() {
            "" => {}
            name if !wire::is_name(name) => return Err(BAD_REFERENCE),
            _ => {
                statement
                    .metadata
                    .insert(TOKEN_REFERENCE_ID.to_owned(), Some(id.into()));
            }
        }
    }
    match notice.word("tokenrequestorid") {
        Some(id) if wire::is_name(&id) => {
            let id = masked::without_numbers(&id);
            statement
                .metadata
                .insert("tokenRequestorId".to_owned(), Some(id.into()));
        }
        _ if notice.says("tokenrequestorid") => {
            statement.flags.insert(Flag::OddField);
        }
        _ => {}
    }
    Ok(())
}

fn read_state(notice: &Fields, statement: &mut Statement) -> Result<(), Unreadable> {
    if !notice.says("currenttokenstate") {
        return Err(NO_STATE);
    }
    let state = notice.word("currenttokenstate").ok_or(BAD_STATE)?;
    match state.as_str() {
        "" => return Err(NO_STATE),
        word if !is_word(word) => return Err(BAD_STATE),
        _ => {}
    }
    let status = wire::status(&masked::without_numbers(&state));
    if matches!(status, Status::Unknown(_)) {
        statement.flags.insert(Flag::UnknownStatus);
    }
    read_reason(notice, &status, statement);
    read_instant(notice, statement);
    statement.status = Some(status);
    Ok(())
}

fn read_reason(notice: &Fields, status: &Status, statement: &mut Statement) {
    match notice.word("requestreasoncode") {
        Some(code) if code.is_empty() => {}
        Some(code) if is_word(&code) => {
            if !is_reason(&code) {
                statement.flags.insert(Flag::UnknownReason);
            }
            if *status == Status::Suspended {
                statement.suspended_by.extend(suspender(&code).map(str::to_owned));
            }
            statement.reason_code = Some(masked::without_numbers(&code));
        }
        _ if notice.says("requestreasoncode") => {
            statement.flags.insert(Flag::OddField);
        }
        _ => {}
    }
}

/// `tokenTimestamp`, "time of last state change": epoch milliseconds, as text or as a number. One that ends in a whole
/// second is taken for no finer than that.
fn read_instant(notice: &Fields, statement: &mut Statement) {
    let millis = notice.word("tokentimestamp").and_then(|text| text.parse::<i64>().ok());
    let at = millis
        .filter(|millis| MILLIS.contains(millis))
        .and_then(|millis| OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok());
    statement.instant = at.map(|at| Instant::new(at, at.nanosecond() == 0));
    if at.is_none() {
        statement.flags.insert(Flag::Untimed);
        if notice.says("tokentimestamp") {
            statement.flags.insert(Flag::OddField);
        }
    }
}

/// It says only that there is something to fetch: each notice is a change, and is told from others by its own name.
fn read_card(notice: &Fields, hash: Hash<'_>, statement: &mut Statement) {
    let id = notice.word("messageid").filter(|id| wire::is_name(id));
    let id = id.map(|id| masked::without_numbers(&id)).unwrap_or_else(|| {
        let all = Value::Object(notice.besides(&[])).to_string();
        hash(all.as_bytes()).to_hex()
    });
    statement.metadata.insert(CARD_METADATA.to_owned(), Some(id.into()));
}

/// A word of theirs: short, and nothing in it that a line of a log or a database would stumble over.
fn is_word(text: &str) -> bool {
    (1..=WORD_CHARS_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

/// What we do not know, masked and flagged.
fn unknown(fields: Map<String, Value>, flags: &mut BTreeSet<Flag>) -> Result<Map<String, Value>, Unreadable> {
    if fields.is_empty() {
        return Ok(fields);
    }
    let mut fields = fields;
    flags.insert(Flag::UnknownField);
    if masked::mask_map(&mut fields) {
        flags.insert(Flag::MaskedNumber);
    }
    match Value::Object(fields.clone()).to_string().contains("\\u0000") {
        true => Err(NUL),
        false => Ok(fields),
    }
}

#[cfg(test)]
mod tests;
