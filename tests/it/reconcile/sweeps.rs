//! Reconciles: what was missed is found, put right, and told.

use mdes_receiver::domain::notification::Flag;
use serde_json::json;

use super::street::Street;
use crate::support::Database;
use crate::world::{eventually, ready};

promises!(
    a_lost_notification_is_found_put_right_and_told,
    a_lost_first_notice_of_a_registered_token_is_found,
    what_is_heard_of_for_the_first_time_was_not_wrong,
    a_token_that_the_service_refuses_holds_up_no_other,
    a_token_that_cannot_be_read_is_passed_by,
    a_dry_run_changes_nothing,
    what_the_service_does_not_know_is_told_apart,
    only_what_was_not_heard_of_since_is_asked_about,
    a_service_that_is_down_costs_a_wait_and_no_answers,
    what_has_ended_cannot_be_stopped,
    a_viewer_looks_and_begins_nothing,
);

async fn a_lost_notification_is_found_put_right_and_told(database: Database) {
    let street = Street::over(database).await;
    for reference in ["DM4MMC0001", "DM4MMC0002", "DM4MMC0003"] {
        street.known(reference).await;
    }
    street.all_is_told().await;
    street.suspended("DM4MMC0002");
    let ended = street.compared().await;
    assert_eq!(
        (ended["agrees"].as_u64(), ended["repaired"].as_u64()),
        (Some(2), Some(1)),
        "{ended}"
    );
    let id = ended["id"].as_str().expect("an id");
    assert_eq!(street.findings(id).await, ["repaired ACTIVE>SUSPENDED"]);
    assert_eq!(street.world.status("DM4MMC0002").await, "SUSPENDED");
    let newest = street.newest("DM4MMC0002").await;
    assert!(newest.flags.contains(&Flag::Reconciled), "{newest:?}");
    eventually("the shop is told", async || {
        street.shop.kinds("DM4MMC0002").contains(&"token.suspended".to_owned())
    })
    .await;
    let again = street.compared().await;
    assert_eq!(
        (again["agrees"].as_u64(), again["repaired"].as_u64()),
        (Some(3), Some(0)),
        "{again}"
    );
}

async fn a_lost_first_notice_of_a_registered_token_is_found(database: Database) {
    let street = Street::over(database).await;
    street.made("DM4MMC0001");
    let registered = json!({ "reference": "DM4MMC0001", "merchant_reference": "card-1", "status": "INACTIVE" });
    assert_eq!(street.operator.post("/v1/tokens", &registered).await.status, 200);
    let ended = street.compared().await;
    assert_eq!(ended["repaired"], 1, "{ended}");
    assert_eq!(
        street.findings(ended["id"].as_str().expect("an id")).await,
        ["repaired INACTIVE>ACTIVE"]
    );
    assert_eq!(street.world.status("DM4MMC0001").await, "ACTIVE");
    eventually("the shop is told", async || !street.shop.told().is_empty()).await;
}

async fn what_is_heard_of_for_the_first_time_was_not_wrong(database: Database) {
    let street = Street::over(database).await;
    for (reference, status) in [("DM4MMC0001", json!("ACTIVE")), ("DM4MMC0002", json!(null))] {
        street.made(reference);
        let registered = json!({ "reference": reference, "status": status });
        assert_eq!(street.operator.post("/v1/tokens", &registered).await.status, 200);
    }
    street.known("DM4MMC0003").await;
    let ended = street.compared().await;
    assert_eq!(
        (ended["agrees"].as_u64(), ended["repaired"].as_u64()),
        (Some(3), Some(0)),
        "{ended}"
    );
    let token = street.world.token("DM4MMC0003").await.expect("it is held");
    assert!(
        token.field("tokenInfo.tokenPanSuffix").is_some(),
        "it is taken in all the same"
    );
    assert_eq!(street.world.status("DM4MMC0002").await, "ACTIVE");
}

async fn a_token_that_the_service_refuses_holds_up_no_other(database: Database) {
    let street = Street::over(database).await;
    for nth in 0..6 {
        street.known(&format!("DM4MMC000{nth}")).await;
    }
    street.all_is_told().await;
    street
        .services
        .add_fault("INVALID_TOKEN_STATUS@getToken:5".parse().expect("a fault"))
        .expect("room for it");
    let ended = street.compared().await;
    assert_eq!(
        (ended["agrees"].as_u64(), ended["unanswered"].as_u64()),
        (Some(1), Some(5)),
        "{ended}"
    );
}

async fn a_token_that_cannot_be_read_is_passed_by(database: Database) {
    let street = Street::over(database).await;
    for nth in 0..3 {
        street.known(&format!("DM4MMC000{nth}")).await;
    }
    street.all_is_told().await;
    let broken = "update tokens set state = '{}' where token_unique_reference = 'DM4MMC0001'";
    street.world.desk.database.execute(broken).await;
    let ended = street.compared().await;
    assert_eq!(
        (ended["agrees"].as_u64(), ended["unanswered"].as_u64()),
        (Some(2), Some(1)),
        "{ended}"
    );
    let found = street.findings(ended["id"].as_str().expect("an id")).await;
    assert_eq!(found, ["unanswered ->-"]);
}

