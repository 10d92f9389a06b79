//! What a person does here: each is a form that a page of their session made, and ends in the page it came from.

use axum::extract::{Path, State};
use axum::response::Redirect;
use serde::Deserialize;

use super::SharedConsole;
use super::form::Acting;
use super::page::Failure;
use super::token::named;
use crate::clock::new_id;
use crate::domain::id::QuarantineId;
use crate::domain::id::{CommandId, DeliveryId};
use crate::inbox::Redriven;
use crate::lifecycle::ordering::{self, Written};
use crate::store::desk::{Approved, Desk as _, Ordered};
use crate::store::ledger::{BEGUN, Deed};
use crate::store::outbox::{DeliveryFilter, Outbox as _};
use crate::store::written::reason;
use crate::store::{Resolution, Store as _};

#[derive(Deserialize)]
pub(super) struct Wish {
    action: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    confirm: String,
}

/// `POST /console/tokens/{namespace}/{reference}/commands`: it is on disk when the page comes back.
pub(super) async fn order(
    State(console): State<SharedConsole>,
    Path((namespace, reference)): Path<(String, String)>,
    acting: Acting<Wish>,
) -> Result<Redirect, Failure> {
    let token = named(&console, &namespace, reference)?;
    let (desk, offered, wish) = (&console.state.desk, &console.state.offered, acting.form);
    let written = Written {
        action: wish.action,
        namespace: Some(namespace),
        reason: Some(wish.reason),
        confirm: Some(wish.confirm),
        ..Written::default()
    };
    let order = written.order(&token.reference, offered, desk.as_ref()).await?;
    let id = CommandId(new_id(console.now()));
    let operator = &acting.visitor.operator.name;
    let command = ordering::command(id, order, offered, operator, None)?;
    let action = command.order.action.as_str();
    let hand = acting.visitor.hand(command.order.reason.as_deref());
    match console.state.ledger.in_the_hand_of(hand).order(&command).await? {
        Ordered::New(_) | Ordered::Same(_) => {}
        Ordered::Conflict(_) => return Err(Failure::conflict("Another command has taken its key.")),
    }
    tracing::info!(operator, command = %id, action, "command");
    Ok(Redirect::to(&format!("/console/commands/{id}?said=ordered")))
}

#[derive(Deserialize)]
pub(super) struct Meant {
    id: DeliveryId,
    #[serde(default)]
    reason: String,
}

impl Meant {
    fn filter(&self) -> DeliveryFilter {
        DeliveryFilter {
            id: Some(self.id),
            ..DeliveryFilter::default()
        }
    }
}

/// `POST /console/deliveries/retry`.
pub(super) async fn retry(State(console): State<SharedConsole>, acting: Acting<Meant>) -> Result<Redirect, Failure> {
    let outbox = console.state.ledger.in_the_hand_of(acting.visitor.hand(None));
    let count = outbox.retry(&acting.form.filter(), false).await?;
    tracing::info!(operator = acting.visitor.operator.name, deliveries = count, "retry");
    Ok(Redirect::to(&format!("/console/deliveries?said=retried&n={count}")))
}

/// `POST /console/deliveries/skip`.
pub(super) async fn skip(State(console): State<SharedConsole>, acting: Acting<Meant>) -> Result<Redirect, Failure> {
    let reason = reason(&acting.form.reason)?;
    let operator = &acting.visitor.operator.name;
    let by = format!("{operator}: {reason}");
    let outbox = console.state.ledger.in_the_hand_of(acting.visitor.hand(Some(reason)));
    let count = outbox.skip(&acting.form.filter(), &by, false).await?;
    tracing::info!(operator, deliveries = count, "skip");
    Ok(Redirect::to(&format!("/console/deliveries?said=skipped&n={count}")))
}

#[derive(Deserialize)]
pub(super) struct Why {
    #[serde(default)]
    reason: String,
}

/// `POST /console/destinations/{name}/pause`.
pub(super) async fn pause(
    State(console): State<SharedConsole>,
    Path(name): Path<String>,
    acting: Acting<Why>,
) -> Result<Redirect, Failure> {
    let operator = &acting.visitor.operator.name;
    let reason = reason(&acting.form.reason)?;
    let why = format!("{operator}: {reason}");
    known(&console, &name).await?;
    let hand = acting.visitor.hand(Some(reason));
    console
        .state
        .ledger
        .in_the_hand_of(hand)
        .pause(&name, Some(&why))
        .await?;
    tracing::info!(operator, destination = name, "paused");
    Ok(Redirect::to("/console/destinations?said=paused"))
}

