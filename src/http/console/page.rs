//! What every page has around it, and the pages of what went wrong.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::session::Visitor;
use crate::store;

/// Where one can go: path, name.
const PLACES: &[(&str, &str)] = &[
    ("/console", "Overview"),
    ("/console/tokens", "Tokens"),
    ("/console/commands", "Commands"),
    ("/console/deliveries", "Deliveries"),
    ("/console/destinations", "Destinations"),
    ("/console/quarantine", "Quarantine"),
    ("/console/reconciles", "Reconcile"),
    ("/console/keys", "Keys"),
    ("/console/audit", "Audit"),
];

/// A page at its place (one of [`PLACES`]), for its visitor.
pub(super) fn page(visitor: &Visitor, place: &str, title: &str, content: &Markup) -> Html<String> {
    let around = html! {
        header.top {
            a.skip href="#main" { "Skip to the page" }
            a.name href="/console" { "mdes-receiver" }
            nav aria-label="Console" {
                @for (path, name) in PLACES {
                    a href=(path) aria-current=[(*path == place).then_some("page")] { (name) }
                }
            }
            form.who method="post" action="/console/logout" {
                (visitor.seal())
                span title=(visitor.operator.role.as_str()) { (visitor.operator.name) }
                button.quiet type="submit" { "Log out" }
            }
        }
        main id="main" { (content) }
    };
    whole(title, &around)
}

/// The bare page of who is not logged in.
pub(super) fn bare(title: &str, content: &Markup) -> Html<String> {
    whole(title, &html! { main.bare id="main" { (content) } })
}

fn whole(title: &str, body: &Markup) -> Html<String> {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · mdes-receiver" }
                link rel="stylesheet" href="/console/assets/console.css";
                link rel="icon" href="data:,";
                script defer src="/console/assets/console.js" {}
            }
            body { (body) }
        }
    };
    Html(whole.into_string())
}

/// What went wrong, as a page that says what to do.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

impl Failure {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Failure {
            status,
            title,
            detail: detail.into(),
        }
    }

    /// No such page, token, command …
    pub(super) fn not_found() -> Self {
        let detail = "There is nothing of that name here. It may have been written differently, or be kept no longer.";
        Failure::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// Another request's work is in the way, or the store's.
    pub(super) fn busy(why: impl Into<String>) -> Self {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "Not now", why)
    }

    /// Somebody guesses from there.
    pub(super) fn too_many_logins() -> Self {
        let detail = "Too many logins failed from your address. Wait a minute, then log in again.";
        Failure::new(StatusCode::TOO_MANY_REQUESTS, "Not now", detail)
    }

    /// What was sent makes no sense, or does not fit.
    pub(super) fn unfit(why: impl Into<String>) -> Self {
        Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "That does not fit", why)
    }

    /// It stands otherwise by now.
    pub(super) fn conflict(why: impl Into<String>) -> Self {
        Failure::new(StatusCode::CONFLICT, "It stands otherwise by now", why)
    }

    /// The form was not made for this visitor, or by another site.
    pub(super) fn not_from_here() -> Self {
        let detail = "The form did not come from a page of this session. Load the page again and repeat it there.";
        Failure::new(StatusCode::FORBIDDEN, "Refused", detail)
    }

    /// A viewer who wants to act.
    pub(super) fn only_operators() -> Self {
        let detail = "This changes something, and your role only looks. Log in with the token of an operator.";
        Failure::new(StatusCode::FORBIDDEN, "Your role does not allow it", detail)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        tracing::warn!(%error, "the console cannot have what it asks of the store");
        Failure::busy("The store does not answer just now. Load the page again; /readyz says more.")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let content = html! {
            h1 { (self.title) }
            p { (self.detail) }
            p { a href="/console" { "To the overview" } }
        };
        (self.status, bare(self.title, &content)).into_response()
    }
}
