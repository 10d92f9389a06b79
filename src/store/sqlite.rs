//! SQLite: one file, one writer, a few readers.
//!
//! Another process (the command line) may have the same file open; the write-ahead log lets it read
//! while we write, and the busy timeout lets both write in turn.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
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
    /// It is for writing, and is made if it is missing.
    is_made: bool,
}

impl File {
    /// Opened for writing; made if it is missing, with its folder.
    pub(super) fn to_write(url: &Secret, deadline: Duration) -> Result<Self, Error> {
        let options = options(url, deadline)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // The answer that follows a commit means that it is on disk.
            .synchronous(SqliteSynchronous::Full);
        make_folder_of(options.get_filename())?;
        Ok(File {
            options,
            // At once the writer: a reader that turns into one may find that another was faster.
            begin: "begin immediate",
            is_made: true,
        })
    }

    /// Opened for reading.
    pub(super) fn to_read(url: &Secret, deadline: Duration) -> Result<Self, Error> {
        Ok(File {
            options: options(url, deadline)?.pragma("query_only", "on"),
            begin: "begin",
            is_made: false,
        })
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<SqliteConnection, Error> {
        if self.is_made {
            make_file(self.options.get_filename())?;
        }
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

/// The folders above the file, where they are not there yet, for us alone whatever the umask. What is there keeps its
/// own mode.
fn make_folder_of(file: &Path) -> Result<(), Error> {
    let Some(folder) = file.parent() else {
        return Ok(());
    };
    let mut folders = DirBuilder::new();
    folders.recursive(true).mode(0o700);
    folders
        .create(folder)
        .map_err(|error| Error::Unavailable(format!("folder `{}`: {}", folder.display(), error.kind())))
}

/// The file, if it is not there yet, for us alone: SQLite gives the files that it lays beside it the same mode. What is
/// there keeps its own, of which `check` tells, and is not opened here: closing it again would drop the locks that SQLite
/// holds on it for this process (POSIX), and another process could take our write-ahead log away.
fn make_file(file: &Path) -> Result<(), Error> {
    let mut ours = OpenOptions::new();
    ours.write(true).create_new(true).mode(0o600);
    match ours.open(file) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::Unavailable(format!(
            "file `{}`: {}",
            file.display(),
            error.kind()
        ))),
        _ => Ok(()),
    }
}
