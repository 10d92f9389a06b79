//! The callback over a faulty store, asked step by step.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use mdes_receiver::clock::SystemClock;
use mdes_receiver::clock::new_id;
use mdes_receiver::domain::notification::Windows;
use mdes_receiver::http::callback::{Callback, PATH};
use mdes_receiver::inbox::Inbox;
use mdes_receiver::inbox::batch::{Batch, Bounds};
use mdes_receiver::keys::Keys;
use mdes_receiver::mdes::Reading;
use mdes_receiver::net::peer::Caller;
use mdes_receiver::store::{QuarantineFilter, Store};
use mdes_receiver::telemetry::Metrics;
use serde_json::Value;
use tower::ServiceExt;

use super::faulty::Faulty;
use crate::store::scene;
use crate::support::Database;
use crate::world::{Desk, eventually, sealed, statement};

/// The callback over a faulty store, without a door before it.
pub struct House {
    pub desk: Desk,
    pub store: Arc<Faulty>,
    router: Router,
}

/// A request under way.
pub type Asked = Pin<Box<dyn Future<Output = Told> + Send>>;

/// An answer.
pub struct Told {
    pub status: u16,
    pub body: Value,
    headers: HeaderMap,
}

impl Told {
    pub fn code(&self) -> (u16, &str) {
        (self.status, self.body["errorCode"].as_str().unwrap_or_default())
    }

    pub fn assert_come_back(&self) {
        assert_eq!(self.code(), (503, "INTERNAL_SERVICE_FAILURE"));
        assert_eq!(self.headers["retry-after"], "5");
    }
}

pub const QUEUE_MAX: usize = 64;

impl House {
    pub async fn over(database: Database) -> Self {
        House::with(database, QUEUE_MAX, Duration::from_secs(20)).await
    }

    pub async fn with(database: Database, queue_max: usize, answer: Duration) -> Self {
        let store = Arc::new(Faulty::over(database.open().await));
        let desk = Desk::over(database);
        let mut settings = desk.settings();
        settings.callback.limits.answer = answer;
        let clock = Arc::new(SystemClock);
        let bounds = Bounds {
            queue_max,
            queue_bytes_max: 64 << 20,
            batch_max: 256,
            batch_bytes_max: 8 << 20,
            deadline: Duration::from_secs(20),
            windows: Windows::default(),
        };
        let (batch, _worker) = Batch::start(store.clone(), bounds, clock.clone(), Metrics::new());
        let keys = Arc::new(Keys::load(settings.keys.clone()).expect("the keys are good"));
        let rules = Reading {
            payload: settings.callback.payload,
            envelope: settings.envelope,
        };
        let inbox = Arc::new(Inbox::new(keys, store.clone(), batch, rules, clock.clone(), new_id));
        let router = Callback::new(inbox, settings.callback, clock, Metrics::new()).router();
        House { desk, store, router }
    }

    /// Tells that this token is active; the request is under way, and does not go on by itself.
    pub fn asks(&self, request_id: &str, token: &str) -> Asked {
        let content = statement(token, "ACTIVE", "2026-11-02T09:15:03Z");
        self.sends(sealed(&self.desk.sealer(), request_id, &content))
    }

    pub fn sends(&self, body: Bytes) -> Asked {
        let request = Request::post(PATH).extension(Caller::Sender(scene::peer()));
        let request = request.body(Body::from(body)).expect("a request");
        let answer = self.router.clone().oneshot(request);
        Box::pin(async {
            let (head, body) = answer.await.expect("a router answers").into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            Told {
                status: head.status.as_u16(),
                headers: head.headers,
                body: serde_json::from_slice(&body).expect("answers are JSON"),
            }
        })
    }

    /// A first one that the store holds up, so that whoever comes next waits in the queue.
    pub async fn one_in_the_store(&self) -> Asked {
        self.store.hold();
        let mut first = self.asks("first", "FIRST");
        waits(&mut first).await;
        eventually("it is in the store", || async { self.store.tries() == [1] }).await;
        first
    }

    pub async fn reasons_in_quarantine(&self) -> Vec<String> {
        let all = self.store.quarantined(&QuarantineFilter::default(), None, 100).await;
        let all = all.expect("the store answers");
        all.into_iter().map(|entry| entry.reason).collect()
    }

    pub async fn holds(&self, token: &str) -> bool {
        let kept = self.store.token(&scene::token(token)).await.expect("the store answers");
        kept.is_some_and(|kept| kept.token.sequence == 1)
    }
}

/// Goes as far as it can at once, and has no answer then.
pub async fn waits(asked: &mut Asked) {
    std::future::poll_fn(|context| {
        assert!(asked.as_mut().poll(context).is_pending(), "it is answered already");
        Poll::Ready(())
    })
    .await;
}
