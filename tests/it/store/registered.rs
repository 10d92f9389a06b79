//! Tokens that the merchant registered: what is given holds, what the network says goes before.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::notification::Flag;
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::Registration;
use mdes_receiver::store::outbox::{NewRegistration, Registered};
use mdes_receiver::store::{Memory, Outbox as _, SharedStore, Store as _};
use time::Duration;

use super::scene::*;
use crate::support::Database;

promises!(
    a_registered_token_is_told_of_in_the_merchants_words,
    each_answer_says_what_was_known,
    what_is_given_anew_holds_and_the_rest_stays,
    a_registration_is_all_or_none,
    a_token_only_registered_stands_and_was_not_heard_of,
    the_requestor_is_the_registered_one_until_the_network_says_another,
    crosswise_registrations_wait_for_each_other,
);

fn new(reference: &str, merchant_reference: Option<&str>) -> NewRegistration {
    NewRegistration {
        token: token(reference),
        requestor: Some("50100000001".to_owned()),
        merchant_reference: merchant_reference.map(str::to_owned),
        status: Some(Status::Active),
    }
}

async fn memory(database: &Database) -> Arc<Memory> {
    database.memory(Arc::new(ManualClock::at(noon()))).await
}

async fn register(memory: &Memory, tokens: &[NewRegistration]) -> Vec<Registered> {
    memory.register(tokens).await.expect("they are registered")
}

async fn a_registered_token_is_told_of_in_the_merchants_words(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    register(&memory, &[new("A", Some("customer 7"))]).await;
    let recorded = record(&store, &told("r-1", vec![said("A", "SUSPENDED", "09:00")])).await;
    assert!(!outcomes(&recorded)[0].flags.contains(&Flag::Unregistered));
    let events = memory.events(0, 10).await.expect("the store answers").items;
    let [kept] = &events[..] else {
        panic!("one event, not {events:?}");
    };
    let data = &kept.event.data;
    assert_eq!(kept.event.kind.as_str(), "token.suspended");
    assert_eq!(data.merchant_reference.as_deref(), Some("customer 7"));
    assert_eq!(data.token_requestor_id.as_deref(), Some("50100000001"));
    assert_eq!(data.previous_status.as_deref(), Some("ACTIVE"));
}

async fn each_answer_says_what_was_known(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("B", "ACTIVE", "09:00")])).await;
    let answers = register(&memory, &[new("B", None), new("A", None), new("A", Some("later"))]).await;
    assert_eq!(answers, [Registered::Known, Registered::New, Registered::Again]);
    let kept = memory.registration(&token("A")).await.expect("the store answers");
    let kept = kept.expect("it is registered");
    assert_eq!(kept.merchant_reference.as_deref(), Some("later"));
    assert_eq!(register(&memory, &[]).await, []);
}

async fn what_is_given_anew_holds_and_the_rest_stays(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let memory = database.memory(Arc::clone(&clock)).await;
    register(&memory, &[new("A", Some("customer 7"))]).await;
    clock.advance(Duration::hours(1));
    let anew = NewRegistration {
        token: token("A"),
        requestor: None,
        merchant_reference: None,
        status: Some(Status::Suspended),
    };
    register(&memory, &[anew]).await;
    let kept = memory.registration(&token("A")).await.expect("the store answers");
    let expected = Registration {
        requestor: Some("50100000001".to_owned()),
        merchant_reference: Some("customer 7".to_owned()),
        status: Some(Status::Suspended),
        registered_at: noon(),
    };
    assert_eq!(kept, Some(expected));
    assert_eq!(memory.registration(&token("B")).await.expect("the store answers"), None);
}

async fn a_registration_is_all_or_none(database: Database) {
    let memory = memory(&database).await;
    let refused = memory.register(&[new("A", None), new("B", Some("a\u{0}b"))]).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(memory.standing(None, 10).await.expect("the store answers"), []);
}

async fn a_token_only_registered_stands_and_was_not_heard_of(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    register(&memory, &[new("A", Some("customer 7")), new("C", None)]).await;
    record(&store, &told("r-1", vec![said("B", "ACTIVE", "09:00")])).await;
    let standing = memory.standing(None, 2).await.expect("the store answers");
    let last = &standing[1].token.reference;
    let rest = memory.standing(Some(last), 2).await.expect("the store answers");
    let seen: Vec<_> = standing
        .iter()
        .chain(&rest)
        .map(|standing| (standing.token.is_unheard(), standing.registration.is_some()))
        .collect();
    assert_eq!(seen, [(true, true), (false, false), (true, true)]);
    assert_eq!(memory.token(&token("A")).await.expect("the store answers"), None);
    let heard = memory.tokens(None, 10).await.expect("the store answers");
    let heard: Vec<_> = heard
        .iter()
        .map(|kept| kept.token.reference.reference.as_str())
        .collect();
    assert_eq!(heard, ["B"]);
    let told = memory.events(0, 10).await.expect("the store answers").items;
    assert!(told.iter().all(|kept| kept.event.data.token_unique_reference == "B"));
}

const REQUESTOR: &str = "select token_requestor_id from tokens where token_unique_reference = 'A'";

async fn the_requestor_is_the_registered_one_until_the_network_says_another(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    register(&memory, &[new("A", None)]).await;
    assert_eq!(database.text(REQUESTOR).await.as_deref(), Some("50100000001"));
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    assert_eq!(database.text(REQUESTOR).await.as_deref(), Some("50100000001"));
    let other = with(said("A", "SUSPENDED", "10:00"), "tokenRequestorId", "50100000002");
    record(&store, &told("r-2", vec![other])).await;
    assert_eq!(database.text(REQUESTOR).await.as_deref(), Some("50100000002"));
    register(&memory, &[new("A", None)]).await;
    assert_eq!(database.text(REQUESTOR).await.as_deref(), Some("50100000002"));
}

/// A deadlock would be a conflict, and fail.
async fn crosswise_registrations_wait_for_each_other(database: Database) {
    let mut replicas = tokio::task::JoinSet::new();
    for replica in 0..4 {
        let memory = memory(&database).await;
        replicas.spawn(async move {
            let store: SharedStore = memory.clone();
            for batch in 0..4 {
                let mut names: Vec<String> = (batch * 20..batch * 20 + 40).map(|n| format!("T{n}")).collect();
                names.rotate_left(replica * 10);
                let tokens: Vec<_> = names.iter().map(|name| new(name, None)).collect();
                register(&memory, &tokens).await;
                let statements = names.iter().map(|name| said(name, "ACTIVE", "09:00")).collect();
                record(&store, &told(&format!("{replica}-{batch}"), statements)).await;
            }
        });
    }
    replicas.join_all().await;
    let standing = memory(&database)
        .await
        .standing(None, 1_000)
        .await
        .expect("the store answers");
    assert_eq!(standing.len(), 100);
    assert!(standing.iter().all(|standing| standing.registration.is_some()));
}
