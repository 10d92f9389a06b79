//! Presence: a time without any replica is known, and is on disk with the first word of the next one.

use std::time::Duration;

use mdes_receiver::domain::id::GapId;
use mdes_receiver::store::Asking as _;
use mdes_receiver::store::asking::{KeptGap, Missed};
use time::OffsetDateTime;
use uuid::Uuid;

use super::scene::*;
use crate::support::Database;

promises!(
    the_first_replica_ever_missed_nothing,
    the_newest_presence_before_this_call_is_given,
    a_silence_is_noted_as_downtime_in_the_same_step,
    replicas_that_were_not_here_for_a_day_are_forgotten,
    after_a_week_without_any_the_last_one_is_remembered,
    a_clock_that_is_behind_takes_nothing_back,
);

async fn here(scene: &Scene, replica: &str) -> Option<OffsetDateTime> {
    let id = GapId(Uuid::now_v7());
    let before = scene.memory.here(replica, id, Duration::from_secs(90)).await;
    before.expect("the store answers")
}

async fn gaps(scene: &Scene) -> Vec<KeptGap> {
    scene.memory.gaps(None, 100).await.expect("the store answers")
}

async fn the_first_replica_ever_missed_nothing(database: Database) {
    let scene = Scene::new(database).await;
    assert_eq!(here(&scene, "one").await, None);
    assert_eq!(gaps(&scene).await, []);
}

async fn the_newest_presence_before_this_call_is_given(database: Database) {
    let scene = Scene::new(database).await;
    here(&scene, "one").await;
    scene.wait(10);
    assert_eq!(here(&scene, "two").await, Some(noon()));
    scene.wait(10);
    assert_eq!(here(&scene, "one").await, Some(noon() + Duration::from_secs(10)));
    assert_eq!(here(&scene, "one").await, Some(noon() + Duration::from_secs(20)));
    assert_eq!(gaps(&scene).await, []);
}

async fn a_silence_is_noted_as_downtime_in_the_same_step(database: Database) {
    let scene = Scene::new(database).await;
    here(&scene, "one").await;
    scene.wait(90);
    here(&scene, "one").await;
    assert_eq!(gaps(&scene).await, [], "no longer than it may be");
    scene.wait(91);
    // Whoever dies here has it on disk.
    here(&scene, "two").await;
    let gaps = gaps(&scene).await;
    let [gap] = &gaps[..] else {
        panic!("one gap, not {gaps:?}");
    };
    assert_eq!(
        (gap.missed, gap.peer.as_str(), gap.closed),
        (Missed::Downtime, "", false)
    );
    let last = noon() + Duration::from_secs(90);
    assert_eq!((gap.from, gap.until), (last, last + Duration::from_secs(91)));
}

const REPLICAS: &str = "select cast(count(*) as text) from presence";

async fn replicas_that_were_not_here_for_a_day_are_forgotten(database: Database) {
    let scene = Scene::new(database).await;
    here(&scene, "one").await;
    scene.wait(3_600);
    here(&scene, "two").await;
    scene.wait(23 * 3_600);
    here(&scene, "three").await;
    assert_eq!(scene.database.text(REPLICAS).await.as_deref(), Some("3"));
    scene.wait(1);
    here(&scene, "three").await;
    assert_eq!(scene.database.text(REPLICAS).await.as_deref(), Some("2"));
}

async fn after_a_week_without_any_the_last_one_is_remembered(database: Database) {
    let scene = Scene::new(database).await;
    here(&scene, "one").await;
    scene.wait(7 * 86_400);
    assert_eq!(here(&scene, "two").await, Some(noon()));
    assert_eq!(gaps(&scene).await[0].from, noon());
}

async fn a_clock_that_is_behind_takes_nothing_back(database: Database) {
    let scene = Scene::new(database).await;
    scene.wait(600);
    here(&scene, "one").await;
    scene.wait(-300);
    let ahead = Some(noon() + Duration::from_secs(600));
    assert_eq!(here(&scene, "one").await, ahead);
    assert_eq!(here(&scene, "two").await, ahead);
    assert_eq!(gaps(&scene).await, []);
}
