//! Deliveries: what is on its way to whom; try it again, or set it aside.

use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;

use super::page::{Failure, page};
use super::session::Visitor;
use super::timeline::state_class;
use super::{Console, SharedConsole, shown};
use crate::domain::delivery::State as DeliveryState;
use crate::domain::id::DeliveryId;
use crate::store::outbox::{DeliveryFilter, KeptDelivery};

const PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Asked {
    destination: String,
    state: String,
    after: Option<DeliveryId>,
    said: Option<String>,
    n: Option<u64>,
}

impl Asked {
    fn filter(&self) -> DeliveryFilter {
        let state = DeliveryState::parse(&self.state);
        DeliveryFilter {
            destination: Some(self.destination.clone()).filter(|name| !name.is_empty()),
            state,
            // What has ended is the bulk: it is shown to who asks for it.
            open: state.is_none(),
            ..DeliveryFilter::default()
        }
    }
}

/// `GET /console/deliveries?destination=&state=&after=`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let which = asked.filter();
    let deliveries = console.state.outbox.deliveries(&which, asked.after, PAGE).await?;
    let destinations = console.state.outbox.destinations().await?;
    let names: Vec<&str> = destinations.iter().map(|one| one.name.as_str()).collect();
    let content = html! {
        h1 { "Deliveries" }
        (shown::said(asked.said.as_deref(), asked.n))
        (search(&asked, &names))
        div data-live { (table(&console, &visitor, &deliveries)) (next(&asked, &deliveries)) }
    };
    Ok(page(&visitor, "/console/deliveries", "Deliveries", &content))
}

fn search(asked: &Asked, names: &[&str]) -> Markup {
    let states = ["due", "leased", "parked", "delivered", "skipped"];
    html! {
        form.search method="get" action="/console/deliveries" {
            label for="destination" { "To" }
            select id="destination" name="destination" {
                option value="" { "any" }
                @for name in names { option value=(name) selected[*name == asked.destination] { (name) } }
            }
            label for="state" { "State" }
            select id="state" name="state" {
                option value="" { "open" }
                @for state in states { option value=(state) selected[state == asked.state] { (state) } }
            }
            button type="submit" { "Show" }
        }
    }
}

fn table(console: &Console, visitor: &Visitor, deliveries: &[KeptDelivery]) -> Markup {
    let now = console.now();
    html! {
        table {
            caption.unseen { "Deliveries, oldest first" }
            thead { tr { th { "Event" } th { "Token" } th { "To" } th { "State" } th { "Attempts" } th { "Next" } th { "Last answer" } th { span.unseen { "What can be done" } } } }
            tbody {
                @for one in deliveries {
                    tr {
                        td { (one.kind) @if one.replayed { " " (shown::badge("replayed", "none")) } }
                        td { @if let Some(token) = &one.token { (shown::token(console, token)) } @else { (shown::dash()) } }
                        td { (one.destination) }
                        td { (shown::badge(one.state.as_str(), state_class(one.state))) }
                        td { (one.attempts) }
                        td { @if one.settled_at.is_none() { (shown::at(one.due_at, now)) } @else { (shown::maybe_at(one.settled_at, now)) } }
                        td { (shown::or_dash(one.answer.as_deref())) }
                        td { @if visitor.acts() && one.settled_at.is_none() { (acts(visitor, one.id)) } }
                    }
                }
                @if deliveries.is_empty() { tr { td colspan="8" { "None." } } }
            }
        }
    }
}

fn acts(visitor: &Visitor, id: DeliveryId) -> Markup {
    html! {
        form.row method="post" action="/console/deliveries/retry" {
            (visitor.seal())
            input type="hidden" name="id" value=(id);
            button type="submit" { "Retry" }
        }
        details {
            summary { "Skip" }
            form method="post" action="/console/deliveries/skip" {
                (visitor.seal())
                input type="hidden" name="id" value=(id);
                label for=(format!("why-{id}")) { "Why" }
                input id=(format!("why-{id}")) name="reason" required maxlength="500" autocomplete="off";
                button.danger type="submit" { "Set aside" }
            }
        }
    }
}

fn next(asked: &Asked, deliveries: &[KeptDelivery]) -> Markup {
    let Some(last) = deliveries.last().filter(|_| deliveries.len() >= PAGE as usize) else {
        return html! {};
    };
    let which = asked.filter();
    let destination = which.destination.unwrap_or_default();
    let state = which.state.map_or("", DeliveryState::as_str);
    let path = format!(
        "/console/deliveries?destination={destination}&state={state}&after={}",
        last.id
    );
    html! { p.pages { a href=(path) rel="next" { "Later" } } }
}
