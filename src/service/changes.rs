//! Tells that a file on which we live has changed, or that someone sent SIGHUP.
//!
//! Folders are watched, not files, since a file is often replaced by a rename (and in Kubernetes by
//! a link named `..data` beside it). Many changes at once are told as one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

/// How long it waits for the rest of a replacement (certificate, then key) before it tells.
const SETTLE: Duration = Duration::from_millis(300);

/// A watch over some files. Dropping it ends the watch.
pub struct Changes {
    changed: Arc<Notify>,
    hangup: Signal,
    _watcher: Option<RecommendedWatcher>,
}

impl Changes {
    /// Watches these files. If the system does not let us watch, SIGHUP still tells, and the log says so.
    pub fn of(files: &[PathBuf]) -> std::io::Result<Self> {
        let changed = Arc::new(Notify::new());
        let watcher = watch(files, changed.clone())
            .inspect_err(|error| tracing::warn!(%error, "cannot watch files; send SIGHUP after a change"))
            .ok();
        Ok(Changes {
            changed,
            hangup: signal(SignalKind::hangup())?,
            _watcher: watcher,
        })
    }

    /// Tells of a change that may have been missed.
    pub fn suspect(&self) {
        self.changed.notify_one();
    }

    /// Waits for the next change, and for things to settle after it.
    pub async fn next(&mut self) {
        tokio::select! {
            () = self.changed.notified() => tokio::time::sleep(SETTLE).await,
            _ = self.hangup.recv() => {}
        }
    }
}

fn watch(files: &[PathBuf], changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let names: BTreeSet<OsString> = files
        .iter()
        .filter_map(|file| file.file_name())
        .map(OsString::from)
        .collect();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| concerns(&event, &names)) {
            changed.notify_one();
        }
    })?;
    let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(watcher)
}

fn concerns(event: &Event, names: &BTreeSet<OsString>) -> bool {
    let wrote = !matches!(event.kind, EventKind::Access(_));
    wrote
        && event
            .paths
            .iter()
            .filter_map(|path| path.file_name())
            .any(|name| names.contains(name) || name.to_string_lossy().starts_with(".."))
}
