//! The schema: brings it up to date, and says whether this program may run on it.
//!
//! Migrations only go forward and are never edited. Each names the oldest program that may still run
//! on what it leaves, so that replicas of two versions can share one database while an upgrade rolls.

use std::sync::LazyLock;

use sqlx::Connection;
use sqlx::SqlStr;
use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;

use super::error::MIGRATE;
use super::pool::Source;
use super::session::{Session, Sql, fetch};
use super::{Error, Migrated};

/// Every step there ever was: number, name, and the same step for each database.
const STEPS: &[(i64, &str, Sql)] = &[
    (
        1,
        "inbox",
        Sql {
            postgres: include_str!("../../migrations/postgres/0001_inbox.sql"),
            sqlite: include_str!("../../migrations/sqlite/0001_inbox.sql"),
        },
    ),
    (
        2,
        "outbox",
        Sql {
            postgres: include_str!("../../migrations/postgres/0002_outbox.sql"),
            sqlite: include_str!("../../migrations/sqlite/0002_outbox.sql"),
        },
    ),
    (
        3,
        "commands",
        Sql {
            postgres: include_str!("../../migrations/postgres/0003_commands.sql"),
            sqlite: include_str!("../../migrations/sqlite/0003_commands.sql"),
        },
    ),
    (
        4,
        "asking",
        Sql {
            postgres: include_str!("../../migrations/postgres/0004_asking.sql"),
            sqlite: include_str!("../../migrations/sqlite/0004_asking.sql"),
        },
    ),
    (
        5,
        "operate",
        Sql {
            postgres: include_str!("../../migrations/postgres/0005_operate.sql"),
            sqlite: include_str!("../../migrations/sqlite/0005_operate.sql"),
        },
    ),
    (
        6,
        "console",
        Sql {
            postgres: include_str!("../../migrations/postgres/0006_console.sql"),
            sqlite: include_str!("../../migrations/sqlite/0006_console.sql"),
        },
    ),
    (
        7,
        "tend",
        Sql {
            postgres: include_str!("../../migrations/postgres/0007_tend.sql"),
            sqlite: include_str!("../../migrations/sqlite/0007_tend.sql"),
        },
    ),
];

static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(|sql| sql.postgres));
static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(|sql| sql.sqlite));

fn migrator(dialect: impl Fn(&Sql) -> &'static str) -> Migrator {
    let step = |(version, name, sql): &(i64, &'static str, Sql)| {
        let sql = SqlStr::from_static(dialect(sql));
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql, false)
    };
    let mut migrator = Migrator::with_migrations(STEPS.iter().map(step).collect());
    // What a newer program has applied is not missing; `oldest_program` says whether it matters.
    migrator.set_ignore_missing(true);
    migrator
}

const READY: Sql = Sql {
    postgres: "\
-- ready: is this the primary, may we write, and which programs may run on its schema
select
  pg_is_in_recovery() or current_setting('transaction_read_only') = 'on',
  version,
  oldest_program
from schema_info
",
    sqlite: "\
-- ready: which programs may run on this schema (that we may write was shown by beginning)
select false, version, oldest_program
from schema_info
",
};

/// The version that this program knows: the number of its newest migration.
fn known() -> i64 {
    STEPS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// The database answers, is writable, and this program may run on its schema.
pub(super) async fn ready(session: &mut Session) -> Result<(), Error> {
    let rows: Vec<(bool, i64, i64)> = fetch!(session, READY)?;
    match rows[..] {
        [(true, ..)] => Err(Error::Unavailable("the database is read-only".to_owned())),
        [(_, version, oldest_program)] => admits(version, oldest_program),
        _ => Err(Error::Schema(MIGRATE.to_owned())),
    }
}

/// Applies what is missing. Several replicas may do this at once: one does it, the others find it done.
pub(super) async fn migrate(source: &Source) -> Result<Migrated, Error> {
    match source {
        Source::Postgres(hosts) => {
            let mut connection = hosts.connect_to_migrate().await?;
            // Held until this connection ends, however it ends.
            connection.lock().await.map_err(trouble)?;
            let migrated = apply(&POSTGRES, &mut connection).await?;
            connection.unlock().await.map_err(trouble)?;
            // What was done is committed; how the connection ends changes nothing.
            let _ = connection.close().await;
            Ok(migrated)
        }
        Source::Sqlite(file) => {
            let mut connection = file.connect().await?;
            // SQLite has no lock for this but its one writer: all steps are one transaction.
            let mut transaction = connection.begin_with("begin immediate").await?;
            let migrated = apply::<SqliteConnection>(&SQLITE, &mut transaction).await?;
            transaction.commit().await?;
            let _ = connection.close().await;
            Ok(migrated)
        }
    }
}

async fn apply<C: Migrate>(migrator: &Migrator, connection: &mut C) -> Result<Migrated, Error> {
    let table = &migrator.table_name;
    connection.ensure_migrations_table(table).await.map_err(trouble)?;
    let before = connection.list_applied_migrations(table).await.map_err(trouble)?;
    migrator.run_direct(None, connection, false).await.map_err(trouble)?;
    let after = connection.list_applied_migrations(table).await.map_err(trouble)?;
    Ok(Migrated {
        version: after
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or_default(),
        applied: after.len() - before.len(),
    })
}

fn admits(version: i64, oldest_program: i64) -> Result<(), Error> {
    let known = known();
    if version < known {
        let text =
            format!("the store's schema is version {version}, this program needs {known}: run `mdes-receiver migrate`");
        return Err(Error::Schema(text));
    }
    if oldest_program > known {
        let text = format!(
            "the store's schema is version {version} and needs a program that knows version {oldest_program} or newer; \
             this one knows {known}: install the newer mdes-receiver"
        );
        return Err(Error::Schema(text));
    }
    Ok(())
}

fn trouble(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) => error.into(),
        MigrateError::ExecuteMigration(error, version) => match Error::from(error) {
            Error::Data(text) | Error::Corrupt(text) | Error::Schema(text) => {
                Error::Schema(format!("migration {version} failed: {text}"))
            }
            other => other,
        },
        MigrateError::VersionMismatch(version) => Error::Schema(format!(
            "migration {version} in the store is not the one of this program: was the database made by another build?"
        )),
        MigrateError::Dirty(version) => Error::Schema(format!("migration {version} is half applied: restore a backup")),
        _ => Error::Schema("the store's migrations cannot be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_migration_stands_in_the_steps_with_the_same_number_and_name_on_both_sides() {
        let steps: Vec<String> = STEPS
            .iter()
            .map(|(number, name, _)| format!("{number:04}_{name}.sql"))
            .collect();
        for folder in ["postgres", "sqlite"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("migrations")
                .join(folder);
            let files = std::fs::read_dir(folder).expect("a folder of migrations");
            let mut names: Vec<String> = files
                .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            assert_eq!(names, steps);
        }
    }
}
