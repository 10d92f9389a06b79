//! Transitions and the journal.

use mdes_receiver::domain::notification::Flag;
use mdes_receiver::domain::status::Status;
use mdes_receiver::domain::token::Verdict;
use serde_json::json;

use super::scene::*;
use crate::support::Database;

promises!(
    sequences_have_no_gaps,
    what_changed_nothing_is_journalled_and_takes_no_sequence,
    a_transition_says_from_what_to_what_and_why,
    one_statement_makes_one_transition_of_its_strongest_kind,
    several_statements_about_one_token_in_a_batch_follow_each_other,
    pages_of_transitions_follow_each_other,
    the_journal_is_newest_first,
);

async fn sequences_have_no_gaps(database: Database) {
    let store = database.open().await;
    for (n, (status, clock)) in [
        ("ACTIVE", "09:00"),
        ("SUSPENDED", "10:00"),
        ("ACTIVE", "09:30"),
        ("ACTIVE", "11:00"),
        ("DEACTIVATED", "11:30"),
        ("ACTIVE", "11:45"),
    ]
    .into_iter()
    .enumerate()
    {
        record(&store, &told(&format!("r-{n}"), vec![said("A", status, clock)])).await;
    }
    let transitions = store.transitions(&token("A"), 0, 100).await.expect("the store answers");
    let sequences: Vec<u64> = transitions.iter().map(|transition| transition.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    let kept = store
        .token(&token("A"))
        .await
        .expect("the store answers")
        .expect("a token");
    assert_eq!(kept.token.sequence, 4);
}

async fn what_changed_nothing_is_journalled_and_takes_no_sequence(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "10:00")])).await;
    let stale = record(&store, &told("r-2", vec![said("A", "SUSPENDED", "09:00")])).await;
    assert_eq!(outcomes(&stale)[0].verdict, Verdict::Stale);
    record(&store, &told("r-3", vec![said("A", "DEACTIVATED", "10:30")])).await;
    let anomaly = record(&store, &told("r-4", vec![said("A", "ACTIVE", "11:00")])).await;
    assert_eq!(outcomes(&anomaly)[0].verdict, Verdict::Anomaly);

    let journal = store.statements(&token("A"), 10).await.expect("the store answers");
    let mut lines: Vec<_> = journal
        .iter()
        .map(|line| (line.notification, line.verdict, line.sequence))
        .collect();
    lines.sort_by_key(|line| line.0);
    let lines: Vec<_> = lines
        .into_iter()
        .map(|(_, verdict, sequence)| (verdict, sequence))
        .collect();
    assert_eq!(
        lines,
        [
            (Verdict::Advanced, Some(1)),
            (Verdict::Stale, None),
            (Verdict::Advanced, Some(2)),
            (Verdict::Anomaly, None),
        ]
    );
    let stale = journal
        .iter()
        .find(|line| line.verdict == Verdict::Stale)
        .expect("a stale line");
    assert_eq!(stale.flags, [Flag::StaleStatus]);
    assert_eq!(
        store
            .transitions(&token("A"), 0, 10)
            .await
            .expect("the store answers")
            .len(),
        2
    );
}

async fn a_transition_says_from_what_to_what_and_why(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    let mut statement = said("A", "SUSPENDED", "10:00");
    statement.reason_code = Some("SUSPECTED_FRAUD".to_owned());
    let recording = told("r-2", vec![hashed(statement)]);
    record(&store, &recording).await;
    let transitions = store.transitions(&token("A"), 1, 10).await.expect("the store answers");
    let [transition] = &transitions[..] else {
        panic!("one transition, not {}", transitions.len());
    };
    assert_eq!(transition.kind, "status");
    assert_eq!(transition.from_status, Some(Status::Active));
    assert_eq!(transition.to_status, Some(Status::Suspended));
    assert_eq!(transition.status_at, Some(at("10:00")));
    assert_eq!(transition.reason_code.as_deref(), Some("SUSPECTED_FRAUD"));
    assert_eq!(transition.notification, recording.id);
    assert_eq!(transition.recorded_at, at("12:00"));
    let changes = serde_json::to_value(&transition.changes).expect("changes are JSON");
    assert_eq!(
        changes,
        json!([
            {"field": "status", "from": "ACTIVE", "to": "SUSPENDED"},
            {"field": "suspendedBy", "from": null, "to": ["ISSUER"]},
        ])
    );
}

