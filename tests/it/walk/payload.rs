//! Sealed or in clear, and what a refusal looks like: as the operator chose.

use mdes_receiver::http::callback::PATH;
use mdes_receiver::store::{QuarantineFilter, SealedBy};
use serde_json::{Value, json};

use super::TOKEN;
use super::kept::assert_refused;
use crate::support::Database;
use crate::world::{Desk, JSON, World, request, statement};

promises!(
    what_comes_in_clear_is_sealed_by_us_and_applied_once_it_may,
    what_comes_sealed_is_kept_by_one_who_reads_only_clear_and_applied_once_it_may,
    one_who_takes_either_takes_both_and_lets_neither_rest_in_clear,
    a_refusal_may_be_a_200_with_errors_but_not_for_a_wrong_address,
);

/// The plaintext form (facts 8.10).
fn in_clear(request_id: &str) -> Vec<u8> {
    let mut body = statement(TOKEN, "SUSPENDED", "2026-11-03T11:56:23Z");
    body["responseHost"] = json!("site1.mastercard.com");
    body["requestId"] = json!(request_id);
    body["tokens"][0]["suspendedBy"] = json!(["ISSUER"]);
    body.to_string().into_bytes()
}

async fn redrive_all(world: &World) -> (u64, u64) {
    let open = QuarantineFilter {
        open: true,
        ..QuarantineFilter::default()
    };
    let report = world
        .service
        .inbox()
        .redrive_all(&open)
        .await
        .expect("the store answers");
    (report.recorded, report.still_open)
}

async fn notification_sealed_by(world: &World) -> Option<String> {
    world.desk.database.text("select sealed_by from notifications").await
}

async fn what_comes_in_clear_is_sealed_by_us_and_applied_once_it_may(database: Database) {
    let world = World::over(database).await;
    let reply = world
        .line()
        .await
        .ask(&request("POST", PATH, &[JSON], &in_clear("r-1")))
        .await;
    assert_refused(&reply, 400, "MISSING_REQUIRED_FIELD");
    let entry = world.quarantined().await.pop().expect("an entry");
    assert_eq!(
        (entry.sealed_by, world.desk.came(&entry)),
        (SealedBy::Us, in_clear("r-1"))
    );
    assert!(!world.desk.database.at_rest().await.contains(TOKEN));
    assert_eq!(redrive_all(&world).await, (0, 1));

    let world = world.reopened(|desk| desk.set("callback.payload", "either")).await;
    assert_eq!(redrive_all(&world).await, (1, 0));
    assert_eq!(
        (world.status(TOKEN).await.as_str(), world.quarantined().await.len()),
        ("SUSPENDED", 0)
    );
    assert_eq!(notification_sealed_by(&world).await.as_deref(), Some("us"));

    let reply = world
        .line()
        .await
        .ask(&request("POST", PATH, &[JSON], &in_clear("r-1")))
        .await;
    assert_eq!((reply.status, &reply.json()["responseId"]), (200, &json!("r-1")));
    assert_eq!(world.journal(TOKEN).await, ["SUSPENDED advanced"]);
}

async fn what_comes_sealed_is_kept_by_one_who_reads_only_clear_and_applied_once_it_may(database: Database) {
    let world = Desk::over(database).set("callback.payload", "plain").open().await;
    world.ready().await;
    let answer = world
        .told("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"))
        .await;
    assert_eq!(answer.status, 400);
    let entry = world.quarantined().await.pop().expect("an entry");
    assert_eq!(
        (entry.reason.as_str(), entry.sealed_by),
        ("MISSING_REQUIRED_FIELD", SealedBy::Sender)
    );
    let reply = world
        .line()
        .await
        .ask(&request("POST", PATH, &[JSON], &in_clear("r-2")))
        .await;
    assert_eq!((reply.status, world.status(TOKEN).await.as_str()), (200, "SUSPENDED"));

    let world = world.reopened(|desk| desk.set("callback.payload", "encrypted")).await;
    assert_eq!(redrive_all(&world).await, (1, 0));
    assert_eq!(world.journal(TOKEN).await, ["ACTIVE stale", "SUSPENDED advanced"]);
}

async fn one_who_takes_either_takes_both_and_lets_neither_rest_in_clear(database: Database) {
    let world = Desk::over(database).set("callback.payload", "either").open().await;
    world.ready().await;
    let reply = world
        .line()
        .await
        .ask(&request("POST", PATH, &[JSON], &in_clear("r-1")))
        .await;
    assert_eq!(reply.status, 200);
    let answer = world
        .told("r-2", &statement(TOKEN, "ACTIVE", "2026-11-04T09:15:03Z"))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        world.transitions(TOKEN).await,
        ["1 status ->SUSPENDED", "2 status SUSPENDED>ACTIVE"]
    );
    assert!(!world.desk.database.at_rest().await.contains("\"tokenUniqueReference\""));
}

async fn a_refusal_may_be_a_200_with_errors_but_not_for_a_wrong_address(database: Database) {
    let world = Desk::over(database).set("callback.refusal_status", "200").open().await;
    world.ready().await;
    let mut line = world.line().await;
    let lost = world.desk.sealer().to_a_lost_key().expect("a key");
    let lost = crate::world::sealed(&lost, "r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    for (body, code) in [
        (&b"{"[..], "INVALID_JSON"),
        (&in_clear("r-2")[..], "MISSING_REQUIRED_FIELD"),
        (&lost[..], "CRYPTOGRAPHY_ERROR"),
    ] {
        assert_refused(&line.ask(&request("POST", PATH, &[JSON], body)).await, 200, code);
    }
    assert_refused(
        &line.ask(&request("POST", "/", &[JSON], b"{}")).await,
        404,
        "INVALID_METHOD",
    );
    assert_refused(
        &line
            .ask(&request("POST", PATH, &[("content-type", "text/xml")], b"<a/>"))
            .await,
        415,
        "INVALID_FIELD_VALUE",
    );
    let reasons: Vec<String> = world
        .quarantined()
        .await
        .into_iter()
        .map(|entry| entry.reason)
        .collect();
    let expected = [
        "INVALID_JSON",
        "MISSING_REQUIRED_FIELD",
        "CRYPTOGRAPHY_ERROR",
        "NOT_FOUND",
        "UNSUPPORTED_MEDIA_TYPE",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(world.token(TOKEN).await.map(|token| Value::from(token.sequence)), None);
}
