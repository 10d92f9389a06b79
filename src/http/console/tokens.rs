//! Tokens: found by their names, by what else is known of them, or a page at a time.
//!
//! A name is sent in a form's body and never in an address, which a browser keeps and passes on: TokenEx's token may
//! look like a card's number. What is no secret narrows by an address that can be shared.

use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use time::OffsetDateTime;

use super::form::Posted;
use super::narrow::Narrow;
use super::page::{Failure, page};
use super::session::Visitor;
use super::{Console, SharedConsole, shown};
use crate::domain::id::{Namespace, TokenReference};
use crate::http::admin::search::{cursor, of_cursor};
use crate::http::admin::wire::{token_cursor, token_of_cursor};
use crate::store::outbox::Standing;
use crate::store::search::{Found, Sought, WALKED_MAX};

const PAGE: u32 = 50;
/// Of a name that is looked for.
const NAME_CHARS_MAX: usize = 256;

/// What a page of tokens is made from.
struct Listed {
    tokens: Vec<Standing>,
    /// The address of the next page.
    next: Option<String>,
    /// What is said above them.
    said: Option<String>,
}

/// `GET /console/tokens?suffix=&status=&requestor=&merchant_reference=&since=&until=&provisional=&after=`.
pub(super) async fn list(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Query(asked): Query<Narrow>,
) -> Result<Html<String>, Failure> {
    let listed = match asked.sought()? {
        Some(sought) => narrowed(&console, &asked, &sought).await?,
        None => all(&console, &asked).await?,
    };
    let content = html! {
        (head(&visitor, &asked, listed.said.as_deref()))
        div data-live { (table(&console, &listed)) }
    };
    Ok(page(&visitor, "/console/tokens", "Tokens", &content))
}

async fn all(console: &Console, asked: &Narrow) -> Result<Listed, Failure> {
    let house = &*console.state.house;
    let after = asked
        .after()
        .map(|cursor| token_of_cursor(house, cursor).ok_or_else(Failure::not_found));
    let tokens = console.state.outbox.standing(after.transpose()?.as_ref(), PAGE).await?;
    let last = tokens.last().filter(|_| tokens.len() >= PAGE as usize);
    let next = last.map(|last| asked.address(&token_cursor(house, &last.token.reference)));
    Ok(Listed {
        tokens,
        next,
        said: None,
    })
}

async fn narrowed(console: &Console, asked: &Narrow, sought: &Sought) -> Result<Listed, Failure> {
    let house = &*console.state.house;
    let after = asked
        .after()
        .map(|after| of_cursor(house, after).ok_or_else(Failure::not_found));
    let found = console
        .state
        .search
        .found(sought, after.transpose()?.as_ref(), PAGE)
        .await?;
    let next = found.next.as_ref().map(|place| asked.address(&cursor(house, place)));
    Ok(Listed {
        said: said(&found),
        tokens: found.tokens,
        next,
    })
}

/// A page that looked at as many as it may has to be narrowed, or gone on with.
fn said(found: &Found) -> Option<String> {
    let fit = found.tokens.len();
    let is_short = fit < PAGE as usize;
    match (&found.next, fit) {
        (None, 0) => Some("No token fits.".to_owned()),
        (Some(_), _) if is_short => Some(format!(
            "Of {WALKED_MAX} tokens that were looked at, {fit} fit. No index holds this combination: narrow it by the \
             last digits or your reference, or go on."
        )),
        _ => None,
    }
}

#[derive(Deserialize)]
pub(super) struct Name {
    #[serde(default)]
    q: String,
}

