//! `GET /v1/audit`: who did what, when, from where and why.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ask::{Ask, limit};
use super::problem::Problem;
use super::v1::SharedApi;
use crate::store::ledger::EntryFilter;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    who: Option<String>,
    what: Option<String>,
    about: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
}

/// Newest first; `next` is null after the last.
pub(super) async fn list(State(api): State<SharedApi>, Ask(asked): Ask<Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let before = asked.after.as_deref().map(str::parse::<Uuid>).transpose();
    let before = before.map_err(|_| Problem::unknown_cursor())?;
    let which = EntryFilter {
        who: asked.who,
        what: asked.what,
        about: asked.about,
    };
    let entries = api.state.ledger.entries(&which, before, limit).await?;
    let last = entries.last().filter(|_| entries.len() >= limit as usize);
    let next = last.map(|last| last.id);
    Ok(Json(json!({ "items": entries, "next": next })))
}
