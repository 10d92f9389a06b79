//! Destinations: who is told, and how that goes.

use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::shown::Said;
use super::{Console, SharedConsole, shown};
use crate::store::outbox::KeptDestination;

/// `GET /console/destinations`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(said): Query<Said>,
) -> Result<Html<String>, Failure> {
    let destinations = console.state.outbox.destinations().await?;
    let now = console.now();
    let content = html! {
        h1 { "Destinations" }
        (said.shown())
        div.cards data-live {
            @for one in &destinations { (card(&console, &visitor, one, now)) }
            @if destinations.is_empty() { p { "None. `[[destinations]]` in the configuration adds one; docs/destinations.md has examples." } }
        }
    };
    Ok(page(&visitor, "/console/destinations", "Destinations", &content))
}

fn card(console: &Console, visitor: &Visitor, one: &KeptDestination, now: OffsetDateTime) -> Markup {
    let configured = console.state.destinations.iter().find(|other| other.name == one.name);
    let kind = configured.map_or("not in the configuration any more", |one| one.kind.as_str());
    let (word, class) = match (&one.paused, one.parked) {
        (Some(_), _) => ("paused", "warn"),
        (None, 1..) => ("blocked in part", "warn"),
        (None, 0) => ("at work", "good"),
    };
    html! {
        article {
            h2 { (one.name) " " (shown::badge(word, class)) }
            p.muted { (kind) }
            @if let Some((since, why)) = &one.paused { p.trouble { "Paused " (shown::at(*since, now)) ": " (why) } }
            dl.facts {
                dt { "Open" } dd { a href=(format!("/console/deliveries?destination={}", one.name)) { (one.open) } }
                dt { "Parked" } dd { a href=(format!("/console/deliveries?destination={}&state=parked", one.name)) { (one.parked) } }
                dt { "Not looked at" } dd { (one.behind) }
                dt { "Oldest open" } dd { (one.oldest_open.map_or_else(|| "none".to_owned(), |at| shown::long(now - at))) }
                @if one.is_snapshotting { dt { "Snapshot" } dd { "being made" } }
            }
            @if visitor.acts() { (acts(visitor, one)) }
        }
    }
}

fn acts(visitor: &Visitor, one: &KeptDestination) -> Markup {
    html! {
        @if one.paused.is_some() {
            form.row method="post" action=(format!("/console/destinations/{}/resume", one.name)) {
                (visitor.seal())
                button type="submit" { "Resume" }
            }
        } @else {
            details {
                summary { "Pause" }
                form method="post" action=(format!("/console/destinations/{}/pause", one.name)) {
                    (visitor.seal())
                    label for=(format!("why-{}", one.name)) { "Why" }
                    input id=(format!("why-{}", one.name)) name="reason" required maxlength="500" autocomplete="off";
                    button type="submit" { "Pause" }
                }
            }
        }
    }
}
