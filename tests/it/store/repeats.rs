//! What is told again changes nothing.

use mdes_receiver::domain::token::{Doubt, Verdict};
use mdes_receiver::store::{Recorded, SharedStore};

use super::scene::*;
use crate::support::Database;

promises!(
    a_repeat_changes_nothing,
    a_repeat_is_counted_on_the_first,
    two_equal_ones_in_one_batch_are_one,
    the_same_request_id_with_other_content_is_another_notification,
    the_same_content_under_another_request_id_is_another_notification,
    a_statement_heard_again_within_the_window_is_counted,
    a_statement_twice_in_one_batch_is_counted,
    the_windows_edge_is_within,
    a_statement_heard_after_the_window_is_heard_anew,
    a_statement_received_earlier_but_read_later_is_a_repeat_too,
    the_latest_hearing_within_the_window_counts_not_the_latest_of_all,
    a_statement_heard_again_after_another_raises_a_doubt,
    a_repeats_unreadable_tokens_are_not_quarantined_twice,
);

async fn repeats_of(store: &SharedStore, reference: &str) -> Vec<u64> {
    let journal = store
        .statements(&token(reference), 100)
        .await
        .expect("the store answers");
    journal.iter().map(|line| line.repeats).collect()
}

async fn a_repeat_changes_nothing(database: Database) {
    let store = database.open().await;
    let first = told("r-1", vec![said("A", "SUSPENDED", "09:00")]);
    record(&store, &first).await;
    let before = store.token(&token("A")).await.expect("the store answers");
    let answer = record(&store, &again(&first)).await;
    let request_id = "r-1".to_owned();
    assert_eq!(
        answer,
        Recorded::Repeat {
            first: first.id,
            request_id
        }
    );
    assert_eq!(store.token(&token("A")).await.expect("the store answers"), before);
    assert_eq!(
        store
            .transitions(&token("A"), 0, 10)
            .await
            .expect("the store answers")
            .len(),
        1
    );
    assert_eq!(repeats_of(&store, "A").await, [0]);
}

async fn a_repeat_is_counted_on_the_first(database: Database) {
    let store = database.open().await;
    let first = told("r-1", vec![said("A", "SUSPENDED", "09:00")]);
    record(&store, &first).await;
    record(&store, &again(&first)).await;
    record_all(&store, &[again(&first), again(&first)]).await;
    let kept = store.notification(first.id).await.expect("the store answers");
    assert_eq!(kept.map(|kept| kept.repeats), Some(3));
}

async fn two_equal_ones_in_one_batch_are_one(database: Database) {
    let store = database.open().await;
    let first = told("r-1", vec![said("A", "SUSPENDED", "09:00")]);
    let answers = record_all(&store, &[first.clone(), again(&first)]).await;
    assert!(matches!(answers[0], Recorded::New { id, .. } if id == first.id));
    assert!(matches!(answers[1], Recorded::Repeat { first: id, .. } if id == first.id));
    let kept = store.notification(first.id).await.expect("the store answers");
    assert_eq!(kept.map(|kept| kept.repeats), Some(1));
}

async fn the_same_request_id_with_other_content_is_another_notification(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "SUSPENDED", "09:00")])).await;
    let other = record(&store, &told("r-1", vec![said("A", "ACTIVE", "10:00")])).await;
    assert_eq!(outcomes(&other)[0].sequence, 2);
}

async fn the_same_content_under_another_request_id_is_another_notification(database: Database) {
    let store = database.open().await;
    let first = told("r-1", vec![said("A", "SUSPENDED", "09:00")]);
    record(&store, &first).await;
    let mut other = again(&first);
    other.request_id = "r-2".to_owned();
    let recorded = record(&store, &other).await;
    assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Repeat);
    assert!(store.notification(other.id).await.expect("the store answers").is_some());
}

