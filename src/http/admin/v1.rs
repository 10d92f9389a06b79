//! `/v1`: what its paths are, and what all of them share.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_http::catch_panic::CatchPanicLayer;

use super::admit::{Door, admit};
use super::problem::Problem;
use super::{
    AdminState, assets, commands, deliveries, destinations, events, export, links, reconciles, stream, tokens,
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
    Router::new()
        .route("/tokens", get(tokens::list).post(tokens::register))
        .route("/tokens/export", get(export::export))
        .route("/tokens/{reference}", get(tokens::show))
        .route("/tokens/{reference}/commands", post(commands::order))
        .route("/commands", get(commands::list))
        .route("/commands/{id}", get(commands::show))
        .route("/commands/{id}/approve", post(commands::approve))
        .route("/commands/{id}/withdraw", post(commands::withdraw))
        .route("/reconciles", get(reconciles::list).post(reconciles::begin))
        .route("/reconciles/{id}", get(reconciles::show))
        .route("/reconciles/{id}/findings", get(reconciles::findings))
        .route("/reconciles/{id}/stop", post(reconciles::stop))
        .route("/questions", get(reconciles::questions))
        .route("/gaps", get(reconciles::gaps))
        .route("/links", get(links::list).post(links::join).delete(links::part))
        .route("/assets/{id}", get(assets::show))
        .route("/events", get(events::page))
        .route("/events/stream", get(stream::follow))
        .route("/events/replay", post(events::replay))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/retry", post(deliveries::retry))
        .route("/deliveries/skip", post(deliveries::skip))
        .route("/destinations", get(destinations::list))
        .route("/destinations/{name}/pause", post(destinations::pause))
        .route("/destinations/{name}/resume", post(destinations::resume))
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
