//! From a decision to what is told of it: the table of `docs/events/`.

use super::{Advice, EventType};
use crate::domain::notification::{Flag, TOKEN_NUMBER};
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
    /// Something was applied.
    pub state_changed: bool,
}

/// What a merchant is told of a statement that made `decision` of `before`.
///
/// A repeat, and a statement that changed nothing of a token known before, tell nothing.
pub fn told(before: &Token, decision: &Decision, registration: Option<&Registration>) -> Vec<Telling> {
    if decision.verdict == Verdict::Repeat {
        return Vec::new();
    }
    let mut told = Vec::new();
    let observed = before.is_unheard() && registration.is_none();
    if observed {
        told.push(Telling {
            kind: EventType::TokenObserved,
            advice: Advice::on(decision.token.status()),
            changes: decision.changes.clone(),
            state_changed: decision.verdict == Verdict::Advanced,
        });
    }
    told.extend(status_told(before, decision, registration));
    told.extend(metadata_told(decision, observed));
    told
}

fn status_told(before: &Token, decision: &Decision, registration: Option<&Registration>) -> Option<Telling> {
    let changes = only(decision, |field| field == "status" || field == "suspendedBy");
    let from = before
        .status()
        .or(registration.and_then(|registration| registration.status.as_ref()));
    let now = decision.token.status();
    let moved = changes.iter().any(|change| change.field == "status");
    let kind = match (now, from) {
        _ if decision.flags.contains(&Flag::WokeAfterDeactivation) => EventType::TokenAnomaly,
        _ if changes.is_empty() => return None,
        (Some(Status::Active), None | Some(Status::Inactive | Status::Active)) if moved => EventType::TokenActivated,
        (Some(Status::Active), _) if moved => EventType::TokenReactivated,
        (Some(Status::Suspended), _) if moved => EventType::TokenSuspended,
        (Some(Status::Deactivated), _) if moved => EventType::TokenDeactivated,
        (Some(Status::Unknown(_)), _) if moved => EventType::TokenUnrecognized,
        (Some(Status::Inactive), Some(Status::Active | Status::Suspended | Status::Unknown(_))) if moved => {
            EventType::TokenUnrecognized
        }
        // Not yet activated, as everyone thought; but every change is told. One just observed is told already.
        (Some(Status::Inactive), _) if moved && registration.is_none() && before.is_unheard() => return None,
        (Some(Status::Inactive), _) if moved => EventType::TokenObserved,
        _ => EventType::TokenSuspensionChanged,
    };
    let advice = match kind {
        EventType::TokenAnomaly | EventType::TokenUnrecognized => Advice::Confirm,
        EventType::TokenSuspensionChanged => Advice::None,
        _ => Advice::on(now),
    };
    Some(Telling {
        kind,
        advice,
        state_changed: !changes.is_empty(),
        changes,
    })
}

/// Of a token just observed nothing is said to have changed but its number, which is only ever sent when it did.
fn metadata_told(decision: &Decision, observed: bool) -> Vec<Telling> {
    let number = decision.changes.iter().any(|change| change.field == TOKEN_NUMBER);
    let is_token = |field: &str| field == TOKEN_NUMBER || field == "tokenInfo.tokenExpiry";
    let is_art = |field: &str| field.starts_with("productConfig.");
    let is_status = |field: &str| field == "status" || field == "suspendedBy";
    let digitised = match number {
        true => EventType::TokenReplaced,
        false => EventType::TokenExpiryChanged,
    };
    let groups = [
        (digitised, only(decision, is_token)),
        (EventType::CardArtChanged, only(decision, is_art)),
        (
            EventType::CardChanged,
            only(decision, |field| {
                !is_token(field) && !is_art(field) && !is_status(field)
            }),
        ),
    ];
    let is_told = |kind: EventType| !observed || kind == EventType::TokenReplaced;
    groups
        .into_iter()
        .filter(|(kind, changes)| !changes.is_empty() && is_told(*kind))
        .map(|(kind, changes)| Telling {
            kind,
            advice: Advice::RefreshCardDetails,
            changes,
            state_changed: true,
        })
        .collect()
}

fn only(decision: &Decision, concerns: impl Fn(&str) -> bool) -> Vec<Change> {
    let changes = decision.changes.iter();
    changes.filter(|change| concerns(&change.field)).cloned().collect()
}
