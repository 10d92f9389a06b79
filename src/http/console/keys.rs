//! Keys and certificates: what bodies are opened with, what we show, and for how long that holds.

use axum::extract::State;
use axum::response::Html;
use maud::{Markup, html};
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::{SharedConsole, shown};
use crate::http::admin::house::{Certificate, Key};

/// Fewer days than this want somebody to act.
const SOON_DAYS: i64 = 30;

/// `GET /console/keys`.
pub(super) async fn show(State(console): State<SharedConsole>, visitor: Visitor) -> Result<Html<String>, Failure> {
    let certificates = console.state.house.certificates().await;
    let keys = console.state.house.keys();
    let now = console.now();
    let content = html! {
        h1 { "Keys" }
        h2 { "Certificates and revocation lists" }
        table {
            caption.unseen { "Certificates and revocation lists of the configuration" }
            thead { tr { th { "For" } th { "Whose" } th { "Days left" } th { "Until" } th { "File" } } }
            tbody { @for one in &certificates { (certificate(one, now)) } }
        }
        h2 { "Decryption keys" }
        @for key in &keys { (known_as(key)) }
        @if keys.is_empty() { p { "None: nothing that is sealed can be opened." } }
    };
    Ok(page(&visitor, "/console/keys", "Keys", &content))
}

fn certificate(one: &Certificate, now: OffsetDateTime) -> Markup {
    let left = one.not_after.map(|until| (until - now).whole_days());
    let class = match left {
        Some(..=0) => "dead",
        Some(..SOON_DAYS) => "warn",
        Some(_) => "good",
        None => "none",
    };
    html! {
        tr {
            td { (one.purpose) }
            td { (one.subject) @if let Some(problem) = &one.problem { p.trouble { (problem) } } }
            td { (shown::badge(&left.map_or_else(|| "unknown".to_owned(), |days| days.to_string()), class)) }
            td { (shown::maybe_at(one.not_after, now)) }
            td { code { (one.file) } }
        }
    }
}

fn known_as(key: &Key) -> Markup {
    html! {
        article {
            p { code { (key.spki_sha256) } @if key.is_newest { " " (shown::badge("newest", "good")) } }
            dl.facts { @for name in &key.names { dt { (name.label) } dd { code { (name.value) } } } }
        }
    }
}
