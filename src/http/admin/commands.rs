//! `/v1/commands`: what the merchant wants of its tokens, and what became of it.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Doing, Named, Told, limit};
use super::deliveries::looked_for;
use super::problem::Problem;
use super::route::{Route, flag, get, header, namespace, paged, path, post, reason, text, word};
use super::v1::SharedApi;
use super::wire;
use crate::clock::new_id;
use crate::domain::command::{Action, Service, Stage};
use crate::domain::id::{CommandId, Namespace};
use crate::lifecycle::ordering::{self, Refused, Written};
use crate::store::desk::{Approved, CommandFilter, Desk as _, Ordered};

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    let stages: Vec<&str> = Stage::ALL.iter().map(|stage| stage.as_str()).collect();
    let key = json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" });
    vec![
        post("/tokens/{reference}/commands", "orderCommand", order)
            .says("Asks for a suspension, a resumption or a deletion")
            .asks([
                path("reference", "The token's reference"),
                header("Idempotency-Key", "The same key again finds the same command", key),
                reason(),
            ])
            .takes("Ordering")
            .gives(200, "Command")
            .gives(201, "Command")
            .problems(&[409]),
        get("/commands", "listCommands", list)
            .says("What was asked for, newest first, by pages")
            .asks([
                text("token", "About this token"),
                namespace(),
                word("stage", "Standing there", &stages),
                word("action", "Wanting this", &["suspend", "resume", "delete"]),
                flag("open", "Only those that have not come to their end"),
            ])
            .asks(paged())
            .gives(200, "CommandPage")
            .problems(&[404]),
        get("/commands/{id}", "showCommand", show)
            .says("One of them, with each step that it took")
            .asks([path("id", "Its id")])
            .gives(200, "Command")
            .problems(&[404]),
        post("/commands/{id}/approve", "approveCommand", approve)
            .says("Lets a deletion go that waits for a second operator")
            .asks([path("id", "Its id"), reason()])
            .takes("MaybeBecause")
            .gives(200, "Command")
            .problems(&[404, 409]),
        post("/commands/{id}/withdraw", "withdrawCommand", withdraw)
            .says("Refuses what waits for a second operator, on behalf of whoever asked")
            .asks([path("id", "Its id"), reason()])
            .takes("MaybeBecause")
            .gives(200, "Command")
            .problems(&[404, 409]),
    ]
}

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// `POST /v1/tokens/{reference}/commands`: 201 with a new command, 200 with the one that was asked for before under the
/// same `Idempotency-Key`. It is on disk then, and carried out whatever becomes of who asked; a crash before the
/// answer leaves all of it or nothing, and the same key finds out which.
pub(super) async fn order(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(reference): Named,
    headers: HeaderMap,
    Told(written): Told<Written>,
) -> Result<Response, Problem> {
    let offered = &api.state.offered;
    let desk = api
        .state
        .ledger
        .in_the_hand_of(doing.may_say(written.reason.as_deref())?);
    let order = written.order(&reference, offered, desk.as_ref()).await;
    let order = order.map_err(|refused| why_not(refused, &written))?;
    let id = CommandId(new_id(api.state.clock.now()));
    let key = key(&headers)?;
    let command = ordering::command(id, order, offered, &doing.operator.name, key)?;
    let (status, kept) = match desk.order(&command).await? {
        Ordered::New(kept) => (StatusCode::CREATED, kept),
        Ordered::Same(kept) => (StatusCode::OK, kept),
        Ordered::Conflict(_) => return Err(Problem::key_used()),
    };
    let (command, action) = (kept.command.id, kept.command.order.action.as_str());
    tracing::info!(operator = doing.operator.name, %command, action, is_new = status == StatusCode::CREATED, "command");
    Ok((status, Json(wire::command(&kept))).into_response())
}

/// What some fields have to be, only the configuration, the links and the token itself say: then it is no fault of form.
fn why_not(refused: Refused, written: &Written) -> Problem {
    let through = written.through.as_deref().unwrap_or_default();
    let is_service = through.is_empty() || Service::parse(through).is_some();
    match refused {
        Refused::Unfit(unfit) => match unfit.field {
            "confirm" | "token_reference_id" => Problem::not_orderable(unfit),
            "through" if is_service => Problem::not_orderable(unfit),
            _ => unfit.into(),
        },
        refused => refused.into(),
    }
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
        token: looked_for(asked.namespace, asked.token),
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
pub(super) struct Approving {
    reason: Option<String>,
}

/// `POST /v1/commands/{id}/withdraw`: what waits for approval is refused.
pub(super) async fn withdraw(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(id): Named,
    Told(withdrawing): Told<Approving>,
) -> Result<Json<Value>, Problem> {
    let id: CommandId = id.parse().map_err(|_| Problem::unknown_command())?;
    let hand = doing.may_say(withdrawing.reason.as_deref())?;
    let desk = api.state.ledger.in_the_hand_of(hand);
    let withdrawn = desk.withdraw(id, &doing.operator.name).await?;
    let kept = desk.command(id).await?.ok_or_else(Problem::unknown_command)?;
    if !withdrawn {
        return Err(Problem::not_waiting());
    }
    tracing::info!(operator = doing.operator.name, command = %id, "withdrawn");
    Ok(Json(wire::command(&kept)))
}

/// `POST /v1/commands/{id}/approve`: it goes as if it were asked for now.
pub(super) async fn approve(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(id): Named,
    Told(approving): Told<Approving>,
) -> Result<Json<Value>, Problem> {
    let id: CommandId = id.parse().map_err(|_| Problem::unknown_command())?;
    let desk = &api
        .state
        .ledger
        .in_the_hand_of(doing.may_say(approving.reason.as_deref())?);
    match desk.approve(id, &doing.operator.name).await? {
        Approved::Now => {}
        Approved::ByTheSame => return Err(Problem::by_the_same()),
        Approved::NotWaiting if desk.command(id).await?.is_none() => return Err(Problem::unknown_command()),
        Approved::NotWaiting => return Err(Problem::not_waiting()),
    }
    tracing::info!(operator = doing.operator.name, command = %id, "approved");
    let kept = desk.command(id).await?.ok_or_else(Problem::unknown_command)?;
    Ok(Json(wire::command(&kept)))
}
