//! Reads again what is in quarantine, through the same door and with the time at which it came.

use std::collections::BTreeSet;

use crate::domain::id::{NotificationId, QuarantineId};
use crate::domain::notification::Notification;
use crate::mdes::{self, Read, Reason, Resting, Unreadable};
use crate::store::{self, KeptQuarantine, QuarantineFilter, Recorded, Recording, Resolution, SealedBy};

use super::batch::Unrecorded;
use super::{Arrival, Inbox, STORE_REFUSED, overhear};
use crate::tokenex::notice;

/// How many entries are held in memory at once.
const PAGE: u32 = 50;

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It was read after all, recorded as this notification, and resolved.
    Recorded(NotificationId),
    /// It still cannot be read; the entry stays open and says so.
    StillUnreadable {
        /// The reason now.
        reason: String,
        /// Which step failed now.
        detail: String,
    },
    /// It was not open any more.
    NotOpen,
}

/// What became of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedriveReport {
    /// Read and resolved.
    pub recorded: u64,
    /// Still open.
    pub still_open: u64,
}

/// Why an entry stays open.
struct InVain {
    reason: String,
    detail: String,
}

impl From<Unreadable> for InVain {
    fn from(unreadable: Unreadable) -> Self {
        InVain {
            reason: unreadable.reason.code().to_owned(),
            detail: unreadable.detail,
        }
    }
}

impl From<notice::Unreadable> for InVain {
    fn from(unreadable: notice::Unreadable) -> Self {
        InVain {
            reason: unreadable.reason.to_owned(),
            detail: unreadable.detail.to_owned(),
        }
    }
}

impl Inbox {
    /// Reads one entry again. A crash on the way leaves it open, and the next redrive finds a repeat.
    pub async fn redrive(&self, entry: &KeptQuarantine) -> Result<Redriven, store::Error> {
        if entry.resolved_at.is_some() {
            return Ok(Redriven::NotOpen);
        }
        match self.try_again(entry).await {
            // It alone is in trouble: those after it are not to wait for it.
            Err(store::Error::Data(detail) | store::Error::Corrupt(detail)) => {
                let reason = STORE_REFUSED.to_owned();
                self.note(entry, InVain { reason, detail }).await
            }
            outcome => outcome,
        }
    }

    async fn try_again(&self, entry: &KeptQuarantine) -> Result<Redriven, store::Error> {
        let read = match &entry.notification {
            Some((notification, index)) => self.read_token_again(entry, *notification, *index).await?,
            None => self.read_again(entry),
        };
        match read {
            Ok(recording) => self.record_again(entry, recording).await,
            Err(in_vain) => self.note(entry, in_vain).await,
        }
    }

    /// Redrives every open entry that the filter means, page by page.
    pub async fn redrive_all(&self, which: &QuarantineFilter) -> Result<RedriveReport, store::Error> {
        let mut report = RedriveReport::default();
        let mut after: Option<QuarantineId> = None;
        loop {
            let page = self.store.quarantined(which, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(report);
            };
            after = Some(last.id);
            for entry in &page {
                match self.redrive(entry).await? {
                    Redriven::Recorded(_) => report.recorded += 1,
                    Redriven::StillUnreadable { .. } => report.still_open += 1,
                    Redriven::NotOpen => {}
                }
            }
        }
    }

    /// Redrives what could not be opened with the keys of before. Call it whenever the ring may have changed.
    pub async fn redrive_for_new_keys(&self) -> Result<RedriveReport, store::Error> {
        let which = QuarantineFilter {
            open: true,
            reason: Some(Reason::Unopened.code().to_owned()),
            not_tried_with: Some(self.keys.current().id().to_owned()),
        };
        self.redrive_all(&which).await
    }

    fn read_again(&self, entry: &KeptQuarantine) -> Result<Recording, InVain> {
        let ring = self.keys.current();
        let resting = entry.body.as_deref().unwrap_or_default();
        let bytes = mdes::open_resting(resting, entry.sealed_by == SealedBy::Us, &ring)?;
        if (bytes.len() as u64) < entry.body_bytes {
            // What its first part looks like says nothing of the whole.
            return Err(InVain {
                reason: entry.reason.clone(),
                detail: "only its first part was kept".to_owned(),
            });
        }
        let arrival = Arrival {
            received_at: entry.received_at,
            peer: entry.peer.clone(),
            body: bytes::Bytes::new(),
        };
        if entry.peer.is_overheard() {
            let read = overhear::read(&bytes, &ring)?;
            return Ok(self.overheard_again(&arrival, read));
        }
        let read = mdes::read(&bytes, &ring, &self.rules, entry.received_at)?;
        Ok(self.recording(&arrival, read))
    }

    async fn read_token_again(
        &self,
        entry: &KeptQuarantine,
        notification: NotificationId,
        index: u32,
    ) -> Result<Result<Recording, InVain>, store::Error> {
        let Some(kept) = self.store.notification(notification).await? else {
            let gone = format!("notification {notification} of quarantine entry {} is gone", entry.id);
            return Err(store::Error::Corrupt(gone));
        };
        let ring = self.keys.current();
        let by_us = kept.sealed_by == SealedBy::Us;
        let read = mdes::read_token(&kept.sealed_body, by_us, index, &ring, &self.rules, kept.received_at);
        Ok(read.map_err(InVain::from).map(|(statement, key)| {
            let arrival = Arrival {
                received_at: kept.received_at,
                peer: kept.peer,
                body: bytes::Bytes::new(),
            };
            let read = Read {
                notification: Notification {
                    request_id: Some(kept.request_id),
                    content: statement.hash,
                    statements: vec![statement],
                    unreadable: Vec::new(),
                    flags: BTreeSet::new(),
                },
                key,
                resting: Resting {
                    body: kept.sealed_body,
                    by_us,
                },
            };
            Recording {
                again: Some(notification),
                ..self.recording(&arrival, read)
            }
        }))
    }

    async fn record_again(&self, entry: &KeptQuarantine, recording: Recording) -> Result<Redriven, store::Error> {
        let recorded = match self.batch.record(recording).await {
            Ok(Recorded::New { id, .. }) => id,
            Ok(Recorded::Repeat { first, .. }) => first,
            Err(Unrecorded::Poison(why)) => return Err(store::Error::Data(why)),
            Err(error) => return Err(store::Error::Unavailable(error.to_string())),
        };
        let id = entry.notification.map_or(recorded, |(notification, _)| notification);
        let now = self.clock.now();
        self.store.resolve(entry.id, &Resolution::Redriven(id), now).await?;
        Ok(Redriven::Recorded(id))
    }

    async fn note(&self, entry: &KeptQuarantine, in_vain: InVain) -> Result<Redriven, store::Error> {
        let InVain { reason, detail } = in_vain;
        let ring = self.keys.current();
        self.store.tried_again(entry.id, &reason, &detail, ring.id()).await?;
        Ok(Redriven::StillUnreadable { reason, detail })
    }
}
