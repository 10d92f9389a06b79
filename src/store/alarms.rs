//! What the house asks of its memory about what needs a person; one more part of the port.
//!
//! Every replica looks, and tells the memory what it sees. An alarm is one row for all of them as long as somebody sees it:
//! who is the first to see it raises it, and whoever finds that nobody did for a while clears it. Either is one
//! transaction with the event that tells of it: a crash before its commit leaves both undone, and the next look does
//! both; after it both are there, and no look does them again.

pub(super) mod counts;
pub(super) mod hearing;
pub(super) mod raised;

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Error;
use crate::clock::new_id;
use crate::domain::alarm::Alarm;
use crate::domain::id::AlarmId;
use crate::domain::silence::Hearing;

/// What is asked of the memory about alarms. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Alarms: Send + Sync {
    /// A look of one replica: these are the alarms that it sees now (at most 1,000, none twice). Those that nobody had
    /// seen are raised, the others are seen again; and if this replica `may_clear`, those that nobody sees any more are
    /// cleared. What was raised and what was cleared is told, in the same transaction.
    async fn look(&self, seen: &[Alarm], may_clear: bool) -> Result<Looked, Error>;

    /// What needs a person, in the order of alert and subject, at most 1,000; and when a replica last looked.
    async fn alarms(&self) -> Result<Standing, Error>;

    /// What is known of the traffic, after a notification came then, if one did.
    async fn hear(&self, heard: Option<OffsetDateTime>) -> Result<Hearing, Error>;

    /// How many things there are of which a person may have to know.
    async fn counts(&self) -> Result<Counts, Error>;
}

/// What the callers hold.
pub type SharedAlarms = Arc<dyn Alarms>;

/// What a look did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// Nobody had seen these.
    pub raised: Vec<KeptAlarm>,
    /// Nobody sees these any more.
    pub cleared: Vec<KeptAlarm>,
}

/// An alarm as kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAlarm {
    /// Its id; ids sort by when it was raised.
    pub id: AlarmId,
    /// It, as it was last seen.
    pub alarm: Alarm,
    /// Since when.
    pub raised_at: OffsetDateTime,
    /// When a replica last saw it.
    pub seen_at: OffsetDateTime,
}

impl KeptAlarm {
    /// One that nobody had seen before now.
    pub fn new(alarm: Alarm, now: OffsetDateTime) -> Self {
        KeptAlarm {
            id: AlarmId(new_id(now)),
            alarm,
            raised_at: now,
            seen_at: now,
        }
    }

    /// In JSON, for programs; times in RFC 3339.
    pub fn shown(&self) -> Value {
        let Alarm {
            alert,
            about,
            says,
            count,
        } = &self.alarm;
        json!({
            "kind": alert.kind(),
            "alert": alert,
            "about": about,
            "says": says,
            "count": count,
            "next_step": alert.next_step(),
            "runbook": alert.runbook(),
            "since": stamp(self.raised_at),
            "seen_at": stamp(self.seen_at),
        })
    }
}

/// What stands now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The alarms.
    pub alarms: Vec<KeptAlarm>,
    /// When a replica last looked; `None`: none ever did.
    pub looked_at: Option<OffsetDateTime>,
}

impl Standing {
    /// In JSON, for programs.
    pub fn shown(&self) -> Value {
        let items: Vec<Value> = self.alarms.iter().map(KeptAlarm::shown).collect();
        json!({ "items": items, "looked_at": self.looked_at.map(stamp) })
    }
}

/// How many of each, counted up to 10,000 and no further.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Tokens of which something was said in the last week after they were deactivated, and nothing settled that.
    pub woken: u64,
    /// Tokens in doubt that were asked after in vain.
    pub given_up: u64,
    /// Commands that wait for another operator.
    pub waiting: u64,
    /// Commands of which there is no proof.
    pub overdue: u64,
}

fn stamp(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
