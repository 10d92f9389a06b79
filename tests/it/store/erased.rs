//! Everything about a token is erased, or nothing.

use std::collections::BTreeSet;

use mdes_receiver::store::desk::{Desk as _, Link};
use mdes_receiver::store::erasing::{Erased, Erasing as _, Erasure};
use mdes_receiver::store::ledger::{EntryFilter, Hand, Ledger as _};
use mdes_receiver::store::outbox::NewRegistration;
use mdes_receiver::store::{Outbox as _, SharedStore, Store as _};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::scene::*;
use super::{commands, deliveries};
use crate::support::Database;

promises!(
    nothing_mentions_a_token_that_was_erased,
    what_somebody_still_needs_is_not_erased_unless_it_is_forced,
    a_token_whose_command_is_open_is_not_erased_at_all,
    a_dry_run_counts_what_goes_and_changes_nothing,
    an_erased_token_that_is_heard_of_again_begins_anew,
    an_erasure_is_in_the_audit_and_the_audit_stays,
    every_table_that_names_a_token_is_known_to_the_erasure,
);

const GONE: &str = "DM4MMC0000000000GONE";
const STAYS: &str = "DM4MMC000000000STAYS";

fn erasure(references: &[&str]) -> Erasure {
    Erasure {
        tokens: references.iter().map(|reference| token(reference)).collect(),
        force: false,
        dry_run: false,
    }
}

fn forced(references: &[&str]) -> Erasure {
    Erasure {
        force: true,
        ..erasure(references)
    }
}

/// One token alone, then the two together, then the other; all of it told to the shop, but for what comes last.
async fn told_of_both(database: Database) -> deliveries::scene::Scene {
    let scene = deliveries::scene::Scene::new(database).await;
    let store: SharedStore = scene.memory.clone();
    let registration = NewRegistration {
        token: token(GONE),
        requestor: None,
        merchant_reference: Some("card-4711".to_owned()),
        status: None,
    };
    scene.memory.register(&[registration]).await.expect("the store answers");
    let link = Link {
        token_unique_reference: GONE.to_owned(),
        tokenex_token: "476120FDallZ7718".to_owned(),
        token_reference_id: None,
    };
    scene.memory.link(&[link]).await.expect("the store answers");
    record(&store, &told("r-1", vec![said(GONE, "ACTIVE", "09:00")])).await;
    let both = vec![said(GONE, "SUSPENDED", "10:00"), said(STAYS, "ACTIVE", "10:00")];
    record(&store, &told("r-2", both)).await;
    record(&store, &told("r-3", vec![said(STAYS, "SUSPENDED", "11:00")])).await;
    scene
}

async fn is_known(scene: &deliveries::scene::Scene) -> bool {
    let kept = scene.memory.token(&token(GONE)).await;
    kept.expect("the store answers").is_some()
}

