//! One token: how it stands, how it came to be so, and what can be done.

use axum::extract::{Path, Query, State};
use axum::response::Html;
use maud::{Markup, html};
use serde_json::Value;
use time::OffsetDateTime;

use super::page::{Failure, page};
use super::session::Visitor;
use super::shown::Said;
use super::{Console, SharedConsole, shown, strip, timeline};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::status::Status;
use crate::domain::token::Token;
use crate::store::desk::Link;
use crate::store::outbox::Standing;

/// Changes that the strip is drawn from: the newest.
const CHANGES_MAX: u64 = 1_000;

/// `GET /console/tokens/{namespace}/{reference}`.
pub(super) async fn show(
    State(console): State<SharedConsole>,
    visitor: Visitor,
    Path((namespace, reference)): Path<(String, String)>,
    Query(said): Query<Said>,
) -> Result<Html<String>, Failure> {
    let token = named(&console, &namespace, reference)?;
    let standing = standing(&console, &token).await?;
    let after = standing.token.sequence.saturating_sub(CHANGES_MAX);
    let transitions = console
        .state
        .store
        .transitions(&token, after, CHANGES_MAX as u32)
        .await?;
    let links = console.state.desk.links_of(&token).await?;
    let timeline = timeline::of(&console, &token, &transitions).await?;
    let now = console.now();
    let title = format!("Token {}", token.shown());
    let content = html! {
        (said.shown())
        div data-live {
            (head(&standing))
            (strip::strip(&transitions, now))
            (facts(&console, &standing, &links, now))
        }
        (acts(&console, &visitor, &standing))
        div { (timeline::table(&timeline, now)) }
        (metadata(&standing.token))
        @if visitor.acts() { p { a href=(format!("{}/erase", shown::token_path(&console, &token))) { "Erase all that is held of it" } } }
    };
    Ok(page(&visitor, "/console/tokens", &title, &content))
}

/// The token that a path names; TokenEx's under its veil alone.
pub(super) fn named(console: &Console, namespace: &str, name: String) -> Result<TokenReference, Failure> {
    let namespace = Namespace::parse(namespace).ok_or_else(Failure::not_found)?;
    let reference = match namespace {
        Namespace::Mdes => Some(name),
        Namespace::TokenEx => console.state.house.unveil(&name),
    };
    Ok(TokenReference {
        namespace,
        reference: reference.ok_or_else(Failure::not_found)?,
    })
}

pub(super) async fn standing(console: &Console, token: &TokenReference) -> Result<Standing, Failure> {
    let called = console.state.search.called(token.namespace, &token.reference).await?;
    let own = called.into_iter().find(|one| one.token.reference == *token);
    own.ok_or_else(Failure::not_found)
}

fn head(standing: &Standing) -> Markup {
    let token = &standing.token;
    html! {
        h1.token { (token.reference.shown()) " " (shown::standing(standing)) }
        @match &standing.unreadable {
            Some(place) => p.trouble role="status" {
                "What is held of it cannot be read: " code { (place) } ". Do not charge it before its row is mended; what was heard of it is below."
            },
            None => p.advice { (shown::advice(token.status())) },
        }
        @for doubt in token.doubts() {
            p.doubt { (shown::badge("provisional", "odd")) " " (doubt.sentence()) }
        }
    }
}

fn facts(console: &Console, standing: &Standing, links: &[Link], now: OffsetDateTime) -> Markup {
    let (token, registration) = (&standing.token, standing.registration.as_ref());
    let suspenders = token.suspended_by().collect::<Vec<_>>().join(", ");
    let requestor = token.requestor().or_else(|| registration?.requestor.as_deref());
    html! {
        dl.facts {
            dt { "Suspended by" } dd { (shown::or_dash(Some(&suspenders))) }
            dt { "Since" } dd { (shown::maybe_at(token.status_at(), now)) }
            dt { "Reason" } dd { (shown::or_dash(token.reason_code())) }
            dt { "Your reference" } dd { (shown::or_dash(registration.and_then(|one| one.merchant_reference.as_deref()))) }
            dt { "Requestor" } dd { (shown::or_dash(requestor)) }
            dt { "Changes" } dd { (token.sequence) }
            @for link in links {
                dt { "Linked with" } dd { (linked(console, link, token.reference.namespace)) }
            }
        }
    }
}

/// The other name.
fn linked(console: &Console, link: &Link, here: Namespace) -> Markup {
    let other = match here {
        Namespace::Mdes => TokenReference {
            namespace: Namespace::TokenEx,
            reference: link.tokenex_token.clone(),
        },
        Namespace::TokenEx => TokenReference::mdes(link.token_unique_reference.clone()),
    };
    shown::token(console, &other)
}

/// Buttons for what its status allows; whether it can work is for the desk, on a fresh look.
fn acts(console: &Console, visitor: &Visitor, standing: &Standing) -> Markup {
    let token = &standing.token;
    let (suspends, resumes) = match token.status() {
        Some(Status::Deactivated) => return html! {},
        Some(Status::Active) => (true, false),
        Some(Status::Suspended) => (true, true),
        _ => (true, true),
    };
    if !visitor.acts() || standing.unreadable.is_some() {
        return html! {};
    }
    let action = format!("{}/commands", shown::token_path(console, &token.reference));
    let last: String = last_four(&token.reference.reference);
    html! {
        section.acts aria-label="What can be done" {
            form method="post" action=(action) {
                (visitor.seal())
                label for="reason" { "Reason" }
                input id="reason" name="reason" maxlength="256" autocomplete="off";
                @if suspends { button type="submit" name="action" value="suspend" { "Suspend" } }
                @if resumes { button type="submit" name="action" value="resume" { "Resume" } }
            }
            details {
                summary { "Delete this token" }
                form method="post" action=(action) {
                    (visitor.seal())
                    p { "It cannot be undone: no one will be able to charge it again." }
                    label for="confirm" { "The last four characters of its reference" }
                    input id="confirm" name="confirm" required minlength=(last.chars().count()) maxlength="4" autocomplete="off";
                    label for="why" { "Reason" }
                    input id="why" name="reason" maxlength="256" autocomplete="off";
                    button.danger type="submit" name="action" value="delete" { "Delete for good" }
                }
            }
        }
    }
}

fn last_four(reference: &str) -> String {
    let skip = reference.chars().count().saturating_sub(4);
    reference.chars().skip(skip).collect()
}

fn metadata(token: &Token) -> Markup {
    let fields = ["tokenInfo", "productConfig"].map(|object| (object, token.object(object)));
    if fields.iter().all(|(_, fields)| fields.is_empty()) {
        return html! {};
    }
    html! {
        h2 { "Card and token data" }
        table.data {
            caption.unseen { "What the network said of the card and the token" }
            thead { tr { th { "Field" } th { "Value" } } }
            tbody {
                @for (object, fields) in &fields {
                    @for (name, value) in fields {
                        tr { td { (object) "." (name) } td { (plain(value)) } }
                    }
                }
            }
        }
    }
}

/// A value as a person reads it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
