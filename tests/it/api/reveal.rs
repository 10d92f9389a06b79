//! A token's own number: who sees it, and what is left of that.

use mdes_receiver::store::roster::Role;
use serde_json::json;

use super::caller::{Caller, say};
use crate::support::Database;
use crate::world::World;

promises!(
    a_number_is_shown_to_a_revealer_who_says_why,
    a_look_at_a_number_is_in_the_audit_before_it_is_shown,
    a_number_is_shown_to_nobody_else,
    without_a_number_there_is_nothing_to_show,
);

const NUMBER: &str = "5204730000001209";
const PATH: &str = "/v1/tokens/DM4MMC0001/reveal";

/// One token, whose number came.
async fn numbered(database: Database) -> World {
    let world = World::over(database).await;
    let content = json!({"tokens": [
        {"tokenUniqueReference": "DM4MMC0002", "status": "ACTIVE", "statusTimestamp": "2026-11-20T10:00:00Z"},
        {"tokenUniqueReference": "DM4MMC0001", "status": "ACTIVE", "statusTimestamp": "2026-11-20T10:00:00Z",
         "tokenInfo": {"tokenNumber": NUMBER, "tokenPanSuffix": "1209"}},
    ]});
    assert_eq!(world.told("with a number", &content).await.status, 200);
    world
}

async fn revealer(world: &World) -> Caller {
    Caller::added(world, "rita", Role::Revealer, time::Duration::HOUR).await
}

async fn a_number_is_shown_to_a_revealer_who_says_why(database: Database) {
    let world = numbered(database).await;
    let revealer = revealer(&world).await;
    for without in [json!({}), json!({"reason": "  "}), json!({"reason": "two\nlines"})] {
        let refused = revealer.post(PATH, &without).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!("reason"))
        );
    }
    let shown = revealer.post(PATH, &json!({"reason": "chargeback 4711"})).await;
    assert_eq!((shown.status, &shown.json()["token_number"]), (200, &json!(NUMBER)));
    assert_eq!(shown.header("cache-control"), "no-store");

    let json = [("content-type", "application/json"), ("x-reason", "chargeback 4712")];
    let shown = revealer.ask("POST", PATH, &json, b"").await;
    assert_eq!(shown.json()["token_number"], NUMBER);
}

async fn a_look_at_a_number_is_in_the_audit_before_it_is_shown(database: Database) {
    let world = numbered(database).await;
    let revealer = revealer(&world).await;
    revealer.post(PATH, &json!({"reason": format!("is it {NUMBER}")})).await;
    let audit = revealer.get("/v1/audit").await;
    let entry = &audit.json()["items"][0];
    assert_eq!(
        [
            &entry["who"],
            &entry["role"],
            &entry["what"],
            &entry["about"],
            &entry["outcome"],
            &entry["came_from"]
        ],
        [
            "rita",
            "revealer",
            "token.reveal",
            "mdes:DM4MMC0001",
            "revealed",
            "127.0.0.1"
        ]
    );
    assert!(!String::from_utf8_lossy(&audit.body).contains(NUMBER), "{entry}");

    world
        .desk
        .database
        .execute("alter table audit rename to elsewhere")
        .await;
    let refused = revealer.post(PATH, &json!({"reason": "again"})).await;
    assert!(refused.status >= 500, "{refused:?}");
    assert!(!String::from_utf8_lossy(&refused.body).contains(NUMBER));
}

async fn a_number_is_shown_to_nobody_else(database: Database) {
    let world = numbered(database).await;
    let because = json!({"reason": "curiosity"});
    for caller in [Caller::viewer(&world).await, Caller::operator(&world).await] {
        assert_eq!(caller.post(PATH, &because).await.problem(), "403 only-revealers");
    }
    assert_eq!(
        Caller::stranger(&world).post(PATH, &because).await.problem(),
        "401 no-token"
    );
    let revealer = revealer(&world).await;
    assert_eq!(
        revealer.post("/v1/tokens", &json!({"reference": "x"})).await.problem(),
        "403 only-operators"
    );
    for path in [
        "/v1/tokens/DM4MMC0001",
        "/v1/tokens/DM4MMC0001/story",
        "/v1/notifications",
        "/v1/events",
    ] {
        let seen = revealer.get(path).await;
        assert_eq!(seen.status, 200, "{path}");
        assert!(
            !String::from_utf8_lossy(&seen.body).contains(NUMBER),
            "{path}: {seen:?}"
        );
    }
}

async fn without_a_number_there_is_nothing_to_show(database: Database) {
    let world = World::over(database).await;
    let revealer = revealer(&world).await;
    let because = json!({"reason": "chargeback 4711"});
    assert_eq!(revealer.post(PATH, &because).await.problem(), "404 unknown-token");
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert_eq!(revealer.post(PATH, &because).await.problem(), "404 no-number");
    let entry = &revealer.get("/v1/audit").await.json()["items"][0];
    assert_eq!(entry["outcome"], "there is no number to reveal");
}
