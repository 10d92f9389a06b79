//! What goes wrong, on demand.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{ID, KEY, Street, request};

const PATH: &str = "/v2/NetworkToken/LifecycleManagement";
const KNOWN: [(&str, &str); 2] = [("tx-tokenex-id", ID), ("tx-apikey", KEY)];

#[tokio::test]
async fn a_dropped_answer_is_one_that_was_applied_and_a_dropped_request_is_not() {
    let street = Street::quiet().await;
    street.fault("drop:1");
    let body = request("SUSPEND_TOKEN").to_string();
    assert_eq!(street.post(PATH, &KNOWN, body.clone()).await, None);
    assert_eq!(street.state().await, "ACTIVE");
    street.fault("drop-answer:1");
    assert_eq!(street.post(PATH, &KNOWN, body).await, None);
    assert_eq!(street.state().await, "SUSPENDED");
    assert_eq!(
        street.seen()["calls"]["SUSPEND_TOKEN"],
        json!({"came": 2, "applied": 1})
    );
}

#[tokio::test]
async fn a_code_may_come_although_it_was_applied() {
    let street = Street::quiet().await;
    street.fault("9004-applied:1");
    let (_, said) = street.act("SUSPEND_TOKEN").await;
    assert_eq!(said["networkResponse"]["statusCode"], "9004");
    assert_eq!(street.state().await, "SUSPENDED");
}

#[tokio::test]
async fn a_timeout_never_answers_and_may_have_been_applied() {
    for (fault, state) in [("timeout:1", "ACTIVE"), ("timeout-applied:1", "SUSPENDED")] {
        let street = Street::quiet().await;
        street.fault(fault);
        let patience = Duration::from_millis(300);
        let asked = street.post(PATH, &KNOWN, request("SUSPEND_TOKEN").to_string());
        assert!(tokio::time::timeout(patience, asked).await.is_err(), "{fault}");
        assert_eq!(street.state().await, state);
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_during_a_delay_does_not_undo_what_it_asked_for() {
    let street = Street::quiet().await;
    street.fault("delay=300ms:1");
    let asked = street.post(PATH, &KNOWN, request("SUSPEND_TOKEN").to_string());
    assert!(tokio::time::timeout(Duration::from_millis(100), asked).await.is_err());
    assert_eq!(street.state().await, "ACTIVE");
    let began = Instant::now();
    while street.state().await != "SUSPENDED" {
        assert!(began.elapsed() < Duration::from_secs(10), "it lands all the same");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn http_500_is_an_answer_too() {
    let street = Street::quiet().await;
    street.fault("500:1");
    let (status, said) = street.act("SUSPEND_TOKEN").await;
    assert_eq!(status, 500);
    assert_eq!(
        said["error"],
        "9999 : Internal error, please contact support via the client portal"
    );
}

#[tokio::test]
async fn a_fault_hits_the_changes_unless_it_names_its_calls() {
    let street = Street::quiet().await;
    street.fault("9004:1");
    assert_eq!(street.state().await, "ACTIVE");
    street.fault("9130@GetStatus:1");
    let (_, said) = street.act("SUSPEND_TOKEN").await;
    assert_eq!(said["networkResponse"]["statusCode"], "9004");
    let (_, said) = street
        .tokenex("GetStatus", json!({"token": super::TOKEN}).to_string())
        .await;
    assert_eq!(said["networkResponse"]["statusCode"], "9130");
    assert_eq!(street.act("SUSPEND_TOKEN").await.1["success"], true);
}
