//! What a store says when it cannot do what it was asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mdes_receiver::clock::{Clock, SystemClock};
use mdes_receiver::domain::notification::Windows;
use mdes_receiver::inbox::batch::{Batch, Bounds, Unrecorded};
use mdes_receiver::store::{self, Error, Recording, SharedStore};
use mdes_receiver::telemetry::Metrics;
use serde_json::json;
use time::macros::datetime;
use tokio_util::sync::CancellationToken;

use super::scene::*;
use crate::support::{self, Database};

promises!(
    data_that_the_database_refuses_takes_its_batch_with_it_and_leaves_nothing,
    a_refusal_says_nothing_of_the_content,
    a_time_off_the_calendar_is_refused_data,
    what_cannot_be_read_back_is_named,
    a_closed_store_says_so,
    nothing_is_recorded_before_the_destinations_are_there,
    what_waits_for_a_commit_is_bounded_in_bytes_too,
    large_bodies_do_not_share_a_commit,
    a_defect_in_one_commit_does_not_end_those_after_it,
);

const NUL: &str = "4111\u{0}secret";

async fn refused(store: &SharedStore, batch: &[Recording]) -> Error {
    let refused = store.record(batch, &Windows::default()).await;
    refused.expect_err("the database refuses it")
}

fn poisoned() -> Vec<Recording> {
    let mut reason = said("B", "ACTIVE", "09:00");
    reason.reason_code = Some(NUL.to_owned());
    vec![
        told(NUL, vec![said("B", "ACTIVE", "09:00")]),
        told("token", vec![said(NUL, "ACTIVE", "09:00")]),
        told("status", vec![said("B", NUL, "09:00")]),
        told("reason", vec![reason]),
        told(
            "requestor",
            vec![with(said("B", "ACTIVE", "09:00"), "tokenRequestorId", NUL)],
        ),
    ]
}

async fn data_that_the_database_refuses_takes_its_batch_with_it_and_leaves_nothing(database: Database) {
    let store = database.open().await;
    let good = told("good", vec![said("A", "ACTIVE", "09:00")]);
    for bad in poisoned() {
        let error = refused(&store, &[good.clone(), bad]).await;
        assert!(matches!(error, Error::Data(_)), "{error}");
        assert_eq!(store.tokens(None, 10).await.expect("the store answers"), []);
        assert_eq!(store.notification(good.id).await.expect("the store answers"), None);
    }
    assert_eq!(outcomes(&record(&store, &good).await)[0].sequence, 1);
}

