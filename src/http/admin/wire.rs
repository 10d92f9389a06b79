//! What the answers under `/v1` look like; times in RFC 3339, what is not known is null.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::house::{Certificate, House};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::peer::Peer;
use crate::store::desk::KeptCommand;
use crate::store::outbox::Standing;
use crate::store::{KeptStatement, shown};

/// A token as it stands, and what it was registered with.
pub(super) fn standing(standing: &Standing) -> Value {
    standing.shown()
}

/// Something that was said of a token, with what became of it.
pub(super) fn statement(statement: &KeptStatement) -> Value {
    statement.shown()
}

/// Who sent something.
pub(super) fn peer(peer: &Peer) -> Value {
    shown::peer(peer)
}

/// A certificate, with the days that are left of it; negative once it is over.
pub(super) fn certificate(one: &Certificate, now: OffsetDateTime) -> Value {
    one.shown(now)
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
