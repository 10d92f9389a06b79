//! What `record` tells, and how it is read: in the order of commits, without gaps, there exactly when the change is.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::event::{Advice, Event, EventType};
use mdes_receiver::domain::notification::{Flag, Windows};
use mdes_receiver::store::{Memory, Outbox as _, SharedStore, Store as _};

use super::scene::*;
use crate::support::Database;

promises!(
    a_change_is_told_with_what_is_known_of_the_token,
    what_is_refused_tells_nothing_and_takes_no_position,
    a_repeat_tells_nothing,
    the_statements_of_a_batch_are_told_in_their_order,
);

async fn memory(database: &Database) -> Arc<Memory> {
    database.memory(Arc::new(ManualClock::at(noon()))).await
}

async fn all(store: &Memory) -> Vec<Event> {
    let events = store.events(0, 1_000).await.expect("the store answers");
    let positions: Vec<u64> = events.items.iter().map(|kept| kept.position).collect();
    assert_eq!(positions, (1..=events.newest).collect::<Vec<_>>());
    events.items.into_iter().map(|kept| kept.event).collect()
}

/// (token, type, sequence) of each.
fn words(events: &[Event]) -> Vec<(&str, &str, u64)> {
    events
        .iter()
        .map(|event| {
            (
                event.data.token_unique_reference.as_str(),
                event.kind.as_str(),
                event.data.sequence,
            )
        })
        .collect()
}

async fn a_change_is_told_with_what_is_known_of_the_token(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    let statement = with(said("A", "SUSPENDED", "10:00"), "tokenRequestorId", "50100000001");
    let recording = told("r-2", vec![said("B", "ACTIVE", "09:00"), statement]);
    record(&store, &recording).await;

    let kept = memory.events(4, 10).await.expect("the store answers").items.remove(0);
    assert_eq!((kept.position, kept.token_index), (5, Some(1)));
    let event = kept.event;
    assert_eq!((event.kind, event.version), (EventType::TokenSuspended, 1));
    let data = event.data;
    assert_eq!(data.notification_id, Some(recording.id));
    assert_eq!(
        (data.sequence, data.index, data.of, data.state_changed),
        (2, 1, 1, true)
    );
    assert_eq!(data.status.as_deref(), Some("SUSPENDED"));
    assert_eq!(data.previous_status.as_deref(), Some("ACTIVE"));
    assert_eq!(data.suspended_by, ["ISSUER"]);
    assert_eq!(data.reason_code.as_deref(), Some("OTHER"));
    assert_eq!((data.status_at, data.received_at), (Some(at("10:00")), noon()));
    assert_eq!(data.token_requestor_id.as_deref(), Some("50100000001"));
    assert_eq!(data.advice, Advice::StopCharging);
}

async fn what_is_refused_tells_nothing_and_takes_no_position(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let good = told("good", vec![said("A", "ACTIVE", "09:00")]);
    let bad = told("bad", vec![said("a\u{0}b", "ACTIVE", "09:00")]);
    let refused = store.record(&[good.clone(), bad], &Windows::default()).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(all(&memory).await, []);
    record(&store, &good).await;
    assert_eq!(
        words(&all(&memory).await),
        [("A", "token.observed", 1), ("A", "token.activated", 1)]
    );
}

async fn a_repeat_tells_nothing(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let first = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    record(&store, &first).await;
    let before = all(&memory).await;
    record(&store, &again(&first)).await;
    record(&store, &told("r-2", first.statements.clone())).await;
    assert_eq!(all(&memory).await, before);
}

async fn the_statements_of_a_batch_are_told_in_their_order(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let batch = [
        told("z", vec![said("B", "ACTIVE", "09:00"), said("A", "ACTIVE", "09:00")]),
        told("a", vec![said("B", "SUSPENDED", "10:00"), said("B", "ACTIVE", "11:00")]),
    ];
    record_all(&store, &batch).await;
    let expected = [
        ("B", "token.observed", 1),
        ("B", "token.activated", 1),
        ("A", "token.observed", 1),
        ("A", "token.activated", 1),
        ("B", "token.suspended", 2),
        ("B", "token.reactivated", 3),
    ];
    let events = all(&memory).await;
    assert_eq!(words(&events), expected);
    let first: Vec<bool> = events
        .iter()
        .map(|event| event.data.flags.contains(&Flag::Unregistered))
        .collect();
    assert_eq!(first, [true, true, true, true, false, false]);
}
