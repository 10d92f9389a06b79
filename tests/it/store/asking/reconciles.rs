//! Reconciles: one worker at a time, from where the last page left it, until it is through or stopped.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::domain::question::Finding;
use mdes_receiver::store::Asking as _;
use mdes_receiver::store::asking::{Cause, Counts, KeptReconcile, ReconciledPage};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    a_reconcile_is_kept_as_it_was_asked_for,
    the_oldest_open_one_is_taken_and_held_by_one,
    two_replicas_never_hold_the_same_reconcile,
    a_crash_between_two_pages_costs_the_one_that_was_not_written,
    a_late_page_writes_nothing,
    a_page_lengthens_the_lease,
    what_is_through_is_never_taken_again,
    a_stopped_one_takes_no_more_pages,
    a_scheduled_one_waits_for_the_one_that_is_open,
    a_scheduled_one_waits_until_the_newest_is_old_enough,
    a_person_and_a_gap_wait_for_no_schedule,
    of_two_replicas_one_keeps_the_scheduled_one,
    reconciles_are_listed_newest_first,
);

async fn one(scene: &Scene, id: mdes_receiver::domain::id::ReconcileId) -> KeptReconcile {
    let kept = scene.memory.reconcile(id).await.expect("the store answers");
    kept.expect("it is kept")
}

async fn a_reconcile_is_kept_as_it_was_asked_for(database: Database) {
    let scene = Scene::new(database).await;
    let mut new = reconcile_by(Cause::Person);
    new.scope = scope(Some(at("09:00")));
    new.dry_run = true;
    assert!(scene.begin(&new).await);
    assert!(scene.begin(&new).await, "told twice, it is kept");
    let expected = KeptReconcile {
        id: new.id,
        cause: Cause::Person,
        asked_by: "ana".to_owned(),
        scope: new.scope.clone(),
        dry_run: true,
        total: None,
        counts: Counts::default(),
        cursor: None,
        created_at: scene.now(),
        updated_at: scene.now(),
        ended_at: None,
        stopped: false,
    };
    let listed = scene.memory.reconciles(None, 10).await.expect("the store answers");
    assert_eq!(listed, [expected]);
    assert_eq!(one(&scene, new.id).await, listed[0]);
    let unknown = reconcile_by(Cause::Person).id;
    assert_eq!(scene.memory.reconcile(unknown).await.expect("the store answers"), None);
}

async fn the_oldest_open_one_is_taken_and_held_by_one(database: Database) {
    let scene = Scene::new(database).await;
    let (first, second) = (reconcile_by(Cause::Person), reconcile_by(Cause::Person));
    scene.begin(&second).await;
    scene.begin(&first).await;
    let claimed = scene.reconcile().await.expect("one is due");
    assert_eq!((claimed.kept.id, claimed.claim), (first.id, 1));
    let other = scene.reconcile().await.expect("another is due");
    assert_eq!(other.kept.id, second.id);
    assert_eq!(scene.reconcile().await, None);
    scene.wait(60);
    let again = scene.reconcile().await.expect("the lease is over");
    assert_eq!((again.kept.id, again.claim), (first.id, 2));
}

async fn two_replicas_never_hold_the_same_reconcile(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    for round in 0..5 {
        scene.begin(&reconcile_by(Cause::Person)).await;
        let mut replicas = JoinSet::new();
        for _ in 0..4 {
            let (memory, together) = (scene.replica().await, Arc::clone(&together));
            replicas.spawn(async move {
                together.wait().await;
                memory.claim_reconcile(LEASE).await.expect("the store answers")
            });
        }
        let held: Vec<_> = replicas.join_all().await.into_iter().flatten().collect();
        assert_eq!(held.len(), 1, "round {round}: {held:?}");
    }
}

