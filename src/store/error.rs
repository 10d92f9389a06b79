//! What a database's complaint means to the house.
//!
//! Only codes and the names of tables and constraints are passed on: a database's own text may hold what was stored.

use std::io::ErrorKind;

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

use super::Error;
use super::trust::PROVE;

/// What to do where the tables are not there.
pub(super) const MIGRATE: &str = "the store has no tables of ours, or older ones: run `mdes-receiver migrate`";

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) if error.try_downcast_ref::<SqliteError>().is_some() => sqlite(&*error),
            sqlx::Error::Database(error) => postgres(&*error),
            // So says rustls of a certificate that it does not take.
            sqlx::Error::Io(error) if error.kind() == ErrorKind::InvalidData => Error::Unavailable(PROVE.to_owned()),
            sqlx::Error::Io(error) => Error::Unavailable(format!("connection: {}", error.kind())),
            sqlx::Error::Encode(_) => Error::Data("a value cannot be written down".to_owned()),
            sqlx::Error::ColumnDecode { index, .. } => Error::Corrupt(format!("column {index}")),
            sqlx::Error::ColumnNotFound(name) => Error::Corrupt(format!("column `{name}` is missing")),
            sqlx::Error::Decode(_) | sqlx::Error::RowNotFound => Error::Corrupt("a row".to_owned()),
            other => Error::Unavailable(connection_trouble(&other).to_owned()),
        }
    }
}

/// Whatever else the driver can say, in words that hold no content.
fn connection_trouble(error: &sqlx::Error) -> &'static str {
    match error {
        sqlx::Error::Tls(_) => PROVE,
        sqlx::Error::Protocol(_) => "the database spoke out of turn",
        sqlx::Error::WorkerCrashed => "the driver's thread ended",
        sqlx::Error::Configuration(_) => "the database's address cannot be used",
        _ => "the driver gave up",
    }
}

/// By SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(error: &dyn DatabaseError) -> Error {
    let code = error.code().unwrap_or_default();
    let place = error.constraint().or(error.table());
    let text = match place {
        Some(place) => format!("SQLSTATE {code}{} at `{place}`", meaning(&code)),
        None => format!("SQLSTATE {code}{}", meaning(&code)),
    };
    match (code.get(..2).unwrap_or_default(), &*code) {
        // Unique and foreign keys can only be missed by a race: what we write is ordered by locks.
        (_, "40001" | "40P01" | "55P03" | "23505" | "23503" | "23P01") => Error::Conflict(text),
        (_, "42P01" | "42703") => Error::Schema(MIGRATE.to_owned()),
        ("22" | "23" | "54", _) => Error::Data(text),
        _ => Error::Unavailable(text),
    }
}

/// A few codes in words, for whoever reads this at three in the morning.
fn meaning(code: &str) -> &'static str {
    match code {
        "25006" => " (read-only: a standby?)",
        "28000" | "28P01" => " (login refused)",
        "3D000" => " (no such database)",
        "40P01" => " (deadlock)",
        "42501" => {
            " (permission denied: `deploy/postgres/grants.sql`, and `migrate` by the role that owns the tables?)"
        }
        "53100" => " (disk full)",
        "53300" => " (too many connections)",
        "55P03" => " (lock timeout)",
        "57014" => " (statement timeout)",
        "57P01" | "57P02" => " (shutting down)",
        "57P03" => " (starting up)",
        _ => "",
    }
}

/// By result code, <https://www.sqlite.org/rescode.html>.
fn sqlite(error: &dyn DatabaseError) -> Error {
    const UNIQUE: i32 = 2067;
    const PRIMARY_KEY: i32 = 1555;
    let extended: i32 = error.code().and_then(|code| code.parse().ok()).unwrap_or_default();
    let text = |word: &str| format!("SQLite code {extended} ({word})");
    match (extended & 0xff, extended) {
        (_, UNIQUE | PRIMARY_KEY) => Error::Conflict(text("already there")),
        (5 | 6, _) => Error::Conflict(text("busy: another process writes")),
        (18 | 19 | 20 | 25, _) => Error::Data(text("constraint or size")),
        (1, _)
            if ["no such table", "no such column"]
                .iter()
                .any(|start| error.message().starts_with(start)) =>
        {
            Error::Schema(MIGRATE.to_owned())
        }
        (1, _) => Error::Data(text("refused")),
        (9, _) => Error::Unavailable(text("took too long")),
        (8, _) => Error::Unavailable(text("read-only file")),
        (10, _) => Error::Unavailable(text("disk error")),
        (11 | 26, _) => Error::Unavailable(text("file damaged, or not SQLite's")),
        (13, _) => Error::Unavailable(text("disk full")),
        (14, _) => Error::Unavailable(text("cannot open the file")),
        _ => Error::Unavailable(text("failed")),
    }
}
