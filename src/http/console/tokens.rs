//! Tokens: found by their names, or a page at a time.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::{SharedConsole, shown};
use crate::domain::id::{Namespace, TokenReference};
use crate::http::admin::wire::{token_cursor, token_of_cursor};
use crate::store::outbox::Standing;

const PAGE: u32 = 50;

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Asked {
    q: String,
    after: String,
}

/// `GET /console/tokens?q=&after=`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Failure> {
    let wanted = asked.q.trim();
    if let Some(found) = find(&console, wanted).await? {
        return Ok(Redirect::to(&shown::token_path(&found)).into_response());
    }
    let after = match asked.after.as_str() {
        "" => None,
        cursor => Some(token_of_cursor(cursor).ok_or_else(Failure::not_found)?),
    };
    let tokens = console.state.outbox.standing(after.as_ref(), PAGE).await?;
    let now = console.now();
    let content = html! {
        h1 { "Tokens" }
        form.search method="get" action="/console/tokens" role="search" {
            label for="q" { "Token reference" }
            input id="q" name="q" type="search" value=(wanted) spellcheck="false" autocomplete="off";
            button type="submit" { "Find" }
        }
        @if !wanted.is_empty() {
            p.trouble role="status" { "No token has this reference. Below are all of them." }
        }
        div data-live { (table(&tokens, now)) (next(&tokens)) }
    };
    Ok(page(&visitor, "/console/tokens", "Tokens", &content).into_response())
}

/// The token of that very name, whoever's reference it is.
async fn find(console: &SharedConsole, wanted: &str) -> Result<Option<TokenReference>, Failure> {
    if wanted.is_empty() {
        return Ok(None);
    }
    for namespace in [Namespace::Mdes, Namespace::TokenEx] {
        let token = TokenReference {
            namespace,
            reference: wanted.to_owned(),
        };
        let is_heard = console.state.store.token(&token).await?.is_some();
        if is_heard || console.state.outbox.registration(&token).await?.is_some() {
            return Ok(Some(token));
        }
    }
    Ok(None)
}

fn table(tokens: &[Standing], now: OffsetDateTime) -> Markup {
    html! {
        table {
            caption.unseen { "Tokens, in the order of their references" }
            thead { tr { th { "Token" } th { "Status" } th { "Suspended by" } th { "Since" } th { "Yours" } th { "Changed" } } }
            tbody {
                @for standing in tokens {
                    @let token = &standing.token;
                    tr {
                        td { (shown::token(&token.reference)) }
                        td { (shown::status(token.status())) @if token.is_provisional() { " " (shown::badge("provisional", "odd")) } }
                        td { (shown::or_dash(Some(&token.suspended_by().collect::<Vec<_>>().join(", ")))) }
                        td { (shown::maybe_at(token.status_at(), now)) }
                        td { (shown::or_dash(standing.registration.as_ref().and_then(|one| one.merchant_reference.as_deref()))) }
                        td { (shown::at(standing.updated_at, now)) }
                    }
                }
                @if tokens.is_empty() { tr { td colspan="6" { "None yet. They come with the first notification, or with `mdes-receiver tokens import`." } } }
            }
        }
    }
}

fn next(tokens: &[Standing]) -> Markup {
    let last = tokens.last().filter(|_| tokens.len() >= PAGE as usize);
    let Some(last) = last else {
        return html! {};
    };
    let cursor = token_cursor(&last.token.reference);
    let after = utf8_percent_encode(&cursor, NON_ALPHANUMERIC);
    html! { p.pages { a href=(format!("/console/tokens?after={after}")) rel="next" { "Next " (PAGE) } } }
}
