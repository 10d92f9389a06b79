//! What stops a merchant from charging may overtake what is stuck, and nothing else.

use mdes_receiver::domain::delivery::Outcome;
use time::Duration;

use super::scene::*;
use crate::support::Database;

promises!(
    a_stop_overtakes_after_its_time_and_not_before,
    a_stop_that_comes_later_overtakes_too,
    a_stop_overtakes_what_is_parked_at_once,
    a_stop_does_not_overtake_an_earlier_one_that_is_not_stuck,
    a_stop_waits_again_behind_a_head_that_does_not_fail,
    a_stop_that_has_become_the_head_waits_for_nothing,
);

/// The head fails now, to be tried again in some hours.
async fn failing(scene: &Scene) {
    let turned = scene.turn(1).await;
    let later = scene.now() + Duration::hours(5);
    scene.settle(&[ended(&turned.claimed[0], Outcome::Again(later))]).await;
}

async fn a_stop_overtakes_after_its_time_and_not_before(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A art", "A suspended"]).await;
    failing(&scene).await;
    let due = scene.now() + Duration::minutes(1);
    scene.wait(59);
    let turned = scene.turn(10).await;
    assert_eq!((said(&turned), turned.next_due), (Vec::new(), Some(due)));
    scene.wait(1);
    assert_eq!(scene.drain().await, ["A suspended out of order"]);
    scene.wait(5 * 3_600);
    assert_eq!(scene.drain().await, ["A activated", "A card.art_changed"]);
}

async fn a_stop_that_comes_later_overtakes_too(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    failing(&scene).await;
    scene.wait(300);
    scene.happen(&["A suspended", "A art"]).await;
    assert_eq!(scene.drain().await, ["A suspended out of order"]);
}

async fn a_stop_overtakes_what_is_parked_at_once(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A suspended", "A reactivated"]).await;
    let turned = scene.turn(1).await;
    scene.settle(&[ended(&turned.claimed[0], Outcome::Parked)]).await;
    assert_eq!(scene.drain().await, ["A suspended out of order"]);
    scene.wait(100 * 3_600);
    assert_eq!(scene.drain().await, [""; 0], "the rest waits for a person");
}

async fn a_stop_does_not_overtake_an_earlier_one_that_is_not_stuck(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A suspended", "A deactivated"]).await;
    failing(&scene).await;
    scene.wait(60);
    let turned = scene.turn(10).await;
    assert_eq!(said(&turned), ["A suspended out of order"], "one of them at a time");
    let later = scene.now() + Duration::hours(5);
    scene.settle(&[ended(&turned.claimed[0], Outcome::Again(later))]).await;
    scene.wait(59);
    assert_eq!(scene.drain().await, [""; 0]);
    scene.wait(1);
    assert_eq!(scene.drain().await, ["A deactivated out of order"]);
}

async fn a_stop_waits_again_behind_a_head_that_does_not_fail(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A art", "A suspended"]).await;
    let turned = scene.turn(1).await;
    let soon = scene.now() + Duration::seconds(50);
    scene.settle(&[ended(&turned.claimed[0], Outcome::Again(soon))]).await;
    scene.wait(50);
    let turned = scene.turn(1).await;
    assert_eq!(said(&turned), ["A activated"]);
    scene.settle(&[taken(&turned.claimed[0])]).await;
    scene.wait(30);
    assert_eq!(
        scene.sent(10).await,
        ["A card.art_changed"],
        "it would have overtaken the first one only"
    );
}

async fn a_stop_that_has_become_the_head_waits_for_nothing(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A suspended"]).await;
    let turned = scene.turn(1).await;
    let soon = scene.now() + Duration::seconds(5);
    scene.settle(&[ended(&turned.claimed[0], Outcome::Again(soon))]).await;
    scene.wait(5);
    let turned = scene.turn(1).await;
    scene.settle(&[taken(&turned.claimed[0])]).await;
    assert_eq!(scene.sent(10).await, ["A suspended"]);
}
