//! Whole scenarios against receivers of different manners.

use mdes_receiver::simulator::play::Played;
use mdes_receiver::simulator::scenario::{self, Scenario};
use mdes_receiver::simulator::story::Story;
use serde_json::json;

use super::receiver::{Manner, Receiver};
use super::{Desk, SEED};

async fn played(desk: &Desk, receiver: &Receiver, scenarios: &[Scenario]) -> Vec<Played> {
    let mastercard = desk.mastercard(receiver);
    let mut story = Story::new(SEED, desk.now);
    let mut all = Vec::new();
    for scenario in scenarios {
        all.extend(mastercard.play(scenario, &mut story).await);
    }
    all
}

fn failed(played: &[Played]) -> Vec<&'static str> {
    let mut failed: Vec<_> = played
        .iter()
        .filter(|one| !one.passed)
        .map(|one| one.scenario)
        .collect();
    failed.dedup();
    failed
}

fn one(name: &str) -> [Scenario; 1] {
    [*Scenario::named(name).expect("there is such a scenario")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_receiver_passes_every_scenario() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let played = played(&desk, &receiver, scenario::all()).await;
    assert!(failed(&played).is_empty(), "{played:#?}");
    let steps: usize = scenario::all().iter().map(|scenario| scenario.steps.len()).sum();
    assert_eq!(played.len(), steps);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_reports_errors_with_status_200_passes_as_well() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Conventional).await;
    let played = played(&desk, &receiver, scenario::all()).await;
    assert!(failed(&played).is_empty(), "{played:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_careless_receiver_fails_what_it_should_have_refused() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Careless).await;
    let played = played(&desk, &receiver, scenario::all()).await;
    let refused = [
        "wrong-key",
        "not-json",
        "truncated",
        "unsealed",
        "oversize",
        "no-certificate",
        "stranger",
        "expired-certificate",
        "wrong-name",
    ];
    assert_eq!(failed(&played), refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_token_arrives_as_it_was_told() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let played = played(&desk, &receiver, scenario::life()).await;

    let opened = receiver.opened();
    let statuses: Vec<_> = opened.iter().map(|said| said["tokens"][0]["status"].clone()).collect();
    assert_eq!(
        statuses,
        ["ACTIVE", "SUSPENDED", "ACTIVE", "ACTIVE", "ACTIVE", "DEACTIVATED"]
    );
    for (played, said) in played.iter().zip(&opened) {
        assert_eq!(
            played.token_unique_references,
            [said["tokens"][0]["tokenUniqueReference"].as_str().expect("set")]
        );
    }
    assert!(
        played
            .windows(2)
            .all(|two| two[0].token_unique_references == two[1].token_unique_references)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_end_of_one_life_another_begins() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let played = played(&desk, &receiver, &[one("deleted"), one("active")].concat()).await;
    assert_ne!(played[0].token_unique_references, played[1].token_unique_references);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_the_same_bytes_and_then_the_same_words_in_others() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    played(&desk, &receiver, &one("duplicate")).await;

    let bodies: Vec<_> = receiver.requests().into_iter().map(|(_, body)| body).collect();
    let opened = receiver.opened();
    assert_eq!(bodies[0], bodies[1]);
    assert_ne!(bodies[1], bodies[2]);
    assert!(opened.iter().all(|said| *said == opened[0]) && opened.len() == 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_asked_for_is_in_what_arrives() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let edits = [
        "tokens.0.status=\"FROZEN\"",
        "tokens.0.tokenInfo.tokenExpiry=921",
        "envelope.requestId=5",
    ];
    let edits = edits.iter().map(|edit| edit.parse().expect("a good edit")).collect();
    let mastercard = desk.mastercard(&receiver).with_edits(edits);
    mastercard
        .play(&one("active")[0], &mut Story::new(SEED, desk.now))
        .await;

    let said = &receiver.opened()[0]["tokens"][0];
    assert_eq!(
        (&said["status"], &said["tokenInfo"]["tokenExpiry"]),
        (&json!("FROZEN"), &json!(921))
    );
    let envelope: serde_json::Value = serde_json::from_slice(&receiver.requests()[0].1).expect("JSON");
    assert_eq!(envelope["requestId"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_number_is_sent_whole_and_shown_masked() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let played = played(&desk, &receiver, &one("re-digitized")).await;

    let sent = receiver.opened()[0]["tokens"][0]["tokenInfo"]["tokenNumber"].clone();
    let number = sent.as_str().expect("a string");
    let shown = format!("{played:?}");
    assert!(
        !shown.contains(number) && shown.contains(&format!("tokenNumber ····{}", &number[12..])),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_in_the_handshake_is_said_in_words() {
    let desk = Desk::set_up();
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    for (name, words) in [
        ("no-certificate", "refused in the handshake: certificate required"),
        ("stranger", "refused in the handshake: unknown ca"),
        ("expired-certificate", "refused in the handshake: certificate expired"),
        ("wrong-name", "refused in the handshake: access denied"),
    ] {
        let played = played(&desk, &receiver, &one(name)).await;
        let error = played[0].answer.as_ref().expect_err(name);
        assert!(error.starts_with(words), "{name}: {error}");
    }
    assert_eq!(receiver.requests().len(), 0);
}
