//! A store that fails when it is told to, over a real one.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use mdes_receiver::domain::id::{NotificationId, QuarantineId, TokenReference};
use mdes_receiver::domain::notification::Windows;
use mdes_receiver::store::{
    Error, KeptNotification, KeptQuarantine, KeptStatement, KeptToken, Migrated, NewQuarantine, QuarantineFilter,
    Recorded, Recording, Resolution, SharedStore, Store, Transition,
};
use time::OffsetDateTime;
use tokio::sync::watch;

/// Refuses as data what is called `poison…`; the rest as told.
pub struct Faulty {
    real: SharedStore,
    held: watch::Sender<bool>,
    conflicts: AtomicUsize,
    away: AtomicBool,
    tries: Mutex<Vec<usize>>,
    said_ok_to: Mutex<BTreeSet<String>>,
}

impl Faulty {
    pub fn over(real: SharedStore) -> Self {
        Faulty {
            real,
            held: watch::Sender::new(false),
            conflicts: AtomicUsize::new(0),
            away: AtomicBool::new(false),
            tries: Mutex::default(),
            said_ok_to: Mutex::default(),
        }
    }

    /// Answers no one from now on, as a store does whose disk hangs.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Answers those who wait, and whoever comes.
    pub fn let_go(&self) {
        self.held.send_replace(false);
    }

    /// The next so many batches are in conflict with somebody.
    pub fn conflict(&self, times: usize) {
        self.conflicts.store(times, Ordering::SeqCst);
    }

    pub fn away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// The sizes of the batches that were tried, in their order.
    pub fn tries(&self) -> Vec<usize> {
        self.tries.lock().expect("no one panics while holding it").clone()
    }

    pub fn forget_tries(&self) {
        self.tries.lock().expect("no one panics while holding it").clear();
    }

    /// Whether it has recorded the notification of this requestId, and said so.
    pub fn has_said_ok_to(&self, request_id: &str) -> bool {
        let said = self.said_ok_to.lock().expect("no one panics while holding it");
        said.contains(request_id)
    }

    fn fault(&self, batch: &[Recording]) -> Result<(), Error> {
        let one_less = |left: usize| left.checked_sub(1);
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("away on purpose".to_owned()));
        }
        if self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
        {
            return Err(Error::Conflict("on purpose".to_owned()));
        }
        match batch.iter().any(|recording| recording.request_id.starts_with("poison")) {
            true => Err(Error::Data("on purpose".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Faulty {
    async fn record(&self, batch: &[Recording], windows: &Windows) -> Result<Vec<Recorded>, Error> {
        self.tries
            .lock()
            .expect("no one panics while holding it")
            .push(batch.len());
        self.fault(batch)?;
        let mut held = self.held.subscribe();
        let free = held.wait_for(|held| !held).await.map(drop);
        free.expect("the sender is ours");
        let recorded = self.real.record(batch, windows).await?;
        let mut said = self.said_ok_to.lock().expect("no one panics while holding it");
        said.extend(batch.iter().map(|recording| recording.request_id.clone()));
        Ok(recorded)
    }

    async fn quarantine(&self, entry: &NewQuarantine) -> Result<(), Error> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Error::Unavailable("away on purpose".to_owned()));
        }
        self.real.quarantine(entry).await
    }

    async fn ready(&self) -> Result<(), Error> {
        self.real.ready().await
    }

    async fn migrate(&self) -> Result<Migrated, Error> {
        self.real.migrate().await
    }

    async fn token(&self, reference: &TokenReference) -> Result<Option<KeptToken>, Error> {
        self.real.token(reference).await
    }

    async fn tokens(&self, after: Option<&TokenReference>, limit: u32) -> Result<Vec<KeptToken>, Error> {
        self.real.tokens(after, limit).await
    }

    async fn transitions(&self, reference: &TokenReference, after: u64, limit: u32) -> Result<Vec<Transition>, Error> {
        self.real.transitions(reference, after, limit).await
    }

    async fn statements(&self, reference: &TokenReference, limit: u32) -> Result<Vec<KeptStatement>, Error> {
        self.real.statements(reference, limit).await
    }

    async fn notification(&self, id: NotificationId) -> Result<Option<KeptNotification>, Error> {
        self.real.notification(id).await
    }

    async fn quarantined(
        &self,
        which: &QuarantineFilter,
        after: Option<QuarantineId>,
        limit: u32,
    ) -> Result<Vec<KeptQuarantine>, Error> {
        self.real.quarantined(which, after, limit).await
    }

    async fn quarantine_entry(&self, id: QuarantineId) -> Result<Option<KeptQuarantine>, Error> {
        self.real.quarantine_entry(id).await
    }

    async fn resolve(&self, id: QuarantineId, resolution: &Resolution, now: OffsetDateTime) -> Result<bool, Error> {
        self.real.resolve(id, resolution, now).await
    }

    async fn tried_again(&self, id: QuarantineId, reason: &str, detail: &str, keys_tried: &str) -> Result<(), Error> {
        self.real.tried_again(id, reason, detail, keys_tried).await
    }

    async fn quarantine_open(&self) -> Result<u64, Error> {
        self.real.quarantine_open().await
    }

    async fn close(&self) {
        self.real.close().await;
    }
}
