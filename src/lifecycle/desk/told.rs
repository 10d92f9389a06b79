//! What the network told of a token, as evidence.

use std::collections::BTreeSet;

use crate::domain::command::Seen;
use crate::domain::id::Namespace;
use crate::domain::status::Status;
use crate::store::Transition;

/// The state that an applied change speaks of; `None` if it is about something else.
pub(super) fn told(change: &Transition) -> Option<Seen> {
    if !["status", "suspenders"].contains(&change.kind.as_str()) {
        return None;
    }
    Some(Seen {
        status: change.to_status.clone()?,
        suspended_by: suspenders(change),
        at: change.status_at,
    })
}

/// Who suspended it after that change; MDES names all of them each time, and names none of a token that lives.
fn suspenders(change: &Transition) -> Option<BTreeSet<String>> {
    let named = change.changes.iter().find(|change| change.field == "suspendedBy");
    let names = named.map(|named| {
        let names = named.to.as_ref().and_then(|to| to.as_array());
        let names = names.into_iter().flatten().filter_map(|name| name.as_str());
        names.map(str::to_owned).collect()
    });
    let lives = change.to_status == Some(Status::Active);
    match change.token.namespace {
        Namespace::Mdes if lives => Some(BTreeSet::new()),
        Namespace::Mdes => Some(names.unwrap_or_default()),
        Namespace::TokenEx => names,
    }
}