async fn a_refusal_says_nothing_of_the_content(database: Database) {
    let store = database.open().await;
    for bad in poisoned() {
        let error = refused(&store, &[bad]).await;
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

async fn a_time_off_the_calendar_is_refused_data(database: Database) {
    let store = database.open().await;
    let mut recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    recording.received_at = datetime!(-0044-03-15 12:00 UTC);
    let error = refused(&store, &[recording]).await;
    assert!(matches!(error, Error::Data(_)), "{error}");
}

async fn what_cannot_be_read_back_is_named(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    database.execute("update tokens set state = '{}'").await;
    let error = store
        .token(&token("A"))
        .await
        .expect_err("nothing of the token is left");
    assert_eq!(error.to_string(), "store holds what cannot be read: tokens.state of A");
}

const BOUNDS: Bounds = Bounds {
    queue_max: 100,
    queue_bytes_max: 100_000,
    batch_max: 100,
    batch_bytes_max: 100_000,
    deadline: support::DEADLINE,
    windows: Windows {
        retry: time::Duration::minutes(15),
        ahead: time::Duration::minutes(5),
    },
};

fn of_bytes(request_id: &str, bytes: usize) -> Recording {
    Recording {
        sealed_body: vec![b'x'; bytes],
        ..told(request_id, vec![said("A", "ACTIVE", "09:00")])
    }
}

async fn nothing_is_recorded_before_the_destinations_are_there(database: Database) {
    let store = database.open().await;
    let (batch, _worker) = Batch::start(store, BOUNDS, Arc::new(SystemClock), Metrics::new());
    let begun = CancellationToken::new();
    let batch = batch.not_before(begun.clone());
    let refused = batch.record(of_bytes("r-1", 1)).await;
    assert!(matches!(refused, Err(Unrecorded::Unavailable(_))), "{refused:?}");
    begun.cancel();
    let recorded = batch.record(of_bytes("r-1", 1)).await;
    assert!(recorded.is_ok(), "{recorded:?}");
}

async fn what_waits_for_a_commit_is_bounded_in_bytes_too(database: Database) {
    let store = database.open().await;
    let (batch, _worker) = Batch::start(store, BOUNDS, Arc::new(SystemClock), Metrics::new());
    let refused = batch.record(of_bytes("r-1", 100_001)).await;
    assert!(matches!(refused, Err(Unrecorded::Overloaded)), "{refused:?}");
    for request_id in ["r-2", "r-3"] {
        let recorded = batch.record(of_bytes(request_id, 100_000)).await;
        assert!(recorded.is_ok(), "{recorded:?}");
    }
}

async fn large_bodies_do_not_share_a_commit(database: Database) {
    let store = database.open().await;
    let (metrics, bounds) = (
        Metrics::new(),
        Bounds {
            batch_bytes_max: 1_000,
            ..BOUNDS
        },
    );
    let (batch, _worker) = Batch::start(store, bounds, Arc::new(SystemClock), metrics.clone());
    let mut waiting = tokio::task::JoinSet::new();
    for request_id in ["r-1", "r-2", "r-3", "r-4"] {
        let batch = batch.clone();
        waiting.spawn(async move { batch.record(of_bytes(request_id, 1_000)).await.is_ok() });
    }
    assert_eq!(waiting.join_all().await, [true; 4]);
    let commits = "mdes_receiver_batch_size_count 4";
    assert!(metrics.text().contains(commits), "{}", metrics.text());
}

/// Stands for any defect of ours: it panics the first time.
#[derive(Default)]
struct Defect(AtomicBool);

impl Clock for Defect {
    fn now(&self) -> time::OffsetDateTime {
        assert!(self.0.swap(true, Ordering::Relaxed), "a defect");
        noon()
    }
}

async fn a_defect_in_one_commit_does_not_end_those_after_it(database: Database) {
    let store = store::open(&database.settings, Arc::new(Defect::default())).await;
    let (batch, _worker) = Batch::start(
        store.expect("the settings are good"),
        BOUNDS,
        Arc::new(SystemClock),
        Metrics::new(),
    );
    let cut_off = batch.record(of_bytes("r-1", 10)).await;
    assert!(matches!(cut_off, Err(Unrecorded::Unavailable(_))), "{cut_off:?}");
    let recorded = batch.record(of_bytes("r-2", 10)).await;
    assert!(recorded.is_ok(), "{recorded:?}");
}

async fn a_closed_store_says_so(database: Database) {
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    store.close().await;
    let error = store.token(&token("A")).await.expect_err("it is closed");
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(
        database
            .open()
            .await
            .token(&token("A"))
            .await
            .expect("it is on disk")
            .is_some()
    );
}

#[tokio::test]
async fn postgres_refuses_a_nul_in_metadata_as_data() {
    let store = Database::postgres().await.open().await;
    let statement = with(
        said("A", "ACTIVE", "09:00"),
        "productConfig.issuerName",
        json!({"deep": [NUL]}),
    );
    let error = refused(&store, &[told("r-1", vec![statement])]).await;
    assert!(matches!(error, Error::Data(_)), "{error}");
}

#[tokio::test]
async fn a_sqlite_file_that_cannot_be_opened_is_unavailable_and_comes_back() {
    let database = Database::bare_sqlite();
    let store = database.open().await;
    let file = database.url().strip_prefix("sqlite://").expect("a file");
    std::fs::create_dir(file).expect("a folder in its place");
    let error = store.ready().await.expect_err("a folder is no database");
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    std::fs::remove_dir(file).expect("out of the way");
    store.migrate().await.expect("it comes back by itself");
    assert!(store.ready().await.is_ok());
}

#[tokio::test]
async fn another_process_that_writes_for_long_is_waited_for_and_then_a_conflict() {
    let mut database = Database::sqlite().await;
    database.settings.deadline = Duration::from_secs(1);
    let store = database.open().await;
    let busy = sqlx::sqlite::SqlitePool::connect(database.url())
        .await
        .expect("the file opens");
    let writing = busy.begin_with("begin immediate").await.expect("we write");
    let error = refused(&store, &[told("r-1", vec![said("A", "ACTIVE", "09:00")])]).await;
    assert!(matches!(error, Error::Conflict(_)), "{error}");
    assert_eq!(store.tokens(None, 10).await.expect("readers are not held up"), []);
    writing.rollback().await.expect("we let go");
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused_at_once() {
    for urls in [
        &["mysql://root@localhost/x"][..],
        &["sqlite::memory:"],
        &["sqlite://a.db", "sqlite://b.db"],
        &["postgres://a/x", "sqlite://b.db"],
        &[],
    ] {
        let settings = support::settings(urls);
        let opened = store::open(&settings, std::sync::Arc::new(SystemClock)).await;
        let error = opened.err().expect("no such store").to_string();
        assert!(error.contains("`store.url`"), "{urls:?}: {error}");
    }
}
