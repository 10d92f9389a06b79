//! Destinations as cursors: each event is looked at once for each of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use mdes_receiver::domain::delivery::Outcome;
use mdes_receiver::domain::event::{EventType, Pattern, Subscription};
use mdes_receiver::store::outbox::{DeliveryFilter, Outbox as _, Start};
use sqlx::{Connection as _, PgConnection};
use time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    a_destination_begins_now_or_at_the_beginning,
    a_destination_that_is_enrolled_keeps_its_place,
    a_start_does_not_wait_for_a_turn,
    the_oldest_open_delivery_is_known_whatever_became_of_it,
    a_destination_that_is_not_enrolled_takes_no_turn,
    a_destination_is_told_what_it_asked_for,
    an_event_for_one_destination_is_not_told_to_another,
    replicas_that_look_ahead_at_once_make_each_delivery_once,
    a_long_way_ahead_is_looked_at_in_pages,
    what_was_late_for_one_destination_is_not_lost_to_another,
);

async fn a_destination_begins_now_or_at_the_beginning(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "B active"]).await;
    assert!(scene.enrol("late", Start::Now).await);
    assert!(scene.enrol("all", Start::Beginning).await);
    scene.happen(&["C active"]).await;
    assert_eq!(scene.destination("late").await.behind, 1);
    assert_eq!(said(&turn(&scene.memory, "late", 10, &[]).await), ["C activated"]);
    assert_eq!(said(&turn(&scene.memory, "all", 10, &[]).await).len(), 3);
    assert_eq!(scene.destination("all").await.behind, 0);
}

async fn a_destination_that_is_enrolled_keeps_its_place(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    assert!(!scene.enrol("shop", Start::Now).await);
    assert_eq!(scene.drain().await, ["A activated"]);
    assert!(!scene.enrol("shop", Start::Beginning).await);
    assert_eq!(scene.drain().await, [""; 0]);
}

/// On SQLite one writer waits for the other whatever they do.
async fn a_start_does_not_wait_for_a_turn(database: Database) {
    let scene = Scene::new(database).await;
    if scene.database.url().starts_with("sqlite") {
        return assert!(!scene.enrol("shop", Start::Now).await);
    }
    let turn = PgConnection::connect(scene.database.url()).await;
    let mut turn = turn.expect("the server answers");
    let lock = "begin; select from destinations for no key update";
    sqlx::raw_sql(lock).execute(&mut turn).await.expect("it runs");
    assert!(!scene.enrol("shop", Start::Now).await);
}

async fn the_oldest_open_delivery_is_known_whatever_became_of_it(database: Database) {
    let scene = Scene::new(database).await;
    let oldest = async || scene.destination("shop").await.oldest_open;
    assert_eq!(oldest().await, None);
    let made = scene.now();
    scene.happen(&["A active", "A art"]).await;
    scene.turn(0).await;
    scene.wait(10);
    scene.happen(&["B active"]).await;
    scene.turn(0).await;
    assert_eq!(oldest().await, Some(made), "never tried");
    let claimed = scene.turn(1).await.claimed.remove(0);
    assert_eq!(oldest().await, Some(made), "being sent");
    let later = scene.now() + Duration::hours(5);
    scene.settle(&[ended(&claimed, Outcome::Again(later))]).await;
    assert_eq!(oldest().await, Some(made), "failed");
    scene.wait(6 * 3_600);
    let claimed = scene.turn(10).await.claimed;
    scene
        .settle(&[ended(&claimed[0], Outcome::Parked), ended(&claimed[1], Outcome::Parked)])
        .await;
    let kept = scene.destination("shop").await;
    assert_eq!((kept.open, kept.parked, kept.oldest_open), (3, 2, Some(made)));
}

async fn a_destination_that_is_not_enrolled_takes_no_turn(database: Database) {
    let scene = Scene::new(database).await;
    let refused = try_turn(&scene.memory, "nobody", 1, &[])
        .await
        .expect_err("there is none");
    assert!(refused.to_string().contains("`nobody` is not enrolled"), "{refused}");
}

async fn a_destination_is_told_what_it_asked_for(database: Database) {
    let scene = Scene::new(database).await;
    let (suspended, art) = (EventType::TokenSuspended, EventType::CardArtChanged);
    scene
        .tell(&[
            (suspended, Some("A"), Some("1")),
            (suspended, Some("B"), Some("2")),
            (suspended, Some("C"), None),
            (art, Some("D"), Some("1")),
        ])
        .await;
    let subscription = Subscription {
        types: vec![Pattern::parse("token.*").expect("a pattern")],
        requestors: ["1".to_owned()].into(),
    };
    let turned = scene.memory.turn(&asked("shop", &subscription, 10, &[])).await;
    let sent = said(&turned.expect("the store answers"));
    assert_eq!(
        sent,
        ["A suspended", "C suspended"],
        "a token whose requestor is unknown passes"
    );
    assert_eq!(scene.destination("shop").await.behind, 0);
}

async fn an_event_for_one_destination_is_not_told_to_another(database: Database) {
    let scene = Scene::new(database).await;
    scene.enrol("books", Start::Now).await;
    scene.happen(&["A active", "B active"]).await;
    scene
        .execute("update events set only_for = 'books' where token_unique_reference = 'A'")
        .await;
    assert_eq!(scene.sent(10).await, ["B activated"]);
    assert_eq!(said(&turn(&scene.memory, "books", 10, &[]).await).len(), 2);
}

const REPLICAS: usize = 4;

async fn replicas_that_look_ahead_at_once_make_each_delivery_once(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(REPLICAS + 1));
    let mut replicas = JoinSet::new();
    for _ in 0..REPLICAS {
        let (memory, together) = (scene.replica().await, Arc::clone(&together));
        replicas.spawn(async move {
            for _ in 0..10 {
                together.wait().await;
                turn(&memory, "shop", 0, &[]).await;
            }
        });
    }
    for round in 0..10 {
        let words = [format!("A{round} active"), format!("B{round} active")];
        scene.happen(&words.each_ref().map(String::as_str)).await;
        together.wait().await;
    }
    replicas.join_all().await;
    scene.turn(0).await;
    let kept = scene.deliveries(&DeliveryFilter::default()).await;
    let positions: Vec<u64> = kept.iter().map(|one| one.position).collect();
    assert_eq!(positions, (1..=20).collect::<Vec<u64>>());
}

async fn a_long_way_ahead_is_looked_at_in_pages(database: Database) {
    let scene = Scene::new(database).await;
    let words: Vec<String> = (0..1_500).map(|place| format!("T{place} art")).collect();
    scene
        .happen(&words.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    assert!(scene.turn(0).await.more);
    assert_eq!(scene.destination("shop").await.behind, 500);
    assert!(!scene.turn(0).await.more);
    let sent: BTreeSet<String> = scene.drain().await.into_iter().collect();
    assert_eq!(sent.len(), 1_500);
}

async fn what_was_late_for_one_destination_is_not_lost_to_another(database: Database) {
    let scene = Scene::new(database).await;
    scene.enrol("books", Start::Now).await;
    scene.happen(&["A active"]).await;
    let (shop, books) = (scene.turn(1).await, turn(&scene.memory, "books", 1, &[]).await);
    let settlement = taken(&shop.claimed[0]);
    let late = turn(&scene.memory, "books", 0, std::slice::from_ref(&settlement))
        .await
        .late;
    assert_eq!(late, [settlement.delivery], "it is none of this destination's");
    let late = turn(&scene.memory, "books", 0, &[taken(&books.claimed[0])]).await.late;
    assert_eq!(late, []);
}
