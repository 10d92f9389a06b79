//! Who may ask, and how.

use mdes_receiver::store::roster::{Role, Roster as _};
use serde_json::json;

use super::caller::{Caller, memory, two_tokens};
use crate::support::Database;
use crate::world::{Desk, PATIENCE, World};

promises!(
    a_token_is_asked_for_before_anything_else,
    a_token_is_good_until_it_expires_or_is_revoked,
    a_viewer_looks_and_does_not_act,
    a_write_is_json,
    a_page_of_another_site_is_refused,
    a_strange_host_is_refused_as_a_problem,
    whatever_is_wrong_under_v1_is_a_problem,
    what_nobody_may_ask_is_counted,
    health_and_metrics_stay_open,
    beyond_loopback_somebody_must_be_there_who_may_ask,
);

const READ: [&str; 6] = [
    "/v1/tokens",
    "/v1/tokens/export",
    "/v1/events",
    "/v1/events/stream",
    "/v1/deliveries",
    "/v1/destinations",
];

async fn a_token_is_asked_for_before_anything_else(database: Database) {
    let world = World::over(database).await;
    let stranger = Caller::stranger(&world);
    for path in READ.iter().chain(&["/v1", "/v1/nowhere", "/v1/tokens/x"]) {
        let refused = stranger.get(path).await;
        assert_eq!(refused.problem(), "401 no-token", "{path}");
        assert!(refused.header("www-authenticate").starts_with("Bearer "));
    }
    for shown in [
        "Basic YTpi",
        "Bearer",
        "mdr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ] {
        let refused = Caller::showing(&world, shown).get("/v1/events").await;
        assert_eq!(refused.problem(), "401 no-token", "{shown}");
    }
    for shown in ["Bearer x", "Bearer mdr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"] {
        let refused = Caller::showing(&world, shown).get("/v1/events").await;
        assert_eq!(refused.problem(), "401 bad-token", "{shown}");
    }
    assert_eq!(
        stranger.post("/v1/tokens", &two_tokens()).await.problem(),
        "401 no-token"
    );
    assert_eq!(
        Caller::viewer(&world)
            .await
            .get("/v1/tokens/DM4MMC0001")
            .await
            .problem(),
        "404 unknown-token"
    );
}

async fn a_token_is_good_until_it_expires_or_is_revoked(database: Database) {
    let world = World::over(database).await;
    let late = Caller::added(&world, "late", Role::Operator, -time::Duration::SECOND).await;
    assert_eq!(late.get("/v1/events").await.problem(), "401 bad-token");

    let gone = Caller::added(&world, "gone", Role::Operator, time::Duration::HOUR).await;
    assert_eq!(gone.get("/v1/events").await.status, 200);
    assert!(
        memory(&world)
            .await
            .revoke_operator("gone")
            .await
            .expect("the store answers")
    );
    assert_eq!(gone.get("/v1/events").await.problem(), "401 bad-token");
}

async fn a_viewer_looks_and_does_not_act(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    for path in READ.iter().filter(|path| !path.ends_with("stream")) {
        assert_eq!(viewer.get(path).await.status, 200, "{path}");
    }
    for path in [
        "/v1/tokens",
        "/v1/events/replay",
        "/v1/deliveries/retry",
        "/v1/deliveries/skip",
        "/v1/destinations/x/pause",
        "/v1/destinations/x/resume",
    ] {
        assert_eq!(
            viewer.post(path, &json!({})).await.problem(),
            "403 only-operators",
            "{path}"
        );
    }
    assert_eq!(viewer.get("/v1/tokens").await.json()["items"], json!([]));
}

async fn a_write_is_json(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let body = two_tokens().to_string();
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "application/jsonp",
    ] {
        let headers = [("content-type", kind)];
        let refused = operator.ask("POST", "/v1/tokens", &headers, body.as_bytes()).await;
        assert_eq!(refused.problem(), "415 not-json-type", "{kind}");
    }
    let refused = operator.ask("POST", "/v1/tokens", &[], body.as_bytes()).await;
    assert_eq!(refused.problem(), "415 not-json-type");
    let headers = [("content-type", "Application/JSON; charset=utf-8")];
    let taken = operator.ask("POST", "/v1/tokens", &headers, body.as_bytes()).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}

