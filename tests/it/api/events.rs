//! Events, read at one's own pace.

use serde_json::{Value, json};

use super::caller::{Caller, say, types};
use crate::support::Database;
use crate::world::World;

promises!(
    pages_follow_each_other_without_a_gap,
    a_reader_misses_nothing_of_what_is_being_recorded,
    a_late_reader_is_not_told_to_resume_what_was_stopped,
    types_and_requestors_narrow_and_the_cursor_moves_on,
    a_cursor_that_was_never_given_out_is_not_found,
    a_cursor_after_which_events_are_gone_points_to_the_export,
);

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().expect("a list")
}

async fn pages_follow_each_other_without_a_gap(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T12:00:00Z").await;

    let first = viewer.get("/v1/events?limit=3").await.json();
    assert_eq!(
        types(items(&first)),
        ["token.observed", "token.activated", "token.suspended"]
    );
    assert_eq!(first["more"], true);
    let next = first["next"].as_str().expect("a cursor");
    let second = viewer.get(&format!("/v1/events?after={next}")).await.json();
    assert_eq!(
        (types(items(&second)), &second["more"]),
        (vec!["token.reactivated"], &json!(false))
    );
    let next = second["next"].as_str().expect("a cursor");
    let third = viewer.get(&format!("/v1/events?after={next}")).await.json();
    assert_eq!((items(&third).len(), third["next"].as_str()), (0, Some(next)));
}

async fn a_reader_misses_nothing_of_what_is_being_recorded(database: Database) {
    const TOKENS: usize = 8;
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let recording = async {
        let each = (0..TOKENS).map(|n| {
            let (world, reference) = (&world, format!("DM4MMC{n:04}"));
            async move {
                for (status, hour) in [("ACTIVE", 10), ("SUSPENDED", 11), ("ACTIVE", 12)] {
                    say(world, &reference, status, &format!("2026-11-20T{hour}:00:00Z")).await;
                }
            }
        });
        all(each.collect()).await;
    };
    let reading = async {
        let (mut found, mut after) = (Vec::new(), "0".to_owned());
        // Observed and activated, suspended, reactivated.
        while found.len() < 4 * TOKENS {
            let page = viewer.get(&format!("/v1/events?limit=3&after={after}")).await.json();
            found.extend(items(&page).to_vec());
            after = page["next"].as_str().expect("a cursor").to_owned();
        }
        found
    };
    let reading = tokio::time::timeout(crate::world::PATIENCE, reading);
    let ((), found) = tokio::join!(recording, reading);
    let found = found.expect("all of them, in time");
    for n in 0..TOKENS {
        let of = |event: &&Value| event["data"]["token_unique_reference"] == format!("DM4MMC{n:04}");
        let sequences: Vec<_> = found
            .iter()
            .filter(of)
            .map(|event| event["data"]["sequence"].as_u64())
            .collect();
        assert_eq!(sequences, [Some(1), Some(1), Some(2), Some(3)]);
    }
}

/// Waits for all of them at once.
async fn all(mut futures: Vec<impl Future<Output = ()>>) {
    use std::task::Poll;
    let mut pinned: Vec<_> = futures.drain(..).map(Box::pin).collect();
    std::future::poll_fn(|context| {
        pinned.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if pinned.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
}

async fn a_late_reader_is_not_told_to_resume_what_was_stopped(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let said = |event: &Value| (event["data"]["advice"].clone(), event["data"]["current"].clone());
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let soon = viewer.get("/v1/events?after=1").await.json();
    let active = json!({"sequence": 1, "status": "ACTIVE", "provisional": false});
    assert_eq!(said(&items(&soon)[0]), (json!("resume_charging"), active));

    say(&world, "DM4MMC0001", "DEACTIVATED", "2026-11-20T11:00:00Z").await;
    let late = viewer.get("/v1/events?after=1&types=token.activated").await.json();
    let dead = json!({"sequence": 2, "status": "DEACTIVATED", "provisional": false});
    assert_eq!(said(&items(&late)[0]), (json!("request_new_token"), dead));
    assert_eq!(
        items(&late)[0]["data"]["status"],
        "ACTIVE",
        "the rest is as of the change"
    );
}

async fn types_and_requestors_narrow_and_the_cursor_moves_on(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;

    let page = viewer.get("/v1/events?limit=1&types=token.susp*,card.*").await.json();
    assert_eq!(
        (types(items(&page)), &page["next"]),
        (vec!["token.suspended"], &json!("3"))
    );
    let page = viewer.get("/v1/events?token_requestor_id=50100000009").await.json();
    assert_eq!(
        (items(&page).len(), &page["next"], &page["more"]),
        (0, &json!("3"), &json!(false))
    );
    let page = viewer.get("/v1/events?token_requestor_id=50100000001").await.json();
    assert_eq!(items(&page).len(), 3);
    let refused = viewer.get("/v1/events?types=token.suspendid").await;
    assert_eq!(
        (refused.problem().as_str(), &refused.json()["field"]),
        ("422 unfit", &json!("types"))
    );
}

async fn a_cursor_that_was_never_given_out_is_not_found(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    for cursor in [
        "3",
        "99",
        "x",
        "-1",
        "01",
        "",
        "9223372036854775807",
        "18446744073709551615",
    ] {
        for path in ["events", "events/stream"] {
            let refused = viewer.get(&format!("/v1/{path}?after={cursor}")).await;
            assert_eq!(refused.problem(), "404 unknown-cursor", "{path} {cursor}");
        }
    }
}

async fn a_cursor_after_which_events_are_gone_points_to_the_export(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    world
        .desk
        .database
        .execute("delete from events where position <= 2")
        .await;

    for path in ["/v1/events?after=1", "/v1/events/stream?after=1"] {
        let refused = viewer.get(path).await;
        assert_eq!(refused.problem(), "404 expired-cursor", "{path}");
        assert!(
            refused.json()["detail"]
                .as_str()
                .is_some_and(|text| text.contains("/v1/tokens/export"))
        );
    }
    let after = viewer.get("/v1/events?after=2").await.json();
    assert_eq!(types(items(&after)), ["token.suspended"]);
    let oldest = viewer.get("/v1/events").await.json();
    assert_eq!(types(items(&oldest)), ["token.suspended"]);
}
