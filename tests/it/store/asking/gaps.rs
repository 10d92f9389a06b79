//! Gaps: one open of each kind and peer; the quiet are closed together, and begin one reconcile.

use std::sync::Arc;

use mdes_receiver::domain::id::GapId;
use mdes_receiver::store::Asking as _;
use mdes_receiver::store::asking::{Cause, Ended, KeptGap, Missed, NewReconcile};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    misses_lengthen_the_open_gap,
    each_kind_and_peer_has_a_gap_of_its_own,
    misses_told_together_are_one_gap,
    misses_at_two_replicas_at_once_are_one_gap,
    only_the_quiet_are_closed_and_all_of_them_begin_one_reconcile,
    nothing_quiet_begins_nothing,
    gaps_are_closed_without_a_reconcile_if_there_is_nobody_to_ask,
    of_two_replicas_one_closes_a_gap,
    a_miss_after_the_close_opens_another_gap,
    what_goes_on_for_long_is_closed_and_goes_on_as_another_gap,
    a_close_that_fails_leaves_the_gaps_open,
    gaps_are_listed_newest_first,
);

async fn gaps(scene: &Scene) -> Vec<KeptGap> {
    scene.memory.gaps(None, 100).await.expect("the store answers")
}

async fn close(scene: &Scene, quiet_since: &str, reconcile: Option<&NewReconcile>) -> Vec<KeptGap> {
    let closed = scene.memory.close_gaps(quiet(at(quiet_since)), reconcile).await;
    closed.expect("the store answers")
}

async fn misses_lengthen_the_open_gap(database: Database) {
    let scene = Scene::new(database).await;
    let first = miss(Missed::Refused, "ws.mastercard.com", "09:10", "09:11");
    scene.missed(std::slice::from_ref(&first)).await;
    let mut newer = miss(Missed::Refused, "ws.mastercard.com", "09:20", "09:30");
    (newer.count, newer.reason) = (5, "expired".to_owned());
    scene.missed(&[newer]).await;
    let older = miss(Missed::Refused, "ws.mastercard.com", "09:05", "09:06");
    scene.missed(&[older]).await;
    let expected = KeptGap {
        id: first.id,
        missed: Missed::Refused,
        peer: "ws.mastercard.com".to_owned(),
        reason: "expired".to_owned(),
        count: 7,
        from: at("09:05"),
        until: at("09:30"),
        closed: false,
        reconcile: None,
    };
    assert_eq!(gaps(&scene).await, [expected]);
    scene.missed(&[]).await;
}

async fn each_kind_and_peer_has_a_gap_of_its_own(database: Database) {
    let scene = Scene::new(database).await;
    scene
        .missed(&[
            miss(Missed::Refused, "one", "09:00", "09:01"),
            miss(Missed::Refused, "two", "09:00", "09:01"),
            miss(Missed::Unavailable, "one", "09:00", "09:01"),
        ])
        .await;
    assert_eq!(gaps(&scene).await.len(), 3);
}

async fn misses_told_together_are_one_gap(database: Database) {
    let scene = Scene::new(database).await;
    let mut newest = miss(Missed::Unavailable, "", "09:03", "09:04");
    newest.reason = "away".to_owned();
    scene
        .missed(&[
            miss(Missed::Unavailable, "", "09:01", "09:02"),
            newest,
            miss(Missed::Unavailable, "", "09:00", "09:03"),
        ])
        .await;
    let gaps = gaps(&scene).await;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let gap = &gaps[0];
    assert_eq!((gap.count, gap.from, gap.until), (3, at("09:00"), at("09:04")));
    assert_eq!(gap.reason, "away");
}

async fn misses_at_two_replicas_at_once_are_one_gap(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let (memory, together) = (scene.replica().await, Arc::clone(&together));
        replicas.spawn(async move {
            together.wait().await;
            for peer in ["two", "one", "two"] {
                let misses = [
                    miss(Missed::Refused, peer, "09:00", "09:01"),
                    miss(Missed::Downtime, "", "09:00", "09:01"),
                ];
                memory.missed(&misses).await.expect("the store answers");
            }
        });
    }
    replicas.join_all().await;
    let mut counted: Vec<_> = gaps(&scene)
        .await
        .into_iter()
        .map(|gap| (gap.missed, gap.peer, gap.count))
        .collect();
    counted.sort();
    let of = |missed, peer: &str, count| (missed, peer.to_owned(), count);
    let expected = [
        of(Missed::Downtime, "", 12),
        of(Missed::Refused, "one", 4),
        of(Missed::Refused, "two", 8),
    ];
    assert_eq!(counted, expected);
}

async fn only_the_quiet_are_closed_and_all_of_them_begin_one_reconcile(database: Database) {
    let scene = Scene::new(database).await;
    let (one, two) = (
        miss(Missed::Refused, "one", "09:10", "09:20"),
        miss(Missed::Unavailable, "two", "09:05", "09:30"),
    );
    let going_on = miss(Missed::Refused, "three", "09:00", "09:31");
    scene.missed(&[one.clone(), two.clone(), going_on.clone()]).await;
    let new = reconcile_by(Cause::Gap);
    let closed = close(&scene, "09:30", Some(&new)).await;
    let mut ids: Vec<GapId> = closed.iter().map(|gap| gap.id).collect();
    ids.sort();
    assert_eq!(ids, [one.id, two.id]);
    assert!(closed.iter().all(|gap| gap.closed && gap.reconcile == Some(new.id)));
    for gap in gaps(&scene).await {
        assert_eq!(
            (gap.closed, gap.reconcile.is_some()),
            (gap.id != going_on.id, gap.id != going_on.id)
        );
    }
    let begun = scene.reconcile().await.expect("it is due").kept;
    assert_eq!((begun.id, begun.cause), (new.id, Cause::Gap));
    assert_eq!(
        begun.scope,
        scope(Some(at("09:30"))),
        "what was heard after all of them speaks for its token"
    );
    assert_eq!(scene.reconcile().await, None, "one for all");
}

