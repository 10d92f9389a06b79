//! Asking for a command: once for each key, and the newest of a target goes.

use std::sync::Arc;

use mdes_receiver::domain::command::{Action, Stage};
use mdes_receiver::store::Desk as _;
use mdes_receiver::store::desk::{ClaimedCommand, CommandFilter, NewCommand, Ordered, Progress};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    a_command_is_kept_as_it_was_asked_for,
    the_same_key_gives_the_same_command,
    the_same_key_with_another_order_is_a_conflict,
    a_key_is_its_asker_s_own,
    a_key_that_is_used_at_once_makes_one_command,
    a_newer_command_takes_the_place_of_older_ones_of_its_target,
    what_is_being_sent_keeps_its_place_until_its_lease_ends,
    of_commands_asked_for_at_once_the_last_alone_is_left,
    who_takes_the_place_of_one_that_may_land_yet_knows_of_it,
    who_takes_the_place_of_one_that_was_left_behind_knows_of_it,
    commands_are_paged_newest_first,
    a_merchant_may_query_them,
);

async fn a_command_is_kept_as_it_was_asked_for(database: Database) {
    let scene = Scene::new(database).await;
    let new = keyed(&suspend("A"), "k-1");
    let kept = scene.ordered(&new).await;
    assert_eq!((kept.command.id, &kept.command.order), (new.id, &new.order));
    assert_eq!((kept.command.stage, kept.command.sends), (Stage::Requested, 0));
    assert_eq!((kept.asked_by.as_str(), kept.waits), ("ana", false));
    assert_eq!((kept.created_at, kept.due_at), (scene.now(), scene.now()));
    let found = scene.memory.command(new.id).await.expect("the store answers");
    assert_eq!(found, Some(kept));
    assert_eq!(scene.stages(new.id).await, [Stage::Requested]);
    assert_eq!(
        scene.memory.command(suspend("A").id).await.expect("the store answers"),
        None
    );
}

async fn the_same_key_gives_the_same_command(database: Database) {
    let scene = Scene::new(database).await;
    let first = keyed(&suspend("A"), "k-1");
    let kept = scene.ordered(&first).await;
    assert_eq!(scene.order(&keyed(&first, "k-1")).await, Ordered::Same(kept));
    let claimed = scene.claimed().await;
    assert!(scene.progress(&at_stage(&claimed, Stage::Refused)).await);
    let again = scene.order(&keyed(&first, "k-1")).await;
    let Ordered::Same(kept) = again else {
        panic!("{again:?}");
    };
    assert_eq!((kept.command.id, kept.command.stage), (first.id, Stage::Refused));
}

async fn the_same_key_with_another_order_is_a_conflict(database: Database) {
    let scene = Scene::new(database).await;
    let first = keyed(&suspend("A"), "k-1");
    scene.ordered(&first).await;
    for other in [suspend("B"), wanted(Action::Resume, "A")] {
        let answer = scene.order(&keyed(&other, "k-1")).await;
        assert_eq!(answer, Ordered::Conflict(first.id));
    }
    assert_eq!(scene.stage(first.id).await, Stage::Requested, "its place is not taken");
}

async fn a_key_is_its_asker_s_own(database: Database) {
    let scene = Scene::new(database).await;
    let first = keyed(&suspend("A"), "k-1");
    scene.ordered(&first).await;
    let mut other = keyed(&suspend("B"), "k-1");
    other.asked_by = "tokenex:1234567890123456".to_owned();
    scene.ordered(&other).await;
}

async fn a_key_that_is_used_at_once_makes_one_command(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let (memory, together) = (scene.replica().await, Arc::clone(&together));
        replicas.spawn(async move {
            let mut ids = Vec::new();
            for n in 0..6 {
                let new = keyed(&suspend(&format!("T{n}")), &format!("k-{n}"));
                together.wait().await;
                ids.push(match memory.order(&new).await.expect("the store answers") {
                    Ordered::New(kept) | Ordered::Same(kept) => kept.command.id,
                    Ordered::Conflict(id) => panic!("a conflict with {id}"),
                });
            }
            ids
        });
    }
    let answers = replicas.join_all().await;
    assert!(answers.iter().all(|ids| *ids == answers[0]), "{answers:?}");
    let all = scene.memory.commands(&CommandFilter::default(), None, 100).await;
    assert_eq!(all.expect("the store answers").len(), 6);
}

async fn a_newer_command_takes_the_place_of_older_ones_of_its_target(database: Database) {
    let scene = Scene::new(database).await;
    let (idle, elsewhere) = (suspend("A"), suspend("B"));
    scene.ordered(&idle).await;
    let claimed = scene.claimed().await;
    scene.ordered(&elsewhere).await;
    let newer = wanted(Action::Resume, "A");
    scene.ordered(&newer).await;
    assert_eq!(scene.stages(idle.id).await, [Stage::Requested, Stage::Superseded]);
    assert_eq!(scene.stage(elsewhere.id).await, Stage::Requested);
    assert!(
        !scene.progress(&at_stage(&claimed, Stage::Sent)).await,
        "it is never sent"
    );
    let steps = scene.memory.steps(idle.id).await.expect("the store answers");
    assert_eq!(
        steps[1].why,
        "a newer command took its place; it had come to: requested"
    );
}

