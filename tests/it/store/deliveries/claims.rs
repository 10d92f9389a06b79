//! Leases: one holder at a time, in order, fairly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mdes_receiver::domain::delivery::{Outcome, State};
use mdes_receiver::store::outbox::{DeliveryFilter, Outbox as _};
use time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    a_token_is_told_of_in_order,
    a_failing_head_blocks_only_its_own_token,
    a_claim_is_held_by_one,
    a_late_settle_is_refused,
    a_settle_for_another_event_is_refused,
    a_lease_that_ended_is_given_again_under_the_next_number,
    first_tries_and_further_tries_share_the_slots,
    a_single_slot_goes_to_a_further_try_now_and_then,
    an_event_that_cannot_be_read_stops_nobody_else,
    a_delivery_whose_event_is_gone_is_parked,
    what_was_answered_is_kept,
    the_next_due_time_is_told,
    a_test_event_is_a_lane_of_its_own,
    what_is_claimed_says_how_its_token_stands,
);

async fn a_token_is_told_of_in_order(database: Database) {
    let scene = Scene::new(database).await;
    scene
        .happen(&["A active", "B active", "A suspended", "A reactivated", "B art"])
        .await;
    assert_eq!(scene.sent(10).await, ["A activated", "B activated"]);
    assert_eq!(scene.sent(10).await, [""; 0], "one of each token is under way");
    scene.wait(60);
    let sent = scene.drain().await;
    assert_eq!(
        sent,
        [
            "A activated",
            "B activated",
            "A suspended",
            "B card.art_changed",
            "A reactivated"
        ]
    );
}

async fn a_failing_head_blocks_only_its_own_token(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A art", "B active", "B art"]).await;
    let turned = scene.turn(10).await;
    let later = scene.now() + Duration::hours(5);
    scene
        .settle(&[
            ended(&turned.claimed[0], Outcome::Again(later)),
            taken(&turned.claimed[1]),
        ])
        .await;
    assert_eq!(scene.drain().await, ["B card.art_changed"]);
    scene.wait(5 * 3_600);
    assert_eq!(scene.drain().await, ["A activated", "A card.art_changed"]);
}

const TOKENS: usize = 60;
const REPLICAS: usize = 4;

async fn a_claim_is_held_by_one(database: Database) {
    let scene = Scene::new(database).await;
    let tokens: Vec<String> = (0..TOKENS * 3)
        .map(|place| format!("T{} art", place % TOKENS))
        .collect();
    scene
        .happen(&tokens.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let together = Arc::new(Barrier::new(REPLICAS));
    let mut workers = JoinSet::new();
    for _ in 0..REPLICAS {
        let (memory, together) = (scene.replica().await, Arc::clone(&together));
        workers.spawn(async move {
            together.wait().await;
            let mut held = Vec::new();
            let mut settlements = Vec::new();
            loop {
                let turned = turn(&memory, "shop", 7, &settlements).await;
                assert_eq!(turned.late, [], "nobody else settled what this one held");
                if turned.claimed.is_empty() && settlements.is_empty() {
                    return held;
                }
                settlements = turned.claimed.iter().map(taken).collect();
                held.extend(turned.claimed);
            }
        });
    }
    let held = workers.join_all().await.concat();
    let ids: BTreeSet<_> = held.iter().map(|claimed| claimed.delivery).collect();
    assert_eq!((ids.len(), held.len()), (TOKENS * 3, TOKENS * 3), "each once");
    assert!(held.iter().all(|claimed| claimed.attempt == 1));
}

async fn a_late_settle_is_refused(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    let first = scene.turn(1).await.claimed.remove(0);
    scene.wait(46);
    let second = scene.turn(1).await.claimed.remove(0);
    let settled = scene.settle(&[taken(&first)]).await;
    assert_eq!(settled.late, [first.delivery]);
    assert_eq!(
        scene.deliveries(&DeliveryFilter::default()).await[0].state,
        State::Leased
    );
    let settled = scene.settle(&[taken(&second)]).await;
    assert_eq!(settled.late, []);
    assert_eq!(
        scene.deliveries(&DeliveryFilter::default()).await[0].state,
        State::Delivered
    );
}

async fn a_settle_for_another_event_is_refused(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    let claimed = scene.turn(1).await.claimed.remove(0);
    let mut settlement = taken(&claimed);
    settlement.position += 1;
    assert_eq!(scene.settle(&[settlement]).await.late, [claimed.delivery]);
    assert_eq!(
        scene.deliveries(&DeliveryFilter::default()).await[0].state,
        State::Leased
    );
}

async fn a_lease_that_ended_is_given_again_under_the_next_number(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    let first = scene.turn(1).await.claimed.remove(0);
    scene.wait(44);
    assert_eq!(scene.sent(1).await, [""; 0]);
    scene.wait(2);
    let second = scene.turn(1).await.claimed.remove(0);
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!((first.tries, second.tries), (1, 1), "nobody refused it");
    assert_eq!(first.delivery, second.delivery);
    assert_eq!(first.event.event.id, second.event.event.id);
}

/// Twenty tokens F that have failed and are due again, and then twenty N that are new.
async fn failing_and_new(database: Database) -> Scene {
    let scene = Scene::new(database).await;
    let failing: Vec<String> = (0..20).map(|place| format!("F{place} active")).collect();
    scene
        .happen(&failing.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let turned = scene.turn(20).await;
    let soon = scene.now() + Duration::seconds(5);
    let failed: Vec<_> = turned
        .claimed
        .iter()
        .map(|one| ended(one, Outcome::Again(soon)))
        .collect();
    scene.settle(&failed).await;
    scene.wait(10);
    let new: Vec<String> = (0..20).map(|place| format!("N{place} active")).collect();
    scene.happen(&new.iter().map(String::as_str).collect::<Vec<_>>()).await;
    scene
}

fn count(sent: &[String], start: char) -> usize {
    sent.iter().filter(|word| word.starts_with(start)).count()
}

async fn first_tries_and_further_tries_share_the_slots(database: Database) {
    let scene = failing_and_new(database).await;
    let turned = scene.turn(8).await;
    assert_eq!((count(&said(&turned), 'N'), count(&said(&turned), 'F')), (6, 2));
    assert!(turned.more);
    let one_by_one: BTreeMap<bool, usize> = {
        let mut counts = BTreeMap::new();
        for _ in 0..2 {
            let sent = scene.sent(4).await;
            *counts.entry(true).or_default() += count(&sent, 'N');
            *counts.entry(false).or_default() += count(&sent, 'F');
        }
        counts
    };
    assert_eq!(one_by_one, BTreeMap::from([(true, 6), (false, 2)]));
    let rest = scene.sent(24).await;
    assert_eq!(
        (count(&rest, 'N'), count(&rest, 'F')),
        (8, 16),
        "either takes what the other leaves"
    );
}

async fn a_single_slot_goes_to_a_further_try_now_and_then(database: Database) {
    let scene = failing_and_new(database).await;
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.extend(scene.sent(1).await);
    }
    let (new, failing) = (count(&sent, 'N'), count(&sent, 'F'));
    assert_eq!(new + failing, 20);
    assert!((11..=18).contains(&new), "{new} of twenty were first tries");
}

async fn an_event_that_cannot_be_read_stops_nobody_else(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "B active", "A suspended"]).await;
    scene.execute("update events set body = '{}' where position = 1").await;
    assert_eq!(scene.sent(10).await, ["B activated"]);
    let kept = scene.deliveries(&DeliveryFilter::default()).await.remove(0);
    assert_eq!(kept.state, State::Parked);
    assert_eq!(kept.answer.as_deref(), Some("its event cannot be read (position 1)"));
    assert_eq!(
        scene.drain().await,
        ["A suspended out of order"],
        "what stops charging goes round it as round any other that is stuck"
    );
}

