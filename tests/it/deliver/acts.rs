//! What an operator does about deliveries, seen from the merchant's side.

use std::sync::{Arc, Mutex};

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::delivery::State;
use mdes_receiver::domain::event::Subscription;
use mdes_receiver::store::Memory;
use mdes_receiver::store::outbox::{DeliveryFilter, Outbox, ReplayFilter};
use time::OffsetDateTime;

use super::{says, takes, world_with};
use crate::support::Database;
use crate::world::{Merchant, Reaction, World, eventually};

promises!(
    what_was_parked_goes_out_when_it_is_retried,
    what_is_skipped_frees_its_token,
    a_replay_comes_marked_and_under_the_same_id,
    a_new_destination_may_begin_with_a_snapshot,
);

/// Another process beside the service, as the command line is one.
async fn beside(world: &World) -> Arc<Memory> {
    let clock = Arc::new(ManualClock::at(OffsetDateTime::now_utc()));
    world.desk.database.memory(clock).await
}

fn parked() -> DeliveryFilter {
    DeliveryFilter {
        state: Some(State::Parked),
        ..DeliveryFilter::default()
    }
}

async fn refusing_until_told(refuses: &Arc<Mutex<bool>>) -> Merchant {
    let mood = refuses.clone();
    Merchant::who(move |_| {
        let refuses = *mood.lock().expect("no one panics while holding it");
        Reaction::Status(if refuses { 500 } else { 200 })
    })
    .await
}

async fn one_parked(memory: &Memory) {
    eventually("one is parked", || async {
        let parked = memory.deliveries(&parked(), None, 10).await;
        parked.expect("the store answers").len() == 1
    })
    .await;
}

async fn what_was_parked_goes_out_when_it_is_retried(database: Database) {
    let refuses = Arc::new(Mutex::new(true));
    let merchant = refusing_until_told(&refuses).await;
    let world = world_with(database, &merchant.destination("orders", "retry_schedule = []")).await;
    let memory = beside(&world).await;
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    one_parked(&memory).await;

    *refuses.lock().expect("no one panics while holding it") = false;
    assert_eq!(memory.retry(&parked(), true).await.expect("it counts"), 1);
    assert_eq!(memory.retry(&parked(), false).await.expect("it acts"), 1);
    takes(&merchant, 2).await;
    assert_eq!(merchant.kinds("DM4MMC-1"), ["token.observed", "token.activated"]);
    world.service.stop().await;
}

async fn what_is_skipped_frees_its_token(database: Database) {
    let merchant = Merchant::who(|event| {
        let is_first = event["type"] == "token.observed";
        Reaction::Status(if is_first { 500 } else { 200 })
    })
    .await;
    let world = world_with(database, &merchant.destination("orders", "retry_schedule = []")).await;
    let memory = beside(&world).await;
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    one_parked(&memory).await;

    let skipped = memory
        .skip(&parked(), "ana: the endpoint does not know this type", false)
        .await;
    assert_eq!(skipped.expect("it acts"), 1);
    takes(&merchant, 1).await;
    assert_eq!(merchant.kinds("DM4MMC-1"), ["token.activated"]);
    let kept = memory
        .deliveries(&DeliveryFilter::default(), None, 10)
        .await
        .expect("the store answers");
    assert_eq!(
        kept[0].settled_by.as_deref(),
        Some("ana: the endpoint does not know this type")
    );
    world.service.stop().await;
}

async fn a_replay_comes_marked_and_under_the_same_id(database: Database) {
    let merchant = Merchant::content().await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    let memory = beside(&world).await;
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    takes(&merchant, 2).await;

    let filter = ReplayFilter {
        destination: "orders".to_owned(),
        since: None,
        until: None,
        token: None,
        types: Vec::new(),
        subscription: Subscription::all(),
    };
    assert_eq!(memory.replay(&filter, true).await.expect("it counts"), 2);
    assert_eq!(memory.replay(&filter, false).await.expect("it acts"), 2);
    takes(&merchant, 4).await;

    let told = merchant.told();
    assert_eq!([&told[0].id, &told[1].id], [&told[2].id, &told[3].id]);
    assert_eq!(told[1].body["data"].get("replayed"), None);
    assert_eq!(told[3].body["data"]["replayed"], true);
    world.service.stop().await;
}

async fn a_new_destination_may_begin_with_a_snapshot(database: Database) {
    let first = Merchant::content().await;
    let world = world_with(database, &first.destination("orders", "")).await;
    for token in 0..7 {
        says(&world, &format!("DM4MMC-{token}"), "SUSPENDED", 1).await;
    }
    takes(&first, 14).await;

    let late = Merchant::content().await;
    let both = [
        first.destination("orders", ""),
        late.destination("late", "start = \"snapshot\""),
    ]
    .join("\n");
    let world = world.reopened(|desk| desk.with(&both)).await;
    takes(&late, 7).await;
    says(&world, "DM4MMC-0", "ACTIVE", 2).await;
    takes(&late, 8).await;

    assert_eq!(late.kinds("DM4MMC-0"), ["token.snapshot", "token.reactivated"]);
    let snapshot = &late.told()[0].body["data"];
    assert_eq!(
        (&snapshot["advice"], &snapshot["status"]),
        (&"stop_charging".into(), &"SUSPENDED".into())
    );
    takes(&first, 15).await;
    assert_eq!(first.told().len(), 15, "the snapshot was not for everyone");
    world.service.stop().await;
}
