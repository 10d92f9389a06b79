//! The walk of a notification, from Mastercard's handshake to a committed token state.

mod away;
mod balancer;
mod bounds;
mod crowd;
mod everywhere;
mod kept;
pub mod leak;
mod odd;
mod payload;
mod reload;
mod repeats;

use std::time::Duration;

use serde_json::json;

use mdes_receiver::simulator::scenario;

use crate::support::Database;
use crate::world::{Desk, World, body, eventually, statement};

/// A token that is spoken of.
pub const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";

promises!(
    the_six_scenarios_end_in_the_states_they_tell,
    every_scenario_is_answered_as_it_expects,
    a_repeat_gets_the_same_answer_and_changes_nothing,
    the_answer_has_exactly_two_fields,
    a_missing_request_id_is_answered_with_an_id_of_ours_and_a_repeat_changes_nothing,
    what_cannot_be_opened_is_kept_and_redriven_when_its_key_comes,
    a_schema_that_does_not_admit_us_stops_the_start_with_a_sentence,
);

async fn the_six_scenarios_end_in_the_states_they_tell(database: Database) {
    let world = World::over(database).await;
    let (mastercard, mut story) = (world.mastercard(), world.story(1));
    let mut seen = Vec::new();
    for scenario in scenario::life() {
        for played in mastercard.play(scenario, &mut story).await {
            assert!(played.passed, "{played:?}");
            let reference = &played.token_unique_references[0];
            let token = world.token(reference).await.expect("it is held");
            seen.push((scenario.name, world.status(reference).await, token.sequence));
        }
    }
    assert_eq!(
        seen.iter()
            .map(|(name, status, sequence)| format!("{name} {status} {sequence}"))
            .collect::<Vec<_>>(),
        [
            "active ACTIVE 1",
            "suspended SUSPENDED 2",
            "resumed ACTIVE 3",
            "card-art ACTIVE 4",
            "card-changed ACTIVE 5",
            "deleted DEACTIVATED 6"
        ]
    );
}

async fn every_scenario_is_answered_as_it_expects(database: Database) {
    let world = World::over(database).await;
    let (mastercard, mut story) = (world.mastercard(), world.story(2));
    for scenario in scenario::all() {
        for played in mastercard.play(scenario, &mut story).await {
            assert!(played.passed, "{played:?}");
        }
    }
}

async fn a_repeat_gets_the_same_answer_and_changes_nothing(database: Database) {
    let world = World::over(database).await;
    let notice = statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03.120Z");
    let first = world.told("r-1", &notice).await;
    let again = world.told("r-1", &notice).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(world.token(TOKEN).await.expect("held").sequence, 1);
}

async fn the_answer_has_exactly_two_fields(database: Database) {
    let world = World::over(database).await;
    let answer = world
        .told("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        body(&answer),
        json!({"responseHost": "tokens.merchant.example", "responseId": "r-1"})
    );
}

async fn a_missing_request_id_is_answered_with_an_id_of_ours_and_a_repeat_changes_nothing(database: Database) {
    let world = World::over(database).await;
    let sealer = world.desk.sealer();
    let content = statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z").to_string();
    let bare = json!({"encryptedPayload": sealer.seal(content.as_bytes()).expect("it seals")});
    let send = || async { world.sender().send(bare.to_string().into()).await.expect("an answer") };
    let (first, again) = (send().await, send().await);
    assert_eq!(first.status, 200);
    let id = body(&first)["responseId"].clone();
    assert!(id.as_str().is_some_and(|id| id.len() == 36), "{id}");
    assert_eq!(again.status, 200);
    assert_eq!(world.token(TOKEN).await.expect("held").sequence, 1);
}

async fn what_cannot_be_opened_is_kept_and_redriven_when_its_key_comes(database: Database) {
    let desk = Desk::over(database);
    let other = mdes_receiver::simulator::pki::decryption_key(2048, "the other key");
    std::fs::write(desk.path("other.key"), &other.private_key_pem).expect("written");
    let keys_of = |names: &[&str]| -> String {
        names
            .iter()
            .map(|name| format!("[[keys]]\nprivate_key = \"{name}\"\n"))
            .collect()
    };
    let world = desk.with(&keys_of(&["other.key"])).open().await;
    world.ready().await;

    let refused = world
        .told("r-1", &statement(TOKEN, "SUSPENDED", "2026-11-02T09:15:03Z"))
        .await;
    assert_eq!(
        (refused.status, &body(&refused)["errorCode"]),
        (400, &json!("CRYPTOGRAPHY_ERROR"))
    );
    assert_eq!(world.quarantined().await.len(), 1);

    // The configuration's file is watched too.
    let world = World {
        desk: world.desk.with(&keys_of(&["other.key", "decrypt.key"])),
        service: world.service,
    };
    world.desk.config_file();
    eventually("the quarantine is empty", || async {
        world.quarantined().await.is_empty()
    })
    .await;
    assert_eq!(world.status(TOKEN).await, "SUSPENDED");
}

async fn a_schema_that_does_not_admit_us_stops_the_start_with_a_sentence(database: Database) {
    let desk = Desk::over(database);
    desk.database
        .execute("update schema_info set version = 9, oldest_program = 8")
        .await;
    let config = desk.config_file();
    let ended = tokio::task::spawn_blocking(move || {
        let mut program = assert_cmd::Command::cargo_bin("mdes-receiver").expect("it is built");
        program.arg("--config").arg(config).arg("serve");
        // Past it the program is killed, and has no code.
        program.timeout(Duration::from_secs(20)).output()
    });
    let ended = ended.await.expect("no panic").expect("it runs");
    assert_eq!(ended.status.code(), Some(1));
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(told.trim_end().ends_with("install the newer mdes-receiver"), "{told}");
}
