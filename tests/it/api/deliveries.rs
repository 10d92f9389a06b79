//! Deliveries and destinations, looked at and acted upon.

use mdes_receiver::store::Outbox as _;
use mdes_receiver::store::outbox::Start;
use serde_json::json;

use super::caller::{Caller, memory};
use crate::support::Database;
use crate::world::World;

promises!(
    a_destination_is_held_with_a_reason_and_let_go,
    whoever_acts_on_deliveries_says_on_which,
    a_replay_says_which_events_and_to_whom,
);

async fn a_destination_is_held_with_a_reason_and_let_go(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let path = |verb: &str| format!("/v1/destinations/orders/{verb}");
    let because = json!({"reason": "they deploy"});
    assert_eq!(
        operator.post(&path("pause"), &because).await.problem(),
        "404 unknown-destination"
    );
    memory(&world)
        .await
        .enrol("orders", Start::Now)
        .await
        .expect("the store answers");
    assert_eq!(operator.post(&path("pause"), &json!({})).await.problem(), "422 unfit");

    let held = operator.post(&path("pause"), &because).await.json();
    assert_eq!(held, json!({"name": "orders", "paused": true, "changed": true}));
    let shown = operator.get("/v1/destinations").await.json()["items"][0].clone();
    assert_eq!(shown["paused_reason"], "an operator: they deploy");
    assert_eq!((&shown["configured"], &shown["kind"]), (&json!(false), &json!(null)));
    let gone_on = operator.post(&path("resume"), &json!({})).await.json();
    assert_eq!(gone_on, json!({"name": "orders", "paused": false, "changed": true}));
    assert_eq!(
        operator.get("/v1/destinations").await.json()["items"][0]["paused_at"],
        json!(null)
    );
}

async fn whoever_acts_on_deliveries_says_on_which(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for (verb, body, field) in [
        ("retry", json!({}), "filter"),
        ("skip", json!({"filter": {}, "reason": "x"}), "filter"),
        ("skip", json!({"filter": {"state": "parked"}}), "reason"),
        (
            "skip",
            json!({"filter": {"state": "parkd"}, "reason": "x"}),
            "filter.state",
        ),
    ] {
        let refused = operator.post(&format!("/v1/deliveries/{verb}"), &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!(field)),
            "{body}"
        );
    }
    let none = json!({"deliveries": 0, "dry_run": true});
    let body = json!({"filter": {"state": "parked"}, "dry_run": true});
    assert_eq!(operator.post("/v1/deliveries/retry", &body).await.json(), none);
    assert_eq!(
        operator.get("/v1/deliveries?open=true").await.json(),
        json!({"items": [], "next": null})
    );
}

async fn a_replay_says_which_events_and_to_whom(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for (body, field) in [
        (json!({"destination": "orders"}), "since"),
        (json!({"destination": "orders", "token": "DM4MMC1"}), "destination"),
        (json!({"destination": "orders", "since": "yesterday"}), "since"),
    ] {
        let refused = operator.post("/v1/events/replay", &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!(field)),
            "{body}"
        );
    }
}
