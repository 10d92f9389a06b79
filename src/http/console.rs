//! The console: pages for people, made here, over what the admin API stands on.
//!
//! Every page is whole without a script; the one script there is renews what a page marks as live. Nothing comes from
//! elsewhere, nothing is inline, and whatever changes something is a form that shows what only its own page knows.

mod acts;
mod assets;
mod audit;
mod chart;
mod commands;
mod deliveries;
mod destinations;
mod erase;
mod form;
mod guesses;
mod keys;
mod live;
mod narrow;
mod overview;
mod page;
mod quarantine;
mod reconciles;
mod session;
mod shown;
mod strip;
mod timeline;
mod token;
mod tokens;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::guesses::Guesses;
use self::page::Failure;
use super::admin::AdminState;
use super::body::Room;
use crate::config::settings::{Admin, Limits};

/// A form at most.
const FORM_BYTES_MAX: usize = 16 << 10;
/// From a request's head to its page.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Pages that are being renewed at once.
const LIVE_MAX: usize = 64;
/// Nothing from elsewhere, nothing inline, nobody frames it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// What the pages are made from.
struct Console {
    state: AdminState,
    limits: Limits,
    room: Room,
    live: Arc<Semaphore>,
    guesses: Guesses,
    /// The cookie goes over TLS alone.
    is_secure: bool,
}

type SharedConsole = Arc<Console>;

impl Console {
    fn now(&self) -> OffsetDateTime {
        self.state.clock.now()
    }
}

/// All of it, under `/console`.
pub(super) fn router<S: Clone + Send + Sync + 'static>(state: AdminState, settings: &Admin) -> Router<S> {
    let console = Arc::new(Console {
        limits: Limits {
            body_bytes_max: FORM_BYTES_MAX,
            ..state.limits
        },
        state,
        room: Room::new(),
        live: Arc::new(Semaphore::new(LIVE_MAX)),
        guesses: Guesses::default(),
        is_secure: settings.tls.is_some(),
    });
    let inside = Router::new()
        .route("/", get(overview::show))
        .route("/tokens", get(tokens::list).post(tokens::find))
        .route("/tokens/{namespace}/{reference}", get(token::show))
        .route("/tokens/{namespace}/{reference}/commands", post(acts::order))
        .route(
            "/tokens/{namespace}/{reference}/erase",
            get(erase::ask).post(erase::erase),
        )
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/retry", post(acts::retry))
        .route("/deliveries/skip", post(acts::skip))
        .route("/destinations", get(destinations::list))
        .route("/destinations/{name}/pause", post(acts::pause))
        .route("/destinations/{name}/resume", post(acts::resume))
        .route("/commands", get(commands::list))
        .route("/commands/{id}", get(commands::show))
        .route("/commands/{id}/approve", post(acts::approve))
        .route("/quarantine", get(quarantine::list))
        .route("/quarantine/{id}", get(quarantine::show))
        .route("/quarantine/{id}/redrive", post(acts::redrive))
        .route("/quarantine/{id}/resolve", post(acts::resolve))
        .route("/keys", get(keys::show))
        .route("/audit", get(audit::list))
        .route("/reconciles", get(reconciles::list).post(reconciles::begin))
        .route("/reconciles/{id}", get(reconciles::show))
        .route("/reconciles/{id}/stop", post(reconciles::stop))
        .route("/live", get(live::follow))
        .route("/logout", post(session::logout))
        .layer(middleware::from_fn_with_state(console.clone(), session::admit));
    Router::new()
        .merge(inside)
        .route("/login", get(session::form).post(session::login))
        .route("/assets/{name}", get(assets::serve))
        .fallback(|| async { Failure::not_found() })
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(guarded))
        .with_state(console)
}

/// `/`, `/console/`: a browser that comes to the port wants the console.
pub(super) async fn to_console() -> Redirect {
    Redirect::to("/console")
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Failure::busy(format!("no answer within {} s", ANSWER_WITHIN.as_secs())).into_response(),
    }
}

async fn guarded(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Without it a browser would not say where a form comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let opener = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(opener, HeaderValue::from_static("same-origin"));
    response
}
