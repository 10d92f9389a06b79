//! SQLite's files: for us alone, whatever the umask.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::Database;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqlite_lays_down_is_for_its_owner_alone() {
    let database = Database::bare_sqlite();
    let store = database.open().await;
    store.migrate().await.expect("an empty file is migrated");
    let file = Path::new(database.url().strip_prefix("sqlite://").expect("a file"));
    let folder = file.parent().expect("a folder");
    assert_eq!(mode(folder), 0o700);
    let entries = fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("an entry").path());
    let files: Vec<_> = entries.collect();
    assert!(
        files.len() >= 3,
        "the write-ahead log and its index lie beside it: {files:?}"
    );
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    store.close().await;
}
