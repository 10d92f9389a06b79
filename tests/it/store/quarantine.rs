//! What could not be used, and what becomes of it.

use mdes_receiver::domain::id::NotificationId;
use mdes_receiver::store::{KeptQuarantine, NewQuarantine, QuarantineFilter, Resolution, SealedBy, SharedStore};
use uuid::Uuid;

use super::scene::*;
use crate::support::Database;

promises!(
    what_could_not_be_used_is_kept_as_it_came,
    kept_twice_under_one_id_it_is_kept_once,
    a_length_that_no_database_counts_to_is_kept_as_the_greatest,
    pages_follow_each_other,
    filters_choose_open_by_reason_and_by_keys,
    an_entry_is_resolved_once,
    a_vain_try_is_noted,
    only_open_entries_are_counted,
);

fn entry(reason: &str) -> NewQuarantine {
    NewQuarantine {
        id: quarantine_id(),
        received_at: noon(),
        peer: peer(),
        body: b"\x00\xff not JSON".to_vec(),
        sealed_by: SealedBy::Us,
        body_bytes: 2_000_000,
        reason: reason.to_owned(),
        detail: "the padding was wrong".to_owned(),
        keys_tried: "ring-1".to_owned(),
    }
}

async fn kept(store: &SharedStore, reason: &str) -> NewQuarantine {
    let entry = entry(reason);
    store.quarantine(&entry).await.expect("it is kept");
    entry
}

async fn found(store: &SharedStore, which: &QuarantineFilter) -> Vec<String> {
    let page = store.quarantined(which, None, 100).await.expect("the store answers");
    page.into_iter().map(|entry| entry.reason).collect()
}

async fn what_could_not_be_used_is_kept_as_it_came(database: Database) {
    let store = database.open().await;
    let entry = kept(&store, "CRYPTOGRAPHY_ERROR").await;
    let expected = KeptQuarantine {
        id: entry.id,
        received_at: noon(),
        peer: peer(),
        body: Some(entry.body),
        sealed_by: SealedBy::Us,
        body_bytes: 2_000_000,
        notification: None,
        reason: "CRYPTOGRAPHY_ERROR".to_owned(),
        detail: "the padding was wrong".to_owned(),
        keys_tried: "ring-1".to_owned(),
        tries: 0,
        resolved_at: None,
        resolution: None,
    };
    assert_eq!(
        store.quarantine_entry(entry.id).await.expect("the store answers"),
        Some(expected)
    );
}

async fn kept_twice_under_one_id_it_is_kept_once(database: Database) {
    let store = database.open().await;
    let entry = kept(&store, "INVALID_JSON").await;
    store
        .quarantine(&entry)
        .await
        .expect("told again, since the first answer was lost");
    assert_eq!(store.quarantine_open().await.expect("the store answers"), 1);
}

async fn a_length_that_no_database_counts_to_is_kept_as_the_greatest(database: Database) {
    let store = database.open().await;
    // A sender announces what he likes.
    let entry = NewQuarantine {
        body_bytes: u64::MAX - 2,
        ..entry("TOO_LARGE")
    };
    store.quarantine(&entry).await.expect("it is kept");
    let kept = store.quarantine_entry(entry.id).await.expect("the store answers");
    assert_eq!(kept.expect("it is there").body_bytes, i64::MAX.unsigned_abs());
}

async fn pages_follow_each_other(database: Database) {
    let store = database.open().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(kept(&store, "INVALID_JSON").await.id);
    }
    let all = QuarantineFilter::default();
    let first = store.quarantined(&all, None, 3).await.expect("the store answers");
    let second = store
        .quarantined(&all, Some(first[2].id), 3)
        .await
        .expect("the store answers");
    let seen: Vec<_> = first.iter().chain(&second).map(|entry| entry.id).collect();
    assert_eq!(seen, ids);
}

async fn filters_choose_open_by_reason_and_by_keys(database: Database) {
    let store = database.open().await;
    kept(&store, "CRYPTOGRAPHY_ERROR").await;
    let closed = kept(&store, "INVALID_JSON").await;
    let why = Resolution::SetAside("a scanner".to_owned());
    store.resolve(closed.id, &why, noon()).await.expect("the store answers");
    kept(&store, "not_found").await;

    let filter = QuarantineFilter::default;
    assert_eq!(
        found(&store, &filter()).await,
        ["CRYPTOGRAPHY_ERROR", "INVALID_JSON", "not_found"]
    );
    let open = QuarantineFilter { open: true, ..filter() };
    assert_eq!(found(&store, &open).await, ["CRYPTOGRAPHY_ERROR", "not_found"]);
    let reason = Some("INVALID_JSON".to_owned());
    assert_eq!(
        found(&store, &QuarantineFilter { reason, ..filter() }).await,
        ["INVALID_JSON"]
    );
    let not_tried_with = Some("ring-1".to_owned());
    assert!(
        found(
            &store,
            &QuarantineFilter {
                not_tried_with,
                ..filter()
            }
        )
        .await
        .is_empty()
    );
    let not_tried_with = Some("ring-2".to_owned());
    assert_eq!(
        found(&store, &QuarantineFilter { not_tried_with, ..open }).await.len(),
        2
    );
}

async fn an_entry_is_resolved_once(database: Database) {
    let store = database.open().await;
    let entry = kept(&store, "CRYPTOGRAPHY_ERROR").await;
    let notification = NotificationId(Uuid::from_u128(77));
    let redriven = Resolution::Redriven(notification);
    assert!(
        store
            .resolve(entry.id, &redriven, at("13:00"))
            .await
            .expect("the store answers")
    );
    let aside = Resolution::SetAside("too late".to_owned());
    assert!(
        !store
            .resolve(entry.id, &aside, at("14:00"))
            .await
            .expect("the store answers")
    );
    assert!(
        !store
            .resolve(quarantine_id(), &aside, at("14:00"))
            .await
            .expect("the store answers")
    );
    let kept = store
        .quarantine_entry(entry.id)
        .await
        .expect("the store answers")
        .expect("an entry");
    assert_eq!(kept.resolved_at, Some(at("13:00")));
    assert_eq!(kept.resolution, Some(format!("redriven as {notification}")));
}

async fn a_vain_try_is_noted(database: Database) {
    let store = database.open().await;
    let entry = kept(&store, "CRYPTOGRAPHY_ERROR").await;
    store
        .tried_again(entry.id, "INVALID_JSON", "no JSON object", "ring-2")
        .await
        .expect("the store answers");
    let kept = store
        .quarantine_entry(entry.id)
        .await
        .expect("the store answers")
        .expect("an entry");
    assert_eq!(
        (kept.tries, kept.reason.as_str(), kept.keys_tried.as_str()),
        (1, "INVALID_JSON", "ring-2")
    );
    assert_eq!(kept.detail, "no JSON object");
    assert_eq!(kept.resolved_at, None);
}

async fn only_open_entries_are_counted(database: Database) {
    let store = database.open().await;
    assert_eq!(store.quarantine_open().await.expect("the store answers"), 0);
    let entry = kept(&store, "CRYPTOGRAPHY_ERROR").await;
    kept(&store, "INVALID_JSON").await;
    let aside = Resolution::SetAside("a test".to_owned());
    store
        .resolve(entry.id, &aside, noon())
        .await
        .expect("the store answers");
    assert_eq!(store.quarantine_open().await.expect("the store answers"), 1);
}
