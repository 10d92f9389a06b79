//! A destination that begins is told how every token stands.

use std::collections::BTreeSet;

use mdes_receiver::domain::event::Advice;
use mdes_receiver::store::outbox::{DeliveryFilter, Start};

use super::scene::*;
use crate::support::Database;

promises!(
    a_snapshot_tells_of_every_token_and_of_what_changes_meanwhile,
    a_snapshot_is_for_one_destination,
    a_snapshot_of_nothing_is_done_at_once,
);

async fn tokens(scene: &Scene, numbers: std::ops::Range<u32>) {
    let rows: Vec<String> = numbers
        .map(|number| {
            let status = if number % 2 == 0 { "SUSPENDED" } else { "ACTIVE" };
            format!("('mdes', 'T{number:04}', '{status}', 3, 'card {number}', '2026-11-22T12:00:00.000000Z')")
        })
        .collect();
    let columns = "namespace, token_unique_reference, status, sequence, merchant_reference, updated_at";
    scene
        .execute(&format!("insert into tokens ({columns}) values {}", rows.join(", ")))
        .await;
}

async fn a_snapshot_tells_of_every_token_and_of_what_changes_meanwhile(database: Database) {
    let scene = Scene::new(database).await;
    tokens(&scene, 0..700).await;
    scene.enrol("new", Start::Snapshot).await;
    scene.happen(&["T0001 suspended"]).await;
    assert!(turn(&scene.memory, "new", 0, &[]).await.more);
    assert!(scene.destination("new").await.is_snapshotting);
    scene.happen(&["T0001 active", "T0699 suspended"]).await;
    while turn(&scene.memory, "new", 0, &[]).await.more {}
    assert!(!scene.destination("new").await.is_snapshotting);

    let mut told = Vec::new();
    loop {
        let turned = turn(&scene.memory, "new", 500, &[]).await;
        if turned.claimed.is_empty() {
            break;
        }
        let settlements: Vec<_> = turned.claimed.iter().map(taken).collect();
        turn(&scene.memory, "new", 0, &settlements).await;
        told.extend(turned.claimed);
    }
    let snapshots: BTreeSet<_> = told
        .iter()
        .filter(|one| one.event.event.kind.as_str() == "token.snapshot")
        .map(|one| one.event.event.data.token_unique_reference.clone())
        .collect();
    assert_eq!((snapshots.len(), told.len()), (700, 703));
    let of = |token: &str| -> Vec<&str> {
        let of = told
            .iter()
            .filter(|one| one.event.event.data.token_unique_reference == token);
        of.map(|one| one.event.event.kind.as_str()).collect()
    };
    assert_eq!(of("T0001"), ["token.suspended", "token.snapshot", "token.activated"]);
    assert_eq!(of("T0699"), ["token.suspended", "token.snapshot"]);
    let first = &told
        .iter()
        .find(|one| one.event.event.data.token_unique_reference == "T0000");
    let data = &first.expect("it was told of").event.event.data;
    assert_eq!(
        (data.sequence, data.state_changed, data.advice),
        (3, false, Advice::StopCharging)
    );
    assert_eq!(data.merchant_reference.as_deref(), Some("card 0"));
}

async fn a_snapshot_is_for_one_destination(database: Database) {
    let scene = Scene::new(database).await;
    tokens(&scene, 0..3).await;
    scene.enrol("new", Start::Snapshot).await;
    while turn(&scene.memory, "new", 0, &[]).await.more {}
    assert_eq!(scene.drain().await, [""; 0]);
    assert_eq!(scene.destination("shop").await.behind, 0);
    let all = scene.deliveries(&DeliveryFilter::default()).await;
    assert!(all.len() == 3 && all.iter().all(|one| one.destination == "new"));
}

async fn a_snapshot_of_nothing_is_done_at_once(database: Database) {
    let scene = Scene::new(database).await;
    scene.enrol("new", Start::Snapshot).await;
    let turned = turn(&scene.memory, "new", 10, &[]).await;
    assert_eq!((turned.claimed, turned.more), (Vec::new(), false));
    assert!(!scene.destination("new").await.is_snapshotting);
}
