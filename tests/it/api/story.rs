//! A token's story, and the notifications and quarantined bodies behind it.

use bytes::Bytes;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::caller::{Caller, say};
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, World, eventually};

promises!(
    a_story_tells_what_was_heard_and_what_came_of_it,
    a_story_says_to_whom_it_was_told,
    a_story_goes_on_page_by_page,
    a_notification_is_shown_without_its_body,
    what_is_in_quarantine_is_shown_read_again_and_set_aside,
    certificates_and_keys_are_shown_by_their_names,
);

fn texts<'a>(items: &'a Value, field: &str) -> Vec<&'a str> {
    let items = items.as_array().expect("a list");
    items.iter().map(|item| item[field].as_str().expect("a text")).collect()
}

fn instant(text: &str) -> OffsetDateTime {
    OffsetDateTime::parse(text, &Rfc3339).expect("a time")
}

async fn a_story_tells_what_was_heard_and_what_came_of_it(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let nobody = viewer.get("/v1/tokens/DM4MMC0001/story").await;
    assert_eq!(nobody.problem(), "404 unknown-token");
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;

    let story = viewer.get("/v1/tokens/DM4MMC0001/story").await.json();
    let summaries = texts(&story["items"], "summary");
    assert_eq!(summaries[0], "stale: older than what we hold");
    for told in [
        "nothing → SUSPENDED",
        "applied: it changed the token",
        "token.suspended was told",
    ] {
        assert!(summaries.contains(&told), "{told}: {summaries:?}");
    }
    let times = texts(&story["items"], "at").into_iter().map(instant);
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{story}");
    assert_eq!(story["next"], json!(null));
}

async fn a_story_says_to_whom_it_was_told(database: Database) {
    let merchant = Merchant::who(|_| Reaction::Status(500)).await;
    let world = Desk::over(database)
        .and(&merchant.destination("orders", "retry_schedule = []"))
        .open()
        .await;
    world.ready().await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    eventually("the story has its parked delivery", || async {
        let story = viewer.get("/v1/tokens/DM4MMC0001/story").await.json();
        let items = story["items"].as_array().expect("a list").clone();
        let told = items
            .iter()
            .find(|item| item["kind"] == "told")
            .map(|item| item["deliveries"][0].clone());
        told.is_some_and(|told| told["destination"] == "orders" && told["state"] == "parked")
    })
    .await;
}

async fn a_story_goes_on_page_by_page(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    for minute in 10..16 {
        let status = if minute % 2 == 0 { "ACTIVE" } else { "SUSPENDED" };
        say(&world, "DM4MMC0001", status, &format!("2026-11-20T10:{minute}:00Z")).await;
    }
    let path = "/v1/tokens/DM4MMC0001/story";
    let whole = viewer.get(path).await.json()["items"].clone();
    for limit in [1, 4, 7] {
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = viewer.get(&format!("{path}?limit={limit}{next}")).await.json();
            found.extend(page["items"].as_array().expect("a list").clone());
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&after={cursor}");
        }
        assert_eq!(json!(found), whole, "pages of {limit}");
    }
    for cursor in ["x", "1.", "1.99999999", ".1", "99999999999999999999999999.1"] {
        let refused = viewer.get(&format!("{path}?after={cursor}")).await;
        assert_eq!(refused.problem(), "404 unknown-cursor", "{cursor}");
    }
}

async fn a_notification_is_shown_without_its_body(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    for minute in 10..13 {
        say(&world, "DM4MMC0001", "ACTIVE", &format!("2026-11-20T10:{minute}:00Z")).await;
    }
    let page = viewer.get("/v1/notifications?limit=2").await.json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2));
    let rest = viewer
        .get(&format!(
            "/v1/notifications?after={}",
            page["next"].as_str().expect("a cursor")
        ))
        .await;
    assert_eq!(rest.json()["items"].as_array().map(Vec::len), Some(1));

    let id = page["items"][0]["id"].as_str().expect("an id");
    let shown = viewer.get(&format!("/v1/notifications/{id}")).await.json();
    assert_eq!(shown["request_id"], "DM4MMC0001-ACTIVE-2026-11-20T10:12:00Z");
    assert_eq!(shown["statements"][0]["token_unique_reference"], "DM4MMC0001");
    assert!(shown["sealed_bytes"].as_u64() > Some(100), "{shown}");
    let gone = viewer
        .get("/v1/notifications/01935f7e-0000-7000-8000-000000000000")
        .await;
    assert_eq!(gone.problem(), "404 unknown-notification");
    assert_eq!(
        viewer.get("/v1/notifications?after=x").await.problem(),
        "404 unknown-cursor"
    );
}

async fn what_is_in_quarantine_is_shown_read_again_and_set_aside(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let secret = "5204730000001209";
    let body = Bytes::from(format!("{{\"nonsense\": \"{secret}\"}}"));
    assert_eq!(world.sender().send(body).await.expect("an answer").status, 400);

    let page = operator.get("/v1/quarantine").await;
    assert!(!String::from_utf8_lossy(&page.body).contains(secret));
    let id = page.json()["items"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/quarantine/{id}");
    assert_eq!(operator.get(&path).await.json()["tries"], 0);
    let redriven = operator
        .post(&format!("{path}/redrive"), &json!({"reason": "a key was added"}))
        .await
        .json();
    assert_eq!(redriven["outcome"], "still_unreadable");
    assert_eq!(operator.get(&path).await.json()["tries"], 1);

    let resolve = format!("{path}/resolve");
    assert_eq!(operator.post(&resolve, &json!({})).await.problem(), "422 unfit");
    let resolved = operator
        .post(&resolve, &json!({"reason": "a probe of ours"}))
        .await
        .json();
    assert_eq!(resolved["resolution"], "set aside: a probe of ours");
    assert_eq!(
        operator.post(&resolve, &json!({"reason": "again"})).await.problem(),
        "409 not-open"
    );
    assert_eq!(
        operator.post(&format!("{path}/redrive"), &json!({})).await.problem(),
        "409 not-open"
    );
    assert_eq!(operator.get("/v1/quarantine").await.json()["items"], json!([]));
    let all = operator.get("/v1/quarantine?open=false").await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(operator.get("/v1/quarantine/x").await.problem(), "404 unknown-entry");
}

async fn certificates_and_keys_are_shown_by_their_names(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let shown = viewer.get("/v1/certificates").await.json();
    let purposes = texts(&shown["items"], "purpose");
    assert!(
        purposes.contains(&"callback") && purposes.contains(&"callback client root"),
        "{purposes:?}"
    );
    for one in shown["items"].as_array().expect("a list") {
        assert!(one["days_left"].as_i64().is_some_and(|days| days >= 0), "{one}");
        assert!(one["sha256"].as_str().is_some_and(|hash| hash.len() == 64), "{one}");
    }
    let keys = viewer.get("/v1/keys").await;
    let text = String::from_utf8_lossy(&keys.body);
    assert!(!text.contains("PRIVATE"), "{text}");
    let newest = keys.json()["items"][0].clone();
    assert_eq!(newest["is_newest"], true);
    assert!(
        newest["names"].as_array().is_some_and(|names| !names.is_empty()),
        "{newest}"
    );
}
