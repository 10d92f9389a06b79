//! `GET /v1/tokens/{reference}/story`: what happened to a token, in one timeline, newest first.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ask::{Ask, Named, limit};
use super::problem::Problem;
use super::v1::SharedApi;
use super::wire::{self, rfc3339};
use crate::domain::id::{Namespace, TokenReference};
use crate::store::search::{Moment, Scene, Sending};
use crate::store::{KeptStatement, Transition};

/// Scenes of one instant that a cursor can stand behind.
const SHOWN_MAX: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default = "super::tokens::mdes")]
    namespace: Namespace,
    after: Option<String>,
    limit: Option<u32>,
}

/// What was said of it and what came of that, what changed, what was told and to whom, what was commanded.
pub(super) async fn story(
    State(api): State<SharedApi>,
    Named(reference): Named,
    Ask(asked): Ask<Asked>,
) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let token = TokenReference {
        namespace: asked.namespace,
        reference,
    };
    let before = match asked.after.as_deref() {
        Some(cursor) => of_cursor(cursor).ok_or_else(Problem::unknown_cursor)?,
        None => Moment {
            at: time::macros::datetime!(9999-12-31 23:59:59 UTC),
            shown: 0,
        },
    };
    let scenes = api.state.search.story(&token, &before, limit).await?;
    if scenes.is_empty() && asked.after.is_none() && api.state.outbox.registration(&token).await?.is_none() {
        return Err(Problem::unknown_token());
    }
    let next = (scenes.len() >= limit as usize).then(|| cursor(&scenes, &before));
    let items: Vec<Value> = scenes.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": next.flatten() })))
}

/// The instant of the last scene in microseconds, and how many of that instant were shown.
fn cursor(scenes: &[Scene], before: &Moment) -> Option<String> {
    let at = scenes.last()?.at();
    let of_it = scenes.iter().rev().take_while(|scene| scene.at() == at).count() as u32;
    let earlier = if at == before.at { before.shown } else { 0 };
    Some(format!("{}.{}", at.unix_timestamp_nanos() / 1_000, of_it + earlier))
}

fn of_cursor(cursor: &str) -> Option<Moment> {
    let (micros, shown) = cursor.split_once('.')?;
    let micros: i128 = micros.parse().ok()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(micros.checked_mul(1_000)?).ok()?;
    let shown = shown.parse().ok().filter(|shown| *shown <= SHOWN_MAX)?;
    (at.year() >= 1).then_some(Moment { at, shown })
}

fn shown(scene: &Scene) -> Value {
    let at = rfc3339(scene.at());
    match scene {
        Scene::Heard(statement) => heard(statement, at),
        Scene::Changed(transition) => changed(transition, at),
        Scene::Told(told) => json!({
            "kind": "told",
            "at": at,
            "summary": format!("{} was told", told.event.kind.as_str()),
            "event_id": told.event.id,
            "event_cursor": told.position.to_string(),
            "type": told.event.kind,
            "sequence": told.event.data.sequence,
            "advice": told.event.data.advice,
            "deliveries": told.sendings.iter().map(sending).collect::<Vec<_>>(),
        }),
        Scene::Commanded(id, action, step) => json!({
            "kind": "commanded",
            "at": at,
            "summary": format!("{}: {}", action.as_str(), step.why),
            "command_id": id,
            "action": action,
            "stage": step.stage,
            "why": step.why,
        }),
    }
}

fn heard(statement: &KeptStatement, at: String) -> Value {
    let mut shown = wire::statement(statement);
    shown["kind"] = json!("heard");
    shown["at"] = json!(at);
    shown["summary"] = json!(statement.verdict.sentence());
    shown
}

fn changed(transition: &Transition, at: String) -> Value {
    let (from, to) = (transition.from_status.as_ref(), transition.to_status.as_ref());
    let word = |status: Option<&crate::domain::status::Status>| match status {
        Some(status) => status.as_str().to_owned(),
        None => "nothing".to_owned(),
    };
    let summary = match transition.kind.as_str() {
        "status" => format!("{} → {}", word(from), word(to)),
        "suspenders" => "its suspenders changed".to_owned(),
        _ => "its data changed".to_owned(),
    };
    json!({
        "kind": "changed",
        "at": at,
        "summary": summary,
        "sequence": transition.sequence,
        "change": transition.kind,
        "from_status": from,
        "to_status": to,
        "status_at": transition.status_at.map(rfc3339),
        "reason_code": transition.reason_code,
        "changes": transition.changes,
        "notification_id": transition.notification,
    })
}

fn sending(sending: &Sending) -> Value {
    json!({
        "id": sending.id,
        "destination": sending.destination,
        "state": sending.state,
        "attempts": sending.attempts,
        "attempted_at": sending.attempted_at.map(rfc3339),
        "answer_status": sending.answer_status,
        "settled_by": sending.settled_by,
    })
}
