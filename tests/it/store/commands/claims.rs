//! Leases: one holder at a time, one command of a target at a time, each step under its claim.

use std::collections::BTreeSet;
use std::sync::Arc;

use mdes_receiver::domain::command::{Action, Proof, Service, Stage};
use mdes_receiver::store::Desk as _;
use serde_json::json;
use time::Duration;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    a_claim_is_held_by_one,
    of_two_claimers_never_both_have_one_target,
    a_lease_that_ended_is_given_again_under_the_next_number,
    a_late_step_is_refused,
    a_step_is_kept_as_it_was_told,
    a_lease_goes_on_until_a_step_ends_it,
    nothing_is_sent_under_a_lease_that_ran_out,
    what_ended_is_never_claimed_again,
    a_newer_command_supersedes_what_is_settled_short_of_its_end,
    a_command_that_came_to_its_end_lets_the_newer_one_go_on,
    the_next_due_time_is_told,
    more_than_was_asked_for_is_said,
    each_service_is_claimed_for_by_itself,
    who_has_nothing_to_do_waits_for_no_writer,
);

async fn a_claim_is_held_by_one(database: Database) {
    let scene = Scene::new(database).await;
    let new = suspend("A");
    scene.ordered(&new).await;
    let claimed = scene.claimed().await;
    assert_eq!((claimed.kept.command.id, claimed.claim), (new.id, 1));
    assert_eq!((claimed.is_due, claimed.was_due_at), (true, scene.now()));
    assert_eq!(claimed.kept.due_at, scene.now() + LEASE);
    assert_eq!(scene.claim(10).await.claimed, []);
    let kept = scene.memory.command(new.id).await.expect("the store answers");
    assert_eq!(kept.expect("it is kept").due_at, scene.now() + LEASE);
}

async fn of_two_claimers_never_both_have_one_target(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    for round in 0..5 {
        for n in 0..8 {
            let action = if round % 2 == 0 {
                Action::Suspend
            } else {
                Action::Resume
            };
            scene.ordered(&wanted(action, &format!("T{n}"))).await;
        }
        let mut replicas = JoinSet::new();
        for _ in 0..4 {
            let (memory, together) = (scene.replica().await, Arc::clone(&together));
            replicas.spawn(async move {
                together.wait().await;
                let mut mine = Vec::new();
                for _ in 0..4 {
                    let claims = memory.claim(Service::Mdes, LEASE, 3).await.expect("the store answers");
                    for one in claims.claimed {
                        // What was claimed in an earlier round and superseded is another's row.
                        assert!(
                            memory
                                .progress(&at_stage(&one, Stage::Sent))
                                .await
                                .expect("the store answers")
                        );
                        mine.push(one.kept.command.order.target.token);
                    }
                }
                mine
            });
        }
        let all = replicas.join_all().await.concat();
        let targets: BTreeSet<&String> = all.iter().collect();
        assert_eq!((all.len(), targets.len()), (8, 8), "round {round}: {all:?}");
        scene.wait(46);
    }
}

async fn a_lease_that_ended_is_given_again_under_the_next_number(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let first = scene.claimed().await;
    assert!(scene.progress(&at_stage(&first, Stage::Sent)).await);
    scene.wait(44);
    assert_eq!(scene.claim(10).await.claimed, []);
    scene.wait(1);
    let second = scene.claimed().await;
    assert_eq!((second.claim, second.kept.command.stage), (2, Stage::Sent));
}

async fn a_late_step_is_refused(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let first = scene.claimed().await;
    scene.wait(45);
    let second = scene.claimed().await;
    assert!(!scene.progress(&at_stage(&first, Stage::Confirmed)).await);
    assert_eq!(scene.stages(first.kept.command.id).await, [Stage::Requested]);
    assert!(scene.progress(&at_stage(&second, Stage::Confirmed)).await);
    assert!(
        !scene.progress(&at_stage(&second, Stage::Refused)).await,
        "it has ended"
    );
    assert_eq!(scene.stage(second.kept.command.id).await, Stage::Confirmed);
}

async fn a_step_is_kept_as_it_was_told(database: Database) {
    let scene = Scene::new(database).await;
    let new = suspend("A");
    scene.ordered(&new).await;
    let claimed = scene.claimed().await;
    let mut step = until(at_stage(&claimed, Stage::Accepted), 60);
    step.command.sends = 1;
    step.command.baseline = Some(at("09:00"));
    step.command.code = Some("0000".to_owned());
    step.answer = Some(json!({ "statusCode": "0000", "said": "a\u{0}b" }));
    scene.wait(2);
    assert!(scene.progress(&step).await);
    let kept = scene
        .memory
        .command(new.id)
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert_eq!((&kept.command, &kept.answer), (&step.command, &step.answer));
    assert_eq!((kept.created_at, kept.updated_at), (noon(), scene.now()));
    assert_eq!(kept.due_at, scene.now() + Duration::seconds(60));

    scene.wait(60);
    let claimed = scene.claimed().await;
    let mut step = at_stage(&claimed, Stage::Confirmed);
    step.command.proof = Some(Proof::HeldByOthers);
    assert!(scene.progress(&step).await);
    let kept = scene
        .memory
        .command(new.id)
        .await
        .expect("the store answers")
        .expect("it is kept");
    assert_eq!(kept.command, step.command);
    assert!(kept.answer.is_some(), "the newest answer stays");
    let steps = scene.memory.steps(new.id).await.expect("the store answers");
    assert_eq!(steps[2].why, "it is confirmed");
    assert_eq!(
        (steps[1].stage, steps[1].at),
        (Stage::Accepted, noon() + Duration::seconds(2))
    );
}

