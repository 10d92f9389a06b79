//! `/v1/destinations`: who is told, and how far they are; hold one, or let it go on. Never where it is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ask::{Doing, Named, Told};
use super::deliveries::by;
use super::problem::Problem;
use super::route::{Route, get, path, post, reason};
use super::v1::{Api, SharedApi};
use super::wire::rfc3339;
use crate::store::Outbox as _;
use crate::store::ledger::Hand;
use crate::store::outbox::KeptDestination;
use crate::store::written::Unfit;

/// Its paths.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/destinations", "listDestinations", list)
            .says("Who is told, and how far they are")
            .gives(200, "Destinations"),
        post("/destinations/{name}/pause", "pauseDestination", pause)
            .says("Nothing is sent to it from now on; its events go on accruing")
            .asks([path("name", "Its name in the configuration")])
            .takes("Because")
            .gives(200, "Paused")
            .problems(&[404]),
        post("/destinations/{name}/resume", "resumeDestination", resume)
            .says("What accrued goes out, in order")
            .asks([path("name", "Its name in the configuration"), reason()])
            .takes("MaybeBecause")
            .gives(200, "Paused")
            .problems(&[404]),
        post("/destinations/{name}/forget", "forgetDestination", forget)
            .says(
                "What it holds is let go of, once it is in the configuration no more: what is open for it is set aside",
            )
            .asks([path("name", "Its name, as the configuration called it")])
            .takes("Forgetting")
            .gives(200, "Forgotten")
            .problems(&[404, 409]),
    ]
}

/// `GET /v1/destinations`: those of the configuration, and those that were in it once.
pub(super) async fn list(State(api): State<SharedApi>) -> Result<Json<Value>, Problem> {
    let kept = api.state.outbox.destinations().await?;
    let mut all: BTreeMap<&str, Option<&KeptDestination>> = BTreeMap::new();
    all.extend(api.state.destinations.iter().map(|one| (one.name.as_str(), None)));
    all.extend(kept.iter().map(|one| (one.name.as_str(), Some(one))));
    let items: Vec<Value> = all.into_iter().map(|(name, kept)| shown(&api, name, kept)).collect();
    Ok(Json(json!({ "items": items })))
}

fn shown(api: &Api, name: &str, kept: Option<&KeptDestination>) -> Value {
    let configured = api.destination(name);
    let kind = configured.map(|one| one.kind.as_str());
    let paused = kept.and_then(|kept| kept.paused.as_ref());
    json!({
        "name": name,
        "configured": configured.is_some(),
        "kind": kind,
        "cursor": kept.map(|kept| kept.position.to_string()),
        "behind": kept.map(|kept| kept.behind),
        "snapshotting": kept.is_some_and(|kept| kept.is_snapshotting),
        "open": kept.map(|kept| kept.open),
        "parked": kept.map(|kept| kept.parked),
        "oldest_open": kept.and_then(|kept| kept.oldest_open).map(rfc3339),
        "paused_at": paused.map(|(at, _)| rfc3339(*at)),
        "paused_reason": paused.map(|(_, reason)| reason),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pausing {
    reason: Option<String>,
}

/// `POST /v1/destinations/{name}/pause`: nothing is sent to it from now on; its events go on accruing.
pub(super) async fn pause(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(name): Named,
    Told(pausing): Told<Pausing>,
) -> Result<Json<Value>, Problem> {
    let hand = doing.must_say(pausing.reason.as_deref())?;
    let why = by(&hand);
    set(&api, hand, &name, Some(&why)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Resuming {
    reason: Option<String>,
}

/// `POST /v1/destinations/{name}/resume`: what accrued goes out, in order.
pub(super) async fn resume(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(name): Named,
    Told(resuming): Told<Resuming>,
) -> Result<Json<Value>, Problem> {
    let hand = doing.may_say(resuming.reason.as_deref())?;
    set(&api, hand, &name, None).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Forgetting {
    reason: Option<String>,
    confirm: Option<String>,
}

/// `POST /v1/destinations/{name}/forget`: nothing is kept for it any more.
pub(super) async fn forget(
    State(api): State<SharedApi>,
    doing: Doing,
    Named(name): Named,
    Told(forgetting): Told<Forgetting>,
) -> Result<Json<Value>, Problem> {
    let hand = doing.must_say(forgetting.reason.as_deref())?;
    let unfit = match () {
        () if api.destination(&name).is_some() => Some(("name", "is in the configuration: take it out there first")),
        () if forgetting.confirm.as_deref() != Some(&name) => Some((
            "confirm",
            "must be its name: what it was not told by now, it is never told",
        )),
        () => None,
    };
    if let Some((field, why)) = unfit {
        let why = why.to_owned();
        return Err(Problem::not_orderable(Unfit { field, why }));
    }
    let (operator, by) = (hand.who.clone(), by(&hand));
    let memory = api.state.ledger.in_the_hand_of(hand);
    let forgotten = memory.forget(&name, &by).await?;
    let set_aside = forgotten.ok_or_else(Problem::unknown_destination)?;
    tracing::info!(operator, destination = name, set_aside, "forgotten");
    Ok(Json(json!({ "name": name, "set_aside": set_aside })))
}

async fn set(api: &Api, hand: Hand, name: &str, why: Option<&str>) -> Result<Json<Value>, Problem> {
    let kept = api.state.outbox.destinations().await?;
    if !kept.iter().any(|one| one.name == name) {
        return Err(Problem::unknown_destination());
    }
    let operator = hand.who.clone();
    let changed = api.state.ledger.in_the_hand_of(hand).pause(name, why).await?;
    let paused = why.is_some();
    tracing::info!(operator, destination = name, paused, changed, "pause or resume");
    Ok(Json(json!({ "name": name, "paused": paused, "changed": changed })))
}