async fn a_crash_between_two_pages_costs_the_one_that_was_not_written(database: Database) {
    let scene = Scene::new(database).await;
    let new = reconcile_by(Cause::Person);
    scene.begin(&new).await;
    let claimed = scene.reconcile().await.expect("it is due");
    let page = on_to(&claimed, &token("B"), vec![found(token("A"), Finding::Repaired)]);
    assert!(scene.reconciled(&page).await);
    // Whoever worked on it is gone, with the next page in its hands.
    scene.wait(60);
    let again = scene.replica().await.claim_reconcile(LEASE).await;
    let again = again.expect("the store answers").expect("it goes on");
    assert_eq!(again.kept.cursor, Some(token("B")));
    assert_eq!((again.kept.total, again.kept.counts), (Some(7), page.counts));
    assert_eq!(again.kept.counts.all(), 4);
    let later = ReconciledPage {
        total: None,
        ..on_to(&again, &tokenex("C"), Vec::new())
    };
    assert!(scene.reconciled(&later).await);
    let kept = one(&scene, new.id).await;
    assert_eq!(
        (kept.total, kept.cursor),
        (Some(7), Some(tokenex("C"))),
        "the total stays"
    );
}

async fn a_late_page_writes_nothing(database: Database) {
    let scene = Scene::new(database).await;
    let new = reconcile_by(Cause::Person);
    scene.begin(&new).await;
    let first = scene.reconcile().await.expect("it is due");
    scene.wait(60);
    let second = scene.reconcile().await.expect("the lease is over");
    let before = one(&scene, new.id).await;
    let late = on_to(&first, &token("B"), vec![found(token("A"), Finding::Differs)]);
    assert!(!scene.reconciled(&late).await);
    assert_eq!(one(&scene, new.id).await, before);
    let findings = scene.memory.findings(new.id, None, 10).await;
    assert_eq!(findings.expect("the store answers"), []);
    assert!(scene.reconciled(&on_to(&second, &token("B"), Vec::new())).await);
}

async fn a_page_lengthens_the_lease(database: Database) {
    let scene = Scene::new(database).await;
    scene.begin(&reconcile_by(Cause::Person)).await;
    let claimed = scene.reconcile().await.expect("it is due");
    scene.wait(50);
    assert!(scene.reconciled(&on_to(&claimed, &token("A"), Vec::new())).await);
    scene.wait(59);
    assert_eq!(scene.reconcile().await, None);
    scene.wait(1);
    assert!(scene.reconcile().await.is_some());
}

async fn what_is_through_is_never_taken_again(database: Database) {
    let scene = Scene::new(database).await;
    scene.begin(&reconcile_by(Cause::Person)).await;
    let claimed = scene.reconcile().await.expect("it is due");
    scene.wait(5);
    let last = ReconciledPage {
        ended: true,
        ..on_to(&claimed, &token("B"), Vec::new())
    };
    assert!(scene.reconciled(&last).await);
    let kept = one(&scene, claimed.kept.id).await;
    assert_eq!((kept.ended_at, kept.stopped), (Some(scene.now()), false));
    assert_eq!(kept.updated_at, scene.now());
    scene.wait(600);
    assert_eq!(scene.reconcile().await, None);
    assert!(!scene.reconciled(&last).await, "it has ended");
    let stopped = scene.memory.stop_reconcile(kept.id).await;
    assert!(!stopped.expect("the store answers"), "it has ended");
}

async fn a_stopped_one_takes_no_more_pages(database: Database) {
    let scene = Scene::new(database).await;
    scene.begin(&reconcile_by(Cause::Person)).await;
    let claimed = scene.reconcile().await.expect("it is due");
    assert!(scene.reconciled(&on_to(&claimed, &token("A"), Vec::new())).await);
    let stopped = scene.memory.stop_reconcile(claimed.kept.id).await;
    assert!(stopped.expect("the store answers"));
    assert!(!scene.reconciled(&on_to(&claimed, &token("B"), Vec::new())).await);
    let kept = one(&scene, claimed.kept.id).await;
    assert_eq!((kept.cursor, kept.stopped), (Some(token("A")), true));
    assert_eq!(kept.ended_at, Some(scene.now()));
    scene.wait(60);
    assert_eq!(scene.reconcile().await, None);
}