async fn one_statement_makes_one_transition_of_its_strongest_kind(database: Database) {
    let store = database.open().await;
    let mut two = said("A", "SUSPENDED", "10:00");
    two.suspended_by.insert("TOKEN_REQUESTOR".to_owned());
    let two = with(two, "tokenInfo.tokenExpiry", "1029");
    for (n, statement) in [
        with(said("A", "SUSPENDED", "09:00"), "tokenInfo.tokenExpiry", "0921"),
        two,
        with(said("A", "SUSPENDED", "10:00"), "tokenInfo.tokenExpiry", "1132"),
    ]
    .into_iter()
    .enumerate()
    {
        record(
            &store,
            &received(told(&format!("r-{n}"), vec![statement]), &format!("12:0{n}")),
        )
        .await;
    }
    let transitions = store.transitions(&token("A"), 0, 10).await.expect("the store answers");
    let kinds: Vec<&str> = transitions.iter().map(|transition| transition.kind.as_str()).collect();
    assert_eq!(kinds, ["status", "suspenders", "metadata"]);
}

async fn several_statements_about_one_token_in_a_batch_follow_each_other(database: Database) {
    let store = database.open().await;
    let batch = [
        told("z", vec![said("A", "ACTIVE", "09:00"), said("A", "SUSPENDED", "10:00")]),
        told("a", vec![said("A", "ACTIVE", "11:00")]),
    ];
    let answers = record_all(&store, &batch).await;
    let sequences: Vec<u64> = answers
        .iter()
        .flat_map(outcomes)
        .map(|outcome| outcome.sequence)
        .collect();
    assert_eq!(sequences, [1, 2, 3]);
    let transitions = store.transitions(&token("A"), 0, 10).await.expect("the store answers");
    assert_eq!(
        transitions.last().and_then(|last| last.from_status.clone()),
        Some(Status::Suspended)
    );
}

async fn pages_of_transitions_follow_each_other(database: Database) {
    let store = database.open().await;
    for minute in 10..20 {
        let status = if minute % 2 == 0 { "ACTIVE" } else { "SUSPENDED" };
        let recording = told(&format!("r-{minute}"), vec![said("A", status, &format!("09:{minute}"))]);
        record(&store, &recording).await;
    }
    let first = store.transitions(&token("A"), 0, 4).await.expect("the store answers");
    let second = store.transitions(&token("A"), 4, 4).await.expect("the store answers");
    let third = store.transitions(&token("A"), 8, 4).await.expect("the store answers");
    let sequences: Vec<u64> = [first, second, third].concat().iter().map(|t| t.sequence).collect();
    assert_eq!(sequences, (1..=10).collect::<Vec<u64>>());
}

async fn the_journal_is_newest_first(database: Database) {
    let store = database.open().await;
    record(
        &store,
        &received(told("r-2", vec![said("A", "ACTIVE", "10:00")]), "12:20"),
    )
    .await;
    record(
        &store,
        &received(told("r-1", vec![said("A", "ACTIVE", "09:00")]), "12:10"),
    )
    .await;
    record(
        &store,
        &received(told("r-3", vec![said("A", "ACTIVE", "11:00")]), "12:30"),
    )
    .await;
    let journal = store.statements(&token("A"), 2).await.expect("the store answers");
    let times: Vec<_> = journal.iter().map(|line| line.received_at).collect();
    assert_eq!(times, [at("12:30"), at("12:20")]);
}
