//! A scene of a story in words and for programs, the same wherever it is told; and where a story goes on.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::Transition;
use super::search::{Moment, Scene, Sending};
use super::shown::rfc3339;
use crate::domain::status::Status;

/// Scenes of one instant that a cursor can stand behind.
const SHOWN_MAX: u32 = 10_000;

impl Moment {
    /// After everything.
    pub const LATEST: Moment = Moment {
        at: time::macros::datetime!(9999-12-31 23:59:59 UTC),
        shown: 0,
    };

    /// The place behind these scenes, which began at this one: the last one's instant in microseconds, and how many of
    /// that instant were shown.
    pub fn cursor(&self, scenes: &[Scene]) -> Option<String> {
        let at = scenes.last()?.at();
        let of_it = scenes.iter().rev().take_while(|scene| scene.at() == at).count() as u32;
        let earlier = if at == self.at { self.shown } else { 0 };
        Some(format!("{}.{}", at.unix_timestamp_nanos() / 1_000, of_it + earlier))
    }

    /// The place that such a text names.
    pub fn of_cursor(cursor: &str) -> Option<Moment> {
        let (micros, shown) = cursor.split_once('.')?;
        let micros: i128 = micros.parse().ok()?;
        let at = OffsetDateTime::from_unix_timestamp_nanos(micros.checked_mul(1_000)?).ok()?;
        let shown = shown.parse().ok().filter(|shown| *shown <= SHOWN_MAX)?;
        (at.year() >= 1).then_some(Moment { at, shown })
    }
}

impl Scene {
    /// `heard`, `changed`, `told` or `commanded`.
    pub fn kind(&self) -> &'static str {
        match self {
            Scene::Heard(_) => "heard",
            Scene::Changed(_) => "changed",
            Scene::Told(_) => "told",
            Scene::Commanded(..) => "commanded",
        }
    }

    /// What happened, in a few words for people.
    pub fn summary(&self) -> String {
        match self {
            Scene::Heard(statement) => statement.verdict.sentence().to_owned(),
            Scene::Changed(transition) => changed(transition),
            Scene::Told(told) => format!("{} was told", told.event.kind.as_str()),
            Scene::Commanded(_, action, step) => format!("{}: {}", action.as_str(), step.why),
        }
    }

    /// All of it, for programs.
    pub fn shown(&self) -> Value {
        let mut shown = match self {
            Scene::Heard(statement) => statement.shown(),
            Scene::Changed(transition) => transition.shown(),
            Scene::Told(told) => json!({
                "event_id": told.event.id,
                "event_cursor": told.position.to_string(),
                "type": told.event.kind,
                "sequence": told.event.data.sequence,
                "advice": told.event.data.advice,
                "deliveries": told.sendings.iter().map(Sending::shown).collect::<Vec<_>>(),
            }),
            Scene::Commanded(id, action, step) => json!({
                "command_id": id,
                "action": action,
                "stage": step.stage,
                "why": step.why,
            }),
        };
        shown["kind"] = json!(self.kind());
        shown["at"] = json!(rfc3339(self.at()));
        shown["summary"] = json!(self.summary());
        shown
    }
}

fn changed(transition: &Transition) -> String {
    let word = |status: &Option<Status>| status.as_ref().map_or("nothing", Status::as_str).to_owned();
    match transition.kind.as_str() {
        "status" => format!("{} → {}", word(&transition.from_status), word(&transition.to_status)),
        "suspenders" => "its suspenders changed".to_owned(),
        _ => "its data changed".to_owned(),
    }
}

impl Transition {
    fn shown(&self) -> Value {
        json!({
            "sequence": self.sequence,
            "change": self.kind,
            "from_status": self.from_status,
            "to_status": self.to_status,
            "status_at": self.status_at.map(rfc3339),
            "reason_code": self.reason_code,
            "changes": self.changes,
            "notification_id": self.notification,
        })
    }
}

impl Sending {
    fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "destination": self.destination,
            "state": self.state,
            "attempts": self.attempts,
            "attempted_at": self.attempted_at.map(rfc3339),
            "answer_status": self.answer_status,
            "settled_by": self.settled_by,
        })
    }
}
