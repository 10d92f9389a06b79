//! Sealed bodies and the keys that open them; the ninth part of the port. It never opens one.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Error, SealedBy};
use crate::domain::id::{NotificationId, QuarantineId};

/// What is asked of the memory about sealed bodies. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Bodies: Send + Sync {
    /// Which key opens which notification, in the order of their ids, after that one, at most `limit` (1 to 1,000).
    async fn keys_of(&self, after: Option<NotificationId>, limit: u32) -> Result<Vec<KeyOf>, Error>;

    /// The bodies of these that are still there.
    async fn bodies(&self, ids: &[NotificationId]) -> Result<Vec<SealedBody>, Error>;

    /// Puts each body in the place of the one before it, if that is still under its old key; says how many were. A crash
    /// leaves each whole, under the one key or the other.
    async fn reseal_bodies(&self, bodies: &[NewBody]) -> Result<u64, Error>;

    /// The same of open entries of quarantine, each if its body is still the old one.
    async fn reseal_quarantined(&self, entries: &[NewEntry]) -> Result<u64, Error>;
}

/// What the callers hold.
pub type SharedBodies = Arc<dyn Bodies>;

/// Which key opens a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOf {
    /// The notification.
    pub id: NotificationId,
    /// SPKI SHA-256 (hex) of the key that opens its body.
    pub key: String,
    /// Who sealed it.
    pub sealed_by: SealedBy,
    /// It holds a token's current number, or an open entry of quarantine points to it.
    pub is_needed: bool,
}

/// A notification's body.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBody {
    /// The notification.
    pub id: NotificationId,
    /// The key that opens it.
    pub key: String,
    /// Who sealed it.
    pub sealed_by: SealedBy,
    /// It.
    pub body: Vec<u8>,
}

/// A body under another key.
#[derive(Clone, PartialEq, Eq)]
pub struct NewBody {
    /// The notification.
    pub id: NotificationId,
    /// The key that opened it.
    pub old_key: String,
    /// The key that opens it from now on.
    pub key: String,
    /// It.
    pub body: Vec<u8>,
}

/// An entry's body under another key.
#[derive(Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The entry.
    pub id: QuarantineId,
    /// What it was.
    pub old_body: Vec<u8>,
    /// It.
    pub body: Vec<u8>,
    /// How long what came is now, so that it is still known as whole.
    pub body_bytes: u64,
}
