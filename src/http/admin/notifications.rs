//! `/v1/notifications`: what Mastercard sent, as far as it may be shown: everything but the sealed body.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::ask::{Ask, Named, Page};
use super::problem::Problem;
use super::route::{Route, get, paged, path};
use super::v1::SharedApi;
use super::wire;
use crate::domain::id::NotificationId;
use crate::store::search::Head;

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/notifications", "listNotifications", list)
            .says("What Mastercard sent and we could read, newest first, by pages; never its body")
            .asks(paged())
            .gives(200, "NotificationPage")
            .problems(&[404]),
        get("/notifications/{id}", "showNotification", show)
            .says("One of them, with what it said of which token, and what became of that")
            .asks([path("id", "Its id")])
            .gives(200, "Notification")
            .problems(&[404]),
    ]
}

/// `GET /v1/notifications?after=&limit=`: newest first; `next` is null after the last.
pub(super) async fn list(State(api): State<SharedApi>, Ask(page): Ask<Page>) -> Result<Json<Value>, Problem> {
    let limit = page.limit()?;
    let before = page.after.as_deref().map(str::parse::<NotificationId>).transpose();
    let before = before.map_err(|_| Problem::unknown_cursor())?;
    let heads = api.state.search.heads(before, limit).await?;
    let last = heads.last().filter(|_| heads.len() >= limit as usize);
    let next = last.map(|last| last.id);
    let items: Vec<Value> = heads.iter().map(Head::shown).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}

/// `GET /v1/notifications/{id}`: one of them, with what it said of which token.
pub(super) async fn show(State(api): State<SharedApi>, Named(id): Named) -> Result<Json<Value>, Problem> {
    let id: NotificationId = id.parse().map_err(|_| Problem::unknown_notification())?;
    let head = api
        .state
        .search
        .head(id)
        .await?
        .ok_or_else(Problem::unknown_notification)?;
    let statements = api.state.search.statements_in(id).await?;
    let mut shown = head.shown();
    shown["statements"] = statements.iter().map(wire::statement).collect();
    Ok(Json(shown))
}
