//! Moves what must stay readable to the newest key, so that an older one can be taken away; or says what still needs it.
//!
//! It goes by pages, and each body is put in its place alone by what it was: stopped anywhere, it has done a part, and
//! the next run finds the rest. Quarantine goes first: a redrive carries a body from there to the notifications, and the
//! other way round it would be in neither.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::id::{NotificationId, QuarantineId};
use crate::keys::KeyRing;
use crate::mdes::{self, Reading};
use crate::store::sealed::{KeyOf, NewBody, NewEntry, SealedBody};
use crate::store::{self, KeptQuarantine, QuarantineFilter, SealedBy, SharedBodies, SharedStore};

/// Notifications whose keys are looked at, at once.
const KEYS_PAGE: u32 = 1_000;
/// Bodies that are held in memory at once.
const BODIES_PAGE: usize = 50;
const ENTRIES_PAGE: u32 = 50;

/// What needs a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Bodies that hold a token's current number, or to which an open entry of quarantine points.
    pub needed: u64,
    /// Open entries of quarantine that hold a body.
    pub quarantine: u64,
    /// All other notifications.
    pub others: u64,
}

/// What needs which key, by its SPKI SHA-256.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Of each key that something needs.
    pub keys: BTreeMap<String, Need>,
    /// Open entries of quarantine that no key of the ring opens.
    pub unopened: u64,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Notifications that were looked at.
    pub looked: u64,
    /// Bodies of notifications that are under the newest key now.
    pub notifications: u64,
    /// Open entries of quarantine, the same.
    pub quarantine: u64,
    /// What no key of the ring opens, and stays as it is.
    pub unopened: u64,
}

/// Whoever moves bodies from key to key.
pub struct Resealer {
    bodies: SharedBodies,
    store: SharedStore,
    ring: Arc<KeyRing>,
    rules: Reading,
}

impl Resealer {
    /// To the newest key of that ring.
    pub fn new(bodies: SharedBodies, store: SharedStore, ring: Arc<KeyRing>, rules: Reading) -> Self {
        Resealer {
            bodies,
            store,
            ring,
            rules,
        }
    }

    /// Counts what needs which key, and changes nothing. What we sealed and is needed is opened, since a sealed body may
    /// stand in it that needs another key.
    pub async fn needs(&self, told: &mut (dyn FnMut(u64) + Send)) -> Result<Needs, store::Error> {
        let (mut needs, mut after, mut looked) = (Needs::default(), None, 0);
        self.quarantine_needs(&mut needs).await?;
        while let Some(page) = self.page(after).await? {
            after = page.last().map(|one| one.id);
            for one in &page {
                let need = needs.keys.entry(one.key.clone()).or_default();
                match one.is_needed {
                    true => need.needed += 1,
                    false => need.others += 1,
                }
            }
            let ours: Vec<NotificationId> = page.iter().filter(|one| is_ours(one)).map(|one| one.id).collect();
            for ids in ours.chunks(BODIES_PAGE) {
                for body in self.bodies.bodies(ids).await? {
                    self.add_inner(&body, &mut needs);
                }
            }
            looked += page.len() as u64;
            told(looked);
        }
        Ok(needs)
    }

    fn add_inner(&self, body: &SealedBody, needs: &mut Needs) {
        let Ok(resealed) = mdes::reseal(&body.body, true, &self.ring, &self.rules) else {
            return;
        };
        for key in resealed.keys.into_iter().filter(|key| *key != body.key) {
            needs.keys.entry(key).or_default().needed += 1;
        }
    }

