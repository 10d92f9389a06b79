//! Kept whatever the path: what an authenticated peer sends is in quarantine before it is refused.

use mdes_receiver::http::callback::PATH;
use mdes_receiver::inbox::Redriven;
use mdes_receiver::store::SealedBy;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::TOKEN;
use crate::support::Database;
use crate::world::{Desk, JSON, Reply, World, request, statement};

promises!(
    a_wrong_path_method_or_type_is_refused_in_mdes_form_and_kept,
    the_path_without_its_context_root_is_refused_and_kept,
    a_missing_content_type_is_taken_as_json,
    a_request_without_a_body_leaves_nothing,
    what_came_by_a_wrong_path_is_redriven_with_the_time_at_which_it_came,
    one_bad_token_of_several_is_kept_alone_and_the_others_applied,
);

pub const MARKER: &str = "DM4MMC0000-IN-CLEAR";
const OTHER: &str = "DM4MMC0000000002";

/// The content in clear.
pub fn clear() -> Vec<u8> {
    statement(MARKER, "SUSPENDED", "2026-11-02T09:15:03Z")
        .to_string()
        .into_bytes()
}

/// An error in MDES's form, and no other: the code twice, a host, JSON, no redirect.
pub fn assert_refused(reply: &Reply, status: u16, code: &str) {
    let body = reply.json();
    let first = &body["errors"][0];
    assert_eq!((reply.status, &first["reasonCode"]), (status, &json!(code)), "{body}");
    assert_eq!(body["errorCode"], first["reasonCode"], "{body}");
    assert_eq!(body["responseHost"], "tokens.merchant.example", "{body}");
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

/// The one open entry: its reason and length, and whether we sealed it.
pub async fn only_entry(world: &World) -> (String, u64, SealedBy) {
    let open = world.quarantined().await;
    let [entry] = &open[..] else {
        panic!("one entry: {open:?}")
    };
    assert_eq!(entry.peer.name, "ws.mastercard.com");
    (entry.reason.clone(), entry.body_bytes, entry.sealed_by)
}

pub async fn first_entry(world: &World) -> mdes_receiver::store::KeptQuarantine {
    world.quarantined().await.into_iter().next().expect("an entry")
}

async fn a_wrong_path_method_or_type_is_refused_in_mdes_form_and_kept(database: Database) {
    let world = World::over(database).await;
    let mut line = world.line().await;
    let text = ("content-type", "text/plain");
    let doubled = format!("/{PATH}");
    let cases = [
        ("POST", "/", JSON, 404, "INVALID_METHOD", "NOT_FOUND"),
        ("POST", "/wrong/root", JSON, 404, "INVALID_METHOD", "NOT_FOUND"),
        ("PUT", &doubled, text, 404, "INVALID_METHOD", "NOT_FOUND"),
        ("PUT", PATH, JSON, 405, "INVALID_METHOD", "METHOD_NOT_ALLOWED"),
        ("GET", PATH, JSON, 405, "INVALID_METHOD", "METHOD_NOT_ALLOWED"),
        ("POST", PATH, text, 415, "INVALID_FIELD_VALUE", "UNSUPPORTED_MEDIA_TYPE"),
    ];
    let body = clear();
    for (method, path, kind, status, code, reason) in cases {
        let reply = line.ask(&request(method, path, &[kind], &body)).await;
        assert_refused(&reply, status, code);
        let entry = world.quarantined().await.pop().expect("an entry");
        assert_eq!((entry.reason.as_str(), entry.sealed_by), (reason, SealedBy::Us));
        assert_eq!(world.desk.came(&entry), body);
    }
    assert_eq!(world.quarantined().await.len(), 6);
    assert!(!world.desk.database.at_rest().await.contains(MARKER));
}

async fn the_path_without_its_context_root_is_refused_and_kept(database: Database) {
    let desk = Desk::over(database).set("callback.context_root", "/shop");
    let world = desk.open().await;
    world.ready().await;
    let body = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    let mut line = world.line().await;
    let reply = line.ask(&request("POST", PATH, &[JSON], &body)).await;
    assert_refused(&reply, 404, "INVALID_METHOD");
    let length = body.len() as u64;
    assert_eq!(
        only_entry(&world).await,
        ("NOT_FOUND".to_owned(), length, SealedBy::Sender)
    );

    let reply = line
        .ask(&request("POST", &format!("/shop{PATH}"), &[JSON], &body))
        .await;
    assert_eq!((reply.status, &reply.json()["responseId"]), (200, &json!("r-1")));
}

async fn a_missing_content_type_is_taken_as_json(database: Database) {
    let world = World::over(database).await;
    let mut line = world.line().await;
    let utf8 = ("Content-Type", "Application/JSON; charset=UTF-8");
    for (request_id, headers) in [("r-1", &[][..]), ("r-2", &[utf8])] {
        let body = world.sealed(request_id, &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
        let reply = line.ask(&request("POST", PATH, headers, &body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    assert_eq!(world.quarantined().await, []);
}

async fn a_request_without_a_body_leaves_nothing(database: Database) {
    let world = World::over(database).await;
    let mut line = world.line().await;
    let asked = [
        ("GET", PATH, 405),
        ("GET", "/", 404),
        ("POST", "/health", 404),
        ("DELETE", "/", 404),
    ];
    for (method, path, status) in asked {
        let reply = line.ask(&request(method, path, &[], b"")).await;
        assert_refused(&reply, status, "INVALID_METHOD");
    }
    assert_eq!(
        line.ask(&request("GET", PATH, &[], b"")).await.header("allow"),
        Some("POST")
    );
    assert_eq!(world.quarantined().await, []);
}

async fn what_came_by_a_wrong_path_is_redriven_with_the_time_at_which_it_came(database: Database) {
    let world = World::over(database).await;
    let body = world.sealed("r-1", &statement(TOKEN, "SUSPENDED", "2026-11-02T09:15:03Z"));
    let began = OffsetDateTime::now_utc();
    world
        .line()
        .await
        .ask(&request("POST", "/old/root", &[JSON], &body))
        .await;
    let answered = OffsetDateTime::now_utc();

    let entry = first_entry(&world).await;
    let redriven = world.service.inbox().redrive(&entry).await.expect("the store answers");
    let Redriven::Recorded(id) = redriven else {
        panic!("{redriven:?}")
    };
    assert_eq!(
        (world.status(TOKEN).await.as_str(), world.quarantined().await.len()),
        ("SUSPENDED", 0)
    );
    let kept = world
        .store()
        .notification(id)
        .await
        .expect("the store answers")
        .expect("it is there");
    assert_eq!(kept.received_at, entry.received_at);
    assert!((began - time::Duration::MILLISECOND..=answered).contains(&kept.received_at));

    let resolved = world
        .store()
        .quarantine_entry(entry.id)
        .await
        .expect("the store answers")
        .expect("it is there");
    let again = world
        .service
        .inbox()
        .redrive(&resolved)
        .await
        .expect("the store answers");
    assert_eq!(again, Redriven::NotOpen);
}

async fn one_bad_token_of_several_is_kept_alone_and_the_others_applied(database: Database) {
    let world = World::over(database).await;
    let mut content = statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z");
    let nameless = json!({"status": "SUSPENDED", "statusTimestamp": "2026-11-02T09:15:03Z"});
    let other = statement(OTHER, "DEACTIVATED", "2026-11-02T09:15:03Z")["tokens"][0].clone();
    let tokens = content["tokens"].as_array_mut().expect("a list");
    tokens.extend([nameless, other, Value::Null]);
    let answer = world.told("r-1", &content).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        (world.status(TOKEN).await, world.status(OTHER).await),
        ("ACTIVE".into(), "DEACTIVATED".into())
    );

    let mut open = world.quarantined().await;
    open.sort_by_key(|entry| entry.notification);
    let notification = open[0].notification.expect("a pointer").0;
    let places: Vec<_> = open
        .iter()
        .map(|entry| (entry.notification, entry.body.is_some()))
        .collect();
    assert_eq!(
        places,
        [(Some((notification, 1)), false), (Some((notification, 3)), false)]
    );
    assert!(
        world
            .store()
            .notification(notification)
            .await
            .expect("the store answers")
            .is_some()
    );
    for tries in [1, 2] {
        let entry = first_entry(&world).await;
        let redriven = world.service.inbox().redrive(&entry).await.expect("the store answers");
        assert!(matches!(redriven, Redriven::StillUnreadable { .. }), "{redriven:?}");
        let entry = first_entry(&world).await;
        assert_eq!((entry.tries, entry.resolved_at), (tries, None));
    }
}
