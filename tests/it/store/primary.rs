//! Postgres that goes away, comes back, or moves to another host.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mdes_receiver::domain::notification::Windows;
use mdes_receiver::store::{Error, SharedStore};
use sqlx::{Connection, PgConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Subscriber;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::scene::*;
use crate::support::{self, Database};

/// A way to the database that can be shut: then it refuses, or keeps silent.
struct Gate {
    address: std::net::SocketAddr,
    target: String,
    task: Mutex<Option<JoinHandle<()>>>,
    silent: watch::Sender<bool>,
}

async fn pass(mut client: TcpStream, target: String, mut silent: watch::Receiver<bool>) {
    let mut server = TcpStream::connect(target).await.expect("the test server answers");
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        () = async { drop(silent.wait_for(|silent| *silent).await) } => std::future::pending().await,
    }
}

impl Gate {
    async fn before(database: &Database) -> Self {
        let authority = database.url().split(['@', '/']).nth(3).expect("user@host:port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let gate = Gate {
            address: listener.local_addr().expect("bound"),
            target: authority.to_owned(),
            task: Mutex::default(),
            silent: watch::Sender::new(false),
        };
        gate.run(listener);
        gate
    }

    fn run(&self, listener: TcpListener) {
        let target = self.target.clone();
        let silent = self.silent.subscribe();
        let task = tokio::spawn(async move {
            let mut passing = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                passing.spawn(pass(client, target.clone(), silent.clone()));
            }
        });
        *self.task.lock().expect("not poisoned") = Some(task);
    }

    /// Cuts all connections and refuses new ones.
    async fn shut(&self) {
        let task = self.task.lock().expect("not poisoned").take().expect("it runs");
        task.abort();
        assert!(task.await.is_err_and(|error| error.is_cancelled()));
    }

    async fn open_again(&self) {
        self.run(TcpListener::bind(self.address).await.expect("its port is still free"));
    }

    /// Keeps connections, old and new, and passes nothing on.
    fn fall_silent(&self) {
        self.silent.send_replace(true);
    }

    fn url(&self, database: &Database) -> String {
        database.url().replace(&self.target, &self.address.to_string())
    }
}

async fn unavailable(store: &SharedStore) -> String {
    let recording = told("r-0", vec![said("A", "ACTIVE", "09:00")]);
    match store.record(&[recording], &Windows::default()).await {
        Err(Error::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_unavailable_at_once_and_recovered_from() {
    let database = Database::postgres().await;
    let gate = Gate::before(&database).await;
    let store = support::open(&support::settings(&[&gate.url(&database)])).await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    gate.shut().await;
    let asked = Instant::now();
    unavailable(&store).await;
    let error = unavailable(&store).await;
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "a refused connection is known at once"
    );
    assert!(error.contains("connection refused"), "{error}");
    assert!(!error.contains("postgres@"), "{error}");
    gate.open_again().await;
    store.ready().await.expect("it is back");
    record(&store, &told("r-2", vec![said("A", "SUSPENDED", "10:00")])).await;
}

#[tokio::test]
async fn a_store_opens_while_its_database_is_away() {
    let database = Database::postgres().await;
    let gate = Gate::before(&database).await;
    gate.shut().await;
    let store = support::open(&support::settings(&[&gate.url(&database)])).await;
    assert!(matches!(store.ready().await, Err(Error::Unavailable(_))));
    assert!(matches!(store.migrate().await, Err(Error::Unavailable(_))));
    gate.open_again().await;
    store.ready().await.expect("it is back");
}

#[tokio::test]
async fn a_restarted_database_is_not_even_noticed_by_the_next_verb() {
    let database = Database::postgres().await;
    let gate = Gate::before(&database).await;
    let store = support::open(&support::settings(&[&gate.url(&database)])).await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    gate.shut().await;
    gate.open_again().await;
    record(&store, &told("r-2", vec![said("A", "SUSPENDED", "10:00")])).await;
}

#[tokio::test]
async fn a_silent_database_is_given_up_at_the_deadline() {
    let database = Database::postgres().await;
    let gate = Gate::before(&database).await;
    let mut settings = support::settings(&[&gate.url(&database)]);
    settings.deadline = Duration::from_secs(1);
    let store = support::open(&settings).await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    gate.fall_silent();
    let asked = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        callers.spawn(async move { unavailable(&store).await });
    }
    callers.join_all().await;
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "no one waits longer than the deadline"
    );
}