async fn a_statement_heard_again_within_the_window_is_counted(database: Database) {
    let store = database.open().await;
    let statement = said("A", "SUSPENDED", "09:00");
    record(&store, &received(told("r-1", vec![statement.clone()]), "12:00")).await;
    for (request_id, clock) in [("r-2", "12:05"), ("r-3", "12:10")] {
        let recorded = record(&store, &received(told(request_id, vec![statement.clone()]), clock)).await;
        assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Repeat);
    }
    assert_eq!(repeats_of(&store, "A").await, [2]);
    let kept = store
        .token(&token("A"))
        .await
        .expect("the store answers")
        .expect("a token");
    assert!(!kept.token.is_provisional());
}

async fn a_statement_twice_in_one_batch_is_counted(database: Database) {
    let store = database.open().await;
    let statement = said("A", "SUSPENDED", "09:00");
    let batch = [
        told("r-1", vec![statement.clone(), statement.clone()]),
        told("r-2", vec![statement]),
    ];
    let answers = record_all(&store, &batch).await;
    let verdicts: Vec<Verdict> = answers
        .iter()
        .flat_map(outcomes)
        .map(|outcome| outcome.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Advanced, Verdict::Repeat, Verdict::Repeat]);
    assert_eq!(repeats_of(&store, "A").await, [2]);
}

async fn the_windows_edge_is_within(database: Database) {
    let store = database.open().await;
    let statement = said("A", "SUSPENDED", "09:00");
    record(&store, &received(told("r-1", vec![statement.clone()]), "12:00")).await;
    let recorded = record(&store, &received(told("r-2", vec![statement]), "12:15")).await;
    assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Repeat);
}

async fn a_statement_heard_after_the_window_is_heard_anew(database: Database) {
    let store = database.open().await;
    let statement = said("A", "SUSPENDED", "09:00");
    record(&store, &received(told("r-1", vec![statement.clone()]), "12:00")).await;
    let recorded = record(&store, &received(told("r-2", vec![statement]), "12:16")).await;
    assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Unchanged);
    assert_eq!(repeats_of(&store, "A").await, [0, 0]);
}

async fn a_statement_received_earlier_but_read_later_is_a_repeat_too(database: Database) {
    let store = database.open().await;
    let statement = said("A", "SUSPENDED", "09:00");
    record(&store, &received(told("r-2", vec![statement.clone()]), "12:10")).await;
    let recorded = record(&store, &received(told("r-1", vec![statement]), "12:00")).await;
    assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Repeat);
}

async fn the_latest_hearing_within_the_window_counts_not_the_latest_of_all(database: Database) {
    let store = database.open().await;
    let statement = said("A", "SUSPENDED", "09:00");
    record(&store, &received(told("r-1", vec![statement.clone()]), "12:00")).await;
    let batch = [
        received(told("r-2", vec![statement.clone()]), "12:40"),
        received(told("r-3", vec![statement]), "12:05"),
    ];
    let answers = record_all(&store, &batch).await;
    let verdicts: Vec<Verdict> = answers
        .iter()
        .flat_map(outcomes)
        .map(|outcome| outcome.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Unchanged, Verdict::Repeat]);
}

async fn a_statement_heard_again_after_another_raises_a_doubt(database: Database) {
    let store = database.open().await;
    let suspended = said("A", "SUSPENDED", "09:00");
    record(&store, &received(told("r-1", vec![suspended.clone()]), "12:00")).await;
    record(
        &store,
        &received(told("r-2", vec![said("A", "ACTIVE", "10:00")]), "12:01"),
    )
    .await;
    let recorded = record(&store, &received(told("r-3", vec![suspended]), "12:02")).await;
    assert_eq!(outcomes(&recorded)[0].verdict, Verdict::Repeat);
    let kept = store
        .token(&token("A"))
        .await
        .expect("the store answers")
        .expect("a token");
    assert!(kept.token.doubts().contains(&Doubt::RepeatedAcross));
    assert_eq!(kept.token.sequence, 2);
}

async fn a_repeats_unreadable_tokens_are_not_quarantined_twice(database: Database) {
    let store = database.open().await;
    let first = unreadable(told("r-1", vec![said("A", "ACTIVE", "09:00")]), 1, "no reference");
    record(&store, &first).await;
    record(&store, &again(&first)).await;
    assert_eq!(store.quarantine_open().await.expect("the store answers"), 1);
}