async fn a_dry_run_changes_nothing(database: Database) {
    let street = Street::over(database).await;
    street.known("DM4MMC0001").await;
    street.suspended("DM4MMC0001");
    let before = street.world.journal("DM4MMC0001").await;
    let id = street.begins(&json!({ "dry_run": true })).await;
    let ended = street.through(&id).await;
    assert_eq!(
        (ended["differs"].as_u64(), ended["repaired"].as_u64()),
        (Some(1), Some(0)),
        "{ended}"
    );
    assert_eq!(street.findings(&id).await, ["differs ACTIVE>SUSPENDED"]);
    assert_eq!(street.world.status("DM4MMC0001").await, "ACTIVE");
    assert_eq!(street.world.journal("DM4MMC0001").await, before);
}

async fn what_the_service_does_not_know_is_told_apart(database: Database) {
    let street = Street::over(database).await;
    street.known("DM4MMC0001").await;
    crate::api::caller::say(&street.world, "DM4MMC0404", "ACTIVE", super::street::LONG_AGO).await;
    street.all_is_told().await;
    let ended = street.compared().await;
    assert_eq!(
        (ended["agrees"].as_u64(), ended["not_there"].as_u64()),
        (Some(1), Some(1)),
        "{ended}"
    );
    assert_eq!(
        street.world.status("DM4MMC0404").await,
        "ACTIVE",
        "nobody said anything else of it"
    );
}

async fn only_what_was_not_heard_of_since_is_asked_about(database: Database) {
    let street = Street::over(database).await;
    street.known("DM4MMC0001").await;
    let id = street.begins(&json!({ "since": "2026-01-01T00:00:00Z" })).await;
    let ended = street.through(&id).await;
    assert_eq!(
        (ended["total"].as_u64(), ended["agrees"].as_u64()),
        (Some(0), Some(0)),
        "{ended}"
    );
    let ahead = street
        .operator
        .post("/v1/reconciles", &json!({ "since": "2126-01-01T00:00:00Z" }))
        .await;
    assert_eq!(ahead.status, 422);
}

async fn a_service_that_is_down_costs_a_wait_and_no_answers(database: Database) {
    let street = Street::over(database).await;
    for nth in 0..6 {
        street.known(&format!("DM4MMC000{nth}")).await;
    }
    street.all_is_told().await;
    street.suspended("DM4MMC0003");
    street
        .services
        .add_fault("500@getToken:100%".parse().expect("a fault"))
        .expect("room for it");
    let id = street.begins(&json!({})).await;
    let calls = |street: &Street| {
        street.services.shown()["tokens"][0]["calls"]["getToken"]["came"]
            .as_u64()
            .unwrap_or(0)
    };
    eventually("it is asked in vain", async || calls(&street) > 0).await;
    eventually("it has begun", async || street.reconcile(&id).await["total"] == 6).await;
    let waits = street.reconcile(&id).await;
    assert_eq!(
        (waits["unanswered"].as_u64(), waits["agrees"].as_u64()),
        (Some(0), Some(0)),
        "{waits}"
    );
    street.services.clear_faults();
    // Another replica has no reason to wait once the lease has ended.
    let other = street.world.desk.replica().await;
    ready(&other).await;
    eventually("another replica goes on", async || {
        street.leases_end().await;
        street.reconcile(&id).await["ended_at"].is_string()
    })
    .await;
    let ended = street.reconcile(&id).await;
    // Who loses its lease in mid-page has put right what the next one finds in order.
    let count = |finding: &str| ended[finding].as_u64().expect("a number");
    assert_eq!(
        (count("agrees") + count("repaired"), count("unanswered")),
        (6, 0),
        "{ended}"
    );
    assert_eq!(street.world.status("DM4MMC0003").await, "SUSPENDED");
    other.stop().await;
}

async fn what_has_ended_cannot_be_stopped(database: Database) {
    let street = Street::over(database).await;
    let ended = street.compared().await;
    let path = format!("/v1/reconciles/{}/stop", ended["id"].as_str().expect("an id"));
    assert_eq!(street.operator.post(&path, &json!({})).await.problem(), "409 has-ended");
    let unknown = "/v1/reconciles/019a0000-0000-7000-8000-000000000000";
    assert_eq!(street.operator.get(unknown).await.problem(), "404 unknown-reconcile");
    let unknown = format!("{unknown}/stop");
    assert_eq!(
        street.operator.post(&unknown, &json!({})).await.problem(),
        "404 unknown-reconcile"
    );
}

async fn a_viewer_looks_and_begins_nothing(database: Database) {
    let street = Street::over(database).await;
    let viewer = crate::api::caller::Caller::viewer(&street.world).await;
    assert_eq!(viewer.post("/v1/reconciles", &json!({})).await.status, 403);
    for path in ["/v1/reconciles", "/v1/questions", "/v1/gaps"] {
        assert_eq!(viewer.get(path).await.json()["items"], json!([]), "{path}");
    }
}
