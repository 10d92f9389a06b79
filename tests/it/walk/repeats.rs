//! Told again, and told out of order, through the door.

use bytes::Bytes;
use serde_json::json;

use super::TOKEN;
use crate::support::Database;
use crate::world::{World, body, statement};

promises!(
    the_same_bytes_sealed_anew_or_from_another_site_are_a_repeat,
    the_same_request_id_with_other_content_is_another_notification,
    a_statement_under_a_new_request_id_is_a_repeat_of_the_statement,
    a_status_that_comes_late_is_journalled_as_stale_and_takes_no_sequence,
    deactivated_counts_even_if_it_comes_late,
    nothing_wakes_a_deactivated_token,
    another_suspender_is_a_change_and_the_same_ones_are_none,
);

/// How many notifications there are, and how often they were told again.
async fn told(world: &World) -> String {
    const COUNT: &str =
        "select cast(count(*) as text) || ' told, ' || cast(sum(repeats) as text) || ' again' from notifications";
    world.desk.database.text(COUNT).await.expect("a count")
}

async fn the_same_bytes_sealed_anew_or_from_another_site_are_a_repeat(database: Database) {
    let world = World::over(database).await;
    let content = statement(TOKEN, "SUSPENDED", "2026-11-02T09:15:03Z");
    let once = world.sealed("r-1", &content);
    let elsewhere = String::from_utf8(world.sealed("r-1", &content).to_vec()).expect("JSON");
    let elsewhere = elsewhere.replace("site1.mastercard.com", "site2.mastercard.com");
    let tellings = [
        once.clone(),
        once,
        world.sealed("r-1", &content),
        Bytes::from(elsewhere),
    ];
    for told in tellings {
        let answer = world.sender().send(told).await.expect("an answer");
        let expected = json!({"responseHost": "tokens.merchant.example", "responseId": "r-1"});
        assert_eq!((answer.status, body(&answer)), (200, expected));
    }
    assert_eq!(told(&world).await, "1 told, 3 again");
    assert_eq!(world.transitions(TOKEN).await, ["1 status ->SUSPENDED"]);
    assert_eq!(world.journal(TOKEN).await, ["SUSPENDED advanced"]);
}

async fn the_same_request_id_with_other_content_is_another_notification(database: Database) {
    let world = World::over(database).await;
    for (status, at) in [
        ("ACTIVE", "2026-11-02T09:15:03.120Z"),
        ("SUSPENDED", "2026-11-03T09:15:03Z"),
    ] {
        let answer = world.told("r-1", &statement(TOKEN, status, at)).await;
        assert_eq!(body(&answer)["responseId"], "r-1");
    }
    assert_eq!(told(&world).await, "2 told, 0 again");
    assert_eq!(
        world.transitions(TOKEN).await,
        ["1 status ->ACTIVE", "2 status ACTIVE>SUSPENDED"]
    );
}

async fn a_statement_under_a_new_request_id_is_a_repeat_of_the_statement(database: Database) {
    let world = World::over(database).await;
    let (suspended, resumed) = (
        statement(TOKEN, "SUSPENDED", "2026-11-02T09:15:03Z"),
        statement(TOKEN, "ACTIVE", "2026-11-02T10:15:03Z"),
    );
    for (request_id, content) in [
        ("r-1", &suspended),
        ("r-2", &suspended),
        ("r-3", &resumed),
        ("r-4", &suspended),
    ] {
        let answer = world.told(request_id, content).await;
        assert_eq!((answer.status, &body(&answer)["responseId"]), (200, &json!(request_id)));
    }
    assert_eq!(told(&world).await, "4 told, 0 again");
    assert_eq!(
        world.journal(TOKEN).await,
        ["SUSPENDED advanced again again", "ACTIVE advanced"]
    );
    assert_eq!(
        world.transitions(TOKEN).await,
        ["1 status ->SUSPENDED", "2 status SUSPENDED>ACTIVE"]
    );
    let token = world.token(TOKEN).await.expect("held");
    assert!(token.is_provisional(), "another statement came between");
}

async fn a_status_that_comes_late_is_journalled_as_stale_and_takes_no_sequence(database: Database) {
    let world = World::over(database).await;
    for (request_id, status, at) in [
        ("r-1", "ACTIVE", "2026-11-02T10:00:00Z"),
        ("r-2", "SUSPENDED", "2026-11-02T09:30:00Z"),
        ("r-3", "SUSPENDED", "2026-11-02T03:30:00.5-07:00"),
    ] {
        assert_eq!(world.told(request_id, &statement(TOKEN, status, at)).await.status, 200);
    }
    let journal = ["ACTIVE advanced", "SUSPENDED stale", "SUSPENDED advanced"];
    assert_eq!(world.journal(TOKEN).await, journal);
    assert_eq!(
        world.transitions(TOKEN).await,
        ["1 status ->ACTIVE", "2 status ACTIVE>SUSPENDED"]
    );
}

async fn deactivated_counts_even_if_it_comes_late(database: Database) {
    let world = World::over(database).await;
    for (request_id, status, at) in [
        ("r-1", "ACTIVE", "2026-11-02T10:00:00Z"),
        ("r-2", "DEACTIVATED", "2026-11-02T09:00:00Z"),
    ] {
        assert_eq!(world.told(request_id, &statement(TOKEN, status, at)).await.status, 200);
    }
    assert_eq!(
        world.transitions(TOKEN).await,
        ["1 status ->ACTIVE", "2 status ACTIVE>DEACTIVATED"]
    );
    assert!(world.token(TOKEN).await.expect("held").is_provisional());
}

async fn nothing_wakes_a_deactivated_token(database: Database) {
    let world = World::over(database).await;
    for (request_id, status, at) in [
        ("r-1", "DEACTIVATED", "2026-11-02T09:00:00Z"),
        ("r-2", "ACTIVE", "2026-11-02T10:00:00Z"),
        ("r-3", "SUSPENDED", "2026-11-02T08:00:00Z"),
    ] {
        assert_eq!(world.told(request_id, &statement(TOKEN, status, at)).await.status, 200);
    }
    assert_eq!(
        world.journal(TOKEN).await,
        ["DEACTIVATED advanced", "ACTIVE anomaly", "SUSPENDED stale"]
    );
    assert_eq!(world.transitions(TOKEN).await, ["1 status ->DEACTIVATED"]);
    assert_eq!(world.status(TOKEN).await, "DEACTIVATED");
}

async fn another_suspender_is_a_change_and_the_same_ones_are_none(database: Database) {
    let world = World::over(database).await;
    let suspended = |by: &[&str], at: &str| {
        let mut content = statement(TOKEN, "SUSPENDED", at);
        content["tokens"][0]["suspendedBy"] = json!(by);
        content
    };
    for (request_id, content) in [
        ("r-1", suspended(&["ISSUER"], "2026-11-02T09:00:00Z")),
        ("r-2", suspended(&["TOKEN_REQUESTOR", "ISSUER"], "2026-11-02T10:00:00Z")),
        ("r-3", suspended(&["ISSUER", "TOKEN_REQUESTOR"], "2026-11-02T11:00:00Z")),
    ] {
        assert_eq!(world.told(request_id, &content).await.status, 200);
    }
    let kinds = ["1 status ->SUSPENDED", "2 suspenders SUSPENDED>SUSPENDED"];
    assert_eq!(world.transitions(TOKEN).await, kinds);
    assert_eq!(world.journal(TOKEN).await.pop().as_deref(), Some("SUSPENDED unchanged"));
}
