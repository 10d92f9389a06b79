//! Several replicas on one database, at the same time: they wait for each other, and never in a circle.

use std::collections::BTreeMap;
use std::sync::Arc;

use mdes_receiver::domain::notification::{Hearing, Statement, Windows};
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::Token;
use mdes_receiver::store::{Recorded, Recording};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    replicas_that_write_crosswise_lose_nothing,
    tokens_are_made_and_locked_in_one_order,
    a_notification_told_to_several_replicas_at_once_is_recorded_once,
);

const REPLICAS: usize = 4;

/// Has each replica record its batches, all at the same time.
async fn record_at_once(database: &Database, batches: impl Fn(usize) -> Vec<Vec<Recording>>) -> Vec<Recorded> {
    let together = Arc::new(Barrier::new(REPLICAS));
    let mut replicas = JoinSet::new();
    for replica in 0..REPLICAS {
        let (store, batches, together) = (database.open().await, batches(replica), Arc::clone(&together));
        replicas.spawn(async move {
            let mut answers = Vec::new();
            for batch in batches {
                together.wait().await;
                answers.extend(record_all(&store, &batch).await);
            }
            answers
        });
    }
    replicas.join_all().await.concat()
}

const TOKENS: usize = 6;

/// What one replica hears: every token in every batch, the other way round for every other one.
fn heard_by(replica: usize) -> Vec<Vec<Recording>> {
    let statement = |batch: usize, token: usize| {
        let clock = format!("{:02}:{:02}", 1 + batch, replica * 7 + token);
        let deactivated = batch == 3 && token.is_multiple_of(2) && replica == 0;
        let status = match (deactivated, (batch + replica) % 2) {
            (true, _) => "DEACTIVATED",
            (false, 0) => "ACTIVE",
            (false, _) => "SUSPENDED",
        };
        said(&format!("T{token}"), status, &clock)
    };
    let notification = |batch: usize, n: usize| {
        let statements = vec![statement(batch, n), statement(batch, (n + 1) % TOKENS)];
        told(&format!("{replica}-{batch}-{n}"), statements)
    };
    let batch = |batch: usize| {
        let mut told: Vec<Recording> = (0..TOKENS).map(|n| notification(batch, n)).collect();
        if replica.is_multiple_of(2) {
            told.reverse();
        }
        told
    };
    (0..8).map(batch).collect()
}

async fn replicas_that_write_crosswise_lose_nothing(database: Database) {
    record_at_once(&database, heard_by).await;

    let store = database.open().await;
    let all = (0..REPLICAS).flat_map(heard_by).flatten();
    let expected = joined(all.flat_map(|recording| recording.statements));
    for n in 0..TOKENS {
        let reference = token(&format!("T{n}"));
        let kept = store
            .token(&reference)
            .await
            .expect("the store answers")
            .expect("a token")
            .token;
        let expected = &expected[&reference.reference];
        assert_eq!(kept.status(), expected.status(), "of T{n}");
        assert_eq!(kept.status_at(), expected.status_at(), "of T{n}");
        assert_eq!(kept.status() == Some(&Status::Deactivated), n % 2 == 0, "of T{n}");
        let transitions = store
            .transitions(&reference, 0, 1_000)
            .await
            .expect("the store answers");
        let sequences: Vec<u64> = transitions.iter().map(|transition| transition.sequence).collect();
        assert_eq!(sequences, (1..=kept.sequence).collect::<Vec<u64>>(), "of T{n}");
    }
}

/// What the rules make of all of it, in any order.
fn joined(statements: impl Iterator<Item = Statement>) -> BTreeMap<String, Token> {
    let hearing = Hearing {
        received_at: noon(),
        notification: told("", vec![]).id,
        heard_before: None,
    };
    let mut tokens: BTreeMap<String, Token> = BTreeMap::new();
    for statement in statements {
        let reference = statement.token.clone();
        let token = tokens
            .entry(reference.reference.clone())
            .or_insert_with(|| Token::unheard(reference));
        *token = token.after(&statement, &hearing, &Windows::default()).token;
    }
    tokens
}

/// A deadlock would be a conflict, and fail. Half of a batch's tokens are new to all; upper and lower
/// case tell an order by bytes from one by language.
async fn tokens_are_made_and_locked_in_one_order(database: Database) {
    let name = |n: usize| format!("{}{n}", if n.is_multiple_of(2) { 'a' } else { 'B' });
    let batches = |replica: usize| {
        let batch = |batch: usize| {
            let clock = format!("{:02}:00", 1 + batch);
            let tokens = batch * 100..batch * 100 + 200;
            let mut statements: Vec<_> = tokens.map(|n| said(&name(n), "ACTIVE", &clock)).collect();
            statements.rotate_left(replica * 50);
            vec![told(&format!("{replica}-{batch}"), statements)]
        };
        (0..4).map(batch).collect()
    };
    let answers = record_at_once(&database, batches).await;
    assert_eq!(answers.iter().flat_map(outcomes).count(), REPLICAS * 4 * 200);
}

async fn a_notification_told_to_several_replicas_at_once_is_recorded_once(database: Database) {
    const BATCH: usize = 300;
    let notifications = |batch: usize| -> Vec<Recording> {
        let statement = |n: usize| said(&format!("T{batch}-{n}"), "ACTIVE", "09:00");
        (0..BATCH)
            .map(|n| told(&format!("r-{batch}-{n}"), vec![statement(n)]))
            .collect()
    };
    let batches = |replica: usize| {
        let batch = |batch: usize| {
            let mut told = notifications(batch);
            told.rotate_left(replica * BATCH / REPLICAS);
            told
        };
        (0..4).map(batch).collect()
    };
    let answers = record_at_once(&database, batches).await;
    let new = answers
        .iter()
        .filter(|answer| matches!(answer, Recorded::New { .. }))
        .count();
    assert_eq!((new, answers.len()), (4 * BATCH, 4 * BATCH * REPLICAS));
}
