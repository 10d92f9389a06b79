//! What `record` keeps, and what it answers.

use std::collections::BTreeSet;

use mdes_receiver::domain::notification::{Flag, Hearing, Windows};
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::{Token, Verdict};
use mdes_receiver::store::{KeptNotification, Recorded, SealedBy};
use serde_json::{Value, json};

use super::scene::*;
use crate::support::Database;

promises!(
    a_notification_is_kept_as_it_came,
    a_long_body_is_kept_whole,
    a_new_one_answers_with_what_became_of_each_statement,
    answers_stand_in_the_order_of_the_batch,
    a_token_is_what_the_rules_say,
    metadata_survives_a_round_trip_and_still_yields_only_to_later_words,
    words_that_we_do_not_know_are_kept_verbatim,
    many_tokens_in_one_notification_are_all_applied,
    an_unreadable_token_waits_alone_and_points_at_the_sealed_body,
    a_notification_read_again_adds_statements_and_no_row,
    an_empty_batch_is_answered_with_nothing,
    a_merchant_can_query_the_columns,
    a_second_program_on_the_same_database_sees_it_at_once,
);

async fn a_notification_is_kept_as_it_came(database: Database) {
    let store = database.open().await;
    let mut recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    recording.flags.insert(Flag::Unsealed);
    recording.sealed_by = SealedBy::Us;
    record(&store, &recording).await;
    let kept = store.notification(recording.id).await.expect("the store answers");
    let expected = KeptNotification {
        id: recording.id,
        request_id: "r-1".to_owned(),
        received_at: noon(),
        peer: peer(),
        sealed_body: b"sealed r-1".to_vec(),
        sealed_by: SealedBy::Us,
        repeats: 0,
        flags: vec![Flag::Unsealed],
    };
    assert_eq!(kept, Some(expected));
}

async fn a_long_body_is_kept_whole(database: Database) {
    let store = database.open().await;
    let mut recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    recording.sealed_body = (0..1_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 2]).collect();
    record(&store, &recording).await;
    let kept = store.notification(recording.id).await.expect("the store answers");
    assert_eq!(kept.map(|kept| kept.sealed_body), Some(recording.sealed_body));
}

async fn a_new_one_answers_with_what_became_of_each_statement(database: Database) {
    let store = database.open().await;
    let recording = told(
        "r-1",
        vec![said("A", "ACTIVE", "09:00"), said("B", "SUSPENDED", "09:00")],
    );
    let recorded = record(&store, &recording).await;
    let Recorded::New { id, outcomes } = recorded else {
        panic!("a repeat");
    };
    assert_eq!(id, recording.id);
    let said: Vec<_> = outcomes
        .iter()
        .map(|outcome| {
            (
                outcome.token.reference.as_str(),
                outcome.verdict,
                outcome.status.clone(),
                outcome.sequence,
            )
        })
        .collect();
    let advanced = Verdict::Advanced;
    assert_eq!(
        said,
        [
            ("A", advanced, Some(Status::Active), 1),
            ("B", advanced, Some(Status::Suspended), 1)
        ]
    );
}

async fn answers_stand_in_the_order_of_the_batch(database: Database) {
    let store = database.open().await;
    let first = told("z", vec![said("A", "ACTIVE", "09:00")]);
    record(&store, &first).await;
    let batch = [
        told("y", vec![said("B", "ACTIVE", "09:00")]),
        again(&first),
        told("a", vec![said("C", "ACTIVE", "09:00")]),
    ];
    let answers = record_all(&store, &batch).await;
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Recorded::New { id, .. } => (true, *id),
            Recorded::Repeat { first, .. } => (false, *first),
        })
        .collect();
    assert_eq!(ids, [(true, batch[0].id), (false, first.id), (true, batch[2].id)]);
}

