//! Quarantine: what could not be used, and why.

use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::shown::Said;
use super::{SharedConsole, shown};
use crate::domain::id::QuarantineId;
use crate::store::{KeptQuarantine, QuarantineFilter};

const PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Asked {
    all: bool,
    after: String,
}

/// `GET /console/quarantine?all=&after=`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let which = QuarantineFilter {
        open: !asked.all,
        ..QuarantineFilter::default()
    };
    let after = match asked.after.as_str() {
        "" => None,
        id => Some(id.parse::<QuarantineId>().map_err(|_| Failure::not_found())?),
    };
    let entries = console.state.store.quarantined(&which, after, PAGE).await?;
    let now = console.now();
    let content = html! {
        h1 { "Quarantine" }
        p { "What came from an admitted peer and could not be used. It rests sealed; nothing of it is lost." }
        p.pages {
            @if asked.all { a href="/console/quarantine" { "Open ones only" } } @else { a href="/console/quarantine?all=true" { "Resolved ones too" } }
        }
        div data-live { (table(&entries, now)) (next(&asked, &entries)) }
    };
    Ok(page(&visitor, "/console/quarantine", "Quarantine", &content))
}

fn table(entries: &[KeptQuarantine], now: OffsetDateTime) -> Markup {
    html! {
        table {
            caption.unseen { "Quarantined, oldest first" }
            thead { tr { th { "Received" } th { "Reason" } th { "In detail" } th { "From" } th { "Tried again" } th { "State" } } }
            tbody {
                @for entry in entries {
                    tr {
                        td { a href=(format!("/console/quarantine/{}", entry.id)) { (shown::at(entry.received_at, now)) } }
                        td { code { (entry.reason) } }
                        td { (entry.detail) }
                        td { (entry.peer.name) }
                        td { (entry.tries) }
                        td { (state(entry)) }
                    }
                }
                @if entries.is_empty() { tr { td colspan="6" { "Nothing." } } }
            }
        }
    }
}

fn state(entry: &KeptQuarantine) -> Markup {
    match entry.resolved_at {
        Some(_) => shown::badge("resolved", "good"),
        None => shown::badge("open", "warn"),
    }
}

fn next(asked: &Asked, entries: &[KeptQuarantine]) -> Markup {
    let Some(last) = entries.last().filter(|_| entries.len() >= PAGE as usize) else {
        return html! {};
    };
    let path = format!("/console/quarantine?all={}&after={}", asked.all, last.id);
    html! { p.pages { a href=(path) rel="next" { "Later" } } }
}

/// `GET /console/quarantine/{id}`.
pub(super) async fn show(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(said): Query<Said>,
) -> Result<Html<String>, Failure> {
    let id: QuarantineId = id.parse().map_err(|_| Failure::not_found())?;
    let entry = console
        .state
        .store
        .quarantine_entry(id)
        .await?
        .ok_or_else(Failure::not_found)?;
    let now = console.now();
    let content = html! {
        (said.shown())
        h1 { (entry.reason) " " (state(&entry)) }
        p { (entry.detail) }
        dl.facts {
            dt { "Received" } dd { (shown::at(entry.received_at, now)) }
            dt { "From" } dd { (entry.peer.name) ", " (entry.peer.address) }
            dt { "Bytes" } dd { (entry.body_bytes) }
            @if let Some((notification, index)) = entry.notification {
                dt { "Part of" } dd { "notification " code { (notification) } ", entry " (index) " of its tokens" }
            }
            dt { "Tried again" } dd { (entry.tries) " times in vain" }
            @if let Some(resolution) = &entry.resolution { dt { "Resolved" } dd { (shown::maybe_at(entry.resolved_at, now)) ": " (resolution) } }
            dt { "Id" } dd { code { (entry.id) } }
        }
        @if entry.resolved_at.is_none() && visitor.acts() { (acts(&visitor, &entry)) }
    };
    Ok(page(&visitor, "/console/quarantine", "Quarantine", &content))
}

fn acts(visitor: &Visitor, entry: &KeptQuarantine) -> Markup {
    let path = format!("/console/quarantine/{}", entry.id);
    html! {
        section.acts aria-label="What can be done" {
            form method="post" action=(format!("{path}/redrive")) {
                (visitor.seal())
                button type="submit" { "Read it again" }
                p.muted { "With the keys and settings of now, through the same door." }
            }
            details {
                summary { "Set it aside" }
                form method="post" action=(format!("{path}/resolve")) {
                    (visitor.seal())
                    label for="why" { "Why" }
                    input id="why" name="reason" required maxlength="500" autocomplete="off";
                    button.danger type="submit" { "Set aside" }
                }
            }
        }
    }
}
