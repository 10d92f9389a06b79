//! What a reconcile found: on disk with the page that found it, within a bound.

use mdes_receiver::domain::id::{NotificationId, ReconcileId, TokenReference};
use mdes_receiver::domain::question::Finding;
use mdes_receiver::store::Asking as _;
use mdes_receiver::store::asking::{Cause, ClaimedReconcile, Found};
use uuid::Uuid;

use super::scene::*;
use crate::support::Database;

promises!(
    what_was_found_is_kept_as_it_was_told,
    findings_are_listed_in_the_order_of_the_tokens,
    each_reconcile_has_its_own_findings,
    of_one_reconcile_ten_thousand_are_kept_and_all_are_counted,
    of_a_token_found_twice_the_last_holds,
    a_page_that_fails_leaves_the_cursor_where_it_was,
);

async fn begun(scene: &Scene) -> ClaimedReconcile {
    scene.begin(&reconcile_by(Cause::Person)).await;
    scene.reconcile().await.expect("it is due")
}

async fn page(scene: &Scene, id: ReconcileId, after: Option<&TokenReference>, limit: u32) -> Vec<Found> {
    let found = scene.memory.findings(id, after, limit).await;
    found.expect("the store answers")
}

async fn what_was_found_is_kept_as_it_was_told(database: Database) {
    let scene = Scene::new(database).await;
    let claimed = begun(&scene).await;
    let full = Found {
        notification: Some(NotificationId(Uuid::now_v7())),
        ..found(token("A"), Finding::Repaired)
    };
    let bare = Found {
        held: None,
        seen: None,
        seen_at: None,
        sequence: 0,
        ..found(token("B"), Finding::Unanswered)
    };
    let all = vec![full, bare];
    assert!(scene.reconciled(&on_to(&claimed, &token("B"), all.clone())).await);
    assert_eq!(page(&scene, claimed.kept.id, None, 10).await, all);
}

async fn findings_are_listed_in_the_order_of_the_tokens(database: Database) {
    let scene = Scene::new(database).await;
    let claimed = begun(&scene).await;
    let order = [token("A"), token("B"), token("a"), tokenex("A")];
    let all = [3, 1, 0, 2].map(|n: usize| found(order[n].clone(), Finding::Differs));
    assert!(scene.reconciled(&on_to(&claimed, &order[3], all.into())).await);
    let first = page(&scene, claimed.kept.id, None, 3).await;
    let rest = page(&scene, claimed.kept.id, Some(&first[2].token), 3).await;
    let listed: Vec<_> = first.iter().chain(&rest).map(|found| found.token.clone()).collect();
    assert_eq!(listed, order);
}

async fn each_reconcile_has_its_own_findings(database: Database) {
    let scene = Scene::new(database).await;
    let (first, second) = (begun(&scene).await, begun(&scene).await);
    let of = |claimed, finding| on_to(claimed, &token("A"), vec![found(token("A"), finding)]);
    assert!(scene.reconciled(&of(&first, Finding::Differs)).await);
    assert!(scene.reconciled(&of(&second, Finding::NotThere)).await);
    let first = page(&scene, first.kept.id, None, 10).await;
    let second = page(&scene, second.kept.id, None, 10).await;
    assert_eq!((first.len(), first[0].finding), (1, Finding::Differs));
    assert_eq!((second.len(), second[0].finding), (1, Finding::NotThere));
}

async fn of_one_reconcile_ten_thousand_are_kept_and_all_are_counted(database: Database) {
    let scene = Scene::new(database).await;
    let mut claimed = begun(&scene).await;
    for part in 0..3_u32 {
        let all: Vec<Found> = (0..4_000)
            .map(|n| found(token(&format!("T{part}{n:04}")), Finding::Unanswered))
            .collect();
        let on = on_to(&claimed, &token("Z"), all);
        assert!(scene.reconciled(&on).await);
        claimed.kept.counts = on.counts;
    }
    let kept = scene
        .memory
        .reconcile(claimed.kept.id)
        .await
        .expect("the store answers");
    assert_eq!(kept.expect("it is kept").counts.unanswered, 12_000);
    let (mut count, mut after) = (0, None);
    loop {
        let found = page(&scene, claimed.kept.id, after.as_ref(), 1_000).await;
        let Some(last) = found.last() else {
            break;
        };
        count += found.len();
        after = Some(last.token.clone());
    }
    assert_eq!(count, 10_000);
}

async fn of_a_token_found_twice_the_last_holds(database: Database) {
    let scene = Scene::new(database).await;
    let claimed = begun(&scene).await;
    let twice = vec![
        found(token("A"), Finding::Unanswered),
        found(token("A"), Finding::Moved),
    ];
    assert!(scene.reconciled(&on_to(&claimed, &token("A"), twice)).await);
    assert_eq!(page(&scene, claimed.kept.id, None, 10).await[0].finding, Finding::Moved);
    let again = vec![found(token("A"), Finding::Repaired)];
    assert!(scene.reconciled(&on_to(&claimed, &token("A"), again)).await);
    let listed = page(&scene, claimed.kept.id, None, 10).await;
    assert_eq!((listed.len(), listed[0].finding), (1, Finding::Repaired));
}

async fn a_page_that_fails_leaves_the_cursor_where_it_was(database: Database) {
    let scene = Scene::new(database).await;
    let claimed = begun(&scene).await;
    let mut poisoned = found(token("A"), Finding::Differs);
    poisoned.why = "a\u{0}b".to_owned();
    let refused = scene
        .memory
        .reconciled(&on_to(&claimed, &token("A"), vec![poisoned]))
        .await;
    assert!(refused.is_err(), "{refused:?}");
    let kept = scene
        .memory
        .reconcile(claimed.kept.id)
        .await
        .expect("the store answers");
    assert_eq!(kept, Some(claimed.kept));
}