fn rows(erased: &Erased) -> &[(&'static str, u64)] {
    match erased {
        Erased::Gone { rows, .. } => rows,
        other => panic!("{other:?}"),
    }
}

async fn nothing_mentions_a_token_that_was_erased(database: Database) {
    let scene = told_of_both(database).await;
    scene.drain().await;
    let before = scene.database.at_rest().await;
    assert!(before.contains(GONE) && before.contains("card-4711"));
    let erased = scene.memory.erase(&erasure(&[GONE])).await.expect("the store answers");
    let count = |table: &str| {
        rows(&erased)
            .iter()
            .find(|(name, _)| *name == table)
            .map(|(_, many)| *many)
    };
    assert_eq!(
        [
            "notifications",
            "token_statements",
            "token_transitions",
            "tokens",
            "links"
        ]
        .map(count),
        [1, 2, 2, 1, 1].map(Some),
        "{erased:?}"
    );
    assert!(matches!(erased, Erased::Gone { shared: 1, .. }), "{erased:?}");
    if let Some(file) = scene.database.url().strip_prefix("sqlite://") {
        assert!(std::path::Path::new(file).exists());
        let mut connection = SqliteConnection::connect(scene.database.url()).await.expect("it opens");
        let checkpoint = sqlx::raw_sql("pragma wal_checkpoint(truncate)").execute(&mut connection);
        checkpoint.await.expect("the log is folded in");
    }
    let after = scene.database.at_rest().await;
    for word in [GONE, "card-4711", "476120FDallZ7718"] {
        assert!(!after.contains(word), "{word}");
    }
    assert!(after.contains(STAYS));
    let stays = scene.memory.token(&token(STAYS)).await.expect("the store answers");
    assert_eq!(stays.expect("it is there").token.sequence, 2);
}

async fn what_somebody_still_needs_is_not_erased_unless_it_is_forced(database: Database) {
    let scene = told_of_both(database).await;
    let held = scene.memory.erase(&erasure(&[GONE])).await.expect("the store answers");
    assert!(
        matches!(&held, Erased::Held(what) if what[0].0.starts_with("events")),
        "{held:?}"
    );
    let turned = scene.turn(10).await;
    assert!(!turned.claimed.is_empty());
    let held = scene.memory.erase(&erasure(&[GONE])).await.expect("the store answers");
    assert!(
        matches!(&held, Erased::Held(what) if what[0].0 == "deliveries"),
        "{held:?}"
    );
    assert!(is_known(&scene).await);
    let erased = scene.memory.erase(&forced(&[GONE])).await.expect("the store answers");
    assert!(
        rows(&erased)
            .iter()
            .any(|(table, many)| *table == "deliveries" && *many > 0)
    );
    assert!(!is_known(&scene).await);
}

async fn a_token_whose_command_is_open_is_not_erased_at_all(database: Database) {
    let scene = commands::scene::Scene::new(database).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    scene.ordered(&commands::scene::suspend("A")).await;
    let held = scene.memory.erase(&forced(&["A"])).await.expect("the store answers");
    assert_eq!(held, Erased::Held(vec![("commands".to_owned(), 1)]));
}

async fn a_dry_run_counts_what_goes_and_changes_nothing(database: Database) {
    let scene = told_of_both(database).await;
    scene.drain().await;
    let dry = Erasure {
        dry_run: true,
        ..erasure(&[GONE])
    };
    let counted = scene.memory.erase(&dry).await.expect("the store answers");
    assert!(is_known(&scene).await);
    let erased = scene.memory.erase(&erasure(&[GONE])).await.expect("the store answers");
    assert_eq!(counted, erased);
    let again = scene.memory.erase(&erasure(&[GONE])).await.expect("the store answers");
    assert_eq!(again, Erased::Unknown);
}

async fn an_erased_token_that_is_heard_of_again_begins_anew(database: Database) {
    let scene = told_of_both(database).await;
    scene
        .memory
        .erase(&forced(&[GONE, STAYS]))
        .await
        .expect("the store answers");
    let store: SharedStore = scene.memory.clone();
    record(&store, &told("r-4", vec![said(GONE, "ACTIVE", "08:00")])).await;
    let anew = scene.memory.token(&token(GONE)).await.expect("the store answers");
    assert_eq!(anew.expect("it is there").token.sequence, 1);
    assert!(!scene.drain().await.is_empty(), "and it is told of");
}

async fn an_erasure_is_in_the_audit_and_the_audit_stays(database: Database) {
    let scene = told_of_both(database).await;
    scene.drain().await;
    let hand = Hand {
        who: "command line".to_owned(),
        role: None,
        came_from: "user ana".to_owned(),
        why: Some("case 812".to_owned()),
    };
    let memory = scene.memory.in_the_hand_of(hand);
    for _ in 0..2 {
        scene.wait(1);
        memory.erase(&erasure(&[GONE])).await.expect("the store answers");
    }
    let entries = memory.entries(&EntryFilter::default(), None, 10).await;
    let entries = entries.expect("the store answers");
    let words: Vec<(&str, &str)> = entries
        .iter()
        .map(|one| (one.what.as_str(), one.outcome.as_str()))
        .collect();
    assert_eq!(words[0], ("token.erase", "not known"), "newest first: {words:?}");
    assert!(words[1].1.starts_with("erased: "), "{words:?}");
    assert_eq!(entries[1].about, format!("mdes:{GONE}"));
    assert_eq!(entries[1].why.as_deref(), Some("case 812"));
}

/// Whoever adds such a table adds it to the erasure too, and here.
async fn every_table_that_names_a_token_is_known_to_the_erasure(database: Database) {
    const KNOWN: [&str; 14] = [
        "command_steps",
        "commands",
        "deliveries",
        "events",
        "links",
        "notifications",
        "quarantine",
        "questions",
        "reconcile_findings",
        "token_statements",
        "token_transitions",
        "tokens",
        // The one is a view; of the other only a reconcile's cursor, which moves on.
        "command_tokens",
        "reconciles",
    ];
    const NAMES: &str = "('token_unique_reference', 'merchant_reference', 'tokenex_token', 'target_token', \
        'notification_id', 'number_notification_id', 'event_position', 'command_id', 'cursor_reference', 'sealed_body')";
    let scene = told_of_both(database).await;
    let url = scene.database.url();
    let tables: Vec<String> = if url.starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(url).await.expect("the file opens");
        let sql = format!(
            "select distinct t.name from sqlite_schema t, pragma_table_info(t.name) c \
             where t.type in ('table', 'view') and c.name in {NAMES}"
        );
        let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await;
        found.expect("the catalogue answers")
    } else {
        let mut connection = PgConnection::connect(url).await.expect("the server answers");
        let sql = format!(
            "select distinct table_name::text from information_schema.columns \
             where table_schema = 'public' and column_name in {NAMES}"
        );
        let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await;
        found.expect("the catalogue answers")
    };
    let (found, known): (BTreeSet<String>, BTreeSet<String>) = (
        tables.into_iter().collect(),
        KNOWN.map(str::to_owned).into_iter().collect(),
    );
    assert_eq!(found, known);
}