    async fn quarantine_needs(&self, needs: &mut Needs) -> Result<(), store::Error> {
        let mut after = None;
        while let Some(page) = self.entries(after).await? {
            after = page.last().map(|entry| entry.id);
            for (entry, body) in page.iter().filter_map(with_body) {
                match mdes::reseal(body, entry.sealed_by == SealedBy::Us, &self.ring, &self.rules) {
                    Err(_) => needs.unopened += 1,
                    Ok(resealed) => {
                        for key in resealed.keys {
                            needs.keys.entry(key).or_default().quarantine += 1;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Moves to the newest key what is needed, or `all`; in a dry run it opens and seals, and keeps nothing of it.
    pub async fn reseal(
        &self,
        all: bool,
        dry_run: bool,
        told: &mut (dyn FnMut(&Resealed) + Send),
    ) -> Result<Resealed, store::Error> {
        let (mut done, mut after) = (Resealed::default(), None);
        self.reseal_quarantine(dry_run, &mut done).await?;
        while let Some(page) = self.page(after).await? {
            after = page.last().map(|one| one.id);
            let newest = self.ring.newest().spki_sha256();
            let may_need = |one: &&KeyOf| one.key != newest || one.sealed_by == SealedBy::Us;
            let meant = page.iter().filter(|one| all || one.is_needed).filter(may_need);
            let ids: Vec<NotificationId> = meant.map(|one| one.id).collect();
            for ids in ids.chunks(BODIES_PAGE) {
                self.reseal_bodies(ids, dry_run, &mut done).await?;
                told(&done);
            }
            done.looked += page.len() as u64;
            told(&done);
        }
        Ok(done)
    }

    async fn reseal_bodies(
        &self,
        ids: &[NotificationId],
        dry_run: bool,
        done: &mut Resealed,
    ) -> Result<(), store::Error> {
        let mut anew = Vec::new();
        for old in self.bodies.bodies(ids).await? {
            let by_us = old.sealed_by == SealedBy::Us;
            match mdes::reseal(&old.body, by_us, &self.ring, &self.rules) {
                Err(unreadable) => {
                    done.unopened += 1;
                    tracing::warn!(notification = %old.id, detail = unreadable.detail, "cannot open a body to reseal it");
                }
                Ok(resealed) => anew.extend(resealed.body.map(|body| NewBody {
                    id: old.id,
                    old_key: old.key,
                    key: self.ring.newest().spki_sha256().to_owned(),
                    body,
                })),
            }
        }
        done.notifications += match dry_run || anew.is_empty() {
            true => anew.len() as u64,
            false => self.bodies.reseal_bodies(&anew).await?,
        };
        Ok(())
    }

    async fn reseal_quarantine(&self, dry_run: bool, done: &mut Resealed) -> Result<(), store::Error> {
        let mut after: Option<QuarantineId> = None;
        while let Some(page) = self.entries(after).await? {
            after = page.last().map(|entry| entry.id);
            let mut anew = Vec::new();
            for (entry, body) in page.iter().filter_map(with_body) {
                match mdes::reseal(body, entry.sealed_by == SealedBy::Us, &self.ring, &self.rules) {
                    Err(_) => done.unopened += 1,
                    Ok(resealed) => anew.extend(new_entry(entry, body, resealed)),
                }
            }
            done.quarantine += match dry_run || anew.is_empty() {
                true => anew.len() as u64,
                false => self.bodies.reseal_quarantined(&anew).await?,
            };
        }
        Ok(())
    }

    /// `None` behind the last.
    async fn page(&self, after: Option<NotificationId>) -> Result<Option<Vec<KeyOf>>, store::Error> {
        let page = self.bodies.keys_of(after, KEYS_PAGE).await?;
        Ok((!page.is_empty()).then_some(page))
    }

    async fn entries(&self, after: Option<QuarantineId>) -> Result<Option<Vec<KeptQuarantine>>, store::Error> {
        let open = QuarantineFilter {
            open: true,
            ..QuarantineFilter::default()
        };
        let page = self.store.quarantined(&open, after, ENTRIES_PAGE).await?;
        Ok((!page.is_empty()).then_some(page))
    }
}

/// What we sealed may hold what is sealed to another key.
fn is_ours(one: &KeyOf) -> bool {
    one.is_needed && one.sealed_by == SealedBy::Us
}

fn with_body(entry: &KeptQuarantine) -> Option<(&KeptQuarantine, &[u8])> {
    Some((entry, entry.body.as_deref()?))
}

/// A body that was kept whole is whole under the newest key too, whatever its length is then.
fn new_entry(entry: &KeptQuarantine, old: &[u8], resealed: mdes::Resealed) -> Option<NewEntry> {
    let (now, was) = resealed.came_bytes;
    Some(NewEntry {
        id: entry.id,
        old_body: old.to_vec(),
        body: resealed.body?,
        body_bytes: if entry.body_bytes == was { now } else { entry.body_bytes },
    })
}
