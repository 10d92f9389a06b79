//! The audit: who did what, and that nobody can make it untrue.

use std::collections::BTreeSet;

use bytes::Bytes;
use mdes_receiver::http::admin::openapi;
use mdes_receiver::store::roster::Role;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection, SqliteConnection};

use super::caller::{Caller, two_tokens};
use super::docs::in_need;
use crate::support::Database;
use crate::world::World;

promises!(
    every_act_is_in_the_audit,
    an_act_that_cannot_be_written_down_is_not_done,
    nobody_changes_the_audit_or_takes_from_it,
    an_act_of_pages_is_written_down_before_it_begins,
    what_only_looks_or_counts_is_no_act,
    every_token_of_a_batch_is_named,
);

/// Each act of the API, by its name in the document, and what the audit calls it.
const ACTS: [(&str, &str); 18] = [
    ("registerTokens", "token.register"),
    ("revealTokenNumber", "token.reveal"),
    ("eraseToken", "token.erase"),
    ("orderCommand", "command.delete"),
    ("approveCommand", "command.approve"),
    ("withdrawCommand", "command.withdraw"),
    ("beginReconcile", "reconcile.begin"),
    ("stopReconcile", "reconcile.stop"),
    ("joinLinks", "link.join"),
    ("partLink", "link.part"),
    ("replayEvents", "event.replay"),
    ("retryDeliveries", "delivery.retry"),
    ("skipDeliveries", "delivery.skip"),
    ("pauseDestination", "destination.pause"),
    ("resumeDestination", "destination.resume"),
    ("forgetDestination", "destination.forget"),
    ("redriveQuarantined", "quarantine.redrive"),
    ("resolveQuarantined", "quarantine.resolve"),
];

async fn entries(caller: &Caller) -> Vec<Value> {
    let page = caller.get("/v1/audit?limit=1000").await.json();
    page["items"].as_array().expect("a list").clone()
}

async fn every_act_is_in_the_audit(database: Database) {
    let world = in_need(database).await;
    let ana = Caller::operator(&world).await;
    let bob = Caller::added(&world, "bob", Role::Operator, time::Duration::HOUR).await;
    let rita = Caller::added(&world, "rita", Role::Revealer, time::Duration::HOUR).await;
    world.sender().send(Bytes::from("nonsense")).await.expect("an answer");
    let entry = ana.get("/v1/quarantine").await.json()["items"][0]["id"]
        .as_str()
        .expect("one")
        .to_owned();
    let link = json!({"token_unique_reference": "DM4MMC0001", "tokenex_token": "5204730000001201"});
    let orders = json!({"filter": {"destination": "orders"}, "reason": "it was down"});
    let deletion = json!({"action": "delete", "confirm": "0001"});
    let command = ana.post("/v1/tokens/DM4MMC0001/commands", &deletion).await.json();
    let other = ana.post("/v1/tokens/DM4MMC0001/commands", &deletion).await.json();
    let begun = ana.post("/v1/reconciles", &json!({})).await.json();
    let json = [("content-type", "application/json"), ("x-reason", "a wrong link")];
    for (caller, path, body) in [
        (&ana, "/v1/tokens".to_owned(), two_tokens()),
        (
            &rita,
            "/v1/tokens/DM4MMC0001/reveal".to_owned(),
            json!({"reason": "chargeback"}),
        ),
        (
            &bob,
            format!("/v1/commands/{}/approve", command["id"].as_str().expect("an id")),
            json!({}),
        ),
        (
            &ana,
            format!("/v1/commands/{}/withdraw", other["id"].as_str().expect("an id")),
            json!({"reason": "a slip"}),
        ),
        (
            &ana,
            format!("/v1/reconciles/{}/stop", begun["id"].as_str().expect("an id")),
            json!({}),
        ),
        (&ana, "/v1/links".to_owned(), link.clone()),
        (
            &ana,
            "/v1/events/replay".to_owned(),
            json!({"destination": "orders", "token": "DM4MMC0001"}),
        ),
        (&ana, "/v1/deliveries/retry".to_owned(), orders.clone()),
        (&ana, "/v1/deliveries/skip".to_owned(), orders),
        (
            &ana,
            "/v1/destinations/orders/pause".to_owned(),
            json!({"reason": "they deploy"}),
        ),
        (&ana, "/v1/destinations/orders/resume".to_owned(), json!({})),
        (
            &ana,
            "/v1/destinations/old-shop/forget".to_owned(),
            json!({"reason": "they closed", "confirm": "old-shop"}),
        ),
        (&ana, format!("/v1/quarantine/{entry}/redrive"), json!({})),
        (
            &ana,
            format!("/v1/quarantine/{entry}/resolve"),
            json!({"reason": "a probe"}),
        ),
        (
            &ana,
            "/v1/tokens/DM4MMC0002/erase".to_owned(),
            json!({"reason": "case 812", "confirm": "0002", "force": true}),
        ),
    ] {
        let answer = caller.post(&path, &body).await;
        // No number was told, and the reconcile may have ended by now: it is written down all the same.
        let may_fail = path.ends_with("reveal") || path.ends_with("stop");
        assert!(answer.status < 300 || may_fail, "{path}: {answer:?}");
    }
    assert_eq!(
        ana.ask("DELETE", "/v1/links", &json, link.to_string().as_bytes())
            .await
            .status,
        200
    );

    let entries = entries(&ana).await;
    let written: BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry["what"].as_str().expect("a text"))
        .collect();
    for (name, what) in ACTS {
        assert!(written.contains(what), "{name}: {what} is not in {written:?}");
    }
    assert_eq!(
        acts_of_the_document(),
        ACTS.iter().map(|(name, _)| (*name).to_owned()).collect()
    );
    let skip = entries
        .iter()
        .find(|entry| entry["what"] == "delivery.skip")
        .expect("one");
    assert_eq!(
        [&skip["who"], &skip["about"], &skip["why"]],
        ["an operator", "destination=orders", "it was down"]
    );
    let text = json!(entries).to_string();
    assert!(!text.contains("5204730000001201"), "a TokenEx token in full: {text}");
    let parted = entries.iter().find(|entry| entry["what"] == "link.part").expect("one");
    assert_eq!(parted["why"], "a wrong link");
    world.service.stop().await;
}