#[tokio::test]
async fn a_host_that_falls_silent_is_left_for_the_next() {
    let (first, second) = (Database::postgres().await, Database::postgres().await);
    let gate = Gate::before(&first).await;
    let mut settings = support::settings(&[&gate.url(&first), second.url()]);
    settings.deadline = Duration::from_secs(3);
    let store = support::open(&settings).await;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..settings.connections_max {
        let store = Arc::clone(&store);
        callers.spawn(async move { store.ready().await });
    }
    assert!(callers.join_all().await.iter().all(Result::is_ok));
    gate.fall_silent();
    // The first caller pays with its deadline; the idle connections to the silent host go with it.
    unavailable(&store).await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    assert!(
        second
            .open()
            .await
            .token(&token("A"))
            .await
            .expect("it answers")
            .is_some()
    );
}

#[tokio::test]
async fn a_lock_held_by_another_is_a_conflict_within_the_deadline() {
    let mut database = Database::postgres().await;
    let store = database.open().await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    database.settings.deadline = Duration::from_secs(2);
    let impatient = database.open().await;
    let other = sqlx::PgPool::connect(database.url()).await.expect("the server answers");
    let mut holding = other.begin().await.expect("a transaction");
    sqlx::raw_sql("select from tokens for update")
        .execute(&mut *holding)
        .await
        .expect("locked");
    let recording = told("r-2", vec![said("A", "SUSPENDED", "10:00")]);
    let error = impatient
        .record(&[recording], &Windows::default())
        .await
        .expect_err("it is locked");
    assert!(matches!(error, Error::Conflict(_)), "{error}");
}

/// A standby is faked by a database whose sessions are read-only: the store asks for both in one statement.
#[tokio::test]
async fn a_read_only_host_is_passed_over_and_the_primary_is_followed() {
    let (first, second) = (Database::postgres().await, Database::postgres().await);
    let store = support::open(&support::settings(&[first.url(), second.url()])).await;

    read_only(&first, true).await;
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    assert!(
        second
            .open()
            .await
            .token(&token("A"))
            .await
            .expect("it answers")
            .is_some()
    );

    read_only(&second, true).await;
    let error = store.ready().await.expect_err("neither may be written to");
    assert!(error.to_string().contains("is read-only"), "{error}");

    read_only(&first, false).await;
    record(&store, &told("r-2", vec![said("B", "ACTIVE", "09:00")])).await;
    assert!(
        first
            .open()
            .await
            .token(&token("B"))
            .await
            .expect("it answers")
            .is_some()
    );
}

/// Turns a database into what a standby looks like, or back, and cuts its connections as a failover does.
async fn read_only(database: &Database, read_only: bool) {
    let name = database.url().rsplit('/').next().expect("a name");
    let mut server = PgConnection::connect(&support::server_url())
        .await
        .expect("the server answers");
    let sql = format!(
        "alter database {name} set default_transaction_read_only = {read_only};
         select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    );
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut server).await;
    done.expect("the server obeys");
}

/// Counts what the driver is asked to run.
#[derive(Clone, Default)]
struct Statements(Arc<AtomicUsize>);

impl<S: Subscriber> Layer<S> for Statements {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// On one thread, so that the count is this test's alone.
#[tokio::test(flavor = "current_thread")]
async fn a_large_batch_takes_as_many_round_trips_as_a_small_one() {
    let store = Database::postgres().await.open().await;
    let statements = Statements::default();
    let _counted = tracing::subscriber::set_default(tracing_subscriber::registry().with(statements.clone()));
    let notification = |n: usize, status| told(&format!("{status}-{n}"), vec![said(&format!("T{n}"), status, "09:00")]);

    let mut counts = Vec::new();
    record(&store, &notification(1_000, "ACTIVE")).await;
    for (size, status) in [(1, "SUSPENDED"), (10, "ACTIVE"), (200, "DEACTIVATED")] {
        let batch: Vec<_> = (0..size).map(|n| notification(n, status)).collect();
        statements.0.store(0, Ordering::Relaxed);
        record_all(&store, &batch).await;
        counts.push(statements.0.load(Ordering::Relaxed));
    }
    assert!((5..=10).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts, [counts[0]; 3]);
}
