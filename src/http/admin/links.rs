//! `/v1/links`: which names of MDES and of TokenEx are of one token.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Doing, Told, limit};
use super::deliveries::looked_for;
use super::house::House;
use super::problem::Problem;
use super::route::{Route, delete, get, namespace, paged, post, reason, text};
use super::v1::SharedApi;
use crate::domain::id::Namespace;
use crate::store::desk::{Desk as _, Link};
use crate::store::linked;

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/links", "listLinks", list)
            .says("Which names of MDES and of TokenEx are of one token, by pages")
            .asks([text("token", "Those of this token, 100 at most"), namespace()])
            .asks(paged())
            .gives(200, "LinkPage")
            .problems(&[404]),
        post("/links", "joinLinks", join)
            .says("Joins the names of one token, or of up to 1,000 as `items`: all or none")
            .asks([reason()])
            .takes("Joining")
            .gives(200, "Joined"),
        delete("/links", "partLink", part)
            .says("Takes away the link that the body names")
            .asks([reason()])
            .takes("Link")
            .gives(200, "Removed")
            .problems(&[404]),
    ]
}

/// Links of one request.
const ITEMS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    token: Option<String>,
    namespace: Option<Namespace>,
    after: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/links?after=&limit=`: in the order of their names; or with `token` and `namespace` those of one token, 100
/// at most.
pub(super) async fn list(State(api): State<SharedApi>, Ask(asked): Ask<Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let (desk, house) = (&api.state.desk, &*api.state.house);
    let (links, next) = match looked_for(asked.namespace, asked.token) {
        Some(token) => (desk.links_of(&token).await?, None),
        None => {
            let after = asked
                .after
                .as_deref()
                .map(|after| of_cursor(house, after))
                .transpose()?;
            let links = desk.links(after.as_ref(), limit).await?;
            let next = links
                .last()
                .filter(|_| links.len() >= limit as usize)
                .map(|last| cursor(house, last));
            (links, next)
        }
    };
    Ok(Json(json!({ "items": links, "next": next })))
}

/// A link's place in the order of links, veiled: its names may look like a card's number.
fn cursor(house: &dyn House, link: &Link) -> String {
    house.veil(&json!(link).to_string())
}

fn of_cursor(house: &dyn House, cursor: &str) -> Result<Link, Problem> {
    let link = house.unveil(cursor).and_then(|text| serde_json::from_str(&text).ok());
    link.ok_or_else(Problem::unknown_cursor)
}

/// One link, or several.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Joining {
    items: Option<Vec<linked::Written>>,
    token_unique_reference: String,
    tokenex_token: String,
    token_reference_id: Option<String>,
}

impl Joining {
    fn checked(self) -> Result<Vec<Link>, Problem> {
        let one = linked::Written {
            token_unique_reference: self.token_unique_reference,
            tokenex_token: self.tokenex_token,
            token_reference_id: self.token_reference_id,
        };
        let Some(items) = self.items else {
            let one = one.checked()?;
            return Ok(vec![one]);
        };
        if !one.is_empty() {
            let why = "stands beside a link: write one or the other";
            return Err(Problem::unfit("items", why));
        }
        if !(1..=ITEMS_MAX).contains(&items.len()) {
            let why = format!("must have from 1 to {ITEMS_MAX} entries");
            return Err(Problem::unfit("items", why));
        }
        let check = |(index, item): (usize, linked::Written)| {
            item.checked()
                .map_err(|unfit| Problem::unfit(format!("items[{index}].{}", unfit.field), unfit.why))
        };
        items.into_iter().enumerate().map(check).collect()
    }
}

/// `POST /v1/links`: one, or `{"items": […]}`; all or none, and those that are there already stay as they are.
pub(super) async fn join(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(joining): Told<Joining>,
) -> Result<Json<Value>, Problem> {
    let links = joining.checked()?;
    let desk = api.state.ledger.in_the_hand_of(doing.may_say(None)?);
    let new = desk.link(&links).await?;
    tracing::info!(operator = doing.operator.name, links = links.len(), new, "links");
    Ok(Json(json!({ "links": links.len(), "new": new })))
}

/// `DELETE /v1/links`: takes away the one that the body names.
pub(super) async fn part(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(written): Told<linked::Written>,
) -> Result<Json<Value>, Problem> {
    let link = written
        .checked()
        .map_err(|unfit| Problem::unfit(unfit.field, unfit.why))?;
    let desk = api.state.ledger.in_the_hand_of(doing.may_say(None)?);
    if !desk.unlink(&link).await? {
        return Err(Problem::unknown_link());
    }
    tracing::info!(operator = doing.operator.name, "a link is gone");
    Ok(Json(json!({ "removed": true })))
}
