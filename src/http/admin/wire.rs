//! What the answers under `/v1` look like; times in RFC 3339, what is not known is null.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::house::{Certificate, House};
use crate::domain::event::Advice;
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::peer::Peer;
use crate::domain::token::Registration;
use crate::store::KeptStatement;
use crate::store::desk::KeptCommand;
use crate::store::outbox::Standing;

/// A token as it stands, and what it was registered with.
pub(super) fn standing(standing: &Standing) -> Value {
    let token = &standing.token;
    let registration = standing.registration.as_ref();
    let requestor = token.requestor().map(str::to_owned);
    json!({
        "namespace": token.reference.namespace,
        "token_unique_reference": token.reference.reference,
        "token_requestor_id": requestor.or_else(|| registration?.requestor.clone()),
        "merchant_reference": registration.and_then(|registration| registration.merchant_reference.as_ref()),
        "sequence": token.sequence,
        "status": token.status(),
        "suspended_by": token.suspended_by().collect::<Vec<_>>(),
        "status_at": token.status_at().map(rfc3339),
        "reason_code": token.reason_code(),
        "advice": advice(standing),
        "provisional": token.is_provisional(),
        "doubts": token.doubts(),
        "token_info": token.object("tokenInfo"),
        "product_config": token.object("productConfig"),
        "registration": registration.map(registered),
        "updated_at": rfc3339(standing.updated_at),
        "unreadable": standing.unreadable,
    })
}

/// What cannot be read forbids nothing and allows nothing.
fn advice(standing: &Standing) -> Advice {
    match standing.unreadable {
        Some(_) => Advice::Confirm,
        None => Advice::on(standing.token.status()),
    }
}

fn registered(registration: &Registration) -> Value {
    json!({
        "token_requestor_id": registration.requestor,
        "merchant_reference": registration.merchant_reference,
        "status": registration.status,
        "registered_at": rfc3339(registration.registered_at),
    })
}

/// Something that was said of a token, with what became of it.
pub(super) fn statement(statement: &KeptStatement) -> Value {
    json!({
        "namespace": statement.token.namespace,
        "token_unique_reference": statement.token.reference,
        "notification_id": statement.notification,
        "token_index": statement.index,
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

/// Who sent something.
pub(super) fn peer(peer: &Peer) -> Value {
    json!({
        "name": peer.name,
        "organization": peer.organization,
        "address": peer.address.to_string(),
        "certificate_sha256": peer.certificate_sha256,
    })
}

/// A certificate, with the days that are left of it; negative once it is over.
pub(super) fn certificate(one: &Certificate, now: OffsetDateTime) -> Value {
    json!({
        "purpose": one.purpose,
        "setting": one.setting,
        "file": one.file,
        "subject": one.subject,
        "sha256": one.sha256,
        "not_before": one.not_before.map(rfc3339),
        "not_after": one.not_after.map(rfc3339),
        "days_left": one.not_after.map(|end| (end - now).whole_days()),
        "problem": one.problem,
    })
}

/// One command.
pub(super) fn command(kept: &KeptCommand) -> Value {
    let (command, target) = (&kept.command, &kept.command.order.target);
    let mut shown = kept.shown();
    shown["target"] = json!({ "token": target.token, "token_reference_id": target.reference_id });
    shown["due_at"] = json!((!command.stage.is_final()).then(|| rfc3339(kept.due_at)));
    shown
}

/// A token's place in the order of tokens, veiled: its name may look like a card's number.
pub(in crate::http) fn token_cursor(house: &dyn House, token: &TokenReference) -> String {
    house.veil(&format!("{}:{}", token.namespace.as_str(), token.reference))
}

/// The token that such a place names.
pub(in crate::http) fn token_of_cursor(house: &dyn House, cursor: &str) -> Option<TokenReference> {
    let place = house.unveil(cursor)?;
    let (namespace, reference) = place.split_once(':')?;
    Some(TokenReference {
        namespace: Namespace::parse(namespace)?,
        reference: reference.to_owned(),
    })
}

/// In full.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
