//! What the admin side asks of the house beyond its memory: what needs a key, and what stands in files.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::wire::rfc3339;
use crate::domain::id::NotificationId;
use crate::domain::masked::Secret;
use crate::inbox::Redriven;
use crate::store::alarms::Standing;
use crate::store::{self, KeptQuarantine};

/// Whoever assembles the house answers.
#[async_trait]
pub trait House: Send + Sync {
    /// The number of the token at that place of a notification; `None` if it holds none, or nothing of now opens it.
    async fn token_number(&self, notification: NotificationId, index: u32) -> Result<Option<Secret>, store::Error>;

    /// Reads a quarantined entry again, through the door by which it came in.
    async fn redrive(&self, entry: &KeptQuarantine) -> Result<Redriven, store::Error>;

    /// What needs a person at this moment.
    async fn needs(&self) -> Result<Standing, store::Error>;

    /// Every certificate and revocation list that the configuration names, as its file is now.
    async fn certificates(&self) -> Vec<Certificate>;

    /// The decryption keys, oldest first: what they are known by, and nothing else of them.
    fn keys(&self) -> Vec<Key>;

    /// A text that may stand in a URL, a cursor or a log instead of this one, which may be like a card's number: the same
    /// each time, on every replica that has our newest key, and nothing to who has none of ours.
    fn veil(&self, text: &str) -> String;

    /// What such a text stands for; `None` if none of our keys gave it out.
    fn unveil(&self, veiled: &str) -> Option<String>;
}

/// What the callers hold.
pub type SharedHouse = Arc<dyn House>;

/// A certificate or a revocation list.
#[derive(Clone, Debug, PartialEq)]
pub struct Certificate {
    /// What it is for: `callback`, `callback client root`, `callback revocation list`, `admin`.
    pub purpose: &'static str,
    /// The setting that names its file.
    pub setting: &'static str,
    /// That file.
    pub file: String,
    /// Whose it is.
    pub subject: String,
    /// SHA-256 of it, lower-case hex; empty for a list.
    pub sha256: String,
    /// From when.
    pub not_before: Option<OffsetDateTime>,
    /// Until when.
    pub not_after: Option<OffsetDateTime>,
    /// Why it cannot be shown.
    pub problem: Option<String>,
}

impl Certificate {
    /// For programs, with the days that are left of it; negative once it is over.
    pub fn shown(&self, now: OffsetDateTime) -> Value {
        json!({
            "purpose": self.purpose,
            "setting": self.setting,
            "file": self.file,
            "subject": self.subject,
            "sha256": self.sha256,
            "not_before": self.not_before.map(rfc3339),
            "not_after": self.not_after.map(rfc3339),
            "days_left": self.not_after.map(|end| (end - now).whole_days()),
            "problem": self.problem,
        })
    }
}

/// A decryption key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Key {
    /// SHA-256 of its public half, lower-case hex: what notifications name it by.
    pub spki_sha256: String,
    /// What is sealed by us is sealed to it.
    pub is_newest: bool,
    /// The names that a sender may know it by.
    pub names: Vec<KeyName>,
}

/// One name of a key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyName {
    /// `certificate SHA-1`, `certificate SHA-256`, `SPKI SHA-256` or `alias`.
    pub label: &'static str,
    /// The name.
    pub value: String,
}