async fn a_lease_goes_on_until_a_step_ends_it(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let claimed = scene.claimed().await;
    scene.wait(10);
    assert!(scene.progress(&at_stage(&claimed, Stage::Sent)).await);
    assert_eq!(scene.claim(10).await.claimed, []);
    assert!(scene.progress(&until(at_stage(&claimed, Stage::Unknown), 5)).await);
    assert!(
        !scene.progress(&at_stage(&claimed, Stage::Accepted)).await,
        "the lease is over"
    );
    scene.wait(5);
    assert_eq!(scene.claimed().await.claim, 2);
}

async fn nothing_is_sent_under_a_lease_that_ran_out(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let claimed = scene.claimed().await;
    scene.wait(45);
    assert!(!scene.progress(&at_stage(&claimed, Stage::Sent)).await);
    assert!(
        scene.progress(&at_stage(&claimed, Stage::Refused)).await,
        "what is known is kept"
    );
}

async fn what_ended_is_never_claimed_again(database: Database) {
    let scene = Scene::new(database).await;
    for (n, stage) in Stage::ALL.iter().filter(|stage| stage.is_final()).enumerate() {
        scene.ordered(&suspend(&format!("T{n}"))).await;
        let claimed = scene.claimed().await;
        assert!(scene.progress(&until(at_stage(&claimed, *stage), 1)).await);
    }
    scene.wait(3_600);
    let claims = scene.claim(10).await;
    assert_eq!((claims.claimed.len(), claims.next_due), (0, None));
}

async fn a_newer_command_supersedes_what_is_settled_short_of_its_end(database: Database) {
    let scene = Scene::new(database).await;
    let (older, newer) = (suspend("A"), wanted(Action::Resume, "A"));
    scene.ordered(&older).await;
    let claimed = scene.claimed().await;
    assert!(scene.progress(&at_stage(&claimed, Stage::Sent)).await);
    scene.ordered(&newer).await;
    assert!(!scene.progress(&until(at_stage(&claimed, Stage::Unknown), 5)).await);
    let expected = [Stage::Requested, Stage::Sent, Stage::Superseded];
    assert_eq!(scene.stages(older.id).await, expected);
    let steps = scene.memory.steps(older.id).await.expect("the store answers");
    assert_eq!(steps[2].why, "a newer command took its place; it had come to: unknown");
    assert_eq!(scene.claimed().await.kept.command.id, newer.id);
}

async fn a_command_that_came_to_its_end_lets_the_newer_one_go_on(database: Database) {
    let scene = Scene::new(database).await;
    let (older, newer) = (suspend("A"), wanted(Action::Resume, "A"));
    scene.ordered(&older).await;
    let claimed = scene.claimed().await;
    assert!(scene.progress(&at_stage(&claimed, Stage::Sent)).await);
    scene.ordered(&newer).await;
    assert!(scene.progress(&at_stage(&claimed, Stage::Confirmed)).await);
    assert_eq!(scene.stage(older.id).await, Stage::Confirmed);
    assert_eq!(scene.claimed().await.kept.command.id, newer.id);
}

async fn the_next_due_time_is_told(database: Database) {
    let scene = Scene::new(database).await;
    assert_eq!(scene.claim(10).await.next_due, None);
    scene.ordered(&suspend("A")).await;
    let claims = scene.claim(10).await;
    assert_eq!(claims.next_due, Some(scene.now() + LEASE));
    let step = until(at_stage(&claims.claimed[0], Stage::Accepted), 300);
    assert!(scene.progress(&step).await);
    let next = scene.claim(10).await.next_due;
    assert_eq!(next, Some(scene.now() + Duration::seconds(300)));
}

async fn more_than_was_asked_for_is_said(database: Database) {
    let scene = Scene::new(database).await;
    for n in 0..3 {
        scene.ordered(&suspend(&format!("T{n}"))).await;
    }
    let claims = scene.claim(2).await;
    assert_eq!((claims.claimed.len(), claims.more), (2, true));
    let claims = scene.claim(2).await;
    assert_eq!((claims.claimed.len(), claims.more), (1, false));
}

async fn each_service_is_claimed_for_by_itself(database: Database) {
    let scene = Scene::new(database).await;
    let by_mdes = suspend("A");
    let by_tokenex = through_tokenex(suspend("B"), token("B"), "B", None);
    scene.ordered(&by_mdes).await;
    scene.ordered(&by_tokenex).await;
    for (through, new) in [(Service::TokenEx, by_tokenex), (Service::Mdes, by_mdes)] {
        let claims = scene.memory.claim(through, LEASE, 10).await.expect("the store answers");
        let ids: Vec<_> = claims.claimed.iter().map(|one| one.kept.command.id).collect();
        assert_eq!((ids, claims.more), (vec![new.id], false));
    }
}

async fn who_has_nothing_to_do_waits_for_no_writer(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let claimed = scene.claimed().await;
    assert!(scene.progress(&until(at_stage(&claimed, Stage::Accepted), 60)).await);
    let writing = scene.database.held_by_a_writer().await;
    let claims = tokio::time::timeout(std::time::Duration::from_secs(2), scene.claim(10)).await;
    let claims = claims.expect("nobody is waited for");
    assert_eq!(
        (claims.claimed.len(), claims.next_due),
        (0, Some(scene.now() + Duration::MINUTE))
    );
    drop(writing);
}