/// Everything the domain remembers comes back as it was: the store adds nothing and loses nothing.
async fn a_token_is_what_the_rules_say(database: Database) {
    let store = database.open().await;
    let statements = [
        with(said("A", "ACTIVE", "09:00"), "tokenInfo.tokenExpiry", "1029"),
        with(said("A", "SUSPENDED", "10:00"), "tokenRequestorId", "50100000001"),
        with(said("A", "ACTIVE", "08:00"), "productConfig.foregroundColor", "C00F00"),
        said("A", "DEACTIVATED", "07:00"),
        said("A", "ACTIVE", "11:00"),
    ];
    let mut expected = Token::unheard(token("A"));
    for (n, statement) in statements.into_iter().enumerate() {
        let recording = told(&format!("r-{n}"), vec![statement.clone()]);
        record(&store, &recording).await;
        let hearing = Hearing {
            received_at: noon(),
            notification: recording.id,
            heard_before: None,
        };
        expected = expected.after(&statement, &hearing, &Windows::default()).token;
    }
    let kept = store.token(&token("A")).await.expect("the store answers");
    assert_eq!(kept.map(|kept| kept.token), Some(expected));
}

async fn metadata_survives_a_round_trip_and_still_yields_only_to_later_words(database: Database) {
    let later = with(said("A", "ACTIVE", "10:00"), "tokenInfo.tokenExpiry", "1132");
    let earlier = with(said("A", "ACTIVE", "09:00"), "tokenInfo.tokenExpiry", "1029");
    record(&database.open().await, &told("r-1", vec![later])).await;
    record(&database.open().await, &told("r-2", vec![earlier])).await;
    let kept = database
        .open()
        .await
        .token(&token("A"))
        .await
        .expect("the store answers");
    let kept = kept.expect("a token");
    assert_eq!(kept.token.field("tokenInfo.tokenExpiry"), Some(&json!("1132")));
}

async fn words_that_we_do_not_know_are_kept_verbatim(database: Database) {
    let store = database.open().await;
    let mut statement = said("Ä'\"\\ token", "PENDING \"ACTIVATION\"", "09:00");
    statement.suspended_by = BTreeSet::from(["NULL".to_owned(), "some, {one} \"new\"".to_owned(), "☃".to_owned()]);
    statement.reason_code = Some("ÄNDERUNG, \\ \"x\"".to_owned());
    statement.unrecognized = json!({"someFutureObject": {"a": [1, 2.5, null, "\u{1}"]}})
        .as_object()
        .cloned()
        .expect("an object");
    statement.flags.insert(Flag::UnknownStatus);
    let statement = hashed(statement);
    record(&store, &told("r-1", vec![statement.clone()])).await;

    let kept = store
        .token(&statement.token)
        .await
        .expect("the store answers")
        .expect("a token");
    assert_eq!(kept.token.status(), statement.status.as_ref());
    assert_eq!(
        kept.token.suspended_by().map(str::to_owned).collect::<BTreeSet<_>>(),
        statement.suspended_by
    );
    let journal = store.statements(&statement.token, 10).await.expect("the store answers");
    assert_eq!(journal[0].status, statement.status);
    assert_eq!(journal[0].reason_code, statement.reason_code);
    assert_eq!(journal[0].unrecognized, statement.unrecognized);
    assert_eq!(journal[0].flags, [Flag::UnknownStatus, Flag::Unregistered]);
    assert_eq!(journal[0].status_at, Some(at("09:00")));
}

async fn many_tokens_in_one_notification_are_all_applied(database: Database) {
    let store = database.open().await;
    let statements = (0..500).map(|n| said(&format!("T{n:03}"), "ACTIVE", "09:00")).collect();
    let recorded = record(&store, &told("r-1", statements)).await;
    assert_eq!(outcomes(&recorded).len(), 500);
    let mut seen = store.tokens(None, 300).await.expect("the store answers");
    let last = seen.last().map(|kept| kept.token.reference.clone());
    seen.extend(store.tokens(last.as_ref(), 300).await.expect("the store answers"));
    let seen: Vec<_> = seen.into_iter().map(|kept| kept.token.reference.reference).collect();
    let all: Vec<_> = (0..500).map(|n| format!("T{n:03}")).collect();
    assert_eq!(seen, all);
}

