//! Order per token, and nobody held up by another's trouble.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use super::{says, takes, world_with};
use crate::support::Database;
use crate::world::{Merchant, Reaction, eventually};

const QUICKLY: &str =
    "retry_schedule = [\"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\", \"0s\"]";

promises!(
    order_holds_under_load_and_failures,
    two_replicas_share_the_work_in_order,
    a_failing_head_holds_up_only_its_own_token,
    a_dead_destination_holds_up_no_other,
    a_stop_overtakes_what_has_been_failing,
);

/// An endpoint that fails every third time it is asked.
async fn moody() -> Merchant {
    let mut asked = 0;
    Merchant::who(move |_| {
        asked += 1;
        Reaction::Status(if asked % 3 == 0 { 500 } else { 200 })
    })
    .await
}

async fn order_holds_under_load_and_failures(database: Database) {
    let merchant = moody().await;
    let world = world_with(database, &merchant.destination("orders", QUICKLY)).await;
    for minute in 1..=12 {
        for token in 0..5 {
            let status = if minute % 2 == 0 { "SUSPENDED" } else { "ACTIVE" };
            says(&world, &format!("DM4MMC-{token}"), status, minute).await;
        }
    }
    // Each token: observed and activated together, then eleven more.
    takes(&merchant, 5 * 13).await;

    let lanes = merchant.lanes();
    assert_eq!(lanes.len(), 5);
    assert!(lanes.values().all(|lane| lane.len() == 13), "{lanes:?}");
    world.service.stop().await;
}

async fn two_replicas_share_the_work_in_order(database: Database) {
    let merchant = moody().await;
    let world = world_with(database, &merchant.destination("orders", QUICKLY)).await;
    let other = world.desk.replica().await;
    for minute in 1..=10 {
        for token in 0..4 {
            let status = if minute % 2 == 0 { "SUSPENDED" } else { "ACTIVE" };
            says(&world, &format!("DM4MMC-{token}"), status, minute).await;
        }
    }
    takes(&merchant, 4 * 11).await;

    let lanes = merchant.lanes();
    assert!(lanes.values().all(|lane| lane.len() == 11), "{lanes:?}");
    other.stop().await;
    world.service.stop().await;
}

async fn a_failing_head_holds_up_only_its_own_token(database: Database) {
    let merchant = Merchant::who(|event| {
        let is_bad = event["data"]["token_unique_reference"] == "DM4MMC-bad";
        Reaction::Status(if is_bad { 500 } else { 200 })
    })
    .await;
    let world = world_with(database, &merchant.destination("orders", "")).await;

    says(&world, "DM4MMC-bad", "ACTIVE", 1).await;
    says(&world, "DM4MMC-bad", "ACTIVE", 2).await;
    says(&world, "DM4MMC-good", "ACTIVE", 3).await;
    says(&world, "DM4MMC-good", "SUSPENDED", 4).await;
    takes(&merchant, 3).await;

    assert_eq!(merchant.kinds("DM4MMC-good").len(), 3);
    let bad: HashSet<String> = merchant
        .told()
        .iter()
        .filter(|one| one.token() == "DM4MMC-bad")
        .map(|one| one.id.clone())
        .collect();
    assert_eq!(bad.len(), 1, "only the head was tried");
    world.service.stop().await;
}

async fn a_dead_destination_holds_up_no_other(database: Database) {
    let dead = Merchant::who(|_| Reaction::Silence).await;
    let alive = Merchant::content().await;
    let destinations = [
        dead.destination("dead", "total_secs = 1"),
        alive.destination("alive", ""),
    ];
    let world = world_with(database, &destinations.join("\n")).await;
    for token in 0..40 {
        says(&world, &format!("DM4MMC-{token}"), "ACTIVE", 1).await;
    }
    takes(&alive, 80).await;
    world.service.stop().await;
}

async fn a_stop_overtakes_what_has_been_failing(database: Database) {
    let refused = Arc::new(Mutex::new(true));
    let mood = refused.clone();
    let merchant = Merchant::who(move |event| {
        let is_stop = event["type"] == "token.suspended";
        let refuses = *mood.lock().expect("no one panics while holding it");
        Reaction::Status(if refuses && !is_stop { 500 } else { 200 })
    })
    .await;
    let overtakes = "[delivery]\nstop_overtakes_after = \"1s\"\n";
    let destination = merchant.destination("orders", "retry_schedule = [\"3s\", \"1s\", \"1s\", \"1s\", \"1s\"]");
    let world = world_with(database, &format!("{destination}{overtakes}")).await;

    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    says(&world, "DM4MMC-1", "SUSPENDED", 2).await;
    eventually("the stop has come", || async { !merchant.kinds("DM4MMC-1").is_empty() }).await;

    let stop = merchant
        .told()
        .into_iter()
        .find(super::super::world::Told::was_taken)
        .expect("one was");
    assert_eq!(stop.kind(), "token.suspended");
    assert_eq!(stop.body["data"]["out_of_order"], true);

    *refused.lock().expect("no one panics while holding it") = false;
    takes(&merchant, 3).await;
    let resumed = merchant
        .told()
        .into_iter()
        .find(|one| one.kind() == "token.activated" && one.was_taken());
    let resumed = resumed.expect("it came in the end");
    assert_eq!(
        resumed.body["data"]["advice"], "stop_charging",
        "what has since been stopped is not resumed"
    );
    world.service.stop().await;
}
