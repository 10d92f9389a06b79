//! `/v1/commands`: what the merchant wants of its tokens, and what became of it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Asker, Named, Told, limit};
use super::deliveries::token;
use super::problem::Problem;
use super::v1::SharedApi;
use super::wire;
use crate::clock::new_id;
use crate::domain::command::{Action, Stage};
use crate::domain::id::{CommandId, Namespace};
use crate::lifecycle::ordering::{self, Written};
use crate::store::desk::{Approved, CommandFilter, Ordered};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `POST /v1/tokens/{reference}/commands`: 201 with a new command, 200 with the one that was asked for before under the
/// same `Idempotency-Key`. It is on disk then, and carried out whatever becomes of who asked; a crash before the
/// answer leaves all of it or nothing, and the same key finds out which.
pub(super) async fn order(
    State(api): State<SharedApi>,
    Asker(operator): Asker,
    Named(reference): Named,
    headers: HeaderMap,
    Told(written): Told<Written>,
) -> Result<Response, Problem> {
    let (desk, offered) = (&api.state.desk, &api.state.offered);
    let order = written.order(&reference, offered, desk.as_ref()).await?;
    let id = CommandId(new_id(api.state.clock.now()));
    let key = key(&headers)?;
    let command = ordering::command(id, order, offered, &operator.name, key)?;
    let (status, kept) = match desk.order(&command).await? {
        Ordered::New(kept) => (StatusCode::CREATED, kept),
        Ordered::Same(kept) => (StatusCode::OK, kept),
        Ordered::Conflict(_) => return Err(Problem::key_used()),
    };
    let (command, action) = (kept.command.id, kept.command.order.action.as_str());
    tracing::info!(operator = operator.name, %command, action, is_new = status == StatusCode::CREATED, "command");
    Ok((status, Json(wire::command(&kept))).into_response())
}

/// The one key that is given.
fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        // What is no text fits no more than an empty one does.
        (Some(value), None) => Ok(Some(value.to_str().unwrap_or_default())),
        _ => Err(Problem::unfit("Idempotency-Key", "is given twice")),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    token: Option<String>,
    namespace: Option<Namespace>,
    stage: Option<Stage>,
    action: Option<Action>,
    #[serde(default)]
    open: bool,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/commands?token=&namespace=&stage=&action=&open=&after=&limit=`: newest first; `next` is null after the last.
pub(super) async fn list(State(api): State<SharedApi>, Ask(asked): Ask<Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let after = asked.after.as_deref().map(str::parse::<CommandId>).transpose();
    let after = after.map_err(|_| Problem::unknown_cursor())?;
    let which = CommandFilter {
        token: token(asked.namespace, asked.token)?,
        stage: asked.stage,
        action: asked.action,
        open: asked.open,
    };
    let commands = api.state.desk.commands(&which, after, limit).await?;
    let last = commands.last().filter(|_| commands.len() >= limit as usize);
    let next = last.map(|last| last.command.id);
    let items: Vec<Value> = commands.iter().map(wire::command).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

/// `GET /v1/commands/{id}`: how it stands, and what it went through.
pub(super) async fn show(State(api): State<SharedApi>, Named(id): Named) -> Result<Json<Value>, Problem> {
    let id: CommandId = id.parse().map_err(|_| Problem::unknown_command())?;
    let kept = api.state.desk.command(id).await?.ok_or_else(Problem::unknown_command)?;
    let steps = api.state.desk.steps(id).await?;
    let mut command = wire::command(&kept);
    command["steps"] = json!(steps);
    Ok(Json(command))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Approving {}

/// `POST /v1/commands/{id}/withdraw`: what waits for approval is refused.
pub(super) async fn withdraw(
    State(api): State<SharedApi>,
    Asker(operator): Asker,
    Named(id): Named,
    Told(Approving {}): Told<Approving>,
) -> Result<Json<Value>, Problem> {
    let id: CommandId = id.parse().map_err(|_| Problem::unknown_command())?;
    let desk = &api.state.desk;
    let withdrawn = desk.withdraw(id, &operator.name).await?;
    let kept = desk.command(id).await?.ok_or_else(Problem::unknown_command)?;
    if !withdrawn {
        return Err(Problem::not_waiting());
    }
    tracing::info!(operator = operator.name, command = %id, "withdrawn");
    Ok(Json(wire::command(&kept)))
}

/// `POST /v1/commands/{id}/approve`: it goes as if it were asked for now.
pub(super) async fn approve(
    State(api): State<SharedApi>,
    Asker(operator): Asker,
    Named(id): Named,
    Told(Approving {}): Told<Approving>,
) -> Result<Json<Value>, Problem> {
    let id: CommandId = id.parse().map_err(|_| Problem::unknown_command())?;
    let desk = &api.state.desk;
    match desk.approve(id, &operator.name).await? {
        Approved::Now => {}
        Approved::ByTheSame => return Err(Problem::by_the_same()),
        Approved::NotWaiting if desk.command(id).await?.is_none() => return Err(Problem::unknown_command()),
        Approved::NotWaiting => return Err(Problem::not_waiting()),
    }
    tracing::info!(operator = operator.name, command = %id, "approved");
    let kept = desk.command(id).await?.ok_or_else(Problem::unknown_command)?;
    Ok(Json(wire::command(&kept)))
}
