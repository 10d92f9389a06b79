//! `/v1/reconciles`, `/v1/questions`, `/v1/gaps`: what is asked of the network by ourselves, and why.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::ask::{Ask, Doing, Named, Page, Told};
use super::problem::Problem;
use super::route::{Route, get, paged, path, post, reason, value};
use super::v1::SharedApi;
use super::wire;
use crate::clock::new_id;
use crate::domain::id::{GapId, Namespace, ReconcileId};
use crate::lifecycle::reconcile::Wanted;
use crate::store::Asking as _;

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 });
    vec![
        get("/reconciles", "listReconciles", list)
            .says("Comparisons of what is held with what the network says, newest first, by pages")
            .asks(paged())
            .gives(200, "ReconcilePage")
            .problems(&[404]),
        post("/reconciles", "beginReconcile", begin)
            .says("Begins one: of all tokens, or of those of which nothing was received since then")
            .asks([reason()])
            .takes("Reconciling")
            .gives(201, "Reconcile"),
        get("/reconciles/{id}", "showReconcile", show)
            .says("One of them: how far it is, and what came of it until now")
            .asks([path("id", "Its id")])
            .gives(200, "Reconcile")
            .problems(&[404]),
        get("/reconciles/{id}/findings", "listFindings", findings)
            .says("What of it was not as it was held, in the order of the tokens, by pages")
            .asks([path("id", "Its id")])
            .asks(paged())
            .gives(200, "FindingPage")
            .problems(&[404]),
        post("/reconciles/{id}/stop", "stopReconcile", stop)
            .says("Ends it after the page that it is at")
            .asks([path("id", "Its id"), reason()])
            .takes("MaybeBecause")
            .gives(200, "Reconcile")
            .problems(&[404, 409]),
        get("/questions", "listQuestions", questions)
            .says("The tokens that are in doubt and asked after, those that need a person first")
            .asks([value("limit", "How many at most", limit)])
            .gives(200, "Questions"),
        get("/gaps", "listGaps", gaps)
            .says("The times in which a notification may have been missed, newest first, by pages")
            .asks(paged())
            .gives(200, "GapPage")
            .problems(&[404]),
    ]
}

/// What is to be compared.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Written {
    namespaces: BTreeSet<Namespace>,
    #[serde(with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    dry_run: bool,
}

/// `POST /v1/reconciles`: 201 with a new one. It is on disk then, and goes on whatever becomes of who asked.
pub(super) async fn begin(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(written): Told<Written>,
) -> Result<Response, Problem> {
    let now = api.state.clock.now();
    let wanted = Wanted {
        namespaces: written.namespaces,
        since: written.since,
        dry_run: written.dry_run,
    };
    let id = ReconcileId(new_id(now));
    let operator = &doing.operator;
    let reconcile = wanted.by(id, &operator.name, &api.state.offered, now);
    let reconcile = reconcile.map_err(|unfit| Problem::unfit(unfit.field, unfit.why))?;
    let asking = api.state.ledger.in_the_hand_of(doing.may_say(None)?);
    asking.begin_reconcile(&reconcile, None).await?;
    tracing::info!(operator = operator.name, reconcile = %id, dry_run = reconcile.dry_run, "reconcile");
    let kept = api.state.asking.reconcile(id).await?.ok_or_else(Problem::defect)?;
    Ok((StatusCode::CREATED, Json(json!(kept))).into_response())
}

/// `GET /v1/reconciles?after=&limit=`: newest first; `next` is null after the last.
pub(super) async fn list(State(api): State<SharedApi>, Ask(page): Ask<Page>) -> Result<Json<Value>, Problem> {
    let limit = page.limit()?;
    let before = page.after.as_deref().map(str::parse::<ReconcileId>).transpose();
    let before = before.map_err(|_| Problem::unknown_cursor())?;
    let items = api.state.asking.reconciles(before, limit).await?;
    let next = items
        .last()
        .filter(|_| items.len() >= limit as usize)
        .map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}

/// `GET /v1/reconciles/{id}`: how far it is, and what came of it until now.
pub(super) async fn show(State(api): State<SharedApi>, Named(id): Named) -> Result<Json<Value>, Problem> {
    let id: ReconcileId = id.parse().map_err(|_| Problem::unknown_reconcile())?;
    let kept = api
        .state
        .asking
        .reconcile(id)
        .await?
        .ok_or_else(Problem::unknown_reconcile)?;
    Ok(Json(json!(kept)))
}

/// `GET /v1/reconciles/{id}/findings?after=&limit=`: what was not as we held it; at most 10,000 of one are kept.
pub(super) async fn findings(
    State(api): State<SharedApi>,
    Named(id): Named,
    Ask(page): Ask<Page>,
) -> Result<Json<Value>, Problem> {
    let limit = page.limit()?;
    let id: ReconcileId = id.parse().map_err(|_| Problem::unknown_reconcile())?;
    let after = page
        .after
        .as_deref()
        .map(|cursor| wire::token_of_cursor(&*api.state.house, cursor).ok_or_else(Problem::unknown_cursor));
    let after = after.transpose()?;
    if api.state.asking.reconcile(id).await?.is_none() {
        return Err(Problem::unknown_reconcile());
    }
    let items = api.state.asking.findings(id, after.as_ref(), limit).await?;
    let next = items.last().filter(|_| items.len() >= limit as usize);
    let next = next.map(|last| wire::token_cursor(&*api.state.house, &last.token));
    Ok(Json(json!({ "items": items, "next": next })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stopping {
    reason: Option<String>,
}

/// `POST /v1/reconciles/{id}/stop`: it ends after the page that it is at.
pub(super) async fn stop(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(id): Named,
    Told(stopping): Told<Stopping>,
) -> Result<Json<Value>, Problem> {
    let id: ReconcileId = id.parse().map_err(|_| Problem::unknown_reconcile())?;
    let asking = api
        .state
        .ledger
        .in_the_hand_of(doing.may_say(stopping.reason.as_deref())?);
    let stopped = asking.stop_reconcile(id).await?;
    let kept = asking.reconcile(id).await?.ok_or_else(Problem::unknown_reconcile)?;
    if !stopped {
        return Err(Problem::has_ended());
    }
    tracing::info!(operator = doing.operator.name, reconcile = %id, "stopped");
    Ok(Json(json!(kept)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limited {
    limit: Option<u32>,
}

/// `GET /v1/questions?limit=`: the tokens that are asked after, those that need a person first.
pub(super) async fn questions(State(api): State<SharedApi>, Ask(asked): Ask<Limited>) -> Result<Json<Value>, Problem> {
    let limit = super::ask::limit(asked.limit)?;
    let items = api.state.asking.questions(None, limit).await?;
    Ok(Json(json!({ "items": items })))
}

/// `GET /v1/gaps?after=&limit=`: the times in which a notification may have been missed, newest first.
pub(super) async fn gaps(State(api): State<SharedApi>, Ask(page): Ask<Page>) -> Result<Json<Value>, Problem> {
    let limit = page.limit()?;
    let before = page.after.as_deref().map(str::parse::<GapId>).transpose();
    let before = before.map_err(|_| Problem::unknown_cursor())?;
    let items = api.state.asking.gaps(before, limit).await?;
    let next = items
        .last()
        .filter(|_| items.len() >= limit as usize)
        .map(|last| last.id);
    Ok(Json(json!({ "items": items, "next": next })))
}
