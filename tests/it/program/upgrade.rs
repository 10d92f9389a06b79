//! An upgrade without a pause: first the schema grows while the older program receives, then the newer programs take over,
//! and only then does what the older one needs go away.

use std::path::{Path, PathBuf};

use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::process::{Process, Program, config_file, get};
use super::traffic::Traffic;
use crate::support::Database;
use crate::world::{Desk, eventually};

promises!(the_schema_grows_under_a_program_that_receives_and_shrinks_when_none_needs_it);

/// What the program after this one would bring: more room first …
const EXPAND: [(&str, &str); 2] = [
    (
        "0008_next.sql",
        "alter table tokens add column next_word text;\nupdate schema_info set version = 8;\n",
    ),
    (
        "0009_next_index.sql",
        "-- no-transaction\ncreate index concurrently tokens_next_word on tokens (next_word);\n",
    ),
];
/// … and then less, when every program knows that: this one does not.
const CONTRACT: (&str, &str) = (
    "0010_next_ends.sql",
    "alter table tokens drop column reason_code;\nupdate schema_info set version = 10, oldest_program = 10;\n",
);

/// The migrations of the program after this one, as far as they go.
fn next(desk: &Desk, steps: &[(&str, &str)]) -> PathBuf {
    let database = if is_sqlite(&desk.database) {
        "sqlite"
    } else {
        "postgres"
    };
    let folder = desk.path("next");
    std::fs::create_dir_all(&folder).expect("a folder");
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    for step in std::fs::read_dir(ours).expect("a folder of migrations") {
        let step = step.expect("a file").path();
        let name = step.file_name().expect("a name");
        std::fs::copy(&step, folder.join(name)).expect("a copy");
    }
    for (name, sql) in steps {
        let sql = match database {
            "sqlite" => sql.replace("-- no-transaction\n", "").replace(" concurrently", ""),
            _ => (*sql).to_owned(),
        };
        std::fs::write(folder.join(name), sql).expect("a file is written");
    }
    folder
}

fn is_sqlite(database: &Database) -> bool {
    database.url().starts_with("sqlite")
}

/// Another process, of the program after this one, migrates.
async fn migrated(desk: &Desk, steps: &[(&str, &str)]) {
    let migrator = Migrator::new(next(desk, steps)).await.expect("they are read");
    let url = desk.database.url();
    let done = if is_sqlite(&desk.database) {
        let mut connection = SqliteConnection::connect(url).await.expect("the file opens");
        migrator.run(&mut connection).await
    } else {
        let mut connection = PgConnection::connect(url).await.expect("the server answers");
        migrator.run(&mut connection).await
    };
    done.expect("it is migrated");
}

async fn is_ready(program: &Program) -> bool {
    get(program.admin, "/readyz").await.starts_with("HTTP/1.1 200")
}

async fn the_schema_grows_under_a_program_that_receives_and_shrinks_when_none_needs_it(database: Database) {
    let desk = Desk::over(database);
    let mut program = Program::serve(&desk).await;
    let traffic = Traffic::to(&desk, program.callback, 0);
    traffic.answered(40).await;
    migrated(&desk, &EXPAND).await;
    let column = "select next_word from tokens limit 1";
    assert_eq!(desk.database.text(column).await, None, "the column is there");
    traffic.answered(120).await;
    assert!(is_ready(&program).await, "it goes on receiving, and says so");

    // A rollback, or a replica that comes late: today's program on tomorrow's schema.
    let mut late = Program::serve(&desk).await;
    late.process.kill();
    program.process.kill();
    let sent = traffic.ended().await;
    let refused = sent
        .iter()
        .filter(|one| one.outcome.as_ref().is_ok_and(|answer| answer.status != 200));
    assert_eq!(refused.count(), 0, "not one was refused on the way");

    let program = Program::serve(&desk).await;
    let steps = [&EXPAND[..], &[CONTRACT]].concat();
    migrated(&desk, &steps).await;
    eventually("it says that it is too old", async || {
        let page = get(program.admin, "/readyz").await;
        page.starts_with("HTTP/1.1 503")
            && page.contains("needs a program that knows version 10 or newer")
            && page.contains("install the newer mdes-receiver")
    })
    .await;
    let answer = super::traffic::sender(&desk, mdes_receiver::simulator::sender::Http::One, program.callback)
        .send(crate::world::sealed(
            &desk.sealer(),
            "late",
            &crate::world::statement("DM4MMC-late", "ACTIVE", "2026-11-20T10:00:00Z"),
        ))
        .await
        .expect("an answer");
    assert_eq!(answer.status, 503, "what it cannot keep it does not acknowledge");

    let config = config_file(&desk);
    let mut older = Process::start(
        config.parent().expect("a folder"),
        &["--config", config.to_str().expect("UTF-8"), "serve"],
    );
    assert!(!older.ended().await.success(), "and none of its age starts any more");
    let log = older.log().join("\n");
    assert!(log.contains("install the newer mdes-receiver"), "{log}");
}
