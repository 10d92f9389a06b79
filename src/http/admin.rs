//! The admin side, for those who are meant to be here: open pages that only read, and `/v1` for who shows a token.
//!
//! A page in an operator's browser may call any address by a name of its own (DNS rebinding): a request whose
//! Host header bears none of our names is refused before anything is looked at. Where it listens, and its TLS,
//! is another's business.

mod admit;
mod alarms;
mod answers;
mod ask;
mod assets;
mod audit;
mod charge;
mod commands;
mod cursor;
mod deliveries;
mod destinations;
mod erase;
mod events;
mod export;
pub(in crate::http) mod flow;
pub mod house;
pub(in crate::http) mod leave;
mod links;
mod notifications;
pub mod openapi;
mod problem;
mod quarantine;
mod reconciles;
mod reveal;
mod route;
pub(in crate::http) mod search;
mod shown;
mod story;
mod stream;
mod tokens;
mod v1;
pub(in crate::http) mod wire;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CACHE_CONTROL, HOST, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

pub(in crate::http) use self::admit::is_cross_site;
use self::house::SharedHouse;
use self::problem::Problem;
use super::health::Readiness;
use super::{console, health, tokenex};
use crate::clock::Clock;
use crate::config::settings::{Admin, Destination, Limits};
use crate::domain::id::Namespace;
use crate::lifecycle::art::Art;
use crate::lifecycle::ordering::Offered;
use crate::store::desk::SharedDesk;
use crate::store::{SharedAsking, SharedLedger, SharedOutbox, SharedRoster, SharedSearch, SharedStore};
use crate::telemetry::Metrics;

/// What the admin pages look at.
#[derive(Clone)]
pub struct AdminState {
    /// The memory.
    pub store: SharedStore,
    /// Whether a notification would be kept now.
    pub readiness: Arc<Readiness>,
    /// Its events and deliveries.
    pub outbox: SharedOutbox,
    /// Its commands and links.
    pub desk: SharedDesk,
    /// Card art.
    pub art: Arc<Art>,
    /// Whose word counts of a token that several know.
    pub authority: Namespace,
    /// Its questions, reconciles and gaps.
    pub asking: SharedAsking,
    /// It again, for who looks for something.
    pub search: SharedSearch,
    /// Who did what.
    pub ledger: SharedLedger,
    /// What needs a key, or stands in files.
    pub house: SharedHouse,
    /// Who carries commands out.
    pub offered: Offered,
    /// Who may ask.
    pub roster: SharedRoster,
    /// Who is told, by the configuration.
    pub destinations: Arc<[Destination]>,
    /// Bounds and deadlines of a request's body.
    pub limits: Limits,
    /// For the log's bound.
    pub clock: Arc<dyn Clock>,
    /// What was counted.
    pub metrics: Metrics,
    /// Cancelled when a stop begins.
    pub stopping: CancellationToken,
    /// TokenEx's contract, if anybody may use it.
    pub tokenex: Option<tokenex::Served>,
}

/// `/livez`, `/readyz`, `/metrics`, `/docs`, `/openapi.json`, everything under `/v1`, and TokenEx's contract under `/v2`; anything else is a plain 404 or 405, a strange Host
/// header a 421.
pub fn router(state: AdminState, settings: &Admin) -> Router {
    let hosts = Arc::new(Hosts {
        listen: settings.listen,
        names: settings.hosts.clone(),
    });
    let contract = state.tokenex.clone().map(tokenex::router);
    let contract = contract.map_or_else(Router::new, |contract| Router::new().nest("/v2", contract));
    Router::new()
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/", get(console::to_console))
        .route("/console/", get(console::to_console))
        .nest("/console", console::router(state.clone(), settings))
        .route("/openapi.json", get(openapi::served))
        .route("/docs", get(openapi::page))
        .route("/docs/style.css", get(openapi::style))
        .fallback(not_found)
        .method_not_allowed_fallback(only_reading)
        .nest("/v1", v1::router(state.clone()))
        .merge(contract)
        .layer(middleware::from_fn_with_state(answers::Room::new(), answers::bounded))
        .layer(middleware::from_fn_with_state(hosts, guard))
        .with_state(state)
}

async fn not_found(uri: Uri) -> Response {
    if is_v1(&uri) {
        return Problem::no_such_path().into_response();
    }
    let text = "not found: there is /livez, /readyz, /metrics, /docs, /openapi.json, and /console and /v1 for who has a token\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

/// There every refusal is a problem.
fn is_v1(uri: &Uri) -> bool {
    let rest = uri.path().strip_prefix("/v1");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

async fn only_reading() -> impl IntoResponse {
    let text = "method not allowed: these pages only answer GET and HEAD\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD")], text)
}

async fn guard(State(hosts): State<Arc<Hosts>>, request: Request, next: Next) -> Response {
    let mut response = if hosts.admit(&request) {
        next.run(request).await
    } else if is_v1(request.uri()) {
        Problem::misdirected().into_response()
    } else {
        let text = "misdirected: the Host header bears no name of this admin listener; if it should, add it to `admin.hosts`\n";
        (StatusCode::MISDIRECTED_REQUEST, text).into_response()
    };
    let headers = response.headers_mut();
    // Only what never changes says that it may be kept.
    let kept = headers.entry(CACHE_CONTROL);
    kept.or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The names that a request may call us by.
struct Hosts {
    listen: SocketAddr,
    names: Vec<String>,
}

impl Hosts {
    fn admit(&self, request: &Request) -> bool {
        called(request.uri(), request.headers()).is_some_and(|host| self.knows(&host))
    }

    /// The port is not looked at: whoever forwards one may choose another.
    fn knows(&self, host: &str) -> bool {
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .trim_end_matches('.')
            .to_ascii_lowercase();
        match host.parse::<IpAddr>() {
            // Rebinding needs a name; behind an unspecified address any address may be ours.
            Ok(address) => address.is_loopback() || self.listen.ip().is_unspecified() || address == self.listen.ip(),
            Err(_) => host == "localhost" || self.names.contains(&host),
        }
    }
}

/// The host that the request names: in HTTP/2 its authority, in HTTP/1.1 its one Host header.
fn called(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    if let Some(authority) = uri.authority() {
        return Some(authority.host().to_owned());
    }
    let mut values = headers.get_all(HOST).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let authority: Authority = value.to_str().ok()?.parse().ok()?;
    Some(authority.host().to_owned())
}