async fn what_is_being_sent_keeps_its_place_until_its_lease_ends(database: Database) {
    let scene = Scene::new(database).await;
    let (older, newer) = (suspend("A"), wanted(Action::Resume, "A"));
    scene.ordered(&older).await;
    let claimed = scene.claimed().await;
    assert!(scene.progress(&at_stage(&claimed, Stage::Sent)).await);
    scene.ordered(&newer).await;
    assert_eq!(scene.stage(older.id).await, Stage::Sent);
    assert_eq!(scene.claim(10).await.claimed, [], "one at a time");
    scene.wait(46);
    assert_eq!(scene.claimed().await.kept.command.id, newer.id);
    assert_eq!(scene.stage(older.id).await, Stage::Superseded);
    assert!(!scene.progress(&at_stage(&claimed, Stage::Accepted)).await);
}

async fn of_commands_asked_for_at_once_the_last_alone_is_left(database: Database) {
    let scene = Scene::new(database).await;
    let together = Arc::new(Barrier::new(4));
    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let (memory, together) = (scene.replica().await, Arc::clone(&together));
        replicas.spawn(async move {
            for _ in 0..4 {
                together.wait().await;
                memory.order(&suspend("A")).await.expect("the store answers");
            }
        });
    }
    replicas.join_all().await;
    let open = CommandFilter {
        open: true,
        ..CommandFilter::default()
    };
    let left = scene
        .memory
        .commands(&open, None, 100)
        .await
        .expect("the store answers");
    assert_eq!(left.len(), 1, "{left:?}");
    let all = scene.memory.commands(&CommandFilter::default(), None, 100).await;
    assert_eq!(all.expect("the store answers").len(), 16);
}

async fn who_takes_the_place_of_one_that_may_land_yet_knows_of_it(database: Database) {
    let scene = Scene::new(database).await;
    let knows = async |new: &NewCommand| {
        let kept = scene.memory.command(new.id).await.expect("the store answers");
        kept.expect("it is kept").command.after_another
    };
    let unsent = suspend("A");
    scene.ordered(&unsent).await;
    let after_unsent = wanted(Action::Resume, "A");
    assert!(!scene.ordered(&after_unsent).await.command.after_another);

    let claimed = scene.claimed().await;
    assert!(scene.progress(&until(sent_once(&claimed, Stage::Unknown), 60)).await);
    let after_lost = suspend("A");
    assert!(scene.ordered(&after_lost).await.command.after_another);
    let inherits = wanted(Action::Resume, "A");
    assert!(scene.ordered(&inherits).await.command.after_another);

    let claimed = scene.claimed().await;
    assert!(scene.progress(&sent_once(&claimed, Stage::Sent)).await);
    let behind = suspend("A");
    scene.ordered(&behind).await;
    assert!(!knows(&behind).await, "the one before may end well");
    assert!(!scene.progress(&sent_once(&claimed, Stage::Unknown)).await);
    assert!(knows(&behind).await, "it did not, and is superseded now");

    let other = suspend("B");
    scene.ordered(&other).await;
    assert!(!knows(&other).await, "it is about another token");
}

/// The same, where nobody lives to say what came of it.
async fn who_takes_the_place_of_one_that_was_left_behind_knows_of_it(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let claimed = scene.claimed().await;
    assert!(scene.progress(&sent_once(&claimed, Stage::Sent)).await);
    let behind = wanted(Action::Resume, "A");
    scene.ordered(&behind).await;
    scene.wait(60);
    let next = scene.claimed().await;
    assert_eq!(next.kept.command.id, behind.id);
    assert!(next.kept.command.after_another);
}

/// It stands there, and was sent.
fn sent_once(claimed: &ClaimedCommand, stage: Stage) -> Progress {
    let mut progress = at_stage(claimed, stage);
    progress.command.sends = 1;
    progress
}

async fn commands_are_paged_newest_first(database: Database) {
    let scene = Scene::new(database).await;
    let new = [suspend("A"), wanted(Action::Delete, "B"), suspend("C")];
    for new in &new {
        scene.ordered(new).await;
    }
    let page = async |which: CommandFilter, before, limit| {
        let page = scene.memory.commands(&which, before, limit).await;
        let page = page.expect("the store answers").into_iter();
        page.map(|kept| kept.command.id).collect::<Vec<_>>()
    };
    let all = CommandFilter::default;
    assert_eq!(page(all(), None, 2).await, [new[2].id, new[1].id]);
    assert_eq!(page(all(), Some(new[1].id), 2).await, [new[0].id]);
    let of_b = CommandFilter {
        token: Some(token("B")),
        ..all()
    };
    assert_eq!(page(of_b, None, 10).await, [new[1].id]);
    let suspends = CommandFilter {
        action: Some(Action::Suspend),
        ..all()
    };
    assert_eq!(page(suspends, None, 10).await, [new[2].id, new[0].id]);
    let claimed = scene.claim(1).await.claimed.remove(0);
    assert!(scene.progress(&at_stage(&claimed, Stage::Confirmed)).await);
    let confirmed = CommandFilter {
        stage: Some(Stage::Confirmed),
        ..all()
    };
    assert_eq!(page(confirmed, None, 10).await, [claimed.kept.command.id]);
    let open = CommandFilter { open: true, ..all() };
    assert_eq!(page(open, None, 10).await.len(), 2);
}

async fn a_merchant_may_query_them(database: Database) {
    let scene = Scene::new(database).await;
    let new = through_tokenex(suspend("A"), token("A"), "4111110000001111", Some("ref-1"));
    scene.ordered(&new).await;
    let row = scene
        .database
        .text(
            "select namespace || ' ' || token_unique_reference || ' ' || service || ' ' || target_token || ' '
               || target_reference_id || ' ' || action || ' ' || stage || ' ' || asked_by
             from commands where settled_at is null and not forced",
        )
        .await;
    let expected = "mdes A tokenex 4111110000001111 ref-1 suspend requested ana";
    assert_eq!(row.as_deref(), Some(expected));
}