async fn a_page_of_another_site_is_refused(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let here = format!("http://{}", world.service.admin_address);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://attacker.example"),
        ("origin", "http://localhost:3000"),
        ("origin", "null"),
    ] {
        let headers = [(name, value), ("content-type", "application/json")];
        let refused = operator
            .ask("POST", "/v1/tokens", &headers, two_tokens().to_string().as_bytes())
            .await;
        assert_eq!(refused.problem(), "403 cross-site", "{name}: {value}");
        let refused = operator.ask("GET", "/v1/events", &headers, b"").await;
        assert_eq!(refused.problem(), "403 cross-site", "{name}: {value}");
    }
    assert_eq!(operator.get("/v1/tokens").await.json()["items"], json!([]));
    for (name, value) in [
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
        ("origin", &here),
    ] {
        let answer = operator.ask("GET", "/v1/events", &[(name, value)], b"").await;
        assert_eq!(answer.status, 200, "{name}: {value}");
    }
}

async fn a_strange_host_is_refused_as_a_problem(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for host in ["attacker.example", "10.0.0.1"] {
        let refused = operator.ask("GET", "/v1/events", &[("host", host)], b"").await;
        assert_eq!(refused.problem(), "421 misdirected", "{host}");
    }
}

async fn whatever_is_wrong_under_v1_is_a_problem(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for path in ["/v1", "/v1/", "/v1/nowhere", "/v1/events/nowhere", "/v1/destinations/x"] {
        assert_eq!(operator.get(path).await.problem(), "404 no-such-path", "{path}");
    }
    let refused = operator.post("/v1/events", &json!({})).await;
    assert_eq!(
        (refused.problem().as_str(), refused.header("allow")),
        ("405 wrong-method", "GET,HEAD")
    );
    assert_eq!(operator.get("/v1/deliveries/skip").await.problem(), "405 wrong-method");
    for query in ["limit=0", "limit=1001"] {
        let refused = operator.get(&format!("/v1/events?{query}")).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!("limit"))
        );
    }
    for query in ["limit=x", "limt=1"] {
        assert_eq!(
            operator.get(&format!("/v1/events?{query}")).await.problem(),
            "400 unreadable",
            "{query}"
        );
    }
    let headers = [("content-type", "application/json")];
    for body in ["", "{", "nonsense", "{} {}"] {
        let refused = operator.ask("POST", "/v1/tokens", &headers, body.as_bytes()).await;
        let expected = if body.is_empty() { "422 unfit" } else { "400 unreadable" };
        assert_eq!(refused.problem(), expected, "{body}");
    }
    let large = vec![b' '; (1 << 20) + 1];
    let refused = operator.ask("POST", "/v1/tokens", &headers, &large).await;
    assert_eq!(refused.problem(), "413 too-large");
}

async fn what_nobody_may_ask_is_counted(database: Database) {
    let world = World::over(database).await;
    for _ in 0..3 {
        Caller::stranger(&world).get("/v1/events").await;
    }
    Caller::viewer(&world).await.get("/v1/events").await;
    let count = |outcome: &str| world.count(&format!("mdes_receiver_admin_requests_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((count("no_token"), count("admitted")), (3, 1));
}

async fn health_and_metrics_stay_open(database: Database) {
    let world = World::over(database).await;
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(Caller::stranger(&world).get(path).await.status, 200, "{path}");
    }
}

async fn beyond_loopback_somebody_must_be_there_who_may_ask(database: Database) {
    let desk = Desk::over(database).set("admin.listen", "0.0.0.0:0");
    let desk = desk
        .set("admin.tls.certificate", "server.pem")
        .set("admin.tls.private_key", "server.key");
    let mut world = desk.open().await;
    Caller::viewer(&world).await;
    let unfit = tokio::time::timeout(PATIENCE, world.service.unfit())
        .await
        .expect("in time");
    assert!(unfit.to_string().contains("mdes-receiver operators add"), "{unfit}");

    Caller::operator(&world).await;
    let world = world.reopened(|desk| desk).await;
    world.ready().await;
}
