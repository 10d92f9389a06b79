//! Questions: what is in doubt is asked after, until it is not.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::question::Finding;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::street::{LONG_AGO, Street};
use crate::api::caller::say;
use crate::support::Database;
use crate::world::eventually;

promises!(
    a_token_in_doubt_is_asked_after_and_settled,
    an_unknown_status_is_asked_after,
    one_answer_does_not_wake_a_deactivated_token,
    two_answers_five_minutes_apart_wake_a_deactivated_token,
    what_nobody_answers_stays_a_question,
);

async fn a_token_in_doubt_is_asked_after_and_settled(database: Database) {
    let street = Street::over(database).await;
    street.known("DM4MMC0001").await;
    let untimed = json!({ "tokens": [{ "tokenUniqueReference": "DM4MMC0001", "status": "SUSPENDED" }] });
    assert_eq!(street.world.told("untimed", &untimed).await.status, 200);
    assert_eq!(
        street.world.status("DM4MMC0001").await,
        "SUSPENDED",
        "it is believed at once"
    );
    eventually("the network is asked, and says otherwise", async || {
        let token = street.world.token("DM4MMC0001").await.expect("it is held");
        !token.is_provisional() && street.world.status("DM4MMC0001").await == "ACTIVE"
    })
    .await;
    eventually("the question is closed", async || street.questions().await.is_empty()).await;
}

async fn an_unknown_status_is_asked_after(database: Database) {
    let street = Street::over(database).await;
    street.made("DM4MMC0001");
    say(&street.world, "DM4MMC0001", "HIBERNATING", LONG_AGO).await;
    eventually("the network is asked", async || {
        street.world.status("DM4MMC0001").await == "ACTIVE"
    })
    .await;
}

async fn one_answer_does_not_wake_a_deactivated_token(database: Database) {
    let street = Street::over(database).await;
    street.known("DM4MMC0001").await;
    say(&street.world, "DM4MMC0001", "DEACTIVATED", "2026-01-02T10:00:00Z").await;
    say(&street.world, "DM4MMC0001", "ACTIVE", "2026-01-03T10:00:00Z").await;
    eventually("it was asked", async || {
        let questions = street.questions().await;
        questions
            .iter()
            .any(|one| one.asks > 0 && one.finding == Some(Finding::Differs))
    })
    .await;
    assert_eq!(
        street.world.status("DM4MMC0001").await,
        "DEACTIVATED",
        "two have to agree, five minutes apart"
    );
}

/// The receiver's clock alone is moved; MDES believes no signature that is more than five minutes off its own.
async fn two_answers_five_minutes_apart_wake_a_deactivated_token(database: Database) {
    let clock = Arc::new(ManualClock::at(OffsetDateTime::now_utc() - Duration::minutes(3)));
    let street = Street::at(database, clock.clone()).await;
    street.known("DM4MMC0001").await;
    say(&street.world, "DM4MMC0001", "DEACTIVATED", "2026-01-02T10:00:00Z").await;
    say(&street.world, "DM4MMC0001", "ACTIVE", "2026-01-03T10:00:00Z").await;
    eventually("it was asked once", async || {
        street.questions().await.iter().any(|one| one.asks == 1)
    })
    .await;
    // The second question is due a few seconds after the first: what lags behind says the same twice in a row.
    clock.advance(Duration::minutes(1));
    say(&street.world, "DM4MMC0002", "ACTIVE", LONG_AGO).await;
    eventually("it was asked twice", async || {
        street.questions().await.iter().any(|one| one.asks == 2)
    })
    .await;
    assert_eq!(street.world.status("DM4MMC0001").await, "DEACTIVATED");
    clock.advance(Duration::minutes(4) + Duration::seconds(30));
    say(&street.world, "DM4MMC0003", "ACTIVE", LONG_AGO).await;
    eventually("another answer that agrees is believed", async || {
        street.world.status("DM4MMC0001").await == "ACTIVE"
    })
    .await;
    eventually("the shop is told", async || {
        let told = street.shop.kinds("DM4MMC0001");
        told.last()
            .is_some_and(|kind| kind != "token.anomaly" && kind != "token.deactivated")
    })
    .await;
    assert!(
        !street
            .world
            .token("DM4MMC0001")
            .await
            .expect("it is held")
            .is_provisional()
    );
}

async fn what_nobody_answers_stays_a_question(database: Database) {
    let street = Street::over(database).await;
    say(&street.world, "DM4MMC0404", "HIBERNATING", LONG_AGO).await;
    eventually("it was asked in vain", async || {
        let questions = street.questions().await;
        questions
            .iter()
            .any(|one| one.asks > 0 && one.finding == Some(Finding::NotThere))
    })
    .await;
    assert_eq!(street.world.status("DM4MMC0404").await, "HIBERNATING");
}
