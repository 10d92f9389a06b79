//! Kept whatever the path: what an authenticated peer sends is in quarantine before it is refused.

use mdes_receiver::http::callback::PATH;
use mdes_receiver::inbox::Redriven;
use mdes_receiver::simulator::sender::Http;
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
    a_body_over_the_limit_is_refused_in_its_senders_sight_and_its_first_part_kept,
    a_body_of_unknown_length_over_the_limit_is_kept_with_the_length_that_came,
    a_body_over_even_the_drain_bounds_is_kept_with_the_length_it_announced,
    a_slow_body_is_refused_and_what_came_of_it_kept,
    a_body_that_breaks_its_own_framing_is_refused_and_what_came_of_it_kept,
    a_sender_that_hangs_up_in_the_middle_leaves_nothing_and_may_say_it_again,
    over_http_2_the_same_bounds_hold,
    what_came_by_a_wrong_path_is_redriven_with_the_time_at_which_it_came,
    a_body_that_was_cut_short_says_so_after_a_redrive_too,
    one_bad_token_of_several_is_kept_alone_and_the_others_applied,
);

const MARKER: &str = "DM4MMC0000-IN-CLEAR";
const OTHER: &str = "DM4MMC0000000002";

/// The content in clear.
fn clear() -> Vec<u8> {
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
async fn only_entry(world: &World) -> (String, u64, SealedBy) {
    let open = world.quarantined().await;
    let [entry] = &open[..] else {
        panic!("one entry: {open:?}")
    };
    assert_eq!(entry.peer.name, "ws.mastercard.com");
    (entry.reason.clone(), entry.body_bytes, entry.sealed_by)
}

async fn first_entry(world: &World) -> mdes_receiver::store::KeptQuarantine {
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

async fn a_body_over_the_limit_is_refused_in_its_senders_sight_and_its_first_part_kept(database: Database) {
    let world = World::over(database).await;
    let body = [clear(), vec![b'x'; 3 << 20]].concat();
    let reply = world.line().await.ask(&request("POST", PATH, &[JSON], &body)).await;
    assert_refused(&reply, 413, "INVALID_FIELD_LENGTH");
    let length = body.len() as u64;
    assert_eq!(only_entry(&world).await, ("TOO_LARGE".to_owned(), length, SealedBy::Us));
    assert_eq!(world.desk.came(&first_entry(&world).await), body[..64 << 10]);
    assert!(!world.desk.database.at_rest().await.contains(MARKER));
}

async fn a_body_of_unknown_length_over_the_limit_is_kept_with_the_length_that_came(database: Database) {
    let world = World::over(database).await;
    let mut line = world.line().await;
    let body = [clear(), vec![b'x'; 2 << 20]].concat();
    let chunked = request("POST", PATH, &[JSON, ("transfer-encoding", "chunked")], b"");
    line.say(&chunked).await.expect("listened to");
    for chunk in body.chunks(300_000) {
        let chunk = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        line.say(&chunk).await.expect("listened to");
    }
    let reply = line.ask(b"0\r\n\r\n").await;
    assert_refused(&reply, 413, "INVALID_FIELD_LENGTH");
    let length = body.len() as u64;
    assert_eq!(only_entry(&world).await, ("TOO_LARGE".to_owned(), length, SealedBy::Us));
}

async fn a_body_over_even_the_drain_bounds_is_kept_with_the_length_it_announced(database: Database) {
    let desk = Desk::over(database).set("callback.limits.drain_bytes_max", "2097152");
    let world = desk.open().await;
    world.ready().await;
    let body = [clear(), vec![b'x'; 6 << 20]].concat();
    let mut line = world.line().await;
    // It is not listened to to its end: whether the answer still gets through is the network's affair.
    if line.say(&request("POST", PATH, &[JSON], &body)).await.is_ok()
        && let Ok(reply) = line.hear().await
    {
        assert_eq!(reply.status, 413);
    }
    let kept = || async { !world.quarantined().await.is_empty() };
    crate::world::eventually("it is kept", kept).await;
    let length = body.len() as u64;
    assert_eq!(only_entry(&world).await, ("TOO_LARGE".to_owned(), length, SealedBy::Us));
}

async fn a_slow_body_is_refused_and_what_came_of_it_kept(database: Database) {
    let desk = Desk::over(database).set("callback.limits.body_secs", "1");
    let world = desk.open().await;
    world.ready().await;
    let body = clear();
    let whole = request("POST", PATH, &[JSON], &body);
    let reply = world.line().await.ask(&whole[..whole.len() - 9]).await;
    assert_refused(&reply, 408, "INVALID_JSON");
    assert_eq!(reply.json()["errors"][0]["recoverable"], true);
    let came = &body[..body.len() - 9];
    let expected = ("TOO_SLOW".to_owned(), came.len() as u64, SealedBy::Us);
    assert_eq!(only_entry(&world).await, expected);
    assert_eq!(world.desk.came(&first_entry(&world).await), came);
    assert!(!world.desk.database.at_rest().await.contains(MARKER));
}

async fn a_body_that_breaks_its_own_framing_is_refused_and_what_came_of_it_kept(database: Database) {
    let world = World::over(database).await;
    let mut line = world.line().await;
    let chunked = request("POST", PATH, &[JSON, ("transfer-encoding", "chunked")], b"");
    let body = clear();
    let first = [format!("{:x}\r\n", body.len()).as_bytes(), &body, b"\r\n"].concat();
    let reply = line.ask(&[&chunked[..], &first, b"no length\r\n"].concat()).await;
    assert_refused(&reply, 400, "INVALID_JSON");
    let length = body.len() as u64;
    assert_eq!(only_entry(&world).await, ("MALFORMED".to_owned(), length, SealedBy::Us));
    assert_eq!(world.desk.came(&first_entry(&world).await), body);
}

async fn a_sender_that_hangs_up_in_the_middle_leaves_nothing_and_may_say_it_again(database: Database) {
    let world = World::over(database).await;
    let body = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    let whole = request("POST", PATH, &[JSON], &body);
    for cut in [40, whole.len() / 2, whole.len() - 1] {
        let mut line = world.line().await;
        line.say(&whole[..cut]).await.expect("listened to");
    }
    let gone = || async { world.count("mdes_receiver_connections") == 0 };
    crate::world::eventually("all have gone", gone).await;
    assert_eq!(world.line().await.ask(&whole).await.status, 200);
    assert_eq!(world.quarantined().await, []);
}

async fn over_http_2_the_same_bounds_hold(database: Database) {
    let desk = Desk::over(database).set("callback.limits.drain_bytes_max", "2097152");
    let world = desk.open().await;
    world.ready().await;
    let sender = world.desk.sender_by(Http::Two, world.service.callback_address);
    let body = [clear(), vec![b'x'; 1 << 20]].concat();
    let answer = sender.send(body.clone().into()).await.expect("an answer");
    assert_eq!(answer.status, 413);
    let length = body.len() as u64;
    assert_eq!(only_entry(&world).await, ("TOO_LARGE".to_owned(), length, SealedBy::Us));
    let told = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    assert_eq!(sender.send(told).await.expect("an answer").status, 200);
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

async fn a_body_that_was_cut_short_says_so_after_a_redrive_too(database: Database) {
    let world = World::over(database).await;
    let body = [clear(), vec![b'x'; 2 << 20]].concat();
    world.line().await.ask(&request("POST", PATH, &[JSON], &body)).await;
    let entry = first_entry(&world).await;
    let redriven = world.service.inbox().redrive(&entry).await.expect("the store answers");
    assert!(matches!(redriven, Redriven::StillUnreadable { .. }), "{redriven:?}");
    let entry = first_entry(&world).await;
    assert_eq!((entry.reason.as_str(), entry.tries), ("TOO_LARGE", 1));
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
