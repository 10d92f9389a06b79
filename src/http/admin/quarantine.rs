//! `/v1/quarantine`: what came in and could not be used; never what it says. Read it again, or set it aside.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Doing, Named, Told, limit};
use super::problem::Problem;
use super::route::{Route, flag, get, paged, path, post, reason, text};
use super::v1::{Api, SharedApi};
use super::wire::{self, rfc3339};
use crate::domain::id::QuarantineId;
use crate::inbox::Redriven;
use crate::store::ledger::{BEGUN, Deed};
use crate::store::{KeptQuarantine, QuarantineFilter, Resolution, Store as _};

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/quarantine", "listQuarantine", list)
            .says("What came in and could not be used, oldest first, by pages; never what it says")
            .asks([
                flag("open", "Only what is open; if nobody says, it is"),
                text("reason", "Only entries with this reason"),
            ])
            .asks(paged())
            .gives(200, "QuarantinePage")
            .problems(&[404]),
        get("/quarantine/{id}", "showQuarantined", show)
            .says("One of them")
            .asks([path("id", "Its id")])
            .gives(200, "Quarantined")
            .problems(&[404]),
        post("/quarantine/{id}/redrive", "redriveQuarantined", redrive)
            .says("Reads it again, through the door by which it came in")
            .asks([path("id", "Its id"), reason()])
            .takes("MaybeBecause")
            .gives(200, "Redriven")
            .problems(&[404, 409]),
        post("/quarantine/{id}/resolve", "resolveQuarantined", resolve)
            .says("Sets it aside for good, and says why; it is kept")
            .asks([path("id", "Its id")])
            .takes("Because")
            .gives(200, "Quarantined")
            .problems(&[404, 409]),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    reason: Option<String>,
    #[serde(default = "yes")]
    open: bool,
    after: Option<String>,
    limit: Option<u32>,
}

fn yes() -> bool {
    true
}

/// `GET /v1/quarantine?open=&reason=&after=&limit=`: oldest first; `next` is null after the last.
pub(super) async fn list(State(api): State<SharedApi>, Ask(asked): Ask<Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let after = asked.after.as_deref().map(str::parse::<QuarantineId>).transpose();
    let after = after.map_err(|_| Problem::unknown_cursor())?;
    let which = QuarantineFilter {
        open: asked.open,
        reason: asked.reason,
        not_tried_with: None,
    };
    let entries = api.state.store.quarantined(&which, after, limit).await?;
    let last = entries.last().filter(|_| entries.len() >= limit as usize);
    let next = last.map(|last| last.id);
    let items: Vec<Value> = entries.iter().map(shown).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

/// `GET /v1/quarantine/{id}`: one of them.
pub(super) async fn show(State(api): State<SharedApi>, Named(id): Named) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&entry(&api, &id).await?)))
}

async fn entry(api: &Api, id: &str) -> Result<KeptQuarantine, Problem> {
    let id: QuarantineId = id.parse().map_err(|_| Problem::unknown_entry())?;
    let entry = api.state.store.quarantine_entry(id).await?;
    entry.ok_or_else(Problem::unknown_entry)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    reason: Option<String>,
}

/// `POST /v1/quarantine/{id}/redrive`: reads it again, as if it had just come. The audit has it before and after; a crash
/// between leaves it open or recorded, and asked again it finds out which.
pub(super) async fn redrive(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(id): Named,
    Told(because): Told<Because>,
) -> Result<Json<Value>, Problem> {
    let hand = doing.may_say(because.reason.as_deref())?;
    let entry = entry(&api, &id).await?;
    if entry.resolved_at.is_some() {
        return Err(Problem::not_open());
    }
    let deed = Deed::on_id("quarantine.redrive", entry.id);
    let ledger = &api.state.ledger;
    ledger.note(&hand, &deed, BEGUN).await?;
    let redriven = api.state.house.redrive(&entry).await?;
    let (outcome, answer) = match redriven {
        Redriven::Recorded(id) => (
            format!("recorded as {id}"),
            json!({ "outcome": "recorded", "notification_id": id, "reason": null, "detail": null }),
        ),
        Redriven::StillUnreadable { reason, detail } => (
            format!("still cannot be read: {reason}"),
            json!({ "outcome": "still_unreadable", "notification_id": null, "reason": reason, "detail": detail }),
        ),
        Redriven::NotOpen => return Err(Problem::not_open()),
    };
    ledger.note(&hand, &deed, &outcome).await?;
    Ok(Json(answer))
}

/// `POST /v1/quarantine/{id}/resolve`: sets it aside for good, and says why; it is kept.
pub(super) async fn resolve(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(id): Named,
    Told(because): Told<Because>,
) -> Result<Json<Value>, Problem> {
    let hand = doing.must_say(because.reason.as_deref())?;
    let why = hand.why.clone().unwrap_or_default();
    let entry = entry(&api, &id).await?;
    let store = api.state.ledger.in_the_hand_of(hand);
    let now = api.state.clock.now();
    if !store.resolve(entry.id, &Resolution::SetAside(why), now).await? {
        return Err(Problem::not_open());
    }
    tracing::info!(operator = doing.operator.name, entry = %entry.id, "set aside");
    let kept = api.state.store.quarantine_entry(entry.id).await?;
    Ok(Json(shown(&kept.ok_or_else(Problem::unknown_entry)?)))
}

fn shown(entry: &KeptQuarantine) -> Value {
    json!({
        "id": entry.id,
        "received_at": rfc3339(entry.received_at),
        "peer": wire::peer(&entry.peer),
        "reason": entry.reason,
        "detail": entry.detail,
        "notification_id": entry.notification.map(|(id, _)| id),
        "token_index": entry.notification.map(|(_, index)| index),
        "body_bytes": entry.body_bytes,
        "sealed_by": entry.sealed_by,
        "tries": entry.tries,
        "resolved_at": entry.resolved_at.map(rfc3339),
        "resolution": entry.resolution,
    })
}
