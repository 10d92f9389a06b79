//! Two people: what waits for approval goes nowhere, and takes nobody's place.

use std::time::Duration;

use mdes_receiver::domain::command::{Action, Stage};
use mdes_receiver::store::Desk as _;
use mdes_receiver::store::desk::{Approved, NewCommand};

use super::scene::*;
use crate::support::Database;

promises!(
    what_waits_for_approval_is_not_claimed,
    who_asked_for_it_cannot_approve_of_it,
    what_waits_for_approval_takes_nobody_s_place_before_it_has_it,
    a_newer_command_passes_by_what_waits,
    what_nobody_approves_of_in_time_is_refused,
    what_waits_can_be_withdrawn_and_nothing_else,
);

const DAY: Duration = Duration::from_hours(24);

fn delete(reference: &str) -> NewCommand {
    NewCommand {
        approve_within: Some(DAY),
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

async fn a_newer_command_passes_by_what_waits(database: Database) {
    let scene = Scene::new(database).await;
    let (waiting, newer) = (delete("A"), suspend("A"));
    scene.ordered(&waiting).await;
    scene.ordered(&newer).await;
    let claimed = scene.claimed().await;
    assert_eq!(claimed.kept.command.id, newer.id);
    assert!(scene.progress(&at_stage(&claimed, Stage::Confirmed)).await);
    assert_eq!(scene.stage(waiting.id).await, Stage::Requested);
    assert_eq!(scene.approve(&waiting, "ben").await, Approved::Now);
    assert_eq!(scene.claimed().await.kept.command.id, waiting.id);
}

async fn what_nobody_approves_of_in_time_is_refused(database: Database) {
    let scene = Scene::new(database).await;
    let (new, other) = (delete("A"), delete("B"));
    scene.ordered(&new).await;
    scene.wait(1);
    scene.ordered(&other).await;
    scene.wait(DAY.as_secs().cast_signed() - 1);
    assert_eq!(
        scene.approve(&new, "ben").await,
        Approved::NotWaiting,
        "its time is over"
    );
    assert_eq!(scene.claim(10).await.lapsed, [new.id]);
    assert_eq!(scene.stages(new.id).await, [Stage::Requested, Stage::Refused]);
    let kept = scene.memory.command(new.id).await.expect("the store answers");
    let kept = kept.expect("it is kept");
    assert_eq!(
        (kept.command.why.as_str(), kept.waits),
        ("nobody approved of it in time", false)
    );
    assert_eq!(scene.stage(other.id).await, Stage::Requested);
    assert_eq!(scene.claim(10).await.lapsed, []);
}

async fn what_waits_can_be_withdrawn_and_nothing_else(database: Database) {
    let scene = Scene::new(database).await;
    let withdraw = async |new: &NewCommand| scene.memory.withdraw(new.id, "ana").await.expect("the store answers");
    let (waiting, going) = (delete("A"), suspend("A"));
    scene.ordered(&waiting).await;
    scene.ordered(&going).await;
    assert!(!withdraw(&going).await, "it may be on its way");
    assert!(withdraw(&waiting).await);
    assert!(!withdraw(&waiting).await, "once");
    assert_eq!(scene.stages(waiting.id).await, [Stage::Requested, Stage::Refused]);
    assert_eq!(scene.approve(&waiting, "ben").await, Approved::NotWaiting);
    assert_eq!(scene.claimed().await.kept.command.id, going.id);
}
