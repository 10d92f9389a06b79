//! `/v1/tokens`: registers what the merchant made, and shows how tokens stand.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Ask, Doing, Named, Told, limit};
use super::problem::Problem;
use super::route::{Route, flag, get, instant, namespace, paged, path, post, text};
use super::v1::SharedApi;
use super::{erase, export, reveal, search, story, wire};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::token::Token;
use crate::store::Outbox as _;
use crate::store::joined::{Joined, joined};
use crate::store::outbox::{NewRegistration, Standing};
use crate::store::roster::Right;
use crate::store::written::Written;

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    let found = "`ACTIVE`, `SUSPENDED`, `DEACTIVATED`, `INACTIVE`, or a word of MDES's that we do not know";
    vec![
        get("/tokens", "listTokens", list)
            .says("All tokens that were registered or heard of, or those that fit, by pages")
            .asks([
                text("suffix", "The last digits of the token's number or of the card's"),
                text("status", found),
                text("token_requestor_id", "Whose token it is (TRID)"),
                text("merchant_reference", "Registered under this reference of yours"),
                instant("since", "Whose status became what it is then or later"),
                instant("until", "Whose status became what it is before"),
                flag("provisional", "Only those of which what is held may not be the truth"),
            ])
            .asks(paged())
            .gives(200, "TokenPage")
            .problems(&[404]),
        post("/tokens", "registerTokens", register)
            .says("Registers one token, or up to 1,000 as `items`: all or none")
            .takes("Registering")
            .gives(200, "RegisteredOrPage")
            .problems(&[409]),
        get("/tokens/export", "exportTokens", export::export)
            .says("All of them, one JSON object a line; the header `x-events-position` is the cursor from before the first")
            .streams(200, "application/x-ndjson", "Lines"),
        get("/tokens/{reference}", "showToken", show)
            .says("One of them")
            .asks([path("reference", "Its reference"), namespace()])
            .gives(200, "Token")
            .problems(&[404]),
        get("/tokens/{reference}/story", "tokenStory", story::story)
            .says("What happened to it: heard, changed, told and to whom, commanded; newest first, by pages")
            .asks([path("reference", "Its reference"), namespace()])
            .asks(paged())
            .gives(200, "Story")
            .problems(&[404]),
        post("/tokens/{reference}/reveal", "revealTokenNumber", reveal::reveal)
            .says("Its number, opened from the sealed body that holds it; for the role `revealer`, with a reason")
            .right(Right::Reveal)
            .asks([path("reference", "Its reference"), namespace()])
            .takes("Because")
            .gives(200, "Revealed")
            .problems(&[404]),
        post("/tokens/{reference}/erase", "eraseToken", erase::erase)
            .says("Everything that is held of it goes, or nothing; the audit stays, and what speaks of other tokens too")
            .asks([path("reference", "Its reference"), namespace()])
            .takes("Erasing")
            .gives(200, "Erased")
            .problems(&[404, 409]),
    ]
}

/// Registrations of one request.
const ITEMS_MAX: usize = 1_000;

/// One registration, or several.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(super) struct Registering {
    items: Option<Vec<Written>>,
    namespace: Option<String>,
    reference: String,
    token_requestor_id: Option<String>,
    merchant_reference: Option<String>,
    status: Option<String>,
}

impl Registering {
    /// The registrations, checked, and whether they came as a list.
    fn checked(self) -> Result<(Vec<NewRegistration>, bool), Problem> {
        let Some(items) = self.items else {
            let one = Written {
                namespace: self.namespace,
                reference: self.reference,
                token_requestor_id: self.token_requestor_id,
                merchant_reference: self.merchant_reference,
                status: self.status,
            };
            let one = one.checked().map_err(|unfit| Problem::unfit(unfit.field, unfit.why))?;
            return Ok((vec![one], false));
        };
        let beside = [
            &self.namespace,
            &self.token_requestor_id,
            &self.merchant_reference,
            &self.status,
        ];
        if !self.reference.is_empty() || beside.iter().any(|field| field.is_some()) {
            return Err(Problem::unfit(
                "items",
                "stands beside the fields of one token: write one or the other",
            ));
        }
        if !(1..=ITEMS_MAX).contains(&items.len()) {
            return Err(Problem::unfit(
                "items",
                format!("must have from 1 to {ITEMS_MAX} entries"),
            ));
        }
        let check = |(index, item): (usize, Written)| {
            item.checked()
                .map_err(|unfit| Problem::unfit(format!("items[{index}].{}", unfit.field), unfit.why))
        };
        let tokens: Vec<NewRegistration> = items.into_iter().enumerate().map(check).collect::<Result<_, _>>()?;
        all_different(&tokens)?;
        Ok((tokens, true))
    }
}