async fn a_scheduled_one_waits_for_the_one_that_is_open(database: Database) {
    let scene = Scene::new(database).await;
    assert!(scene.begin(&reconcile_by(Cause::Schedule)).await);
    scene.wait(86_400);
    assert!(!scene.begin(&reconcile_by(Cause::Schedule)).await);
    let claimed = scene.reconcile().await.expect("it is due");
    let stopped = scene.memory.stop_reconcile(claimed.kept.id).await;
    assert!(stopped.expect("the store answers"));
    assert!(scene.begin(&reconcile_by(Cause::Schedule)).await);
}

async fn a_scheduled_one_waits_until_the_newest_is_old_enough(database: Database) {
    let scene = Scene::new(database).await;
    let first = reconcile_by(Cause::Schedule);
    assert!(scene.begin(&first).await);
    assert!(scene.memory.stop_reconcile(first.id).await.expect("the store answers"));
    let a_day = Duration::from_hours(24);
    scene.wait(86_400);
    let second = reconcile_by(Cause::Schedule);
    let begun = scene.memory.begin_reconcile(&second, Some(scene.now() - a_day)).await;
    assert!(!begun.expect("the store answers"), "it began then, not before");
    scene.wait(1);
    // A person's own says nothing of the schedule.
    scene.begin(&reconcile_by(Cause::Person)).await;
    let begun = scene.memory.begin_reconcile(&second, Some(scene.now() - a_day)).await;
    assert!(begun.expect("the store answers"));
}

async fn a_person_and_a_gap_wait_for_no_schedule(database: Database) {
    let scene = Scene::new(database).await;
    assert!(scene.begin(&reconcile_by(Cause::Schedule)).await);
    for cause in [Cause::Person, Cause::Gap, Cause::Person] {
        let begun = scene
            .memory
            .begin_reconcile(&reconcile_by(cause), Some(at("00:00")))
            .await;
        assert!(begun.expect("the store answers"));
    }
    let listed = scene.memory.reconciles(None, 10).await.expect("the store answers");
    assert_eq!(listed.len(), 4);
}

async fn of_two_replicas_one_keeps_the_scheduled_one(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    for round in 0..5 {
        let mut replicas = JoinSet::new();
        for _ in 0..4 {
            let (memory, together) = (scene.replica().await, Arc::clone(&together));
            let since = scene.now() - Duration::from_secs(60);
            replicas.spawn(async move {
                together.wait().await;
                let new = reconcile_by(Cause::Schedule);
                let begun = memory.begin_reconcile(&new, Some(since)).await;
                let begun = begun.expect("the store answers");
                // However soon it is over, no other is kept beside it.
                let over = memory.stop_reconcile(new.id).await.expect("the store answers");
                assert_eq!(begun, over);
                begun
            });
        }
        let begun = replicas.join_all().await;
        let kept = begun.iter().filter(|begun| **begun).count();
        assert_eq!(kept, 1, "round {round}: {begun:?}");
        scene.wait(61);
    }
}

async fn reconciles_are_listed_newest_first(database: Database) {
    let scene = Scene::new(database).await;
    let all: Vec<_> = (0..3).map(|_| reconcile_by(Cause::Person)).collect();
    for new in &all {
        scene.begin(new).await;
    }
    let first = scene.memory.reconciles(None, 2).await.expect("the store answers");
    let rest = scene.memory.reconciles(Some(first[1].id), 2).await;
    let rest = rest.expect("the store answers");
    let listed: Vec<_> = first.iter().chain(&rest).map(|kept| kept.id).collect();
    assert_eq!(listed, [all[2].id, all[1].id, all[0].id]);
}
