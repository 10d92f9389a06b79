//! Two people: what waits for approval goes nowhere, and takes nobody's place.

use mdes_receiver::domain::command::{Action, Stage};
use mdes_receiver::store::Desk as _;
use mdes_receiver::store::desk::{Approved, NewCommand};

use super::scene::*;
use crate::support::Database;

promises!(
    what_waits_for_approval_is_not_claimed,
    who_asked_for_it_cannot_approve_of_it,
    what_waits_for_approval_takes_nobody_s_place_before_it_has_it,
    a_newer_command_takes_the_place_of_what_waits,
);

fn delete(reference: &str) -> NewCommand {
    NewCommand {
        needs_approval: true,
        ..wanted(Action::Delete, reference)
    }
}

impl Scene {
    async fn approve(&self, new: &NewCommand, by: &str) -> Approved {
        self.memory.approve(new.id, by).await.expect("the store answers")
    }
}

async fn what_waits_for_approval_is_not_claimed(database: Database) {
    let scene = Scene::new(database).await;
    let new = delete("A");
    let kept = scene.ordered(&new).await;
    assert_eq!((kept.command.stage, kept.waits), (Stage::Requested, true));
    scene.wait(3_600);
    let claims = scene.claim(10).await;
    assert_eq!((claims.claimed.len(), claims.next_due), (0, None));
    assert_eq!(scene.approve(&new, "ben").await, Approved::Now);
    assert_eq!(scene.approve(&new, "ben").await, Approved::NotWaiting);
    let claimed = scene.claimed().await;
    assert_eq!(claimed.kept.command.id, new.id);
    assert_eq!(
        (claimed.kept.waits, claimed.kept.approved_by.as_deref()),
        (false, Some("ben"))
    );
    assert_eq!(claimed.kept.command.why, "ben approved of it");
    assert_eq!(scene.stages(new.id).await, [Stage::Requested, Stage::Requested]);
}

async fn who_asked_for_it_cannot_approve_of_it(database: Database) {
    let scene = Scene::new(database).await;
    let new = delete("A");
    scene.ordered(&new).await;
    assert_eq!(scene.approve(&new, "ana").await, Approved::ByTheSame);
    assert_eq!(scene.claim(10).await.claimed, []);
    assert_eq!(scene.approve(&suspend("B"), "ben").await, Approved::NotWaiting);
}

async fn what_waits_for_approval_takes_nobody_s_place_before_it_has_it(database: Database) {
    let scene = Scene::new(database).await;
    let (older, new) = (suspend("A"), delete("A"));
    scene.ordered(&older).await;
    scene.ordered(&new).await;
    let claimed = scene.claimed().await;
    assert_eq!(claimed.kept.command.id, older.id);
    assert!(scene.progress(&until(at_stage(&claimed, Stage::Accepted), 300)).await);
    assert_eq!(scene.approve(&new, "ben").await, Approved::Now);
    assert_eq!(scene.stage(older.id).await, Stage::Superseded);
    assert_eq!(scene.claimed().await.kept.command.id, new.id);
}

async fn a_newer_command_takes_the_place_of_what_waits(database: Database) {
    let scene = Scene::new(database).await;
    let (waiting, newer) = (delete("A"), suspend("A"));
    scene.ordered(&waiting).await;
    scene.ordered(&newer).await;
    assert_eq!(scene.stage(waiting.id).await, Stage::Superseded);
    assert_eq!(scene.approve(&waiting, "ben").await, Approved::NotWaiting);
    assert_eq!(scene.claimed().await.kept.command.id, newer.id);
}
