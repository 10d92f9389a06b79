//! Questions: what is in doubt is asked after, until it is not.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::question::Finding;
use mdes_receiver::domain::token::Doubt;
use mdes_receiver::store::roster::Role;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::street::{LONG_AGO, Street};
use crate::api::caller::{Caller, say};
use crate::support::Database;
use crate::world::eventually;

promises!(
    a_token_in_doubt_is_asked_after_and_settled,
    an_unknown_status_is_asked_after,
    one_answer_does_not_wake_a_deactivated_token,
    two_answers_five_minutes_apart_wake_a_deactivated_token,
    a_number_that_was_not_given_is_asked_for_and_rests_sealed,
    a_number_that_the_service_does_not_give_stays_a_question,
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
    // The first one said more than the status, which moved the token: it is the second that waits for another.
    clock.advance(Duration::minutes(5) + Duration::seconds(6));
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

/// Digitised anew, as Mastercard tells it whose customer did not ask for numbers.
async fn told_without_its_number(street: &Street) {
    let content = json!({ "tokens": [{
        "tokenUniqueReference": "DM4MMC0001",
        "status": "ACTIVE",
        "eventReasonCode": "REDIGITIZATION_COMPLETE",
        "statusTimestamp": "2026-01-02T10:00:00Z",
    }]});
    assert_eq!(street.world.told("anew", &content).await.status, 200);
}

async fn a_number_that_was_not_given_is_asked_for_and_rests_sealed(database: Database) {
    let street = Street::over(database).await;
    street.gives_numbers();
    street.known("DM4MMC0002").await;
    say(&street.world, "DM4MMC0002", "HIBERNATING", "2026-01-02T10:00:00Z").await;
    street.known("DM4MMC0001").await;
    told_without_its_number(&street).await;
    eventually("the number came", async || {
        let token = street.world.token("DM4MMC0001").await.expect("it is held");
        token.number_in().is_some() && !token.is_provisional()
    })
    .await;
    let token = street.world.token("DM4MMC0001").await.expect("it is held");
    let revealer = Caller::added(&street.world, "a revealer", Role::Revealer, Duration::HOUR).await;
    let because = json!({ "reason": "chargeback 4711" });
    let shown = revealer.post("/v1/tokens/DM4MMC0001/reveal", &because).await.json();
    let number = shown["token_number"].as_str().expect("a number");
    let end = token.field("tokenInfo.tokenPanSuffix").and_then(|end| end.as_str());
    assert_eq!((number.len(), Some(&number[12..])), (16, end));
    let kept = street
        .world
        .store()
        .notification(token.number_in().expect("it came"))
        .await;
    let kept = kept.expect("the store answers").expect("it is kept");
    assert!(!String::from_utf8_lossy(&kept.sealed_body).contains(number));
    assert!(!serde_json::to_string(&token).expect("JSON").contains(number));
    eventually("the shop is told", async || {
        street.shop.kinds("DM4MMC0001").contains(&"token.replaced".to_owned())
    })
    .await;
    eventually("another doubt is settled", async || {
        street.world.status("DM4MMC0002").await == "ACTIVE"
    })
    .await;
    let other = street.world.token("DM4MMC0002").await.expect("it is held");
    assert_eq!(other.number_in(), None, "its number was not what was asked for");
}

async fn a_number_that_the_service_does_not_give_stays_a_question(database: Database) {
    let street = Street::over(database).await;
    street.known("DM4MMC0001").await;
    told_without_its_number(&street).await;
    eventually("it was asked for in vain", async || {
        let questions = street.questions().await;
        questions.iter().any(|one| {
            one.asks > 1
                && one.doubts == [Doubt::NumberMissing]
                && one.why.as_deref().is_some_and(|why| why.contains("number"))
        })
    })
    .await;
    assert_eq!(street.world.status("DM4MMC0001").await, "ACTIVE");
    let asked = street.operator.get("/v1/charge/DM4MMC0001").await.json();
    assert_eq!(
        (&asked["charge"], &asked["doubts"]),
        (&json!("yes"), &json!(["number_missing"]))
    );
}
