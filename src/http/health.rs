//! Alive, ready, and what was counted.
//!
//! The answers are for supervisors and for people with `curl`: a word or a sentence of plain text, never a secret.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use tokio_util::sync::CancellationToken;

use super::admin::AdminState;
use crate::store::SharedStore;

/// What `/livez` says; `check` knows by it that a port that is taken is taken by us.
pub const ALIVE: &str = "mdes-receiver is alive\n";

const READY_WITHIN: Duration = Duration::from_secs(2);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /livez`: 200 as long as this program answers at all.
pub async fn live() -> &'static str {
    ALIVE
}

/// `GET /readyz`: 200 if a notification would be kept now; else 503 with the reason.
pub async fn ready(State(state): State<AdminState>) -> (StatusCode, String) {
    let not_ready = |why: String| (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n"));
    match state.readiness.now().await {
        Ok(()) => (StatusCode::OK, "ready\n".to_owned()),
        Err(why) => not_ready(why),
    }
}

/// Whether the store would keep something: asked by one at a time, whose answer is that of all who asked before it began.
/// This is open to everybody, and takes a connection of receiving's.
pub struct Readiness {
    store: SharedStore,
    store_is_there: CancellationToken,
    stopping: CancellationToken,
    known: tokio::sync::Mutex<Option<(Instant, Result<(), String>)>>,
}

impl Readiness {
    /// Of this store, once it is there and until the stop.
    pub fn new(store: SharedStore, store_is_there: CancellationToken, stopping: CancellationToken) -> Arc<Self> {
        Arc::new(Readiness {
            store,
            store_is_there,
            stopping,
            known: tokio::sync::Mutex::default(),
        })
    }

    /// `Ok` if a notification would be kept now; else why not. Over within two seconds for who asks alone.
    pub async fn now(&self) -> Result<(), String> {
        if self.stopping.is_cancelled() {
            return Err("stopping".to_owned());
        }
        self.of_the_store().await?;
        match self.store_is_there.is_cancelled() {
            true => Ok(()),
            false => Err("the store is being prepared".to_owned()),
        }
    }

    async fn of_the_store(&self) -> Result<(), String> {
        let asked = Instant::now();
        let mut known = self.known.lock().await;
        if let Some((began, known)) = &*known
            && *began >= asked
        {
            return known.clone();
        }
        let began = Instant::now();
        let ready = match tokio::time::timeout(READY_WITHIN, self.store.ready()).await {
            Ok(ready) => ready.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store did not answer within {} s", READY_WITHIN.as_secs())),
        };
        *known = Some((began, ready.clone()));
        ready
    }
}

/// `GET /metrics`: everything that is counted, in the OpenMetrics text format.
pub async fn metrics(State(state): State<AdminState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], state.metrics.text())
}
