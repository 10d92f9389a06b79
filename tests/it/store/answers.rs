//! An answer to a question of ours: it applies only to the token as it stood when we asked.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::event::EventType;
use mdes_receiver::domain::notification::Statement;
use mdes_receiver::domain::token::{Asked, Manner, Verdict};
use mdes_receiver::store::{Outbox as _, Recording, SharedStore};
use time::Duration;

use super::scene::*;
use crate::support::Database;

promises!(
    an_answer_settles_what_was_in_doubt,
    an_answer_that_came_too_late_is_journalled_as_such_and_told_to_nobody,
    what_a_late_answer_said_is_heard_when_a_notice_says_it,
    two_answers_that_agree_bring_a_token_back,
);

fn answer(request: &str, statement: Statement, sequence: u64) -> Recording {
    Recording {
        manner: Manner::Answers(Asked {
            sequence,
            vouched: false,
        }),
        ..told(request, vec![statement])
    }
}

fn untimed(status: &str) -> Statement {
    let mut statement = said("A", status, "09:00");
    statement.instant = None;
    hashed(statement)
}

async fn verdicts(store: &SharedStore) -> Vec<Verdict> {
    let statements = store.statements(&token("A"), 10).await.expect("the store answers");
    statements.into_iter().map(|kept| kept.verdict).collect()
}

async fn provisional(database: &Database) -> Option<String> {
    let doubts = "select cast(doubts as text) from tokens where provisional and token_unique_reference = 'A'
                  union all select 'none' limit 1";
    database.text(doubts).await.filter(|doubts| doubts != "none")
}

async fn an_answer_settles_what_was_in_doubt(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    record(&store, &told("r-2", vec![untimed("SUSPENDED")])).await;
    assert!(provisional(&database).await.is_some());
    let recorded = record(&store, &answer("r-3", untimed("ACTIVE"), 2)).await;
    let outcome = &outcomes(&recorded)[0];
    assert_eq!((outcome.verdict, outcome.sequence), (Verdict::Advanced, 3));
    assert_eq!(provisional(&database).await, None);
    let kept = store
        .token(&token("A"))
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert_eq!(kept.token.status().map(|status| status.as_str()), Some("ACTIVE"));
}

async fn an_answer_that_came_too_late_is_journalled_as_such_and_told_to_nobody(database: Database) {
    let memory = database.memory(Arc::new(ManualClock::at(noon()))).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    record(&store, &told("r-2", vec![said("A", "SUSPENDED", "10:00")])).await;
    let before = memory.events(0, 100).await.expect("the store answers");
    let recorded = record(&store, &answer("r-3", untimed("ACTIVE"), 1)).await;
    assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Late);
    assert!(verdicts(&store).await.contains(&Verdict::Late));
    let kept = store
        .token(&token("A"))
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert_eq!(kept.token.status().map(|status| status.as_str()), Some("SUSPENDED"));
    assert_eq!(memory.events(0, 100).await.expect("the store answers"), before);
}

async fn what_a_late_answer_said_is_heard_when_a_notice_says_it(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    let statement = said("A", "SUSPENDED", "10:00");
    record(&store, &answer("r-2", statement.clone(), 9)).await;
    let same_batch = [answer("r-3", statement.clone(), 9), told("r-4", vec![statement])];
    let recorded = record_all(&store, &same_batch).await;
    assert_eq!(outcomes(&recorded[0])[0].verdict, Verdict::Late);
    assert_eq!(outcomes(&recorded[1])[0].verdict, Verdict::Advanced);
}

async fn two_answers_that_agree_bring_a_token_back(database: Database) {
    let memory = database.memory(Arc::new(ManualClock::at(noon()))).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "DEACTIVATED", "09:00")])).await;
    let first = record(&store, &answer("r-2", untimed("ACTIVE"), 1)).await;
    assert_eq!(outcomes(&first)[0].verdict, Verdict::Anomaly);
    let in_a_row = record(&store, &answer("r-3", untimed("ACTIVE"), 1)).await;
    assert_eq!(outcomes(&in_a_row)[0].verdict, Verdict::Unchanged, "it is told once");
    let mut later = answer("r-4", untimed("ACTIVE"), 1);
    later.received_at += Duration::minutes(6);
    let second = record(&store, &later).await;
    assert_eq!(outcomes(&second)[0].verdict, Verdict::Advanced);
    let told = memory.events(0, 100).await.expect("the store answers").items;
    let kinds: Vec<EventType> = told.iter().map(|kept| kept.event.kind).collect();
    assert_eq!(kinds.last(), Some(&EventType::TokenUnrecognized));
    assert!(
        kinds[2..kinds.len() - 1]
            .iter()
            .all(|kind| *kind == EventType::TokenAnomaly)
    );
}