/// Two entries for one token would leave open which holds.
fn all_different(tokens: &[NewRegistration]) -> Result<(), Problem> {
    let mut seen = BTreeMap::new();
    for (index, one) in tokens.iter().enumerate() {
        if let Some(first) = seen.insert(&one.token, index) {
            let field = format!("items[{index}].reference");
            return Err(Problem::twice(field, format!("is the token of items[{first}] too")));
        }
    }
    Ok(())
}

/// `POST /v1/tokens`: one, or `{"items": […]}`; all or none. A crash here leaves all or none, and a second
/// try changes nothing.
pub(super) async fn register(
    State(api): State<SharedApi>,
    doing: Doing,
    Told(registering): Told<Registering>,
) -> Result<Json<Value>, Problem> {
    let (tokens, is_list) = registering.checked()?;
    let outbox = api.state.ledger.in_the_hand_of(doing.may_say(None)?);
    let registered = outbox.register(&tokens).await?;
    tracing::info!(operator = doing.operator.name, tokens = tokens.len(), "registered");
    let answer = |(token, registered): (&NewRegistration, _)| {
        json!({
            "namespace": token.token.namespace,
            "token_unique_reference": token.token.reference,
            "registered": registered,
        })
    };
    let mut answers: Vec<Value> = tokens.iter().zip(registered).map(answer).collect();
    Ok(Json(match answers.pop() {
        Some(only) if !is_list => only,
        last => {
            answers.extend(last);
            json!({ "items": answers })
        }
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whose {
    #[serde(default = "mdes")]
    pub(super) namespace: Namespace,
}

/// Whose reference it is, if nobody says.
pub(super) fn mdes() -> Namespace {
    Namespace::Mdes
}

/// `GET /v1/tokens/{reference}?namespace=`: how it stands, if it was registered or heard of; and how those stand that
/// links join to it. `authority` says whose word counts; nothing is merged.
pub(super) async fn show(
    State(api): State<SharedApi>,
    Named(reference): Named,
    Ask(whose): Ask<Whose>,
) -> Result<Json<Value>, Problem> {
    let reference = TokenReference {
        namespace: whose.namespace,
        reference,
    };
    let kept = api.state.store.token(&reference).await?;
    let registration = api.state.outbox.registration(&reference).await?;
    let standing = match (kept, registration) {
        (None, None) => return Err(Problem::unknown_token()),
        (None, Some(registration)) => Standing {
            updated_at: registration.registered_at,
            token: Token::unheard(reference),
            registration: Some(registration),
            unreadable: None,
        },
        (Some(kept), registration) => Standing {
            token: kept.token,
            updated_at: kept.updated_at,
            registration,
            unreadable: None,
        },
    };
    let (state, token) = (&api.state, &standing.token);
    let links = joined(&*state.store, &*state.desk, &token.reference, state.authority).await?;
    let mut shown = wire::standing(&standing);
    shown["token_reference_id"] = json!(token.token_reference_id());
    shown["authority"] = json!(links.is_empty() || token.reference.namespace == state.authority);
    shown["links"] = links.iter().map(Joined::shown).collect();
    Ok(Json(shown))
}

/// `GET /v1/tokens`: all of them in the order of their identity, or those that fit what is asked; `next` is null after
/// the last. A page of what no index holds together may have fewer than `limit`, or none, and go on all the same.
pub(super) async fn list(State(api): State<SharedApi>, Ask(asked): Ask<search::Asked>) -> Result<Json<Value>, Problem> {
    let limit = limit(asked.limit)?;
    let (house, after) = (&*api.state.house, asked.after.as_deref());
    let (tokens, next) = match asked.sought() {
        Some(sought) => {
            let place = |cursor| search::of_cursor(house, cursor).ok_or_else(Problem::unknown_cursor);
            let after = after.map(place).transpose()?;
            let found = api.state.search.found(&sought, after.as_ref(), limit).await?;
            let next = found.next.map(|place| search::cursor(house, &place));
            (found.tokens, next)
        }
        None => {
            let place = |cursor| wire::token_of_cursor(house, cursor).ok_or_else(Problem::unknown_cursor);
            let after = after.map(place).transpose()?;
            let all = api.state.outbox.standing(after.as_ref(), limit).await?;
            let last = all.last().filter(|_| all.len() >= limit as usize);
            let next = last.map(|last| wire::token_cursor(house, &last.token.reference));
            (all, next)
        }
    };
    let items: Vec<Value> = tokens.iter().map(wire::standing).collect();
    Ok(Json(json!({ "items": items, "next": next })))
}
