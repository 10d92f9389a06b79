//! `/v1/alarms`: what needs a person.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::problem::Problem;
use super::route::{Route, get};
use super::v1::SharedApi;

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/alarms", "listAlarms", list)
            .says("What needs a person at this moment, and the first thing to do about each; what was, is in the events `ops.*`")
            .gives(200, "Alarms"),
    ]
}

/// `GET /v1/alarms`: in no pages, since there are few.
async fn list(State(api): State<SharedApi>) -> Result<Json<Value>, Problem> {
    let standing = api.state.house.needs().await?;
    Ok(Json(standing.shown()))
}
