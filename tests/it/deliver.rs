//! From a notification to the merchant's own systems: the whole house, a real endpoint, both databases.

mod acts;
mod crash;
mod hostile;
mod order;

use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use crate::support::Database;
use crate::world::{Desk, Merchant, World, eventually, statement};

/// A day on which everything happened.
const BEGAN: OffsetDateTime = datetime!(2025-11-02 9:00:00.5 UTC);

/// A world with these destinations.
async fn world_with(database: Database, destinations: &str) -> World {
    let world = Desk::over(database).with(destinations).open().await;
    world.ready().await;
    world
}

/// What the network says of a token at that minute.
async fn says(world: &World, token: &str, status: &str, minute: i64) {
    let at = (BEGAN + Duration::minutes(minute)).format(&Rfc3339).expect("a time");
    let answer = world
        .told(&format!("{token}-{minute}"), &statement(token, status, &at))
        .await;
    assert_eq!(answer.status, 200);
}

async fn takes(merchant: &Merchant, events: usize) {
    eventually("the merchant has taken them", || async {
        merchant.told().iter().filter(|one| one.was_taken()).count() >= events
    })
    .await;
}

promises!(
    a_change_reaches_the_merchant_in_its_words,
    a_registered_token_is_told_with_the_merchants_reference,
    a_destination_hears_only_what_it_asked_for,
    a_token_number_goes_only_where_it_was_asked_for,
);

async fn a_change_reaches_the_merchant_in_its_words(database: Database) {
    let merchant = Merchant::content().await;
    let world = world_with(database, &merchant.destination("orders", "")).await;

    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    says(&world, "DM4MMC-1", "SUSPENDED", 2).await;
    says(&world, "DM4MMC-1", "ACTIVE", 3).await;
    says(&world, "DM4MMC-1", "DEACTIVATED", 4).await;
    takes(&merchant, 5).await;

    assert_eq!(
        merchant.kinds("DM4MMC-1"),
        [
            "token.observed",
            "token.activated",
            "token.suspended",
            "token.reactivated",
            "token.deactivated"
        ]
    );
    let last = merchant.told().pop().expect("it was told");
    assert_eq!(last.body["id"], json!(last.id));
    assert_eq!(last.body["data"]["advice"], "request_new_token");
    assert_eq!(last.body["data"]["previous_status"], "ACTIVE");
    assert_eq!(last.body["data"]["current"]["status"], "DEACTIVATED");
    assert_eq!(last.body["data"]["sequence"], 4);
    world.service.stop().await;
}

async fn a_registered_token_is_told_with_the_merchants_reference(database: Database) {
    use mdes_receiver::domain::id::TokenReference;
    use mdes_receiver::store::outbox::{NewRegistration, Outbox, Registered};

    let merchant = Merchant::content().await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    let clock = std::sync::Arc::new(mdes_receiver::clock::ManualClock::at(OffsetDateTime::now_utc()));
    let memory = world.desk.database.memory(clock).await;
    let registered = memory
        .register(&[NewRegistration {
            token: TokenReference::mdes("DM4MMC-1"),
            requestor: None,
            merchant_reference: Some("customer-7".to_owned()),
            status: None,
        }])
        .await
        .expect("the store answers");
    assert_eq!(registered, [Registered::New]);

    says(&world, "DM4MMC-1", "SUSPENDED", 1).await;
    takes(&merchant, 1).await;

    assert_eq!(merchant.kinds("DM4MMC-1"), ["token.suspended"]);
    assert_eq!(merchant.told()[0].body["data"]["merchant_reference"], "customer-7");
    world.service.stop().await;
}

async fn a_destination_hears_only_what_it_asked_for(database: Database) {
    let (all, some, others) = (
        Merchant::content().await,
        Merchant::content().await,
        Merchant::content().await,
    );
    let destinations = [
        all.destination("all", ""),
        some.destination("some", "events = [\"token.suspended\"]"),
        others.destination("others", "token_requestor_ids = [\"50100000002\"]"),
    ];
    let world = world_with(database, &destinations.join("\n")).await;

    says(&world, "DM4MMC-1", "ACTIVE", 1).await;
    says(&world, "DM4MMC-1", "SUSPENDED", 2).await;
    takes(&all, 3).await;
    takes(&some, 1).await;

    assert_eq!(some.kinds("DM4MMC-1"), ["token.suspended"]);
    assert!(others.told().is_empty());
    world.service.stop().await;
}

async fn a_token_number_goes_only_where_it_was_asked_for(database: Database) {
    // Over https only, so that its endpoint is one of `hostile`'s; here: the plain one never has it.
    let merchant = Merchant::content().await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    let content = json!({"tokens": [{
        "tokenUniqueReference": "DM4MMC-1",
        "status": "ACTIVE",
        "statusTimestamp": "2025-11-02T09:00:00.500Z",
        "tokenInfo": {"tokenNumber": "5204730000001201", "tokenExpiry": "0930"},
    }]});
    assert_eq!(world.told("number", &content).await.status, 200);
    takes(&merchant, 3).await;

    let told = merchant.told();
    assert!(told.iter().any(|one| one.kind() == "token.replaced"));
    assert!(
        told.iter()
            .all(|one| !String::from_utf8_lossy(&one.raw).contains("520473"))
    );
    world.service.stop().await;
}