async fn an_unreadable_token_waits_alone_and_points_at_the_sealed_body(database: Database) {
    let store = database.open().await;
    let recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    let recording = unreadable(recording, 1, "tokenUniqueReference is missing");
    let recorded = record(&store, &recording).await;
    assert_eq!(outcomes(&recorded).len(), 1);
    let id = recording.unreadable[0].0;
    let entry = store
        .quarantine_entry(id)
        .await
        .expect("the store answers")
        .expect("an entry");
    assert_eq!(entry.notification, Some((recording.id, 1)));
    assert_eq!(entry.body, None);
    assert_eq!(entry.reason, "unreadable_token");
    assert_eq!(entry.detail, "tokenUniqueReference is missing");
    assert_eq!(entry.peer, peer());
    assert_eq!(store.quarantine_open().await.expect("the store answers"), 1);
}

async fn a_notification_read_again_adds_statements_and_no_row(database: Database) {
    let store = database.open().await;
    let first = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    record(&store, &first).await;
    let mut second = said("B", "SUSPENDED", "09:00");
    second.index = 1;
    let mut redriven = again(&first);
    redriven.again = Some(first.id);
    redriven.statements = vec![second];
    let recorded = record(&store, &redriven).await;
    assert!(matches!(recorded, Recorded::New { id, .. } if id == first.id));
    let transitions = store.transitions(&token("B"), 0, 10).await.expect("the store answers");
    assert_eq!(transitions[0].notification, first.id);
    assert_eq!(store.notification(redriven.id).await.expect("the store answers"), None);
    let kept = store.notification(first.id).await.expect("the store answers");
    assert_eq!(kept.map(|kept| kept.repeats), Some(0));
}

async fn an_empty_batch_is_answered_with_nothing(database: Database) {
    let store = database.open().await;
    assert_eq!(record_all(&store, &[]).await, []);
}

async fn a_merchant_can_query_the_columns(database: Database) {
    let store = database.open().await;
    let statement = with(said("A", "SUSPENDED", "09:00"), "tokenInfo.tokenExpiry", "1029");
    let statement = with(statement, "productConfig.issuerName", "Example Bank");
    let statement = with(statement, "tokenRequestorId", Value::from("50100000001"));
    record(&store, &told("r-1", vec![statement])).await;
    let row = database
        .text(
            "select namespace || ' ' || token_unique_reference || ' ' || token_requestor_id || ' ' || status || ' ' ||
               (token_info ->> 'tokenExpiry') || ' ' || (product_config ->> 'issuerName') || ' ' ||
               cast(sequence as text) || ' ' || reason_code || ' ' ||
               case when provisional then 'provisional' else 'settled' end
             from tokens
             where status_at < '2026-11-22T09:00:01Z'
               and updated_at > '2026-11-22T09:00:00Z'",
        )
        .await;
    assert_eq!(
        row.as_deref(),
        Some("mdes A 50100000001 SUSPENDED 1029 Example Bank 1 OTHER settled")
    );
    let row = database
        .text(
            "select t.kind || ' ' || coalesce(t.from_status, '-') || ' ' || t.to_status || ' ' || n.request_id || ' ' || n.peer
             from token_transitions t
             join notifications n on n.id = t.notification_id
             where t.recorded_at >= n.received_at or t.recorded_at is not null",
        )
        .await;
    assert_eq!(row.as_deref(), Some("status - SUSPENDED r-1 ws.mastercard.com"));
}

async fn a_second_program_on_the_same_database_sees_it_at_once(database: Database) {
    let (ours, theirs) = (database.open().await, database.open().await);
    assert_eq!(theirs.token(&token("A")).await.expect("the store answers"), None);
    record(&ours, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    let seen = theirs.token(&token("A")).await.expect("the store answers");
    assert!(seen.is_some());
}
