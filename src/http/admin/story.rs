//! `GET /v1/tokens/{reference}/story`: what happened to a token, in one timeline, newest first.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Named, limit};
use super::problem::Problem;
use super::v1::SharedApi;
use crate::domain::id::{Namespace, TokenReference};
use crate::store::search::{Moment, Scene};

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
        Some(cursor) => Moment::of_cursor(cursor).ok_or_else(Problem::unknown_cursor)?,
        None => Moment::LATEST,
    };
    let scenes = api.state.search.story(&token, &before, limit).await?;
    if scenes.is_empty() && asked.after.is_none() && api.state.outbox.registration(&token).await?.is_none() {
        return Err(Problem::unknown_token());
    }
    let next = (scenes.len() >= limit as usize).then(|| before.cursor(&scenes));
    let items: Vec<Value> = scenes.iter().map(Scene::shown).collect();
    Ok(Json(json!({ "items": items, "next": next.flatten() })))
}
