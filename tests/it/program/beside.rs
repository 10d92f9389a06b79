//! Two processes over one SQLite file.

use std::process::Command;

use crate::support::Database;
use crate::world::{World, statement};

/// Opens it, counts the tokens, and closes it, as anybody's SQLite shell would.
const LOOK: &str = "\
import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
print(store.execute('select count(*) from tokens').fetchone()[0])
store.close()
";

fn tokens_seen_by_another(file: &str) -> String {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run NAME` runs one test with the Python environment that it makes",
    );
    let output = Command::new(python).args(["-c", LOOK, file]).output();
    let output = output.expect("the Python that tests/run prepared");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a number").trim().to_owned()
}

/// POSIX drops all locks of a process on a file with any descriptor of it that the process closes. Who opened ours beside
/// SQLite would let the next process that closes it take the write-ahead log away, and what is committed then is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_leaves_the_write_ahead_log_of_who_stays() {
    let world = World::over(Database::sqlite().await).await;
    let file = world.desk.database.url().trim_start_matches("sqlite://").to_owned();
    let told = async |id: &str, token: &str| {
        let notice = statement(token, "ACTIVE", "2026-11-20T10:00:00Z");
        assert_eq!(world.told(id, &notice).await.status, 200);
    };
    told("r-1", "DM4MMC0001").await;
    // Another writer of the same process, as one that connects anew after some trouble.
    let other = world.desk.database.open().await;
    assert!(other.ready().await.is_ok());

    assert_eq!(tokens_seen_by_another(&file), "1");
    assert!(
        std::path::Path::new(&format!("{file}-wal")).exists(),
        "the write-ahead log was taken away"
    );
    told("r-2", "DM4MMC0002").await;
    assert_eq!(
        tokens_seen_by_another(&file),
        "2",
        "what is acknowledged is seen by everybody"
    );
    other.close().await;
    world.service.stop().await;
}
