//! A database for each test, empty and migrated, on either side.

/// Stamps promises for both databases.
macro_rules! promises {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::Database::sqlite().await).await;
                }
            )*
        }

        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name($crate::support::Database::postgres().await).await;
                }
            )*
        }
    };
}

pub mod cluster;
mod lines;
mod rest;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use self::lines::Lines;
use mdes_receiver::clock::{ManualClock, SystemClock};
use mdes_receiver::config::settings;
use mdes_receiver::domain::masked::Secret;
pub use mdes_receiver::simulator::dice::Dice;
use mdes_receiver::store::{self, Memory, SharedStore, Store as _};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use time::macros::datetime;

/// Long enough for a loaded machine; tests of the deadline itself set their own.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// One test's own database. SQLite's file goes with the value, Postgres's database with the cluster of `tests/with-postgres`.
pub struct Database {
    pub settings: settings::Store,
    _folder: Option<TempDir>,
}

impl Database {
    /// A SQLite file, with our tables.
    pub async fn sqlite() -> Self {
        let database = Database::bare_sqlite();
        database
            .open()
            .await
            .migrate()
            .await
            .expect("an empty file is migrated");
        database
    }

    /// A SQLite file that is not there yet.
    pub fn bare_sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite://{}/data/receiver.db", folder.path().display());
        Database {
            settings: settings(&[&url]),
            _folder: Some(folder),
        }
    }

    /// A Postgres database, with our tables: a copy of one that was migrated once.
    pub async fn postgres() -> Self {
        let mut server = PgConnection::connect(&server_url())
            .await
            .expect("the test server answers");
        let template = template(&mut server).await;
        Database::create(&mut server, &format!(" template {template}")).await
    }

    /// One that somebody else made, and lets go.
    pub fn at(url: &str) -> Self {
        Database {
            settings: settings(&[url]),
            _folder: None,
        }
    }

    /// A Postgres database with nothing in it.
    pub async fn bare_postgres() -> Self {
        let mut server = PgConnection::connect(&server_url())
            .await
            .expect("the test server answers");
        Database::create(&mut server, "").await
    }

    async fn create(server: &mut PgConnection, how: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mdes_test_{}_{count}", std::process::id());
        run(server, format!("drop database if exists {name}")).await;
        run(server, format!("create database {name}{how}")).await;
        Database {
            settings: settings(&[&url_of(&name)]),
            _folder: None,
        }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        self.settings.urls[0].expose()
    }

    /// A store over it, as a replica would open it.
    pub async fn open(&self) -> SharedStore {
        open(&self.settings).await
    }

    /// The whole memory over it, with all parts of its port.
    pub async fn memory(&self, clock: Arc<ManualClock>) -> Arc<Memory> {
        store::open(&self.settings, clock).await.expect("the settings are good")
    }

    /// Runs one statement behind the store's back.
    pub async fn execute(&self, sql: &'static str) {
        if self.url().starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(self.url()).await.expect("the file opens");
            sqlx::raw_sql(sql)
                .execute(&mut connection)
                .await
                .expect("the statement runs");
        } else {
            let mut connection = PgConnection::connect(self.url()).await.expect("the server answers");
            sqlx::raw_sql(sql)
                .execute(&mut connection)
                .await
                .expect("the statement runs");
        }
    }

    /// Somebody writes commands, and is not done as long as this is held: on Postgres to that table, on SQLite to any.
    pub async fn held_by_a_writer(&self) -> Box<dyn Send> {
        if self.url().starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(self.url()).await.expect("the file opens");
            let begun = sqlx::raw_sql("begin immediate").execute(&mut connection).await;
            begun.expect("the writer is free");
            return Box::new(connection);
        }
        let mut connection = PgConnection::connect(self.url()).await.expect("the server answers");
        let begun = sqlx::raw_sql("begin; lock table commands in exclusive mode").execute(&mut connection);
        begun.await.expect("the table is free");
        Box::new(connection)
    }

    /// Asks for one text behind the store's back, as a merchant would.
    pub async fn text(&self, sql: &'static str) -> Option<String> {
        if self.url().starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(self.url()).await.expect("the file opens");
            sqlx::query_scalar(sql)
                .fetch_one(&mut connection)
                .await
                .expect("one row")
        } else {
            let mut connection = PgConnection::connect(self.url()).await.expect("the server answers");
            sqlx::query_scalar(sql)
                .fetch_one(&mut connection)
                .await
                .expect("one row")
        }
    }
}

/// The superuser's URL of the test server.
pub fn server_url() -> String {
    std::env::var("MDES_RECEIVER_TEST_POSTGRES").expect(
        "no MDES_RECEIVER_TEST_POSTGRES: run the tests by `tests/run`, or one of them by \
         `tests/with-postgres cargo nextest run NAME`",
    )
}

/// The settings of a store at these URLs.
pub fn settings(urls: &[&str]) -> settings::Store {
    settings::Store {
        urls: urls.iter().map(|url| Secret::new(*url)).collect(),
        migrate_on_start: true,
        connections_max: 8,
        deadline: DEADLINE,
    }
}

/// A store over these settings, with a clock that stands at noon.
pub async fn open(settings: &settings::Store) -> SharedStore {
    let clock = Arc::new(ManualClock::at(datetime!(2026-11-22 12:00 UTC)));
    store::open(settings, clock).await.expect("the settings are good")
}

fn url_of(database: &str) -> String {
    let (server, _) = server_url()
        .rsplit_once('/')
        .map(|(server, name)| (server.to_owned(), name.to_owned()))
        .expect("a URL with a database");
    format!("{server}/{database}")
}

/// The name of a migrated database, made by whichever test comes first.
async fn template(server: &mut PgConnection) -> String {
    let mut hasher = DefaultHasher::new();
    include_str!("../../migrations/postgres/0001_inbox.sql").hash(&mut hasher);
    include_str!("../../migrations/postgres/0002_outbox.sql").hash(&mut hasher);
    include_str!("../../migrations/postgres/0003_commands.sql").hash(&mut hasher);
    include_str!("../../migrations/postgres/0004_asking.sql").hash(&mut hasher);
    let name = format!("mdes_template_{:016x}", hasher.finish());
    run(server, "select pg_advisory_lock(7340)".to_owned()).await;
    let there: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut *server)
        .await
        .expect("the catalogue answers");
    if !there {
        // Renamed once it is complete, so that a test that dies here leaves no half of it.
        run(server, format!("drop database if exists {name}_new")).await;
        run(server, format!("create database {name}_new")).await;
        let store = store::open(&settings(&[&url_of(&format!("{name}_new"))]), Arc::new(SystemClock))
            .await
            .expect("the URL is good");
        store.migrate().await.expect("an empty database is migrated");
        store.close().await;
        run(server, format!("alter database {name}_new rename to {name}")).await;
    }
    run(server, "select pg_advisory_unlock(7340)".to_owned()).await;
    name
}

async fn run(server: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(server)
        .await
        .expect("the test server obeys");
}
