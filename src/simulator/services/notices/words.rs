//! What a notification says, in either service's words and with its quirks.

use serde_json::{Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Said, What};
use crate::simulator::services::tokens::{Act, Brand, Cause, NetworkToken, REQUESTOR, State};

/// MDES's content before it is sealed, about all tokens of its network; nothing if there is none.
pub fn mdes(said: &Said, whole_seconds: bool) -> Option<Value> {
    let tokens = said.tokens.iter().filter(|token| token.brand == Brand::Mastercard);
    let tokens: Vec<Value> = tokens
        .map(|token| mdes_token(token, &said.what, whole_seconds))
        .collect();
    (!tokens.is_empty()).then(|| json!({ "tokens": tokens }))
}

fn mdes_token(token: &NetworkToken, what: &What, whole_seconds: bool) -> Value {
    let mut said = token.card.says(token.state.mdes());
    said["statusTimestamp"] = json!(token.state_at_written(whole_seconds));
    if token.state == State::Suspended {
        said["suspendedBy"] = json!(token.suspended_by);
    }
    match what {
        What::Changed(_, _, cause) if cause.fraud => said["eventReasonCode"] = json!("SUSPECTED_FRAUD"),
        What::Changed(..) => {}
        What::Made => said["tokenInfo"] = token.card.info(),
        What::Card => said["productConfig"] = token.product_config.clone(),
    }
    said
}

/// TokenEx's notifications, one for each token that has something to tell.
pub fn tokenex(said: &Said) -> Vec<Value> {
    let from = |nth: usize| match &said.what {
        What::Changed(from, ..) => from[nth],
        _ => State::Inactive,
    };
    let told = said.tokens.iter().enumerate();
    told.filter_map(|(nth, token)| match &said.what {
        What::Card => Some(card_update(token)),
        What::Changed(_, act, cause) => {
            (from(nth) != token.state).then(|| state_change(token, from(nth), &reason_code(*act, cause), &cause.reason))
        }
        What::Made => {
            (token.state != State::Inactive).then(|| state_change(token, State::Inactive, "ACTIVATED_BY_ISSUER", ""))
        }
    })
    .collect()
}

/// Booleans that are strings, a moment in milliseconds that is a string.
fn state_change(token: &NetworkToken, from: State, reason_code: &str, reason: &str) -> Value {
    let mut said = envelope(token);
    let mut change = head(token);
    let millis = token.state_at.unix_timestamp_nanos() / 1_000_000;
    change["tokenTimestamp"] = json!(millis.to_string());
    change["requestReason"] = json!(reason);
    change["requestReasonCode"] = json!(reason_code);
    change["previousTokenState"] = json!(from.tokenex());
    change["currentTokenState"] = json!(token.state.tokenex());
    said["networkTokenStateChangeNotification"] = change;
    said
}

/// The sample's key begins with a space, in every copy of it.
fn card_update(token: &NetworkToken) -> Value {
    let mut said = envelope(token);
    said[" networkTokenCardUpdateNotification"] = head(token);
    said
}

fn envelope(token: &NetworkToken) -> Value {
    let now = OffsetDateTime::now_utc();
    json!({
        "token": token.token,
        "referenceNumber": format!("{}{:08}", seconds(now), now.nanosecond() % 100_000_000),
        "success": "true",
        "error": "",
    })
}

fn head(token: &NetworkToken) -> Value {
    json!({
        "messageId": Uuid::now_v7().to_string(),
        "conversationId": Uuid::now_v7().to_string(),
        "tokenRequestorId": token.card.requestor,
        "tokenReferenceId": token.reference_id,
    })
}

fn seconds(at: OffsetDateTime) -> String {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!(
        "{:02}{:02}{day:02}{hour:02}{minute:02}{second:02}",
        year % 100,
        u8::from(month)
    )
}

/// A row of TokenEx's open list.
fn reason_code(act: Act, cause: &Cause) -> String {
    let what = match act {
        Act::Suspend => "SUSPENDED",
        Act::Resume => "RESUMED",
        Act::Delete => "DELETED",
        Act::Activate => "ACTIVATED",
    };
    let fraud = matches!(act, Act::Suspend | Act::Delete) && cause.fraud;
    match (cause.by.as_str(), fraud) {
        (REQUESTOR, true) => format!("{what}_BY_TR_DUE_TO_FRAUD"),
        (REQUESTOR, false) if act != Act::Activate => format!("{what}_BY_TR"),
        ("CARDHOLDER", _) => format!("{what}_BY_USER_REQUEST"),
        (_, true) => format!("{what}_DUE_TO_FRAUD"),
        ("ISSUER", _) => format!("{what}_BY_ISSUER"),
        _ => "UNKNOWN_REASON_CODE".to_owned(),
    }
}
