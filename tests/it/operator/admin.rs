//! The admin pages: what they say, to whom, and to whom not.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use mdes_receiver::clock::{ManualClock, SystemClock};
use mdes_receiver::config::settings::Admin;
use mdes_receiver::domain::id::{Namespace, NotificationId, QuarantineId, TokenReference};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::notification::Windows;
use mdes_receiver::http::admin::house::{Certificate, House, Key};
use mdes_receiver::http::admin::{self, AdminState};
use mdes_receiver::http::health::Readiness;
use mdes_receiver::inbox::Redriven;
use mdes_receiver::lifecycle::art::Art;
use mdes_receiver::lifecycle::ordering::Offered;
use mdes_receiver::store::alarms::Standing;
use mdes_receiver::store::{
    Error, KeptNotification, KeptQuarantine, KeptStatement, KeptToken, Migrated, NewQuarantine, QuarantineFilter,
    Recorded, Recording, Resolution, SharedStore, Store, Transition,
};
use mdes_receiver::telemetry::Metrics;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::support::Database;

/// How the store is.
#[derive(Clone, Copy)]
enum Mood {
    Well,
    Away,
    Silent,
    Unprepared,
}

/// Nobody asks it anything here.
struct Empty;

#[async_trait]
impl House for Empty {
    async fn token_number(&self, _: NotificationId, _: u32) -> Result<Option<Secret>, Error> {
        unreachable!()
    }

    async fn redrive(&self, _: &KeptQuarantine) -> Result<Redriven, Error> {
        unreachable!()
    }

    async fn needs(&self) -> Result<Standing, Error> {
        unreachable!()
    }

    async fn certificates(&self) -> Vec<Certificate> {
        unreachable!()
    }

    fn keys(&self) -> Vec<Key> {
        unreachable!()
    }

    fn veil(&self, _: &str) -> String {
        unreachable!()
    }

    fn unveil(&self, _: &str) -> Option<String> {
        unreachable!()
    }
}

async fn pages(mood: Mood, listen: &str, stopping: CancellationToken) -> Router {
    let database = Database::bare_sqlite();
    let nobody_asks = database
        .memory(Arc::new(ManualClock::at(OffsetDateTime::UNIX_EPOCH)))
        .await;
    let store_is_there = CancellationToken::new();
    if !matches!(mood, Mood::Unprepared) {
        store_is_there.cancel();
    }
    let store: SharedStore = Arc::new(OnlyReady(mood));
    let state = AdminState {
        readiness: Readiness::new(store.clone(), store_is_there, stopping.clone()),
        store,
        outbox: nobody_asks.clone(),
        desk: nobody_asks.clone(),
        asking: nobody_asks.clone(),
        art: Arc::new(Art::new(nobody_asks.clone(), None, Arc::new(SystemClock))),
        authority: Namespace::Mdes,
        search: nobody_asks.clone(),
        ledger: nobody_asks.clone(),
        house: Arc::new(Empty),
        offered: Offered::default(),
        roster: nobody_asks,
        destinations: Arc::new([]),
        limits: crate::door::limits(),
        clock: Arc::new(SystemClock),
        metrics: Metrics::new(),
        stopping,
        tokenex: None,
    };
    let settings = Admin {
        listen: listen.parse().expect("an address"),
        tls: None,
        hosts: vec!["receiver.internal".to_owned()],
    };
    admin::router(state, &settings)
}

async fn well() -> Router {
    pages(Mood::Well, "127.0.0.1:9443", CancellationToken::new()).await
}

async fn ask(pages: Router, method: &str, path: &str, host: &str) -> Response<Body> {
    let request = Request::builder().method(method).uri(path).header("host", host);
    let request = request.body(Body::empty()).expect("a request");
    pages.oneshot(request).await.expect("a router answers")
}

async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}

#[tokio::test]
async fn a_live_receiver_says_so_in_words_of_its_own() {
    let answer = ask(well().await, "GET", "/livez", "localhost:9443").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(text(answer).await, "mdes-receiver is alive\n");
}

#[tokio::test]
async fn it_is_ready_while_the_store_is() {
    let answer = ask(well().await, "GET", "/readyz", "localhost").await;
    assert_eq!(
        (answer.status(), text(answer).await.as_str()),
        (StatusCode::OK, "ready\n")
    );
}

#[tokio::test]
async fn it_is_not_ready_without_the_store_and_says_why() {
    let pages = pages(Mood::Away, "127.0.0.1:9443", CancellationToken::new()).await;
    let answer = ask(pages, "GET", "/readyz", "localhost").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(answer).await, "not ready: store unavailable: connection refused\n");
}

#[tokio::test]
async fn it_is_not_ready_before_its_destinations_are_enrolled() {
    let pages = pages(Mood::Unprepared, "127.0.0.1:9443", CancellationToken::new()).await;
    let answer = ask(pages, "GET", "/readyz", "localhost").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        text(answer).await,
        "not ready: the store is being prepared
"
    );
}

#[tokio::test]
async fn a_store_that_says_nothing_does_not_hold_the_answer_up() {
    let pages = pages(Mood::Silent, "127.0.0.1:9443", CancellationToken::new()).await;
    let answer = ask(pages, "GET", "/readyz", "localhost").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(answer).await, "not ready: the store did not answer within 2 s\n");
}

