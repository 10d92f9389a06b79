//! Group commit over a store that fails on purpose: who is told what, and when.

mod faulty;
mod house;

use std::time::{Duration, Instant};

use bytes::Bytes;
use mdes_receiver::inbox::STORE_REFUSED;
use serde_json::Value;

use self::house::{Asked, House, QUEUE_MAX, waits};
use crate::support::Database;
use crate::world::eventually;

promises!(
    what_the_store_refuses_is_found_in_its_batch_and_the_neighbours_are_answered,
    what_the_store_can_no_longer_read_concerns_its_own_token_only,
    a_conflict_is_tried_again_and_not_for_ever,
    a_batch_in_conflict_is_tried_again_in_parts,
    over_the_queue_bound_the_sender_is_told_at_once_to_come_back,
    past_the_deadline_the_sender_is_told_to_come_back_and_finds_a_repeat,
    a_store_that_is_away_keeps_nothing_and_is_tried_again_with_the_next,
    no_yes_leaves_before_the_store_has_said_ok,
);

async fn what_the_store_refuses_is_found_in_its_batch_and_the_neighbours_are_answered(database: Database) {
    let house = House::over(database).await;
    let first = house.one_in_the_store().await;
    let mut asked: Vec<(String, Asked)> = Vec::new();
    for n in 0..15 {
        let name = if n % 7 == 4 {
            format!("poison-{n}")
        } else {
            format!("good-{n}")
        };
        let mut one = house.asks(&name, &name);
        waits(&mut one).await;
        asked.push((name, one));
    }
    house.store.let_go();
    assert_eq!(first.await.status, 200);
    for (name, one) in asked {
        let told = one.await;
        let expected = if name.starts_with("poison") {
            (400, "INVALID_DATA")
        } else {
            (200, "")
        };
        assert_eq!(told.code(), expected, "{name}");
        assert_eq!(told.body["responseId"], name.as_str());
        assert_eq!(house.holds(&name).await, told.status == 200, "{name}");
    }
    assert_eq!(house.store.tries()[..2], [1, 15], "they were one batch");
    assert_eq!(house.reasons_in_quarantine().await, [STORE_REFUSED; 2]);
}

async fn what_the_store_can_no_longer_read_concerns_its_own_token_only(database: Database) {
    let house = House::over(database).await;
    assert_eq!(house.asks("r-0", "DAMAGED").await.status, 200);
    house.desk.database.execute("update tokens set state = '{}'").await;
    house.store.forget_tries();
    let first = house.one_in_the_store().await;
    let mut asked = Vec::new();
    for (request_id, token) in [("r-1", "A"), ("r-2", "DAMAGED"), ("r-3", "B")] {
        let mut one = house.asks(request_id, token);
        waits(&mut one).await;
        asked.push(one);
    }
    house.store.let_go();
    assert_eq!(first.await.status, 200);
    let mut statuses = Vec::new();
    for one in asked {
        statuses.push(one.await.status);
    }
    assert_eq!(statuses, [200, 400, 200]);
    assert_eq!(house.reasons_in_quarantine().await, [STORE_REFUSED]);
}

async fn a_conflict_is_tried_again_and_not_for_ever(database: Database) {
    let house = House::over(database).await;
    house.store.conflict(3);
    assert_eq!(house.asks("r-1", "A").await.status, 200);
    assert_eq!(house.store.tries(), [1; 4]);
    assert!(house.holds("A").await);

    house.store.conflict(usize::MAX);
    house.asks("r-2", "B").await.assert_come_back();
    let tries = house.store.tries().len();
    assert!((5..20).contains(&tries), "{tries}");
    assert_eq!(house.reasons_in_quarantine().await, [""; 0]);
    house.store.conflict(0);
    assert_eq!(house.asks("r-2", "B").await.status, 200);
}

async fn a_batch_in_conflict_is_tried_again_in_parts(database: Database) {
    let house = House::over(database).await;
    let first = house.one_in_the_store().await;
    let mut asked = Vec::new();
    for n in 0..8 {
        let mut one = house.asks(&format!("r-{n}"), &format!("T-{n}"));
        waits(&mut one).await;
        asked.push(one);
    }
    house.store.let_go();
    // The one that is held up has passed the place where conflicts are made.
    house.store.conflict(1);
    assert_eq!(first.await.status, 200);
    for one in asked {
        assert_eq!(one.await.status, 200);
    }
    assert_eq!(house.store.tries(), [1, 8, 4, 4]);
}

async fn over_the_queue_bound_the_sender_is_told_at_once_to_come_back(database: Database) {
    let house = House::with(database, 4, Duration::from_secs(20)).await;
    let mut accepted = vec![house.one_in_the_store().await];
    for n in 0..4 {
        let mut one = house.asks(&format!("r-{n}"), "A");
        waits(&mut one).await;
        accepted.push(one);
    }
    let asked = Instant::now();
    house.asks("r-4", "A").await.assert_come_back();
    assert!(asked.elapsed() < Duration::from_secs(5), "it waited for the store");
    for one in &mut accepted {
        waits(one).await;
    }
    house.store.let_go();
    for one in accepted {
        assert_eq!(one.await.status, 200);
    }
    assert_eq!(house.asks("r-4", "A").await.status, 200);
}

async fn past_the_deadline_the_sender_is_told_to_come_back_and_finds_a_repeat(database: Database) {
    let house = House::with(database, QUEUE_MAX, Duration::from_millis(300)).await;
    house.one_in_the_store().await.await.assert_come_back();
    house.asks("r-1", "A").await.assert_come_back();
    house.store.let_go();
    eventually("both are recorded all the same", || async {
        house.holds("FIRST").await && house.holds("A").await
    })
    .await;
    let again = house.asks("r-1", "A").await;
    assert_eq!((again.status, &again.body["responseId"]), (200, &Value::from("r-1")));
    assert!(house.holds("A").await);
}

async fn a_store_that_is_away_keeps_nothing_and_is_tried_again_with_the_next(database: Database) {
    let house = House::over(database).await;
    house.store.away(true);
    house.asks("r-1", "A").await.assert_come_back();
    house.sends(Bytes::from("not JSON")).await.assert_come_back();
    house.store.away(false);
    assert!(!house.holds("A").await);
    assert_eq!(house.asks("r-1", "A").await.status, 200);
    assert_eq!(house.sends(Bytes::from("not JSON")).await.code(), (400, "INVALID_JSON"));
    assert_eq!(house.reasons_in_quarantine().await, ["INVALID_JSON"]);
}

async fn no_yes_leaves_before_the_store_has_said_ok(database: Database) {
    let house = House::over(database).await;
    let mut held = house.one_in_the_store().await;
    waits(&mut held).await;
    house.store.let_go();
    assert_eq!(held.await.status, 200);

    let mut asked = tokio::task::JoinSet::new();
    for n in 0..60 {
        let name = if n % 9 == 4 {
            format!("poison-{n}")
        } else {
            format!("good-{n}")
        };
        if n % 20 == 10 {
            house.store.conflict(2);
        }
        let (one, store) = (house.asks(&name, &name), house.store.clone());
        asked.spawn(async move {
            let told = one.await;
            // Looked at in the moment of the answer.
            (told.status, store.has_said_ok_to(&name), name)
        });
    }
    for (status, ok, name) in asked.join_all().await {
        let expected = if name.starts_with("poison") { 400 } else { 200 };
        assert_eq!((status, ok), (expected, expected == 200), "{name}");
    }
}
