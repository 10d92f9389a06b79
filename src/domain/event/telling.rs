//! From a decision to what is told of it: the table of `docs/events/`.
//!
//! Each applied change is told, by at least one event; what changed nothing is not, but for a token's first notice if
//! nobody registered it, and for what was said of a deactivated token.

use super::{Advice, EventType};
use crate::domain::notification::{Flag, TOKEN_EXPIRY, TOKEN_NUMBER, TOKEN_SUFFIX};
use crate::domain::status::Status;
use crate::domain::token::{Change, Decision, Registration, Token, Verdict};

/// One event to be told, of those that a statement makes; their order is the order of telling.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// What happened.
    pub kind: EventType,
    /// What a merchant does.
    pub advice: Advice,
    /// Which of the changes it is about.
    pub changes: Vec<Change>,
}

/// What a merchant is told of a statement that made `decision` of `before`. A repeat tells nothing, nor does an answer
/// that came too late, nor a hint: what it is worth, the answer to our question tells.
pub fn told(before: &Token, decision: &Decision, registration: Option<&Registration>) -> Vec<Telling> {
    if matches!(decision.verdict, Verdict::Repeat | Verdict::Late | Verdict::Hinted) {
        return Vec::new();
    }
    let observed = before.is_unheard() && registration.is_none();
    let mut told = Vec::new();
    if observed {
        told.push(Telling {
            kind: EventType::TokenObserved,
            advice: Advice::on(decision.token.status()),
            changes: decision.changes.clone(),
        });
    }
    let registered = registration.and_then(|registration| registration.status.as_ref());
    told.extend(status_told(before.status().or(registered), decision, observed));
    told.extend(metadata_told(decision, observed));
    let requestor = requestor_told(decision, &mut told);
    told.extend(requestor);
    told
}

/// `from`: what a merchant took its status to be.
fn status_told(from: Option<&Status>, decision: &Decision, observed: bool) -> Option<Telling> {
    let changes = only(decision, is_status);
    let moved = changes.iter().any(|change| change.field == STATUS);
    let now = decision.token.status()?;
    let kind = match moved {
        _ if decision.flags.contains(&Flag::WokeAfterDeactivation) => EventType::TokenAnomaly,
        true => status_moved(from, now),
        false if changes.is_empty() => return None,
        false => EventType::TokenSuspensionChanged,
    };
    // Not yet active, as the event before says already.
    if observed && kind == EventType::TokenObserved {
        return None;
    }
    let advice = match kind {
        EventType::TokenAnomaly | EventType::TokenUnrecognized => Advice::Confirm,
        EventType::TokenSuspensionChanged => Advice::None,
        _ => Advice::on(Some(now)),
    };
    Some(Telling { kind, advice, changes })
}

fn status_moved(from: Option<&Status>, now: &Status) -> EventType {
    match (from, now) {
        (_, Status::Unknown(_)) => EventType::TokenUnrecognized,
        (_, Status::Deactivated) => EventType::TokenDeactivated,
        (_, Status::Suspended) => EventType::TokenSuspended,
        // The merchant took it to be gone, the network speaks of it as if it lived.
        (Some(Status::Deactivated), _) => EventType::TokenUnrecognized,
        (None | Some(Status::Inactive | Status::Active), Status::Active) => EventType::TokenActivated,
        (Some(Status::Suspended | Status::Unknown(_)), Status::Active) => EventType::TokenReactivated,
        (None | Some(Status::Inactive), Status::Inactive) => EventType::TokenObserved,
        // Nothing goes back to where it was not yet active.
        (Some(Status::Active | Status::Suspended | Status::Unknown(_)), Status::Inactive) => {
            EventType::TokenUnrecognized
        }
    }
}

/// Of a token just observed nothing is said to have changed but its number, which is only ever sent when it did.
fn metadata_told(decision: &Decision, observed: bool) -> Vec<Telling> {
    // Its last digits come with whatever else is said of it, so that the first time they say nothing.
    let is_new_suffix = |change: &Change| change.field == TOKEN_SUFFIX && change.from.is_some();
    let is_number = |change: &Change| change.field == TOKEN_NUMBER || is_new_suffix(change);
    let replaced = decision.changes.iter().any(is_number);
    let is_token = |change: &Change| match change.field.as_str() {
        TOKEN_NUMBER | TOKEN_EXPIRY => true,
        TOKEN_SUFFIX => replaced,
        _ => false,
    };
    let is_art = |change: &Change| change.field.starts_with(ART);
    let is_card = |change: &Change| !is_token(change) && !is_art(change) && !is_status(change) && !is_requestor(change);
    let digitised = match replaced {
        true => EventType::TokenReplaced,
        false => EventType::TokenExpiryChanged,
    };
    let groups = [
        (digitised, only(decision, is_token)),
        (EventType::CardChanged, only(decision, is_card)),
        (EventType::CardArtChanged, only(decision, is_art)),
    ];
    let is_told = |kind: EventType| !observed || kind == EventType::TokenReplaced;
    groups
        .into_iter()
        .filter(|(kind, changes)| !changes.is_empty() && is_told(*kind))
        .map(|(kind, changes)| Telling {
            kind,
            advice: Advice::RefreshCardDetails,
            changes,
        })
        .collect()
}

/// Whose token it is stands with whatever else is told, and alone only where nothing else is.
fn requestor_told(decision: &Decision, told: &mut [Telling]) -> Option<Telling> {
    let changes = only(decision, is_requestor);
    match told.first_mut() {
        _ if changes.is_empty() => None,
        Some(first) if first.changes.iter().any(is_requestor) => None,
        Some(first) => {
            first.changes.extend(changes);
            None
        }
        None => Some(Telling {
            kind: EventType::TokenObserved,
            advice: Advice::None,
            changes,
        }),
    }
}

const STATUS: &str = "status";
const ART: &str = "productConfig.";

fn is_status(change: &Change) -> bool {
    change.field == STATUS || change.field == "suspendedBy"
}

fn is_requestor(change: &Change) -> bool {
    change.field == "tokenRequestorId"
}

fn only(decision: &Decision, concerns: impl Fn(&Change) -> bool) -> Vec<Change> {
    let changes = decision.changes.iter();
    changes.filter(|change| concerns(change)).cloned().collect()
}

#[cfg(test)]
mod tests;