#[tokio::test]
async fn a_stop_ends_readiness_but_not_life() {
    let stopping = CancellationToken::new();
    let pages = pages(Mood::Well, "127.0.0.1:9443", stopping.clone()).await;
    stopping.cancel();
    let ready = ask(pages.clone(), "GET", "/readyz", "localhost").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(ready).await, "not ready: stopping\n");
    assert_eq!(ask(pages, "GET", "/livez", "localhost").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_in_the_openmetrics_format() {
    let answer = ask(well().await, "GET", "/metrics", "localhost").await;
    let kind = answer.headers()["content-type"].to_str().expect("ASCII").to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = text(answer).await;
    assert!(text.contains("mdes_receiver_quarantine_open 0"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn only_our_names_are_answered() {
    for host in [
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "127.0.0.1:9443",
        "127.9.9.9",
        "[::1]:9443",
        "Receiver.Internal:80",
    ] {
        let answer = ask(well().await, "GET", "/livez", host).await;
        assert_eq!(answer.status(), StatusCode::OK, "{host}");
    }
    for host in [
        "attacker.example",
        "localhost.attacker.example",
        "10.0.0.1",
        "127.0.0.1.attacker.example",
        "",
        "a b",
    ] {
        for path in ["/livez", "/metrics", "/nowhere"] {
            let answer = ask(well().await, "GET", path, host).await;
            assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host:?} {path}");
            assert!(text(answer).await.contains("add it to `admin.hosts`"));
        }
    }
}

#[tokio::test]
async fn the_listening_address_is_one_of_our_names() {
    let at = |listen| pages(Mood::Well, listen, CancellationToken::new());
    assert_eq!(
        ask(at("10.0.0.1:9443").await, "GET", "/livez", "10.0.0.1:9443")
            .await
            .status(),
        StatusCode::OK
    );
    let other = ask(at("10.0.0.1:9443").await, "GET", "/livez", "10.0.0.2:9443").await;
    assert_eq!(other.status(), StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(
        ask(at("0.0.0.0:9443").await, "GET", "/livez", "10.0.0.2:9443")
            .await
            .status(),
        StatusCode::OK
    );
    let named = ask(at("0.0.0.0:9443").await, "GET", "/livez", "attacker.example").await;
    assert_eq!(named.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn no_host_and_two_hosts_are_refused() {
    let none = Request::get("/livez").body(Body::empty()).expect("a request");
    let two = Request::get("/livez")
        .header("host", "localhost")
        .header("host", "attacker.example");
    for request in [none, two.body(Body::empty()).expect("a request")] {
        let answer = well().await.oneshot(request).await.expect("a router answers");
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
    }
}

#[tokio::test]
async fn http_2_names_its_host_in_the_authority() {
    for (uri, status) in [
        ("https://localhost:9443/livez", StatusCode::OK),
        ("https://attacker.example/livez", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = Request::get(uri).body(Body::empty()).expect("a request");
        assert_eq!(
            well().await.oneshot(request).await.expect("a router answers").status(),
            status
        );
    }
}

#[tokio::test]
async fn anything_else_is_a_plain_404_or_405() {
    let head = ask(well().await, "HEAD", "/livez", "localhost").await;
    assert_eq!((head.status(), text(head).await.as_str()), (StatusCode::OK, ""));
    let nowhere = ask(well().await, "GET", "/nowhere", "localhost").await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        let answer = ask(well().await, method, "/metrics", "localhost").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(
            answer.headers().get_all("allow").iter().collect::<Vec<_>>(),
            ["GET, HEAD"]
        );
    }
}

/// A store of which only its readiness is asked.
struct OnlyReady(Mood);

#[async_trait]
impl Store for OnlyReady {
    async fn ready(&self) -> Result<(), Error> {
        match self.0 {
            Mood::Well | Mood::Unprepared => Ok(()),
            Mood::Away => Err(Error::Unavailable("connection refused".to_owned())),
            Mood::Silent => std::future::pending().await,
        }
    }

    async fn migrate(&self) -> Result<Migrated, Error> {
        unreachable!("the admin pages only read")
    }

    async fn record(&self, _: &[Recording], _: &Windows) -> Result<Vec<Recorded>, Error> {
        unreachable!("the admin pages only read")
    }

    async fn quarantine(&self, _: &NewQuarantine) -> Result<(), Error> {
        unreachable!("the admin pages only read")
    }

    async fn token(&self, _: &TokenReference) -> Result<Option<KeptToken>, Error> {
        unreachable!("the admin pages show no token")
    }

    async fn tokens(&self, _: Option<&TokenReference>, _: u32) -> Result<Vec<KeptToken>, Error> {
        unreachable!("the admin pages show no token")
    }

    async fn transitions(&self, _: &TokenReference, _: u64, _: u32) -> Result<Vec<Transition>, Error> {
        unreachable!("the admin pages show no token")
    }

    async fn statements(&self, _: &TokenReference, _: u32) -> Result<Vec<KeptStatement>, Error> {
        unreachable!("the admin pages show no token")
    }

    async fn notification(&self, _: NotificationId) -> Result<Option<KeptNotification>, Error> {
        unreachable!("the admin pages show no notification")
    }

    async fn quarantined(
        &self,
        _: &QuarantineFilter,
        _: Option<QuarantineId>,
        _: u32,
    ) -> Result<Vec<KeptQuarantine>, Error> {
        unreachable!("the admin pages show no quarantine")
    }

    async fn quarantine_entry(&self, _: QuarantineId) -> Result<Option<KeptQuarantine>, Error> {
        unreachable!("the admin pages show no quarantine")
    }

    async fn resolve(&self, _: QuarantineId, _: &Resolution, _: OffsetDateTime) -> Result<bool, Error> {
        unreachable!("the admin pages only read")
    }

    async fn tried_again(&self, _: QuarantineId, _: &str, _: &str, _: &str) -> Result<(), Error> {
        unreachable!("the admin pages only read")
    }

    async fn quarantine_open(&self) -> Result<u64, Error> {
        unreachable!("the gauge says it")
    }

    async fn close(&self) {}
}
