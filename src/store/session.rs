//! One connection in one transaction, and how a statement is asked of it.
//!
//! The two databases meet here: a verb above this line is written once, a statement once per dialect at most.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::Error;

/// Steps of SQLite's machine between two looks at the time: less than a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

const HURRY: &str = "\
-- hurry: a statement of this transaction has so long
select set_config('statement_timeout', $1, true)
";

/// One statement, whole, in both dialects.
#[derive(Clone, Copy)]
pub(super) struct Sql {
    /// For Postgres.
    pub postgres: &'static str,
    /// For SQLite.
    pub sqlite: &'static str,
}

impl Sql {
    /// A statement that both understand.
    pub(super) const fn same(sql: &'static str) -> Self {
        Sql {
            postgres: sql,
            sqlite: sql,
        }
    }
}

/// A connection that is in a transaction, or about to be.
pub(super) enum Session {
    /// To Postgres.
    Postgres(PgConnection),
    /// To SQLite.
    Sqlite(SqliteConnection),
}

/// Runs a statement and gives its rows: `fetch!(session, SQL, argument, …)`.
macro_rules! fetch {
    ($session:expr, $sql:expr $(, $argument:expr)* $(,)?) => {
        match $session {
            $crate::store::session::Session::Postgres(connection) => {
                sqlx::query_as($sql.postgres)$(.bind($argument))*.fetch_all(connection).await
            }
            $crate::store::session::Session::Sqlite(connection) => {
                sqlx::query_as($sql.sqlite)$(.bind($argument))*.fetch_all(connection).await
            }
        }
        .map_err($crate::store::Error::from)
    };
}

/// Runs a statement and says how many rows it touched: `execute!(session, SQL, argument, …)`.
macro_rules! execute {
    ($session:expr, $sql:expr $(, $argument:expr)* $(,)?) => {
        match $session {
            $crate::store::session::Session::Postgres(connection) => {
                sqlx::query($sql.postgres)$(.bind($argument))*.execute(connection).await.map(|done| done.rows_affected())
            }
            $crate::store::session::Session::Sqlite(connection) => {
                sqlx::query($sql.sqlite)$(.bind($argument))*.execute(connection).await.map(|done| done.rows_affected())
            }
        }
        .map_err($crate::store::Error::from)
    };
}

pub(super) use {execute, fetch};

impl Session {
    /// Opens a transaction. A connection that died while idle shows it here, where nothing is lost yet.
    pub(super) async fn begin(&mut self, sqlite: &'static str) -> Result<(), Error> {
        // Each statement sees what was committed before it, whatever the database's default is.
        self.plain(Sql {
            postgres: "begin isolation level read committed",
            sqlite,
        })
        .await
    }

    /// Makes it durable. After `Ok` it is on disk; a crash before leaves nothing of it.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        self.plain(Sql::same("commit")).await
    }

    /// Undoes it.
    pub(super) async fn rollback(&mut self) -> Result<(), Error> {
        self.plain(Sql::same("rollback")).await
    }

    /// From here on a statement of this transaction that takes longer ends by itself, in the database too.
    pub(super) async fn hurry(&mut self, patience: Duration) -> Result<(), Error> {
        match self {
            Session::Postgres(connection) => {
                let query = sqlx::query(HURRY).bind(patience.as_millis().to_string());
                query.execute(connection).await.map(drop)?;
            }
            Session::Sqlite(connection) => {
                let until = Instant::now() + patience;
                let mut handle = connection.lock_handle().await?;
                handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || Instant::now() < until);
            }
        }
        Ok(())
    }

    /// Takes that away; Postgres does so at the transaction's end.
    pub(super) async fn unhurried(&mut self) -> Result<(), Error> {
        if let Session::Sqlite(connection) = self {
            connection.lock_handle().await?.remove_progress_handler();
        }
        Ok(())
    }

    /// Whether what this connection deletes from here on is overwritten in SQLite's file; Postgres leaves that to its vacuum.
    pub(super) async fn overwrite(&mut self, whether: bool) -> Result<(), Error> {
        match self {
            Session::Postgres(_) => Ok(()),
            Session::Sqlite(connection) => {
                let pragma = match whether {
                    true => "pragma secure_delete = on",
                    false => "pragma secure_delete = off",
                };
                Ok(sqlx::raw_sql(pragma).execute(connection).await.map(drop)?)
            }
        }
    }

    async fn plain(&mut self, sql: Sql) -> Result<(), Error> {
        match self {
            Session::Postgres(connection) => sqlx::raw_sql(sql.postgres).execute(connection).await.map(drop)?,
            Session::Sqlite(connection) => sqlx::raw_sql(sql.sqlite).execute(connection).await.map(drop)?,
        }
        Ok(())
    }

    /// Says goodbye to the database.
    pub(super) async fn close(self) {
        // It is going either way; a database that does not answer the goodbye has nothing of ours in flight.
        let _ = match self {
            Session::Postgres(connection) => connection.close().await,
            Session::Sqlite(connection) => connection.close().await,
        };
    }
}
