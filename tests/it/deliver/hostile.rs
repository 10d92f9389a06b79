//! Endpoints that answer badly, and what becomes of their deliveries.

use mdes_receiver::domain::delivery::State;
use mdes_receiver::store::outbox::{DeliveryFilter, KeptDelivery, Outbox};

use super::{says, takes, world_with};
use crate::support::Database;
use crate::world::{Merchant, Reaction, World, eventually};

promises!(
    the_last_failure_parks_it_and_its_token_waits,
    gone_pauses_the_destination_and_loses_nothing,
    a_busy_endpoint_is_given_its_time,
    what_an_endpoint_says_is_kept_masked,
);

async fn deliveries(world: &World) -> Vec<KeptDelivery> {
    let clock = std::sync::Arc::new(mdes_receiver::clock::ManualClock::at(time::OffsetDateTime::now_utc()));
    let memory = world.desk.database.memory(clock).await;
    memory
        .deliveries(&DeliveryFilter::default(), None, 1_000)
        .await
        .expect("the store answers")
}

async fn the_last_failure_parks_it_and_its_token_waits(database: Database) {
    let merchant = Merchant::who(|_| Reaction::Status(500)).await;
    let world = world_with(database, &merchant.destination("orders", "retry_schedule = [\"0s\"]")).await;
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    eventually("it is parked", || async {
        deliveries(&world).await.iter().any(|one| one.state == State::Parked)
    })
    .await;

    let kept = deliveries(&world).await;
    assert_eq!(kept[0].attempts, 2);
    assert_eq!(kept[0].answer_status, Some(500));
    assert_eq!((kept[1].state, kept[1].attempts), (State::Due, 0), "the next one waits");
    world.service.stop().await;
}

async fn gone_pauses_the_destination_and_loses_nothing(database: Database) {
    let mut asked = 0;
    let merchant = Merchant::who(move |_| {
        asked += 1;
        Reaction::Status(if asked == 1 { 410 } else { 200 })
    })
    .await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    let clock = std::sync::Arc::new(mdes_receiver::clock::ManualClock::at(time::OffsetDateTime::now_utc()));
    let memory = world.desk.database.memory(clock).await;
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    eventually("it is paused", || async {
        let kept = memory.destinations().await.expect("the store answers");
        kept.first().is_some_and(|one| one.paused.is_some())
    })
    .await;
    says(&world, "DM4MMC-1", "SUSPENDED", 2).await;
    assert_eq!(merchant.told().len(), 1);

    assert!(memory.pause("orders", None).await.expect("the store answers"));
    takes(&merchant, 3).await;
    assert_eq!(
        merchant.kinds("DM4MMC-1"),
        ["token.observed", "token.activated", "token.suspended"]
    );
    world.service.stop().await;
}

async fn a_busy_endpoint_is_given_its_time(database: Database) {
    let mut asked = 0;
    let merchant = Merchant::who(move |_| {
        asked += 1;
        match asked {
            1 => Reaction::With(429, "retry-after", "2".to_owned()),
            _ => Reaction::Status(200),
        }
    })
    .await;
    let world = world_with(
        database,
        &merchant.destination("orders", "retry_schedule = [\"0s\", \"0s\"]"),
    )
    .await;
    let began = std::time::Instant::now();
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    takes(&merchant, 2).await;
    assert!(began.elapsed() >= std::time::Duration::from_secs(2));
    world.service.stop().await;
}

async fn what_an_endpoint_says_is_kept_masked(database: Database) {
    let merchant = Merchant::who(|_| Reaction::Says(500, "no card 5204730000001201 here\n")).await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    eventually("it was tried", || async {
        deliveries(&world).await.first().is_some_and(|one| one.answer.is_some())
    })
    .await;
    assert_eq!(
        deliveries(&world).await[0].answer.as_deref(),
        Some("no card ····1201 here ")
    );
    world.service.stop().await;
}
