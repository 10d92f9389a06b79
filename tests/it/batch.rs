//! Group commit over a store that fails on purpose: who is told what, and when.

mod faulty;

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use mdes_receiver::clock::SystemClock;
use mdes_receiver::domain::notification::Windows;
use mdes_receiver::http::callback::{Callback, PATH};
use mdes_receiver::inbox::batch::{Batch, Bounds};
use mdes_receiver::inbox::{Inbox, STORE_REFUSED};
use mdes_receiver::keys::Keys;
use mdes_receiver::mdes::Reading;
use mdes_receiver::net::peer::Caller;
use mdes_receiver::service::new_id;
use mdes_receiver::store::{QuarantineFilter, Store};
use mdes_receiver::telemetry::Metrics;
use serde_json::Value;
use tower::ServiceExt;

use self::faulty::Faulty;
use crate::store::scene;
use crate::support::Database;
use crate::world::{Desk, eventually, sealed, statement};

promises!(
    what_the_store_refuses_is_found_in_its_batch_and_the_neighbours_are_answered,
    what_the_store_can_no_longer_read_concerns_its_own_token_only,
    a_conflict_is_tried_again_and_not_for_ever,
    a_batch_in_conflict_is_tried_again_in_parts,
    over_the_queue_bound_the_sender_is_told_at_once_to_come_back,
    past_the_deadline_the_sender_is_told_to_come_back_and_finds_a_repeat,
    a_store_that_is_away_keeps_nothing_and_is_tried_again_with_the_next,
    no_yes_leaves_before_the_store_has_said_ok,
);

/// The callback over a faulty store, without a door before it.
struct House {
    desk: Desk,
    store: Arc<Faulty>,
    router: Router,
}

type Asked = Pin<Box<dyn Future<Output = Told> + Send>>;

/// An answer.
struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Told {
    fn code(&self) -> (u16, &str) {
        (self.status, self.body["errorCode"].as_str().unwrap_or_default())
    }

    fn assert_come_back(&self) {
        assert_eq!(self.code(), (503, "INTERNAL_SERVICE_FAILURE"));
        assert_eq!(self.headers["retry-after"], "5");
    }
}

const QUEUE_MAX: usize = 64;

impl House {
    async fn over(database: Database) -> Self {
        House::with(database, QUEUE_MAX, Duration::from_secs(20)).await
    }

