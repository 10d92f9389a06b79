//! The store: it answers, takes writes, and holds a schema that this program may run on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::findings::Findings;
use crate::clock::SystemClock;
use crate::config::settings::Store;
use crate::store::{self, Error, Store as _};

const OPEN_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn examine(settings: &Store, findings: &mut Findings) {
    if let Some(file) = file_of(settings) {
        findings.private("store.url", Path::new(&file));
    }
    if let Some(file) = missing_file(settings) {
        let hint = "`mdes-receiver migrate` makes it, and so does `serve` unless `store.migrate_on_start = false`";
        findings.warn("store.url", format!("{file}: is not there yet"), hint);
        return;
    }
    for host in settings.urls.iter().filter_map(store::unproven) {
        let text = format!(
            "{host} need not prove that it is the database: who stands between may read and change what is kept"
        );
        findings.warn(
            "store.url",
            text,
            "leave `sslmode` out of it, and name the server's authority: `?sslrootcert=FILE`",
        );
    }
    match tokio::time::timeout(OPEN_WITHIN, ask(settings)).await {
        Ok(Ok(0)) => findings.ok(
            "store.url",
            "answers, takes writes, and its schema fits; quarantine is empty",
        ),
        Ok(Ok(open)) => {
            findings.ok("store.url", "answers, takes writes, and its schema fits");
            let hint = "`mdes-receiver quarantine list` says why, `redrive` and `resolve` settle them";
            findings.warn("quarantine", format!("open entries: {open}"), hint);
        }
        Ok(Err(error)) => findings.fail("store.url", error.to_string(), next_step(&error)),
        Err(_) => {
            let text = format!("did not answer within {} s", OPEN_WITHIN.as_secs());
            findings.fail("store.url", text, "is the host right, and reachable from here?");
        }
    }
}

/// How many entries are open in its quarantine, if it is well.
async fn ask(settings: &Store) -> Result<u64, Error> {
    let store = store::open(settings, Arc::new(SystemClock)).await?;
    let answer = match store.ready().await {
        Ok(()) => store.quarantine_open().await,
        Err(error) => Err(error),
    };
    store.close().await;
    answer
}

fn next_step(error: &Error) -> &'static str {
    match error {
        Error::Unavailable(_) => "is the database up, the URL right, and is one of the hosts the primary?",
        Error::Schema(_) => "`mdes-receiver migrate` brings an older schema up to date",
        Error::Conflict(_) => "try again",
        Error::Data(_) | Error::Corrupt(_) => "keep a copy of the database before anything else",
    }
}

/// An SQLite file that is not there: opening it would make it, and a check makes nothing.
pub(super) fn missing_file(settings: &Store) -> Option<String> {
    file_of(settings).filter(|path| !Path::new(path).exists())
}

fn file_of(settings: &Store) -> Option<String> {
    let path = settings.urls.first()?.expose().strip_prefix("sqlite://")?;
    let path = path.split('?').next()?;
    Some(
        percent_encoding::percent_decode_str(path)
            .decode_utf8_lossy()
            .into_owned(),
    )
}
