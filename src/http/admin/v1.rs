//! `/v1`: what its paths are, and what all of them share.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use super::admit::{Door, admit};
use super::problem::Problem;
use super::route::Route;
use super::{
    AdminState, alarms, assets, charge, commands, deliveries, destinations, events, links, notifications, quarantine,
    reconciles, shown, tokens,
};
use crate::config::settings::{Destination, Limits};
use crate::http::body::Room;

/// A request's body at most.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// From a request's head to its answer's; a stream may go on.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Streams and exports at once.
const STREAMS_MAX: usize = 64;

/// What the handlers share.
pub(super) struct Api {
    pub(super) state: AdminState,
    pub(super) limits: Limits,
    pub(super) room: Room,
    streams: Arc<Semaphore>,
}

impl Api {
    /// A place among the streams, for as long as it is held.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = self.streams.clone().try_acquire_owned();
        place.map_err(|_| Problem::too_many_streams(STREAMS_MAX))
    }

    /// The destination of that name, if the configuration has it.
    pub(super) fn destination(&self, name: &str) -> Option<&Destination> {
        self.state.destinations.iter().find(|one| one.name == name)
    }
}

pub(super) type SharedApi = Arc<Api>;

/// Every path, once: the router is made from this list, and `/openapi.json` too.
pub(super) fn routes() -> Vec<Route> {
    [
        tokens::routes(),
        charge::routes(),
        commands::routes(),
        reconciles::routes(),
        assets::routes(),
        links::routes(),
        events::routes(),
        deliveries::routes(),
        destinations::routes(),
        notifications::routes(),
        quarantine::routes(),
        alarms::routes(),
        shown::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// All of it; whatever is refused, is refused as a problem.
pub(super) fn router<S: Clone + Send + Sync + 'static>(state: AdminState) -> Router<S> {
    let door = Arc::new(Door::new(&state));
    let api = Arc::new(Api {
        limits: Limits {
            body_bytes_max: BODY_BYTES_MAX,
            ..state.limits
        },
        state,
        room: Room::new(),
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
    });
    let routes = routes().into_iter();
    routes
        .fold(Router::new(), |router, route| route.onto(router, &door))
        .route("/", get(no_such_path))
        .fallback(no_such_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(door, admit))
        .layer(middleware::from_fn(in_time))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(api)
}

async fn no_such_path() -> Problem {
    Problem::no_such_path()
}

async fn wrong_method() -> Problem {
    Problem::wrong_method()
}

async fn in_time(request: Request, next: Next) -> Response {
    match timeout(ANSWER_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::busy(format!("no answer within {} s: try again", ANSWER_WITHIN.as_secs())).into_response(),
    }
}

fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Problem::defect().into_response()
}
