//! What `record` tells, and how it is read: in the order of commits, without gaps, there exactly when the change is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::event::{Advice, Attempt, Current, Event, EventType};
use mdes_receiver::domain::notification::{Flag, Windows};
use mdes_receiver::store::{Error, Memory, Outbox as _, Recording, SharedStore};

use serde_json::json;

use super::scene::*;
use super::shape;
use crate::support::Database;

promises!(
    a_change_is_told_with_what_is_known_of_the_token,
    what_is_refused_tells_nothing_and_takes_no_position,
    a_change_that_cannot_be_told_is_not_made,
    a_repeat_tells_nothing,
    the_statements_of_a_batch_are_told_in_their_order,
    who_reads_while_others_commit_skips_nothing,
    what_is_for_one_destination_only_is_passed_over,
    whoever_reads_the_table_finds_what_a_destination_gets,
    the_bell_rings_in_this_process,
    every_event_is_as_its_schema_says,
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

async fn a_change_that_cannot_be_told_is_not_made(database: Database) {
    let store = database.open().await;
    let recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    database.execute("delete from events_head").await;
    let refused = store
        .record(std::slice::from_ref(&recording), &Windows::default())
        .await;
    assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
    assert_eq!(store.tokens(None, 10).await.expect("the store answers"), []);
    assert_eq!(store.notification(recording.id).await.expect("the store answers"), None);
    database.execute("insert into events_head (position) values (0)").await;
    assert_eq!(outcomes(&record(&store, &recording).await)[0].sequence, 1);
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

const REPLICAS: usize = 4;
const NOTIFICATIONS: usize = 30;

/// Four replicas change the same tokens; a reader follows from the first event to the last.
/// As a replica does that loses a race for a token, or has waited too long for its turn.
async fn recorded_at_last(store: &SharedStore, recording: &Recording) {
    for _ in 0..20 {
        match store.record(std::slice::from_ref(recording), &Windows::default()).await {
            Err(Error::Conflict(_) | Error::Unavailable(_)) => {}
            recorded => return drop(recorded.expect("it is recorded")),
        }
    }
    panic!("it is not recorded");
}

async fn who_reads_while_others_commit_skips_nothing(database: Database) {
    let mut writing = tokio::task::JoinSet::new();
    for replica in 0..REPLICAS {
        let store: SharedStore = memory(&database).await;
        writing.spawn(async move {
            for n in 0..NOTIFICATIONS {
                let status = ["ACTIVE", "SUSPENDED"][n % 2];
                let clock = format!("{:02}:{:02}", n / 3, n % 3 * 15 + replica);
                let statements = ["A", "B", "C"].map(|token| said(token, status, &clock)).to_vec();
                recorded_at_last(&store, &told(&format!("{replica}-{n}"), statements)).await;
            }
        });
    }
    let reader = memory(&database).await;
    let (mut seen, mut next) = (Vec::new(), 0);
    loop {
        let is_last_look = writing.is_empty();
        let page = reader.events(next, 7).await.expect("the store answers");
        next = page.next;
        seen.extend(page.items);
        if is_last_look && next == page.newest {
            break;
        }
        while let Some(ended) = writing.try_join_next() {
            ended.expect("a replica writes all it has");
        }
    }
    let positions: Vec<u64> = seen.iter().map(|kept| kept.position).collect();
    assert_eq!(positions, (1..=next).collect::<Vec<_>>());
    let mut sequences: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for kept in seen {
        let data = kept.event.data;
        if data.index == 1 && data.state_changed {
            sequences
                .entry(data.token_unique_reference)
                .or_default()
                .push(data.sequence);
        }
    }
    assert_eq!(sequences.len(), 3);
    for (token, sequences) in sequences {
        let gapless: Vec<u64> = (1..=sequences.len() as u64).collect();
        assert!(sequences.len() > 1, "{token}");
        assert_eq!(sequences, gapless, "of {token}");
    }
}

async fn what_is_for_one_destination_only_is_passed_over(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(
        &store,
        &told("r-1", vec![said("A", "ACTIVE", "09:00"), said("B", "ACTIVE", "09:00")]),
    )
    .await;
    database
        .execute("update events set only_for = 'orders' where position > 1")
        .await;
    let page = memory.events(0, 1).await.expect("the store answers");
    assert_eq!((page.items.len(), page.next, page.newest), (1, 1, 4));
    let page = memory.events(page.next, 1).await.expect("the store answers");
    assert_eq!((page.items.len(), page.next), (0, 4));
    let page = memory.events(99, 1).await.expect("the store answers");
    assert_eq!((page.items.len(), page.next), (0, 99));
}

/// As a log-based reader has it: the row says for itself what it is about, and its body is whole.
async fn whoever_reads_the_table_finds_what_a_destination_gets(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let statement = with(said("A", "SUSPENDED", "09:00"), "tokenRequestorId", "50100000001");
    record(&store, &told("r-1", vec![statement])).await;
    let row = database
        .text(
            "select concat(position, ' ', type, ' ', namespace, ' ', token_unique_reference, ' ', token_requestor_id,
               ' ', sequence, ' ', case when stops then 'stops' end, ' ', token_index, ' ', only_for)
             from events
             where position = 2",
        )
        .await;
    assert_eq!(row.as_deref(), Some("2 token.suspended mdes A 50100000001 1 stops 0 "));
    let body = database
        .text("select cast(body as text) from events where position = 2")
        .await;
    let body: serde_json::Value = serde_json::from_str(&body.expect("a body")).expect("JSON");
    let event = memory
        .events(1, 1)
        .await
        .expect("the store answers")
        .items
        .remove(0)
        .event;
    assert_eq!(body, serde_json::to_value(&event).expect("it has only text keys"));
}

async fn the_bell_rings_in_this_process(database: Database) {
    let memory = memory(&database).await;
    let mut bell = memory.bell();
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    assert!(bell.has_changed().expect("the store is there"));
    bell.mark_unchanged();
    assert!(!bell.has_changed().expect("the store is there"));
}

/// Waits for the bell, for no longer than a loaded machine may need.
async fn rung(bell: &mut tokio::sync::watch::Receiver<()>) {
    let heard = tokio::time::timeout(crate::support::DEADLINE, bell.changed()).await;
    heard.expect("it rings in time").expect("the store is there");
}

#[tokio::test]
async fn the_bell_rings_for_what_another_replica_commits_and_again_after_trouble() {
    let database = Database::postgres().await;
    let gate = super::primary::Gate::before(&database).await;
    let settings = crate::support::settings(&[&gate.url(&database)]);
    let clock = Arc::new(ManualClock::at(noon()));
    let listening = mdes_receiver::store::open(&settings, clock)
        .await
        .expect("the settings are good");
    let mut bell = listening.bell();
    let ringing = Arc::clone(&listening);
    let task = tokio::spawn(async move { ringing.listen().await });
    // For what came before it listened.
    rung(&mut bell).await;
    let other: SharedStore = memory(&database).await;
    record(&other, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    rung(&mut bell).await;

    gate.shut().await;
    record(&other, &told("r-2", vec![said("A", "SUSPENDED", "10:00")])).await;
    gate.open_again().await;
    rung(&mut bell).await;
    record(&other, &told("r-3", vec![said("A", "ACTIVE", "11:00")])).await;
    rung(&mut bell).await;
    task.abort();
}

#[tokio::test]
async fn who_listens_takes_no_connection_from_who_works() {
    let mut database = Database::postgres().await;
    database.settings.connections_max = 1;
    let memory = memory(&database).await;
    let mut bell = memory.bell();
    let ringing = Arc::clone(&memory);
    let task = tokio::spawn(async move { ringing.listen().await });
    rung(&mut bell).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    task.abort();
}

/// A life that makes an event of every type that a change can make.
fn a_life() -> Vec<Vec<mdes_receiver::domain::notification::Statement>> {
    let held = |status, clock, field: &str, value: &str| with(said("A", status, clock), field, value);
    let first = held("ACTIVE", "01:00", "tokenInfo.tokenExpiry", "1129");
    let first = with(first, "productConfig.shortDescription", "a");
    let mut others = said("A", "SUSPENDED", "03:00");
    others.suspended_by.insert("CARDHOLDER".to_owned());
    let number = with(
        held("ACTIVE", "05:00", "tokenInfo.accountPanSuffix", "0022"),
        "productConfig.shortDescription",
        "b",
    );
    let mut untimed = said("B", "SUSPENDED", "03:00");
    (untimed.instant, untimed.reason_code) = (None, None);
    vec![
        vec![with(first, "tokenRequestorId", "50100000001")],
        vec![said("A", "SUSPENDED", "02:00"), hashed(others)],
        vec![said("A", "ACTIVE", "04:00"), number],
        vec![held("ACTIVE", "06:00", "tokenInfo.tokenExpiry", "1132")],
        vec![held("ACTIVE", "07:00", "tokenInfo.tokenNumber", "····1234")],
        vec![said("A", "PAUSED", "08:00"), said("A", "DEACTIVATED", "09:00")],
        vec![said("A", "ACTIVE", "10:00"), hashed(untimed)],
    ]
}

async fn every_event_is_as_its_schema_says(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    for (n, statements) in a_life().into_iter().enumerate() {
        record(&store, &told(&format!("r-{n}"), statements)).await;
    }
    let attempt = Attempt {
        current: Some(Current {
            sequence: 9,
            status: None,
            provisional: true,
        }),
        out_of_order: true,
        replayed: true,
        ..Attempt::default()
    };
    let events = all(&memory).await;
    for event in &events {
        let file = format!("docs/events/{}.schema.json", event.kind.as_str());
        let schema = std::fs::read_to_string(file).expect("every type has its schema");
        let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
        for attempt in [&attempt, &Attempt::default()] {
            let body = event.body(attempt);
            assert_eq!(shape::faults(&schema, &body), Vec::<String>::new(), "{body}");
            let other = json!({ "type": "token.other", "data": { "sequence": -1 } });
            assert!(shape::faults(&schema, &other).len() > 3, "{other} is no such event");
        }
    }
    let kinds: BTreeSet<EventType> = events.iter().map(|event| event.kind).collect();
    let is_of_a_change =
        |kind: &&EventType| kind.is_of_token() && !kind.is_of_command() && **kind != EventType::TokenSnapshot;
    let all: BTreeSet<EventType> = EventType::ALL.iter().filter(is_of_a_change).copied().collect();
    assert_eq!(kinds, all);
}