/// `POST /console/tokens`: the token of that very name, whoever's reference it is; or those of a reference of the
/// merchant's.
pub(super) async fn find(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Posted(name): Posted<Name>,
) -> Result<Response, Failure> {
    let wanted = name.q.trim();
    if wanted.chars().count() > NAME_CHARS_MAX || wanted.chars().any(char::is_control) {
        return Err(Failure::unfit("A reference is one line of at most 256 characters."));
    }
    let mut tokens = called(&console, wanted).await?;
    if tokens.len() == 1 {
        let found = shown::token_path(&console, &tokens[0].token.reference);
        return Ok(Redirect::to(&found).into_response());
    }
    let more = tokens.len() > PAGE as usize;
    tokens.truncate(PAGE as usize);
    let listed = Listed {
        said: Some(match (tokens.len(), more) {
            (0, _) => "No token has this reference.".to_owned(),
            (many, false) => format!("{many} tokens were registered under this reference of yours."),
            (many, true) => {
                format!("The first {many} of the tokens that were registered under this reference of yours.")
            }
        }),
        tokens,
        next: None,
    };
    let content = html! {
        (head(&visitor, &Narrow::default(), listed.said.as_deref()))
        // No part of it is live: what was asked for stands in no address.
        div { (table(&console, &listed)) }
    };
    Ok(page(&visitor, "/console/tokens", "Tokens", &content).into_response())
}

async fn called(console: &Console, wanted: &str) -> Result<Vec<Standing>, Failure> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    for namespace in [Namespace::Mdes, Namespace::TokenEx] {
        found = console.state.search.called(namespace, wanted).await?;
        let is_own = |one: &Standing| is_called(&one.token.reference, namespace, wanted);
        if found.iter().any(is_own) {
            return Ok(found);
        }
    }
    Ok(found)
}

fn is_called(token: &TokenReference, namespace: Namespace, wanted: &str) -> bool {
    token.namespace == namespace && token.reference == wanted
}

fn head(visitor: &Visitor, asked: &Narrow, said: Option<&str>) -> Markup {
    html! {
        h1 { "Tokens" }
        form.search method="post" action="/console/tokens" role="search" aria-label="By a reference" {
            (visitor.seal())
            label for="q" { "A reference" }
            input id="q" name="q" type="search" required maxlength=(NAME_CHARS_MAX) spellcheck="false" autocomplete="off"
                aria-describedby="names";
            button type="submit" { "Find" }
            span.muted id="names" { "MDES's, TokenEx's or yours" }
        }
        (asked.form())
        @if let Some(said) = said { p.trouble role="status" { (said) } }
    }
}

fn table(console: &Console, listed: &Listed) -> Markup {
    let now = console.now();
    html! {
        table {
            caption.unseen { "Tokens" }
            thead { tr { th { "Token" } th { "Status" } th { "Suspended by" } th { "Since" } th { "Yours" } th { "Changed" } } }
            tbody {
                @for standing in &listed.tokens { (row(console, standing, now)) }
                @if listed.tokens.is_empty() { tr { td colspan="6" { (none(listed)) } } }
            }
        }
        @if let Some(next) = &listed.next { p.pages { a href=(next) rel="next" { "Next " (PAGE) } } }
    }
}

/// What is said where there are none.
fn none(listed: &Listed) -> &'static str {
    match listed.said {
        Some(_) => "None.",
        None => "None yet. They come with the first notification, or with `mdes-receiver tokens import`.",
    }
}

fn row(console: &Console, standing: &Standing, now: OffsetDateTime) -> Markup {
    let token = &standing.token;
    let suspenders = token.suspended_by().collect::<Vec<_>>().join(", ");
    let registration = standing.registration.as_ref();
    html! {
        tr {
            td { (shown::token(console, &token.reference)) }
            td { (shown::standing(standing)) @if token.is_provisional() { " " (shown::badge("provisional", "odd")) } }
            td { (shown::or_dash(Some(&suspenders))) }
            td { (shown::maybe_at(token.status_at(), now)) }
            td { (shown::or_dash(registration.and_then(|one| one.merchant_reference.as_deref()))) }
            td { (shown::at(standing.updated_at, now)) }
        }
    }
}
