//! What is told of a decision, as bodies: the words are the domain's, the rest is what is known of the token.

use time::OffsetDateTime;

use super::plan::Entry;
use crate::clock::new_id;
use crate::domain::event::{self, Event, EventData, EventType};
use crate::domain::id::EventId;
use crate::domain::notification::{Hearing, Statement};
use crate::domain::token::{Decision, Verdict};
use crate::store::outbox::Standing;

/// What a merchant is told of this decision of `before`, in the order of telling.
pub(super) fn told(
    before: &Standing,
    decision: &Decision,
    statement: &Statement,
    hearing: &Hearing,
) -> Vec<(EventType, EventData)> {
    let registration = before.registration.as_ref();
    let told = event::told(&before.token, decision, registration);
    let of = told.len() as u32;
    let token = &decision.token;
    let registered_status = registration.and_then(|registration| registration.status.as_ref());
    let previous_status = before.token.status().or(registered_status);
    let registered_requestor = registration.and_then(|registration| registration.requestor.as_deref());
    let requestor = token.requestor().or(registered_requestor);
    let data = |(index, telling): (u32, event::Telling)| {
        let data = EventData {
            namespace: token.reference.namespace,
            token_unique_reference: token.reference.reference.clone(),
            token_requestor_id: requestor.map(str::to_owned),
            merchant_reference: registration.and_then(|registration| registration.merchant_reference.clone()),
            sequence: token.sequence,
            index,
            of,
            state_changed: decision.verdict == Verdict::Advanced,
            status: token.status().map(|status| status.as_str().to_owned()),
            previous_status: previous_status.map(|status| status.as_str().to_owned()),
            suspended_by: token.suspended_by().map(str::to_owned).collect(),
            reason_code: decision.reason_code(statement),
            status_at: token.status_at(),
            received_at: hearing.received_at,
            changes: telling.changes,
            notification_id: Some(hearing.notification),
            flags: decision.flags.iter().copied().collect(),
            advice: telling.advice,
            command: None,
            alarm: None,
        };
        (telling.kind, data)
    };
    (1..).zip(told).map(data).collect()
}

impl Entry<'_> {
    /// What is told of it, each under an id of its own, recorded now.
    pub(super) fn events(&self, now: OffsetDateTime) -> impl Iterator<Item = Event> {
        self.told.iter().map(move |(kind, data)| Event {
            id: EventId(new_id(now)),
            kind: *kind,
            version: event::VERSION,
            timestamp: now,
            data: data.clone(),
        })
    }
}
