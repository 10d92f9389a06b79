//! Several replicas on one database, at the same time: they wait for each other, and never in a circle.

use std::collections::BTreeMap;

use mdes_receiver::domain::notification::{Hearing, Statement, Windows};
use mdes_receiver::domain::token::{Status, Token};
use mdes_receiver::store::{Recorded, Recording};

use super::scene::*;
use crate::support::Database;

promises!(
    replicas_that_write_crosswise_lose_nothing,
    a_notification_told_to_two_replicas_at_once_is_recorded_once,
);

const TOKENS: usize = 6;
const BATCHES: usize = 15;

/// What one replica hears: every token in every batch, the other way round for every other one.
fn heard_by(replica: usize) -> Vec<Vec<Recording>> {
    let statement = |batch: usize, token: usize| {
        let clock = format!("{:02}:{:02}", 1 + batch % 10, replica * 7 + token);
        let deactivated = batch == 3 && token.is_multiple_of(2) && replica == 0;
        let status = match (deactivated, (batch + replica) % 2) {
            (true, _) => "DEACTIVATED",
            (false, 0) => "ACTIVE",
            (false, _) => "SUSPENDED",
        };
        said(&format!("T{token}"), status, &clock)
    };
    let batch = |batch: usize| {
        let mut told: Vec<Recording> = (0..TOKENS)
            .map(|n| {
                told(
                    &format!("{replica}-{batch}-{n}"),
                    vec![statement(batch, n), statement(batch, (n + 1) % TOKENS)],
                )
            })
            .collect();
        if (batch + replica).is_multiple_of(2) {
            told.reverse();
        }
        told
    };
    (0..BATCHES).map(batch).collect()
}

async fn replicas_that_write_crosswise_lose_nothing(database: Database) {
    let mut replicas = tokio::task::JoinSet::new();
    for replica in 0..2 {
        let store = database.open().await;
        replicas.spawn(async move {
            for batch in heard_by(replica) {
                record_all(&store, &batch).await;
            }
        });
    }
    replicas.join_all().await;

    let store = database.open().await;
    let all = (0..2)
        .flat_map(heard_by)
        .flatten()
        .flat_map(|recording| recording.statements);
    let expected = joined(all);
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

async fn a_notification_told_to_two_replicas_at_once_is_recorded_once(database: Database) {
    let notifications: Vec<Recording> = (0..20)
        .map(|n| {
            told(
                &format!("r-{n}"),
                vec![said(&format!("T{}", n % 3), "ACTIVE", &format!("09:{n:02}"))],
            )
        })
        .collect();
    let mut replicas = tokio::task::JoinSet::new();
    for replica in 0..2 {
        let store = database.open().await;
        let mut batch: Vec<Recording> = notifications.iter().map(again).collect();
        if replica == 1 {
            batch.reverse();
        }
        replicas.spawn(async move { record_all(&store, &batch).await });
    }
    let answers: Vec<Recorded> = replicas.join_all().await.concat();
    let new = answers
        .iter()
        .filter(|answer| matches!(answer, Recorded::New { .. }))
        .count();
    assert_eq!((new, answers.len()), (20, 40));
}