/// Whatever is not only read.
fn acts_of_the_document() -> BTreeSet<String> {
    let document = openapi::document();
    let paths = document["paths"].as_object().expect("paths").values();
    let methods = paths.flat_map(|methods| methods.as_object().expect("methods"));
    let acts = methods.filter(|(method, _)| *method != "get");
    acts.map(|(_, one)| one["operationId"].as_str().expect("a name").to_owned())
        .collect()
}

async fn an_act_that_cannot_be_written_down_is_not_done(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    world
        .desk
        .database
        .execute("alter table audit rename to elsewhere")
        .await;
    let refused = operator.post("/v1/tokens", &two_tokens()).await;
    assert!(refused.status >= 400, "{refused:?}");
    assert_eq!(operator.get("/v1/tokens").await.json()["items"], json!([]));
}

async fn refused(database: &Database, sql: &'static str) -> bool {
    if database.url().starts_with("sqlite") {
        let mut connection = SqliteConnection::connect(database.url()).await.expect("the file opens");
        sqlx::raw_sql(sql).execute(&mut connection).await.is_err()
    } else {
        let mut connection = PgConnection::connect(database.url()).await.expect("the server answers");
        sqlx::raw_sql(sql).execute(&mut connection).await.is_err()
    }
}

async fn nobody_changes_the_audit_or_takes_from_it(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    operator.post("/v1/tokens", &two_tokens()).await;
    let database = &world.desk.database;
    for sql in ["update audit set who = 'nobody'", "delete from audit"] {
        assert!(refused(database, sql).await, "{sql}");
    }
    if database.url().starts_with("postgres") {
        assert!(refused(database, "truncate audit").await);
    }
    let entries = entries(&operator).await;
    assert_eq!((entries.len(), &entries[0]["who"]), (2, &json!("an operator")));
}

async fn an_act_of_pages_is_written_down_before_it_begins(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let skip = json!({"filter": {"destination": "orders"}, "reason": "gone"});
    operator.post("/v1/deliveries/skip", &skip).await;
    let entries = entries(&operator).await;
    let outcomes: Vec<&Value> = entries.iter().map(|entry| &entry["outcome"]).collect();
    assert_eq!(outcomes, ["done: 0", "begun"]);
}

async fn what_only_looks_or_counts_is_no_act(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    operator.get("/v1/tokens").await;
    let count = json!({"filter": {"destination": "orders"}, "dry_run": true});
    assert_eq!(operator.post("/v1/deliveries/retry", &count).await.status, 200);
    assert_eq!(entries(&operator).await, Vec::<Value>::new());
    let page = operator.get("/v1/audit?after=x").await;
    assert_eq!(page.problem(), "404 unknown-cursor");
}

async fn every_token_of_a_batch_is_named(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let items: Vec<Value> = (0..1_000)
        .map(|n| json!({"reference": format!("DM4MMC{n:04}{}", "x".repeat(240))}))
        .collect();
    let registered = operator.post("/v1/tokens", &json!({ "items": items })).await;
    assert_eq!(registered.status, 200, "{registered:?}");
    for n in [0, 10, 999] {
        let about = format!("mdes:DM4MMC{n:04}{}", "x".repeat(240));
        let page = operator.get(&format!("/v1/audit?about={about}")).await.json();
        let found = page["items"].as_array().expect("a list");
        assert_eq!(found.len(), 1, "{about}");
        assert_eq!(
            [&found[0]["what"], &found[0]["outcome"]],
            ["token.register", "registered: 1000 new, 0 again"]
        );
    }
    let links: Vec<Value> = (0..50)
        .map(|n| json!({"token_unique_reference": format!("DM4MMC{n:04}"), "tokenex_token": format!("52047300000012{n:02}")}))
        .collect();
    operator.post("/v1/links", &json!({ "items": links })).await;
    let joined = operator.get("/v1/audit?what=link.join&limit=1000").await.json();
    let abouts: BTreeSet<&str> = joined["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| entry["about"].as_str().expect("a text"))
        .collect();
    assert_eq!(abouts.len(), 50, "each link with both of its names");
    assert!(abouts.contains("mdes:DM4MMC0049 tokenex:····1249"), "{abouts:?}");
    world.service.stop().await;
}
