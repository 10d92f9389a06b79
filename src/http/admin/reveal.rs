//! `POST /v1/tokens/{reference}/reveal`: a token's own number, for who may see it and says why.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Doing, Named, Told};
use super::problem::Problem;
use super::tokens::Whose;
use super::v1::{Api, SharedApi};
use crate::domain::id::{NotificationId, TokenReference};
use crate::domain::masked::{Secret, masked};
use crate::store::ledger::Deed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revealing {
    reason: Option<String>,
}

/// Opened from the sealed body that holds it, for this answer alone. The audit has it before the answer leaves: a crash
/// between the two tells of a look that nobody had, and never the other way round.
pub(super) async fn reveal(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(reference): Named,
    Ask(whose): Ask<Whose>,
    Told(revealing): Told<Revealing>,
) -> Result<Json<Value>, Problem> {
    let mut hand = doing.must_say(revealing.reason.as_deref())?;
    let token = TokenReference {
        namespace: whose.namespace,
        reference,
    };
    let kept = api
        .state
        .store
        .token(&token)
        .await?
        .ok_or_else(Problem::unknown_token)?;
    let deed = Deed::on_token("token.reveal", &token);
    let found = match kept.token.number_in() {
        Some(notification) => number(&api, &token, notification)
            .await?
            .map(|number| (number, notification)),
        None => None,
    };
    if let (Some((number, _)), Some(why)) = (&found, &mut hand.why) {
        *why = why.replace(number.expose(), &masked(number.expose()));
    }
    let outcome = if found.is_some() {
        "revealed"
    } else {
        "there is no number to reveal"
    };
    api.state.ledger.note(&hand, &deed, outcome).await?;
    let (number, notification) = found.ok_or_else(Problem::no_number)?;
    Ok(Json(json!({
        "namespace": token.namespace,
        "token_unique_reference": token.reference,
        "token_number": number.expose(),
        "notification_id": notification,
    })))
}

/// Of what the notification said of the token, the last that has a number.
async fn number(api: &Api, token: &TokenReference, notification: NotificationId) -> Result<Option<Secret>, Problem> {
    let said = api.state.search.statements_in(notification).await?;
    for statement in said.iter().rev().filter(|statement| statement.token == *token) {
        let number = api.state.house.token_number(notification, statement.index).await?;
        if number.is_some() {
            return Ok(number);
        }
    }
    Ok(None)
}