async fn a_delivery_whose_event_is_gone_is_parked(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "B active"]).await;
    scene.turn(0).await;
    scene.execute("delete from events where position = 1").await;
    assert_eq!(scene.sent(10).await, ["B activated"]);
    let kept = scene.deliveries(&DeliveryFilter::default()).await.remove(0);
    assert_eq!((kept.state, kept.position), (State::Parked, 1));
    let skipped = scene.memory.skip(&DeliveryFilter::default(), "kim", false).await;
    assert_eq!(skipped.expect("the store answers"), 2);
}

async fn what_was_answered_is_kept(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    let claimed = scene.turn(1).await.claimed.remove(0);
    let later = scene.now() + Duration::minutes(5);
    scene.wait(3);
    let failed_at = scene.now();
    scene.settle(&[ended(&claimed, Outcome::Again(later))]).await;
    let kept = scene.deliveries(&DeliveryFilter::default()).await.remove(0);
    assert_eq!((kept.state, kept.due_at), (State::Due, later));
    assert_eq!((kept.answer_status, kept.answer.as_deref()), (Some(500), Some("no")));
    assert_eq!(
        (kept.failing_since, kept.attempted_at),
        (Some(failed_at), Some(failed_at))
    );
    assert_eq!((kept.attempts, kept.settled_at), (1, None));

    scene.wait(600);
    let claimed = scene.turn(1).await.claimed.remove(0);
    assert_eq!((claimed.attempt, claimed.tries), (2, 2));
    scene.settle(&[taken(&claimed)]).await;
    let kept = scene.deliveries(&DeliveryFilter::default()).await.remove(0);
    assert_eq!((kept.state, kept.settled_at), (State::Delivered, Some(scene.now())));
    assert_eq!(kept.failing_since, Some(failed_at), "the first failure stands");
}

async fn the_next_due_time_is_told(database: Database) {
    let scene = Scene::new(database).await;
    assert_eq!(scene.turn(1).await.next_due, None);
    scene.happen(&["A active", "A art", "B active"]).await;
    let turned = scene.turn(10).await;
    assert_eq!(turned.next_due, Some(scene.now() + LEASE));
    let soon = scene.now() + Duration::seconds(5);
    let settled = scene
        .settle(&[
            ended(&turned.claimed[0], Outcome::Again(soon)),
            ended(&turned.claimed[1], Outcome::Parked),
        ])
        .await;
    assert_eq!(settled.next_due, Some(soon), "what is parked is never due");
}

async fn a_test_event_is_a_lane_of_its_own(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["- test", "- test"]).await;
    let turned = scene.turn(10).await;
    assert_eq!(said(&turned), ["- test", "- test"]);
    assert_eq!(turned.claimed[0].event.current, None);
}

async fn what_is_claimed_says_how_its_token_stands(database: Database) {
    let scene = Scene::new(database).await;
    scene
        .execute("insert into tokens (namespace, token_unique_reference, status, sequence, updated_at) values ('mdes', 'A', 'SUSPENDED', 7, '2026-11-22T12:00:00.000000Z')")
        .await;
    scene.happen(&["A active"]).await;
    let current = scene
        .turn(1)
        .await
        .claimed
        .remove(0)
        .event
        .current
        .expect("there is such a token");
    assert_eq!((current.sequence, current.status.as_deref()), (7, Some("SUSPENDED")));
    assert!(!current.provisional);
}