/// `POST /console/destinations/{name}/resume`.
pub(super) async fn resume(
    State(console): State<SharedConsole>,
    Path(name): Path<String>,
    acting: Acting<Why>,
) -> Result<Redirect, Failure> {
    known(&console, &name).await?;
    let hand = acting.visitor.hand(None);
    console.state.ledger.in_the_hand_of(hand).pause(&name, None).await?;
    tracing::info!(operator = acting.visitor.operator.name, destination = name, "resumed");
    Ok(Redirect::to("/console/destinations?said=resumed"))
}

async fn known(console: &SharedConsole, name: &str) -> Result<(), Failure> {
    let destinations = console.state.outbox.destinations().await?;
    match destinations.iter().any(|one| one.name == name) {
        true => Ok(()),
        false => Err(Failure::not_found()),
    }
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /console/commands/{id}/approve`.
pub(super) async fn approve(
    State(console): State<SharedConsole>,
    Path(id): Path<String>,
    acting: Acting<Nothing>,
) -> Result<Redirect, Failure> {
    let Nothing {} = acting.form;
    let id: CommandId = id.parse().map_err(|_| Failure::not_found())?;
    let operator = &acting.visitor.operator.name;
    let hand = acting.visitor.hand(None);
    match console.state.ledger.in_the_hand_of(hand).approve(id, operator).await? {
        Approved::Now => {}
        Approved::ByTheSame => {
            return Err(Failure::conflict(
                "Who asked for it cannot approve of it: another operator has to.",
            ));
        }
        Approved::NotWaiting => return Err(Failure::conflict("It waits for nobody's approval.")),
    }
    tracing::info!(operator, command = %id, "approved");
    Ok(Redirect::to(&format!("/console/commands/{id}?said=approved")))
}

/// `POST /console/quarantine/{id}/redrive`: the audit has it before and after.
pub(super) async fn redrive(
    State(console): State<SharedConsole>,
    Path(id): Path<String>,
    acting: Acting<Why>,
) -> Result<Redirect, Failure> {
    let id: QuarantineId = id.parse().map_err(|_| Failure::not_found())?;
    let entry = console
        .state
        .store
        .quarantine_entry(id)
        .await?
        .ok_or_else(Failure::not_found)?;
    let (hand, deed) = (acting.visitor.hand(None), Deed::on_id("quarantine.redrive", id));
    let ledger = &console.state.ledger;
    ledger.note(&hand, &deed, BEGUN).await?;
    let (said, outcome) = match console.state.house.redrive(&entry).await? {
        Redriven::Recorded(id) => ("redriven", format!("recorded as {id}")),
        Redriven::StillUnreadable { reason, .. } => ("unreadable", format!("still cannot be read: {reason}")),
        Redriven::NotOpen => return Err(Failure::conflict("It was resolved before.")),
    };
    ledger.note(&hand, &deed, &outcome).await?;
    Ok(Redirect::to(&format!("/console/quarantine/{id}?said={said}")))
}

/// `POST /console/quarantine/{id}/resolve`: set aside for good, and kept.
pub(super) async fn resolve(
    State(console): State<SharedConsole>,
    Path(id): Path<String>,
    acting: Acting<Why>,
) -> Result<Redirect, Failure> {
    let id: QuarantineId = id.parse().map_err(|_| Failure::not_found())?;
    let reason = reason(&acting.form.reason)?;
    let store = console.state.ledger.in_the_hand_of(acting.visitor.hand(Some(reason)));
    let resolution = Resolution::SetAside(reason.to_owned());
    if !store.resolve(id, &resolution, console.now()).await? {
        return Err(Failure::conflict("It was resolved before."));
    }
    Ok(Redirect::to(&format!("/console/quarantine/{id}?said=resolved")))
}

impl From<ordering::Refused> for Failure {
    fn from(refused: ordering::Refused) -> Self {
        match refused {
            ordering::Refused::Unfit(unfit) => unfit.into(),
            ordering::Refused::Store(error) => error.into(),
        }
    }
}

impl From<ordering::Unfit> for Failure {
    fn from(unfit: ordering::Unfit) -> Self {
        Failure::unfit(format!("{} {}.", unfit.field, unfit.why))
    }
}
