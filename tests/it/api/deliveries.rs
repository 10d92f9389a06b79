//! Deliveries and destinations, looked at and acted upon.

use mdes_receiver::store::Outbox as _;
use mdes_receiver::store::outbox::Start;
use mdes_receiver::store::roster::Role;
use serde_json::json;

use super::caller::{Caller, memory, say};
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, Told, World, eventually};

promises!(
    a_destination_is_held_with_a_reason_and_let_go,
    whoever_acts_on_deliveries_says_on_which,
    a_replay_says_which_events_and_to_whom,
    what_was_parked_is_retried_skipped_and_replayed,
    a_destination_is_let_go_of_only_when_it_is_in_the_configuration_no_more,
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
        (json!({"destination": "orders", "since": "yesterday"}), "since"),
    ] {
        let refused = operator.post("/v1/events/replay", &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!(field)),
            "{body}"
        );
    }
    let nobody = json!({"destination": "orders", "token": "DM4MMC1"});
    let refused = operator.post("/v1/events/replay", &nobody).await;
    assert_eq!(refused.problem(), "404 unknown-destination");
}

async fn what_was_parked_is_retried_skipped_and_replayed(database: Database) {
    let merchant = Merchant::who(|event| {
        let is_stubborn = event["data"]["token_unique_reference"] == "DM4MMC0001";
        Reaction::Status(if is_stubborn { 500 } else { 200 })
    })
    .await;
    let desk = Desk::over(database).with(&merchant.destination("orders", "retry_schedule = []"));
    let world = desk.open().await;
    world.ready().await;
    let (operator, viewer) = (Caller::operator(&world).await, Caller::viewer(&world).await);
    say(&world, "DM4MMC0001", "INACTIVE", "2026-11-20T10:00:00Z").await;
    let parked = || async { viewer.get("/v1/deliveries?state=parked").await.json()["items"].clone() };
    let heard = |times| {
        let merchant = &merchant;
        eventually("the merchant has heard it", move || async move {
            merchant.told().len() >= times
        })
    };
    eventually("it is parked", || async { parked().await[0].is_object() }).await;
    let shown = parked().await[0].clone();
    assert_eq!((&shown["attempts"], &shown["answer_status"]), (&json!(1), &json!(500)));

    let filter = json!({"filter": {"id": shown["id"]}, "dry_run": true, "reason": "a test card"});
    let acts = json!({"filter": {"id": shown["id"]}, "reason": "a test card"});
    let none = operator.post("/v1/deliveries/retry", &filter).await.json();
    assert_eq!(none, json!({"deliveries": 1, "dry_run": true}));
    let one = operator.post("/v1/deliveries/retry", &acts).await.json();
    assert_eq!(one, json!({"deliveries": 1, "dry_run": false}));
    heard(2).await;
    eventually("it is parked again", || async { parked().await[0]["attempts"] == 2 }).await;

    let refused = viewer.post("/v1/deliveries/skip", &acts).await;
    assert_eq!(refused.problem(), "403 only-operators");
    operator.post("/v1/deliveries/skip", &filter).await;
    assert!(parked().await[0].is_object(), "a dry run skips nothing");
    operator.post("/v1/deliveries/skip", &acts).await;
    let skipped = viewer.get("/v1/deliveries?state=skipped").await.json()["items"][0].clone();
    assert_eq!(
        (&skipped["id"], &skipped["settled_by"]),
        (&shown["id"], &json!("an operator: a test card"))
    );

    say(&world, "DM4MMC0002", "INACTIVE", "2026-11-20T10:00:00Z").await;
    heard(3).await;
    let replay = json!({"destination": "orders", "token": "DM4MMC0002"});
    let events = operator.post("/v1/events/replay", &replay).await.json();
    assert_eq!(events, json!({"events": 1, "dry_run": false}));
    heard(4).await;
    let told = merchant.told();
    assert_eq!(
        told.iter().map(Told::token).collect::<Vec<_>>()[1..],
        ["DM4MMC0001", "DM4MMC0002", "DM4MMC0002"]
    );
    assert_eq!(
        (&told[3].id, &told[3].body["data"]["replayed"]),
        (&told[2].id, &json!(true))
    );
    world.service.stop().await;
}

async fn a_destination_is_let_go_of_only_when_it_is_in_the_configuration_no_more(database: Database) {
    let world = super::docs::in_need(database).await;
    let operator = Caller::operator(&world).await;
    let viewer = Caller::added(&world, "vera", Role::Viewer, time::Duration::HOUR).await;
    let path = |name: &str| format!("/v1/destinations/{name}/forget");
    let meant = json!({"reason": "they closed", "confirm": "old-shop"});
    assert_eq!(viewer.post(&path("old-shop"), &meant).await.status, 403);
    for (name, body, status, word) in [
        ("old-shop", json!({"confirm": "old-shop"}), 422, "reason"),
        ("old-shop", json!({"reason": "they closed"}), 409, "confirm"),
        (
            "orders",
            json!({"reason": "x", "confirm": "orders"}),
            409,
            "is in the configuration",
        ),
        (
            "nobody",
            json!({"reason": "x", "confirm": "nobody"}),
            404,
            "unknown-destination",
        ),
    ] {
        let answer = operator.post(&path(name), &body).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(answer.json().to_string().contains(word), "{name}: {answer:?}");
    }
    let there = async || {
        viewer
            .get("/v1/destinations")
            .await
            .json()
            .to_string()
            .contains("old-shop")
    };
    assert!(there().await, "it is still there");
    assert_eq!(operator.post(&path("old-shop"), &meant).await.status, 200);
    assert!(!there().await, "and now it is not");
    world.service.stop().await;
}
