//! The audit: who did what, when, from where and why.

use axum::extract::{Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::page::{Failure, page};
use super::session::Visitor;
use super::{SharedConsole, shown};
use crate::store::ledger::{Entry, EntryFilter};

const PAGE: u32 = 100;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Asked {
    before: String,
}

/// `GET /console/audit?before=`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let before = match asked.before.as_str() {
        "" => None,
        id => Some(id.parse::<Uuid>().map_err(|_| Failure::not_found())?),
    };
    let entries = console
        .state
        .ledger
        .entries(&EntryFilter::default(), before, PAGE)
        .await?;
    let now = console.now();
    let content = html! {
        h1 { "Audit" }
        p { "What people did here, over the API and from the shell. It is only ever added to." }
        div data-live { (table(&entries, now)) (older(&entries)) }
    };
    Ok(page(&visitor, "/console/audit", "Audit", &content))
}

fn table(entries: &[Entry], now: OffsetDateTime) -> Markup {
    html! {
        table {
            caption.unseen { "Acts, newest first" }
            thead { tr { th { "When" } th { "Who" } th { "What" } th { "About" } th { "Why" } th { "Came of it" } th { "From" } } }
            tbody {
                @for entry in entries {
                    tr {
                        td { (shown::at(entry.at, now)) }
                        td { (entry.who) @if let Some(role) = &entry.role { " " span.muted { (role) } } }
                        td { code { (entry.what) } }
                        td { (entry.about) }
                        td { (shown::or_dash(entry.why.as_deref())) }
                        td { (entry.outcome) }
                        td { (entry.came_from) }
                    }
                }
                @if entries.is_empty() { tr { td colspan="7" { "Nothing yet." } } }
            }
        }
    }
}

fn older(entries: &[Entry]) -> Markup {
    let Some(last) = entries.last().filter(|_| entries.len() >= PAGE as usize) else {
        return html! {};
    };
    html! { p.pages { a href=(format!("/console/audit?before={}", last.id)) rel="next" { "Older" } } }
}
