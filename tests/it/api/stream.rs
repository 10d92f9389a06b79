//! The stream: events as they come, and as they came since.

use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};

use mdes_receiver::store::roster::{Role, Roster as _};

use super::caller::{Caller, memory, say};
use crate::support::Database;
use crate::world::{Desk, PATIENCE, World, eventually};

promises!(
    events_come_as_they_are_recorded,
    a_stream_is_resumed_without_a_gap,
    a_late_follower_is_not_told_to_resume_what_was_stopped,
    types_narrow_a_stream,
    a_stream_outlives_the_idle_deadline,
    an_old_connection_s_stream_ends_softly,
    a_stop_ends_streams_softly_and_soon,
    a_stream_ends_soon_after_its_operator_s_token_is_taken_away,
    a_stream_ends_soon_after_its_operator_s_token_expires,
    an_export_is_cut_short_soon_after_its_operator_s_token_is_taken_away,
);

/// A stream that is being read.
struct Following {
    body: Incoming,
    text: String,
}

/// One event of it.
#[derive(Debug)]
struct Told {
    id: String,
    kind: String,
    data: Value,
}

impl Following {
    async fn begin(caller: &Caller, query: &str, headers: &[(&str, &str)]) -> Self {
        let response = caller
            .begin("GET", &format!("/v1/events/stream{query}"), headers, b"")
            .await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Following {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event, or `None` at the stream's end.
    async fn next(&mut self) -> Option<Told> {
        loop {
            let (block, rest) = match self.text.split_once("\n\n") {
                Some((block, rest)) => (block.to_owned(), rest.to_owned()),
                None => {
                    let frame = tokio::time::timeout(PATIENCE, self.body.frame())
                        .await
                        .expect("in time")?;
                    let data = frame.expect("a soft end").into_data().expect("data");
                    self.text += std::str::from_utf8(&data).expect("text");
                    continue;
                }
            };
            self.text = rest;
            let field = |name: &str| {
                block
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            if let (Some(id), Some(kind), Some(data)) = (field("id"), field("event"), field("data")) {
                return Some(Told {
                    id: id.to_owned(),
                    kind: kind.to_owned(),
                    data: serde_json::from_str(data).expect("JSON"),
                });
            }
        }
    }

    async fn kinds(&mut self, count: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        while kinds.len() < count {
            kinds.push(self.next().await.expect("it goes on").kind);
        }
        kinds
    }
}

async fn events_come_as_they_are_recorded(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let mut from_now = Following::begin(&viewer, "", &[]).await;
    let mut from_the_first = Following::begin(&viewer, "?after=0", &[]).await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;

    let told = from_now.next().await.expect("an event");
    assert_eq!((told.kind.as_str(), told.id.as_str()), ("token.suspended", "3"));
    assert_eq!(told.data["data"]["advice"], "stop_charging");
    assert_eq!(
        from_the_first.kinds(3).await,
        ["token.observed", "token.activated", "token.suspended"]
    );
}

async fn a_stream_is_resumed_without_a_gap(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let recording = async {
        for minute in 10..20 {
            let status = if minute % 2 == 0 { "ACTIVE" } else { "SUSPENDED" };
            say(&world, "DM4MMC0001", status, &format!("2026-11-20T10:{minute}:00Z")).await;
        }
    };
    let reading = async {
        let (mut ids, mut last) = (Vec::new(), "0".to_owned());
        while ids.len() < 11 {
            // `after` is what the reader began with; `Last-Event-ID` is newer, and holds.
            let mut stream = Following::begin(&viewer, "?after=0", &[("last-event-id", last.as_str())]).await;
            for _ in 0..3.min(11 - ids.len()) {
                let told = stream.next().await.expect("it goes on");
                ids.push(told.id.parse::<u64>().expect("a position"));
                last = told.id;
            }
        }
        ids
    };
    let ((), ids) = tokio::join!(recording, reading);
    assert_eq!(ids, (1..=11).collect::<Vec<u64>>());
}

async fn a_late_follower_is_not_told_to_resume_what_was_stopped(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    let mut stream = Following::begin(&viewer, "?after=1", &[]).await;
    let told = stream.next().await.expect("an event");
    assert_eq!(told.kind, "token.activated");
    assert_eq!(told.data["data"]["advice"], "stop_charging");
    assert_eq!(
        told.data["data"]["current"],
        serde_json::json!({"sequence": 2, "status": "SUSPENDED", "provisional": false})
    );
}

async fn types_narrow_a_stream(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let mut stream = Following::begin(&viewer, "?types=token.suspended", &[]).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    assert_eq!(stream.kinds(1).await, ["token.suspended"]);
}

async fn a_stream_outlives_the_idle_deadline(database: Database) {
    let desk = Desk::over(database).set("callback.limits.idle_secs", "1");
    let world = desk.open().await;
    world.ready().await;
    let viewer = Caller::viewer(&world).await;
    let mut stream = Following::begin(&viewer, "", &[]).await;
    let begun = Instant::now();
    // Longer than the idle deadline and a farewell.
    eventually("the idle deadline passes", || async {
        begun.elapsed() > Duration::from_secs(3)
    })
    .await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert_eq!(stream.kinds(2).await, ["token.observed", "token.activated"]);
}

async fn an_old_connection_s_stream_ends_softly(database: Database) {
    let desk = Desk::over(database).set("callback.limits.connection_age_secs", "1");
    let world = desk.open().await;
    world.ready().await;
    let viewer = Caller::viewer(&world).await;
    let mut stream = Following::begin(&viewer, "", &[]).await;
    assert!(stream.next().await.is_none());
}

async fn a_stop_ends_streams_softly_and_soon(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let mut stream = Following::begin(&viewer, "", &[]).await;
    let begun = Instant::now();
    let ((), ended) = tokio::join!(world.service.stop(), stream.next());
    assert!(ended.is_none());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn only_so_many_streams_are_open_at_once() {
    let world = World::over(Database::sqlite().await).await;
    let viewer = Caller::viewer(&world).await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Following::begin(&viewer, "", &[]).await);
    }
    let refused = viewer.get("/v1/events/stream").await;
    assert_eq!(
        (refused.problem().as_str(), refused.header("retry-after")),
        ("503 too-many-streams", "1")
    );
    streams.pop();
    eventually("there is room again", || async {
        viewer.begin("GET", "/v1/events/stream", &[], b"").await.status() == 200
    })
    .await;
}

async fn a_stream_ends_soon_after_its_operator_s_token_is_taken_away(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let mut following = Following::begin(&viewer, "", &[]).await;
    let stays = Caller::added(&world, "vera", Role::Viewer, time::Duration::HOUR).await;
    let mut other = Following::begin(&stays, "", &[]).await;
    let revoked = memory(&world).await.revoke_operator("a viewer").await;
    assert!(revoked.expect("the store answers"));
    assert!(following.next().await.is_none(), "it ends softly");
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert_eq!(other.kinds(1).await, ["token.observed"], "the others go on");
}

async fn a_stream_ends_soon_after_its_operator_s_token_expires(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::added(&world, "vera", Role::Viewer, time::Duration::seconds(3)).await;
    let mut following = Following::begin(&viewer, "", &[]).await;
    assert!(following.next().await.is_none(), "it ends softly");
}

async fn an_export_is_cut_short_soon_after_its_operator_s_token_is_taken_away(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    // More than lies on the way between two sockets.
    for thousand in 10..28 {
        let items: Vec<Value> = (0..1_000)
            .map(|n| json!({"reference": format!("DM4MMC{thousand}{n:03}{}", "x".repeat(240)), "merchant_reference": "y".repeat(250)}))
            .collect();
        assert_eq!(
            operator.post("/v1/tokens", &json!({ "items": items })).await.status,
            200
        );
    }
    let viewer = Caller::viewer(&world).await;
    let mut body = viewer.begin("GET", "/v1/tokens/export", &[], b"").await.into_body();
    let revoked = memory(&world).await.revoke_operator("a viewer").await;
    assert!(revoked.expect("the store answers"));
    // Read slowly: what is on its way when the token is taken away may come.
    let began = Instant::now();
    let ended = loop {
        match tokio::time::timeout(PATIENCE, body.frame()).await.expect("in time") {
            Some(Ok(_)) => tokio::time::sleep(Duration::from_millis(250)).await,
            Some(Err(_)) => break "cut short",
            None => break "whole",
        }
    };
    assert_eq!(ended, "cut short");
    assert!(began.elapsed() < Duration::from_secs(30));
}