async fn nothing_quiet_begins_nothing(database: Database) {
    let scene = Scene::new(database).await;
    scene.missed(&[miss(Missed::Refused, "one", "09:10", "09:20")]).await;
    let new = reconcile_by(Cause::Gap);
    assert_eq!(close(&scene, "09:19", Some(&new)).await, []);
    assert_eq!(scene.memory.reconcile(new.id).await.expect("the store answers"), None);
    assert_eq!(close(&scene, "09:20", Some(&new)).await.len(), 1);
    let second = reconcile_by(Cause::Gap);
    assert_eq!(close(&scene, "10:00", Some(&second)).await, []);
    assert_eq!(
        scene.memory.reconcile(second.id).await.expect("the store answers"),
        None
    );
}

async fn gaps_are_closed_without_a_reconcile_if_there_is_nobody_to_ask(database: Database) {
    let scene = Scene::new(database).await;
    scene.missed(&[miss(Missed::Refused, "one", "09:10", "09:20")]).await;
    let closed = close(&scene, "10:00", None).await;
    assert_eq!((closed.len(), closed[0].reconcile), (1, None));
    assert_eq!(scene.reconcile().await, None);
    assert_eq!(gaps(&scene).await, closed);
}

async fn of_two_replicas_one_closes_a_gap(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    for round in 0..5 {
        scene.missed(&[miss(Missed::Refused, "one", "09:10", "09:20")]).await;
        let mut replicas = JoinSet::new();
        for _ in 0..4 {
            let (memory, together) = (scene.replica().await, Arc::clone(&together));
            replicas.spawn(async move {
                together.wait().await;
                let new = reconcile_by(Cause::Gap);
                let closed = memory.close_gaps(quiet(at("10:00")), Some(&new)).await;
                closed.expect("the store answers").len()
            });
        }
        let closed: usize = replicas.join_all().await.into_iter().sum();
        let reconciles = scene.memory.reconciles(None, 100).await.expect("the store answers");
        assert_eq!((closed, reconciles.len()), (1, round + 1));
    }
}

async fn a_miss_after_the_close_opens_another_gap(database: Database) {
    let scene = Scene::new(database).await;
    scene.missed(&[miss(Missed::Refused, "one", "09:10", "09:20")]).await;
    close(&scene, "10:00", None).await;
    let anew = miss(Missed::Refused, "one", "10:10", "10:20");
    scene.missed(std::slice::from_ref(&anew)).await;
    let gaps = gaps(&scene).await;
    assert_eq!(gaps.len(), 2);
    assert_eq!(
        (gaps[0].id, gaps[0].from, gaps[0].closed),
        (anew.id, at("10:10"), false)
    );
}

async fn a_close_that_fails_leaves_the_gaps_open(database: Database) {
    let scene = Scene::new(database).await;
    scene.missed(&[miss(Missed::Refused, "one", "09:10", "09:20")]).await;
    let before = gaps(&scene).await;
    let mut new = reconcile_by(Cause::Gap);
    new.asked_by = "a\u{0}b".to_owned();
    let refused = scene.memory.close_gaps(quiet(at("10:00")), Some(&new)).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(gaps(&scene).await, before);
}

async fn gaps_are_listed_newest_first(database: Database) {
    let scene = Scene::new(database).await;
    let misses: Vec<_> = ["a", "b", "c"]
        .map(|peer| miss(Missed::Refused, peer, "09:10", "09:20"))
        .into();
    scene.missed(&misses).await;
    let first = scene.memory.gaps(None, 2).await.expect("the store answers");
    let rest = scene
        .memory
        .gaps(Some(first[1].id), 2)
        .await
        .expect("the store answers");
    let peers: Vec<_> = first.iter().chain(&rest).map(|gap| gap.peer.as_str()).collect();
    assert_eq!(peers, ["c", "b", "a"]);
}

async fn what_goes_on_for_long_is_closed_and_goes_on_as_another_gap(database: Database) {
    let scene = Scene::new(database).await;
    scene.missed(&[miss(Missed::Refused, "long", "09:00", "10:29")]).await;
    scene.missed(&[miss(Missed::Refused, "short", "10:00", "10:29")]).await;
    let ended = Ended {
        quiet_since: at("10:28"),
        begun_before: at("09:30"),
    };
    let closed = scene.memory.close_gaps(ended, None).await.expect("the store answers");
    assert_eq!(closed.iter().map(|gap| gap.peer.as_str()).collect::<Vec<_>>(), ["long"]);
    scene.missed(&[miss(Missed::Refused, "long", "10:30", "10:31")]).await;
    let open: Vec<_> = gaps(&scene).await.into_iter().filter(|gap| !gap.closed).collect();
    assert_eq!(
        (open.len(), open[0].peer.as_str(), open[0].from),
        (2, "long", at("10:30"))
    );
}