    async fn with(database: Database, queue_max: usize, answer: Duration) -> Self {
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
    fn asks(&self, request_id: &str, token: &str) -> Asked {
        let content = statement(token, "ACTIVE", "2026-11-02T09:15:03Z");
        self.sends(sealed(&self.desk.sealer(), request_id, &content))
    }

    fn sends(&self, body: Bytes) -> Asked {
        let request = Request::post(PATH).extension(Caller(Ok(scene::peer())));
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
    async fn one_in_the_store(&self) -> Asked {
        self.store.hold();
        let mut first = self.asks("first", "FIRST");
        waits(&mut first).await;
        eventually("it is in the store", || async { self.store.tries() == [1] }).await;
        first
    }

    async fn reasons_in_quarantine(&self) -> Vec<String> {
        let all = self.store.quarantined(&QuarantineFilter::default(), None, 100).await;
        let all = all.expect("the store answers");
        all.into_iter().map(|entry| entry.reason).collect()
    }

    async fn holds(&self, token: &str) -> bool {
        let kept = self.store.token(&scene::token(token)).await.expect("the store answers");
        kept.is_some_and(|kept| kept.token.sequence == 1)
    }
}

/// Goes as far as it can at once, and has no answer then.
async fn waits(asked: &mut Asked) {
    std::future::poll_fn(|context| {
        assert!(asked.as_mut().poll(context).is_pending(), "it is answered already");
        Poll::Ready(())
    })
    .await;
}

async fn what_the_store_refuses_is_found_in_its_batch_and_the_neighbours_are_answered(database: Database) {
    let house = House::over(database).await;
    let first = house.one_in_the_store().await;
    let mut asked: Vec<(String, Asked)> = Vec::new();
    for n in 0..15 {
        let name = if n % 7 == 4 {
            format!("poison-{n}")
        } else {
            format!("good-{n}")
        };
        let mut one = house.asks(&name, &name);
        waits(&mut one).await;
        asked.push((name, one));
    }
    house.store.let_go();
    assert_eq!(first.await.status, 200);
    for (name, one) in asked {
        let told = one.await;
        let expected = if name.starts_with("poison") {
            (400, "INVALID_DATA")
        } else {
            (200, "")
        };
        assert_eq!(told.code(), expected, "{name}");
        assert_eq!(told.body["responseId"], name.as_str());
        assert_eq!(house.holds(&name).await, told.status == 200, "{name}");
    }
    assert_eq!(house.store.tries()[..2], [1, 15], "they were one batch");
    assert_eq!(house.reasons_in_quarantine().await, [STORE_REFUSED; 2]);
}

async fn what_the_store_can_no_longer_read_concerns_its_own_token_only(database: Database) {
    let house = House::over(database).await;
    assert_eq!(house.asks("r-0", "DAMAGED").await.status, 200);
    house.desk.database.execute("update tokens set state = '{}'").await;
    house.store.forget_tries();
    let first = house.one_in_the_store().await;
    let mut asked = Vec::new();
    for (request_id, token) in [("r-1", "A"), ("r-2", "DAMAGED"), ("r-3", "B")] {
        let mut one = house.asks(request_id, token);
        waits(&mut one).await;
        asked.push(one);
    }
    house.store.let_go();
    assert_eq!(first.await.status, 200);
    let mut statuses = Vec::new();
    for one in asked {
        statuses.push(one.await.status);
    }
    assert_eq!(statuses, [200, 400, 200]);
    assert_eq!(house.reasons_in_quarantine().await, [STORE_REFUSED]);
}

async fn a_conflict_is_tried_again_and_not_for_ever(database: Database) {
    let house = House::over(database).await;
    house.store.conflict(3);
    assert_eq!(house.asks("r-1", "A").await.status, 200);
    assert_eq!(house.store.tries(), [1; 4]);
    assert!(house.holds("A").await);

    house.store.conflict(usize::MAX);
    house.asks("r-2", "B").await.assert_come_back();
    let tries = house.store.tries().len();
    assert!((5..20).contains(&tries), "{tries}");
    assert_eq!(house.reasons_in_quarantine().await, [""; 0]);
    house.store.conflict(0);
    assert_eq!(house.asks("r-2", "B").await.status, 200);
}

async fn a_batch_in_conflict_is_tried_again_in_parts(database: Database) {
    let house = House::over(database).await;
    let first = house.one_in_the_store().await;
    let mut asked = Vec::new();
    for n in 0..8 {
        let mut one = house.asks(&format!("r-{n}"), &format!("T-{n}"));
        waits(&mut one).await;
        asked.push(one);
    }
    house.store.let_go();
    // The one that is held up has passed the place where conflicts are made.
    house.store.conflict(1);
    assert_eq!(first.await.status, 200);
    for one in asked {
        assert_eq!(one.await.status, 200);
    }
    assert_eq!(house.store.tries(), [1, 8, 4, 4]);
}

async fn over_the_queue_bound_the_sender_is_told_at_once_to_come_back(database: Database) {
    let house = House::with(database, 4, Duration::from_secs(20)).await;
    let mut accepted = vec![house.one_in_the_store().await];
    for n in 0..4 {
        let mut one = house.asks(&format!("r-{n}"), "A");
        waits(&mut one).await;
        accepted.push(one);
    }
    let asked = Instant::now();
    house.asks("r-4", "A").await.assert_come_back();
    assert!(asked.elapsed() < Duration::from_secs(5), "it waited for the store");
    for one in &mut accepted {
        waits(one).await;
    }
    house.store.let_go();
    for one in accepted {
        assert_eq!(one.await.status, 200);
    }
    assert_eq!(house.asks("r-4", "A").await.status, 200);
}

async fn past_the_deadline_the_sender_is_told_to_come_back_and_finds_a_repeat(database: Database) {
    let house = House::with(database, QUEUE_MAX, Duration::from_millis(300)).await;
    house.one_in_the_store().await.await.assert_come_back();
    house.asks("r-1", "A").await.assert_come_back();
    house.store.let_go();
    eventually("both are recorded all the same", || async {
        house.holds("FIRST").await && house.holds("A").await
    })
    .await;
    let again = house.asks("r-1", "A").await;
    assert_eq!((again.status, &again.body["responseId"]), (200, &Value::from("r-1")));
    assert!(house.holds("A").await);
}

async fn a_store_that_is_away_keeps_nothing_and_is_tried_again_with_the_next(database: Database) {
    let house = House::over(database).await;
    house.store.away(true);
    house.asks("r-1", "A").await.assert_come_back();
    house.sends(Bytes::from("not JSON")).await.assert_come_back();
    house.store.away(false);
    assert!(!house.holds("A").await);
    assert_eq!(house.asks("r-1", "A").await.status, 200);
    assert_eq!(house.sends(Bytes::from("not JSON")).await.code(), (400, "INVALID_JSON"));
    assert_eq!(house.reasons_in_quarantine().await, ["INVALID_JSON"]);
}

async fn no_yes_leaves_before_the_store_has_said_ok(database: Database) {
    let house = House::over(database).await;
    let mut held = house.one_in_the_store().await;
    waits(&mut held).await;
    house.store.let_go();
    assert_eq!(held.await.status, 200);

    let mut asked = tokio::task::JoinSet::new();
    for n in 0..60 {
        let name = if n % 9 == 4 {
            format!("poison-{n}")
        } else {
            format!("good-{n}")
        };
        if n % 20 == 10 {
            house.store.conflict(2);
        }
        let (one, store) = (house.asks(&name, &name), house.store.clone());
        asked.spawn(async move {
            let told = one.await;
            // Looked at in the moment of the answer.
            (told.status, store.has_said_ok_to(&name), name)
        });
    }
    for (status, ok, name) in asked.join_all().await {
        let expected = if name.starts_with("poison") { 400 } else { 200 };
        assert_eq!((status, ok), (expected, expected == 200), "{name}");
    }
}
