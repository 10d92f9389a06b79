//! How a token stands, or stood at some time, how sure that is, and whether it may be charged.
//!
//! The journal keeps what changed, and not what was in doubt when. So of a past time it errs on the careful side: what
//! may have raised a doubt by then counts as one.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::cli::output::{rfc3339, time};
use crate::domain::charge::{Charge, of_status};
use crate::domain::notification::Flag;
use crate::domain::status::Status;
use crate::domain::token::{Registration, Verdict};
use crate::store::outbox::Standing;
use crate::store::search::{Moment, Scene, Search as _};
use crate::store::{Error, KeptStatement, Memory, Transition};

/// So far back is looked for what stood at a time.
const LOOK_MAX: u32 = 1_000;

/// How it stands.
pub(super) struct State {
    /// As of then; `None` is now.
    at: Option<OffsetDateTime>,
    status: Option<Status>,
    suspended_by: Vec<String>,
    status_at: Option<OffsetDateTime>,
    reason_code: Option<String>,
    sequence: u64,
    /// Why it may not be the truth.
    doubts: Vec<String>,
    charge: (Charge, &'static str),
}

impl State {
    /// As it stands, or stood at that time.
    pub(super) async fn at(at: Option<OffsetDateTime>, standing: &Standing, memory: &Memory) -> Result<State, Error> {
        match at {
            // Its row has not changed since: it stood then as it stands now.
            Some(then) if standing.updated_at > then => {
                let moment = Moment { at: then, shown: 0 };
                let scenes = memory.story(&standing.token.reference, &moment, LOOK_MAX).await?;
                Ok(State::of_journal(then, &scenes, standing.registration.as_ref()))
            }
            at => Ok(State::held(at, standing)),
        }
    }

    fn held(at: Option<OffsetDateTime>, standing: &Standing) -> State {
        let token = &standing.token;
        State {
            at,
            status: token.status().cloned(),
            suspended_by: token.suspended_by().map(str::to_owned).collect(),
            status_at: token.status_at(),
            reason_code: token.reason_code().map(str::to_owned),
            sequence: token.sequence,
            doubts: token.doubts().iter().map(|doubt| doubt.sentence().to_owned()).collect(),
            charge: standing.charge(),
        }
    }

    /// From what the journal has up to then, newest first.
    fn of_journal(then: OffsetDateTime, scenes: &[Scene], registration: Option<&Registration>) -> State {
        let changes = || {
            scenes.iter().filter_map(|scene| match scene {
                Scene::Changed(transition) => Some(transition),
                _ => None,
            })
        };
        let newest = changes().next();
        let status = newest.and_then(|change| change.to_status.clone());
        let doubts = doubts(scenes);
        let registration = registration.filter(|registration| registration.registered_at <= then);
        State {
            at: Some(then),
            suspended_by: match status {
                Some(Status::Suspended) => changes().find_map(suspenders).unwrap_or_default(),
                _ => Vec::new(),
            },
            status_at: newest.and_then(|change| change.status_at),
            reason_code: newest.and_then(|change| change.reason_code.clone()),
            sequence: newest.map_or(0, |change| change.sequence),
            charge: of_status(status.as_ref(), !doubts.is_empty(), registration),
            status,
            doubts,
        }
    }

    pub(super) fn told(&self) -> Vec<(&'static str, String)> {
        let mut status = self
            .status
            .as_ref()
            .map_or("nothing was heard of its status", Status::as_str)
            .to_owned();
        if !self.suspended_by.is_empty() {
            status += &format!(" by {}", self.suspended_by.join(", "));
        }
        if let Some(reason) = &self.reason_code {
            status += &format!(" ({reason})");
        }
        let sure = match self.doubts.is_empty() {
            true => "nothing speaks against it".to_owned(),
            false => format!("not sure: {}", self.doubts.join("; ")),
        };
        let (word, why) = self.charge;
        let mut told = Vec::new();
        told.extend(self.at.map(|at| ("as of", time(Some(at)))));
        told.extend([("status", status), ("since", time(self.status_at)), ("how sure", sure)]);
        told.push(("charge", format!("{}: {why}", word.as_str())));
        told
    }

    pub(super) fn shown(&self) -> Value {
        let (word, why) = self.charge;
        json!({
            "at": self.at.map(rfc3339),
            "status": self.status,
            "suspended_by": self.suspended_by,
            "status_at": self.status_at.map(rfc3339),
            "reason_code": self.reason_code,
            "sequence": self.sequence,
            "doubts": self.doubts,
            "charge": word,
            "why": why,
        })
    }
}

/// Who suspended it from that change on, if the change says so.
fn suspenders(transition: &Transition) -> Option<Vec<String>> {
    let change = transition.changes.iter().find(|change| change.field == "suspendedBy")?;
    let names = change.to.as_ref().and_then(Value::as_array).into_iter().flatten();
    Some(names.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// What of it may have raised a doubt that stood then.
fn doubts(scenes: &[Scene]) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut said: BTreeMap<OffsetDateTime, &Status> = BTreeMap::new();
    if scenes.len() >= LOOK_MAX as usize {
        doubts.push("more had happened by then than is looked at".to_owned());
    }
    for scene in scenes {
        let Scene::Heard(statement) = scene else { continue };
        if is_odd(statement) {
            doubts.push(format!(
                "by then, notification {}: {}",
                statement.notification,
                odd(statement)
            ));
        }
        if let (Some(at), Some(status)) = (statement.status_at, &statement.status)
            && *said.entry(at).or_insert(status) != status
        {
            doubts.push("two different statements share an instant".to_owned());
        }
    }
    doubts
}

/// What of a statement may have raised a doubt about the status.
const DOUBTFUL: [Flag; 6] = [
    Flag::UnknownStatus,
    Flag::Untimed,
    Flag::FromTheFuture,
    Flag::DeactivatedOutOfOrder,
    Flag::WokeAfterDeactivation,
    Flag::SeveralNetworkTokens,
];

fn is_odd(statement: &KeptStatement) -> bool {
    let plain = [Verdict::Advanced, Verdict::Unchanged, Verdict::Stale];
    let is_doubtful = statement.flags.iter().any(|flag| DOUBTFUL.contains(flag));
    !plain.contains(&statement.verdict) || is_doubtful || statement.repeats > 0
}

fn odd(statement: &KeptStatement) -> String {
    let flags: Vec<String> = statement
        .flags
        .iter()
        .map(|flag| flag.as_str().replace('_', " "))
        .collect();
    match (flags.is_empty(), statement.repeats) {
        (false, _) => flags.join(", "),
        (true, 0) => statement.verdict.sentence().to_owned(),
        (true, _) => "it was heard again".to_owned(),
    }
}
