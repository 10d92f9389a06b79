//! A token's story as a program reads it: the store's names, times in RFC 3339.

use serde_json::{Value, json};

use crate::cli::output::rfc3339;
use crate::store::joined::Joined;
use crate::store::{KeptStatement, KeptToken, Transition};

/// State, data, `links`, `transitions` (oldest first) and `statements` (newest first).
pub(super) fn story(
    kept: &KeptToken,
    links: &[Joined],
    transitions: &[Transition],
    statements: &[KeptStatement],
) -> Value {
    let mut story = token(kept);
    story["links"] = links.iter().map(Joined::shown).collect();
    story["transitions"] = transitions.iter().map(transition).collect();
    story["statements"] = statements.iter().map(statement).collect();
    story
}

/// State and data.
pub(super) fn token(kept: &KeptToken) -> Value {
    let token = &kept.token;
    json!({
        "namespace": token.reference.namespace,
        "token_unique_reference": token.reference.reference,
        "token_requestor_id": token.requestor(),
        "status": token.status(),
        "suspended_by": token.suspended_by().collect::<Vec<_>>(),
        "status_at": token.status_at().map(rfc3339),
        "reason_code": token.reason_code(),
        "provisional": token.is_provisional(),
        "doubts": token.doubts(),
        "token_info": token.object("tokenInfo"),
        "product_config": token.object("productConfig"),
        "token_reference_id": token.token_reference_id(),
        "number_notification_id": token.number_in(),
        "sequence": token.sequence,
        "updated_at": rfc3339(kept.updated_at),
    })
}

fn transition(transition: &Transition) -> Value {
    json!({
        "sequence": transition.sequence,
        "kind": transition.kind,
        "from_status": transition.from_status,
        "to_status": transition.to_status,
        "status_at": transition.status_at.map(rfc3339),
        "reason_code": transition.reason_code,
        "changes": transition.changes,
        "notification_id": transition.notification,
        "recorded_at": rfc3339(transition.recorded_at),
    })
}

fn statement(statement: &KeptStatement) -> Value {
    json!({
        "notification_id": statement.notification,
        "index": statement.index,
        "verdict": statement.verdict,
        "sequence": statement.sequence,
        "status": statement.status,
        "status_at": statement.status_at.map(rfc3339),
        "reason_code": statement.reason_code,
        "flags": statement.flags,
        "unrecognized": statement.unrecognized,
        "repeats": statement.repeats,
        "received_at": rfc3339(statement.received_at),
    })
}
