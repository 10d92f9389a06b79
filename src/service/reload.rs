//! Reads certificates, CRLs and keys again while running. A bad file keeps the old one in force, and says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::act::Services;
use super::changes::Changes;
use super::notify::Supervisor;
use super::probe::Prober;
use super::watch::{Holds, Watch};
use crate::config::settings::KeyFile;
use crate::delivery::Destination;
use crate::domain::alarm::{Alarm, Alert};
use crate::keys::Keys;
use crate::net::exhibit;
use crate::net::tls::{DoorTls, ServerTls};
use crate::telemetry::Metrics;

/// How to read again what of the configuration may change while running: today the `[[keys]]`.
pub struct Reread {
    /// The configuration's file, to be watched.
    pub file: Option<PathBuf>,
    /// Reads it.
    pub keys: Box<dyn Fn() -> anyhow::Result<Vec<KeyFile>> + Send + Sync>,
}

/// What can be read again while running.
pub(super) struct Reloadable {
    pub supervisor: Supervisor,
    pub door: Arc<DoorTls>,
    pub admin: Option<Arc<ServerTls>>,
    /// Of the listener for TokenEx's own notifications.
    pub ear: Option<Arc<ServerTls>>,
    /// Our own probe's certificate.
    pub probe: Option<Arc<Prober>>,
    pub keys: Arc<Keys>,
    pub destinations: Vec<(String, Arc<dyn Destination>)>,
    pub services: Services,
    pub reread: Reread,
    /// Rung when the keys were read again.
    pub new_keys: Arc<Notify>,
    pub metrics: Metrics,
    /// Is told until when what is in force holds, and what could not be read.
    pub watch: Arc<Watch>,
}

impl Reloadable {
    /// A task that reads everything again whenever a file changes or SIGHUP comes.
    pub fn run(self) -> std::io::Result<impl Future<Output = ()>> {
        let mut watched = self.files();
        let mut changes = Changes::of(&watched)?;
        self.tell_expiries();
        Ok(async move {
            loop {
                changes.next().await;
                self.supervisor.while_reloading(|| self.reload());
                let files = self.files();
                if files != watched
                    && let Ok(anew) = Changes::of(&files)
                {
                    (watched, changes) = (files, anew);
                    // What changed while nobody watched it.
                    changes.suspect();
                }
            }
        })
    }

    fn files(&self) -> Vec<PathBuf> {
        let admin = self.admin.iter().chain(&self.ear).flat_map(|tls| tls.files());
        let config = self.reread.file.iter().cloned();
        self.door
            .files()
            .into_iter()
            .chain(admin)
            .chain(self.probe.iter().flat_map(|probe| probe.client().files()))
            .chain(self.keys.files())
            .chain(
                self.destinations
                    .iter()
                    .flat_map(|(_, destination)| destination.files()),
            )
            .chain(self.services.files())
            .chain(config)
            .collect()
    }

    /// Each part by itself: a bad file keeps the old one, and says so, and does not hold up the others.
    fn reload(&self) {
        self.watch.reports().withdraw_all(Alert::ReloadKeptOld);
        self.tell("callback.tls", self.door.reload().map_err(Into::into));
        if let Some(admin) = &self.admin {
            self.tell("admin.tls", admin.reload().map_err(Into::into));
        }
        if let Some(ear) = &self.ear {
            self.tell("tokenex_callbacks", ear.reload().map_err(Into::into));
        }
        if let Some(probe) = &self.probe {
            self.tell("probe", probe.client().reload().map_err(Into::into));
        }
        for (name, destination) in &self.destinations {
            if !destination.files().is_empty() {
                let outcome = destination
                    .reload()
                    .map_err(|why| anyhow::anyhow!("destination {name}: {why}"));
                self.tell("destinations", outcome);
            }
        }
        for (what, outcome) in self.services.reload() {
            self.tell(what, outcome);
        }
        let keys = (self.reread.keys)().and_then(|files| Ok(self.keys.reload(files)?));
        if keys.is_ok() {
            self.new_keys.notify_one();
        }
        self.tell("keys", keys.map(|_| ()));
        self.tell_expiries();
    }

    fn tell(&self, what: &'static str, outcome: anyhow::Result<()>) {
        match outcome {
            Ok(()) => {
                self.metrics.reload("done");
                tracing::info!(what, "reloaded");
            }
            Err(error) => {
                self.metrics.reload("kept_old");
                let says = format!("{what} could not be read again; the old ones stay in force");
                let alarm = Alarm::new(Alert::ReloadKeptOld, what, says);
                self.watch.reports().report(alarm);
                tracing::error!(
                    what,
                    error = format!("{error:#}"),
                    "cannot reload; the old ones stay in force"
                );
            }
        }
    }

    fn tell_expiries(&self) {
        let admin = self.admin.iter().chain(&self.ear).flat_map(|tls| tls.expiries());
        let shown = self
            .destinations
            .iter()
            .flat_map(|(_, destination)| destination.expiries());
        let probe = self.probe.iter().flat_map(|probe| probe.client().expiries());
        let certificates = self.door.expiries().into_iter().chain(admin).chain(shown).chain(probe);
        let certificates: Vec<_> = certificates.collect();
        for (file, at) in &certificates {
            self.metrics.expires(file, at.unix_timestamp());
        }
        self.watch.dates().are(Holds {
            certificates,
            keys: self.keys.certificates().iter().filter_map(|file| until(file)).collect(),
        });
    }
}

/// Until when the certificate of a decryption key holds.
fn until(file: &Path) -> Option<(String, OffsetDateTime)> {
    let shown = exhibit::certificates("keys.certificate", file);
    let until = shown.into_iter().filter_map(|one| one.not_after).min()?;
    Some((file.display().to_string(), until))
}
