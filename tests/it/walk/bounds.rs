//! Too much, too slow, broken or broken off: what came of a body is kept, and the sender told what was wrong with it.

use mdes_receiver::http::callback::PATH;
use mdes_receiver::inbox::Redriven;
use mdes_receiver::simulator::sender::Http;
use mdes_receiver::store::SealedBy;

use super::TOKEN;
use super::kept::{MARKER, assert_refused, clear, first_entry, only_entry};
use crate::support::Database;
use crate::world::{Desk, JSON, World, eventually, request, statement};

promises!(
    a_body_over_the_limit_is_refused_in_its_senders_sight_and_its_first_part_kept,
    a_body_of_unknown_length_over_the_limit_is_kept_with_the_length_that_came,
    a_body_over_even_the_drain_bounds_is_kept_with_the_length_it_announced,
    a_slow_body_is_refused_and_what_came_of_it_kept,
    a_body_that_breaks_its_own_framing_is_refused_and_what_came_of_it_kept,
    a_sender_that_hangs_up_in_the_middle_leaves_nothing_and_may_say_it_again,
    over_http_2_the_same_bounds_hold,
    a_body_that_was_cut_short_says_so_after_a_redrive_too,
);

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
    eventually("it is kept", kept).await;
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
    eventually("all have gone", gone).await;
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
