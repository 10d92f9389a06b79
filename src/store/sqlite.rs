//! SQLite: one file, one writer, a few readers.
//!
//! Another process (the command line) may have the same file open; the write-ahead log lets it read
//! while we write, and the busy timeout lets both write in turn.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection};
use tokio::time::sleep;

use super::Error;
use crate::domain::masked::Secret;

const CONNECT_TRIES: u32 = 50;
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// One file, opened for writing or for reading.
pub(super) struct File {
    options: SqliteConnectOptions,
    begin: &'static str,
}

impl File {
    /// Opened for writing; made if it is missing, with its folder.
    pub(super) fn to_write(url: &Secret, deadline: Duration) -> Result<Self, Error> {
        let options = options(url, deadline)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // The answer that follows a commit means that it is on disk.
            .synchronous(SqliteSynchronous::Full);
        make(options.get_filename())?;
        Ok(File {
            options,
            // At once the writer: a reader that turns into one may find that another was faster.
            begin: "begin immediate",
        })
    }

    /// Opened for reading.
    pub(super) fn to_read(url: &Secret, deadline: Duration) -> Result<Self, Error> {
        Ok(File {
            options: options(url, deadline)?.pragma("query_only", "on"),
            begin: "begin",
        })
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, Error> {
        // The first one turns a new file to its write-ahead log, and there SQLite does not wait
        // for another process that does the same: the busy timeout does not hold.
        let mut tries = 0;
        loop {
            match SqliteConnection::connect_with(&self.options).await.map_err(Error::from) {
                Err(Error::Conflict(_)) if tries < CONNECT_TRIES => sleep(CONNECT_PAUSE).await,
                outcome => return outcome,
            }
            tries += 1;
        }
    }

    /// How its transactions begin.
    pub(super) fn begin(&self) -> &'static str {
        self.begin
    }
}

fn options(url: &Secret, deadline: Duration) -> Result<SqliteConnectOptions, Error> {
    let options: SqliteConnectOptions = url
        .expose()
        .parse()
        .map_err(|_| Error::Unavailable("key `store.url`: not a URL like sqlite://data/receiver.db".to_owned()))?;
    if url.expose().contains(":memory:") || url.expose().contains("mode=memory") {
        let text = "key `store.url`: memory outlives no crash; name a file, like sqlite://data/receiver.db";
        return Err(Error::Unavailable(text.to_owned()));
    }
    Ok(options
        .foreign_keys(true)
        // Shorter than the verb's own deadline, so that it is this one that ends the wait and says why.
        .busy_timeout(deadline / 2))
}

/// The file and the folders above it, where they are not there yet, for us alone whatever the umask: SQLite gives the
/// files that it lays beside it the same mode. What is there keeps its own, of which `check` tells.
fn make(file: &Path) -> Result<(), Error> {
    let failed = |what, path: &Path, error: std::io::Error| {
        Error::Unavailable(format!("{what} `{}`: {}", path.display(), error.kind()))
    };
    if let Some(folder) = file.parent() {
        let mut folders = DirBuilder::new();
        folders.recursive(true).mode(0o700);
        folders
            .create(folder)
            .map_err(|error| failed("folder", folder, error))?;
    }
    let mut ours = OpenOptions::new();
    ours.append(true).create(true).mode(0o600);
    ours.open(file).map(drop).map_err(|error| failed("file", file, error))
}
