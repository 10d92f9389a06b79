//! What a person does: retry, skip, pause, replay.

use mdes_receiver::domain::delivery::{Outcome, State};
use mdes_receiver::domain::event::{EventType, Pattern, Subscription};
use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::store::outbox::{DeliveryFilter, Outbox as _, ReplayFilter, Start};
use time::Duration;

use super::scene::*;
use crate::support::Database;

promises!(
    what_is_parked_holds_its_lane_until_a_person_retries_it,
    a_retry_does_not_take_an_attempt_under_way_for_the_next_one,
    a_skipped_delivery_frees_its_lane_and_says_by_whom,
    what_is_being_sent_may_be_skipped_and_settles_too_late,
    a_dry_run_only_counts,
    a_paused_destination_is_sent_nothing_and_goes_on_accruing,
    a_turn_may_pause_its_destination,
    deliveries_are_found_by_every_part_of_the_filter,
    past_events_go_out_once_more_in_order_and_marked,
    a_replay_takes_what_was_asked_for_only,
    a_crowd_is_skipped_page_by_page,
    a_crowd_is_retried_page_by_page,
    a_crowd_is_replayed_page_by_page_and_once,
    what_a_clock_set_back_has_put_off_may_be_retried,
    a_lease_that_holds_is_not_retried,
);

/// A's first event is parked, its second waits.
async fn parked(database: Database) -> Scene {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A art"]).await;
    let turned = scene.turn(1).await;
    scene.settle(&[ended(&turned.claimed[0], Outcome::Parked)]).await;
    scene
}

fn in_state(state: State) -> DeliveryFilter {
    DeliveryFilter {
        state: Some(state),
        ..DeliveryFilter::default()
    }
}

async fn what_is_parked_holds_its_lane_until_a_person_retries_it(database: Database) {
    let scene = parked(database).await;
    scene.wait(1_000 * 3_600);
    assert_eq!(scene.drain().await, [""; 0]);
    assert_eq!(scene.destination("shop").await.parked, 1);
    let retried = scene.memory.retry(&in_state(State::Parked), false).await;
    assert_eq!(retried.expect("the store answers"), 1);
    let claimed = scene.turn(1).await.claimed.remove(0);
    assert_eq!(
        (claimed.attempt, claimed.tries),
        (2, 1),
        "the schedule begins anew, the number goes on"
    );
    scene.settle(&[taken(&claimed)]).await;
    assert_eq!(scene.drain().await, ["A card.art_changed"]);
}

async fn a_retry_does_not_take_an_attempt_under_way_for_the_next_one(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    let lost = scene.turn(1).await.claimed.remove(0);
    scene.wait(46);
    let second = scene.turn(1).await.claimed.remove(0);
    scene.settle(&[ended(&second, Outcome::Parked)]).await;
    let all = DeliveryFilter::default();
    assert_eq!(scene.memory.retry(&all, false).await.expect("the store answers"), 1);
    let third = scene.turn(1).await.claimed.remove(0);
    let settled = scene.settle(&[ended(&lost, Outcome::Parked)]).await;
    assert_eq!(settled.late, [third.delivery]);
}

async fn a_skipped_delivery_frees_its_lane_and_says_by_whom(database: Database) {
    let scene = parked(database).await;
    let skipped = scene
        .memory
        .skip(&in_state(State::Parked), "kim: sent by hand", false)
        .await;
    assert_eq!(skipped.expect("the store answers"), 1);
    assert_eq!(scene.drain().await, ["A card.art_changed"]);
    let kept = scene.deliveries(&in_state(State::Skipped)).await.remove(0);
    assert_eq!(kept.settled_by.as_deref(), Some("kim: sent by hand"));
    assert_eq!(kept.settled_at, Some(scene.now()));
    let again = scene.memory.skip(&DeliveryFilter::default(), "kim", false).await;
    assert_eq!(again.expect("the store answers"), 0, "nothing is open");
}

async fn what_is_being_sent_may_be_skipped_and_settles_too_late(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A art"]).await;
    let claimed = scene.turn(1).await.claimed.remove(0);
    let which = DeliveryFilter {
        id: Some(claimed.delivery),
        ..DeliveryFilter::default()
    };
    assert_eq!(
        scene
            .memory
            .skip(&which, "kim", false)
            .await
            .expect("the store answers"),
        1
    );
    assert_eq!(scene.settle(&[taken(&claimed)]).await.late, [claimed.delivery]);
    assert_eq!(scene.deliveries(&which).await[0].state, State::Skipped);
    assert_eq!(scene.drain().await, ["A card.art_changed"]);
}

async fn a_dry_run_only_counts(database: Database) {
    let scene = parked(database).await;
    let all = DeliveryFilter::default();
    let before = scene.deliveries(&all).await;
    assert_eq!(scene.memory.retry(&all, true).await.expect("the store answers"), 1);
    assert_eq!(
        scene.memory.skip(&all, "kim", true).await.expect("the store answers"),
        2
    );
    assert_eq!(
        scene.memory.replay(&replay(), true).await.expect("the store answers"),
        2
    );
    assert_eq!(scene.deliveries(&all).await, before);
}

async fn a_paused_destination_is_sent_nothing_and_goes_on_accruing(database: Database) {
    let scene = Scene::new(database).await;
    let pause = async |why| scene.memory.pause("shop", why).await.expect("the store answers");
    assert!(pause(Some("moving house")).await);
    assert!(!pause(Some("still moving")).await);
    scene.happen(&["A active", "B active"]).await;
    let turned = scene.turn(10).await;
    assert_eq!(
        (said(&turned), turned.paused.as_deref()),
        (Vec::new(), Some("moving house"))
    );
    let kept = scene.destination("shop").await;
    assert_eq!((kept.open, kept.behind), (2, 0));
    assert_eq!(kept.paused, Some((scene.now(), "moving house".to_owned())));
    assert!(pause(None).await);
    assert!(!pause(None).await);
    assert_eq!(scene.drain().await, ["A activated", "B activated"]);
}

async fn a_turn_may_pause_its_destination(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "B active"]).await;
    let claimed = scene.turn(1).await.claimed.remove(0);
    let subscription = Subscription::all();
    let settlements = [ended(&claimed, Outcome::Again(scene.now()))];
    let mut gone = asked("shop", &subscription, 10, &settlements);
    gone.pause = Some("it answered 410");
    let turned = scene.memory.turn(&gone).await.expect("the store answers");
    assert_eq!((said(&turned), turned.late.len()), (Vec::new(), 0));
    assert_eq!(turned.paused.as_deref(), Some("it answered 410"));
    assert_eq!(scene.turn(10).await.paused.as_deref(), Some("it answered 410"));
}

async fn deliveries_are_found_by_every_part_of_the_filter(database: Database) {
    let scene = parked(database).await;
    scene.happen(&["B active"]).await;
    assert!(scene.enrol("books", Start::Beginning).await);
    scene.turn(0).await;
    turn(&scene.memory, "books", 0, &[]).await;
    let all = scene.deliveries(&DeliveryFilter::default()).await;
    assert_eq!(all.len(), 6);
    let count = async |which: DeliveryFilter| scene.deliveries(&which).await.len();
    let any = DeliveryFilter::default;
    let destination = Some("shop".to_owned());
    assert_eq!(count(DeliveryFilter { destination, ..any() }).await, 3);
    let token = Some(TokenReference::mdes("A"));
    assert_eq!(count(DeliveryFilter { token, ..any() }).await, 4);
    let event = Some(all[0].event);
    assert_eq!(count(DeliveryFilter { event, ..any() }).await, 2);
    assert_eq!(count(in_state(State::Parked)).await, 1);
    let id = Some(all[1].id);
    assert_eq!(count(DeliveryFilter { id, ..any() }).await, 1);
    scene
        .memory
        .skip(&in_state(State::Parked), "kim", false)
        .await
        .expect("the store answers");
    assert_eq!(count(DeliveryFilter { open: true, ..any() }).await, 5);
    let rest = scene
        .memory
        .deliveries(&any(), Some(all[3].id), 1)
        .await
        .expect("the store answers");
    assert_eq!(rest.iter().map(|one| one.id).collect::<Vec<_>>(), [all[4].id]);
}

fn replay() -> ReplayFilter {
    ReplayFilter {
        destination: "shop".to_owned(),
        since: None,
        until: None,
        token: None,
        types: Vec::new(),
        subscription: Subscription::all(),
    }
}

async fn past_events_go_out_once_more_in_order_and_marked(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "A suspended", "B active"]).await;
    scene.drain().await;
    assert_eq!(
        scene.memory.replay(&replay(), false).await.expect("the store answers"),
        3
    );
    assert_eq!(
        scene.drain().await,
        ["A activated replayed", "B activated replayed", "A suspended replayed"]
    );
}

async fn a_replay_takes_what_was_asked_for_only(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "- test"]).await;
    scene.wait(60);
    let (told, noon) = (EventType::TokenSuspended, scene.now());
    scene
        .tell(&[(told, Some("A"), Some("1")), (told, Some("B"), Some("2"))])
        .await;
    scene.wait(60);
    scene.happen(&["A art"]).await;
    scene.drain().await;
    let count = async |which: ReplayFilter| scene.memory.replay(&which, true).await.expect("the store answers");
    assert_eq!(count(replay()).await, 5);
    let (since, until) = (Some(noon), Some(noon + Duration::seconds(60)));
    assert_eq!(count(ReplayFilter { since, ..replay() }).await, 3);
    assert_eq!(
        count(ReplayFilter {
            since,
            until,
            ..replay()
        })
        .await,
        2
    );
    let token = Some(TokenReference::mdes("A"));
    assert_eq!(count(ReplayFilter { token, ..replay() }).await, 3);
    let types = vec![Pattern::parse("token.*").expect("a pattern")];
    assert_eq!(
        count(ReplayFilter {
            types: types.clone(),
            ..replay()
        })
        .await,
        3
    );
    let subscription = Subscription {
        types,
        requestors: ["1".to_owned()].into(),
    };
    assert_eq!(
        count(ReplayFilter {
            subscription,
            ..replay()
        })
        .await,
        2
    );
    scene.happen(&["C active"]).await;
    assert_eq!(count(replay()).await, 5, "what is ahead is not past");
}

/// More than one page of any act.
const MANY: usize = 2_500;

/// So many deliveries, of which every second one is the first of its token; all were looked ahead for.
async fn crowd(database: Database) -> Scene {
    let scene = Scene::new(database).await;
    let words: Vec<String> = (0..MANY).map(|place| format!("T{} art", place / 2)).collect();
    scene
        .happen(&words.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    while scene.turn(0).await.more {}
    scene
}

async fn a_crowd_is_skipped_page_by_page(database: Database) {
    let scene = crowd(database).await;
    let token = Some(TokenReference::mdes("T7"));
    let one = DeliveryFilter {
        token,
        ..DeliveryFilter::default()
    };
    let skip = async |which, dry_run| {
        let skipped = scene.memory.skip(which, "kim", dry_run).await;
        skipped.expect("the store answers")
    };
    assert_eq!(skip(&one, false).await, 2);
    let all = DeliveryFilter::default();
    assert_eq!(skip(&all, true).await, MANY as u64 - 2);
    assert_eq!(skip(&all, false).await, MANY as u64 - 2);
    assert_eq!(
        skip(&all, false).await,
        0,
        "the same call finds the rest, and there is none"
    );
    assert_eq!(scene.drain().await, [""; 0]);
}

async fn a_crowd_is_retried_page_by_page(database: Database) {
    let scene = crowd(database).await;
    // Every head has failed, and is due in an hour.
    scene
        .execute("update deliveries set attempts = 1, tries = 1, failing_since = created_at, due_at = '2026-11-22T13:30:00.000000Z' where not waits")
        .await;
    let all = DeliveryFilter::default();
    let retry = async |dry_run| scene.memory.retry(&all, dry_run).await.expect("the store answers");
    assert_eq!(scene.sent(10).await, [""; 0]);
    assert_eq!(retry(true).await, MANY as u64 / 2);
    assert_eq!(retry(false).await, MANY as u64 / 2);
    assert_eq!(retry(false).await, 0, "what is due now is not made due again");
    assert_eq!(scene.drain().await.len(), MANY);
}

async fn a_crowd_is_replayed_page_by_page_and_once(database: Database) {
    let scene = crowd(database).await;
    scene.drain().await;
    let asked_again = async |which: ReplayFilter, dry_run| {
        let replayed = scene.memory.replay(&which, dry_run).await;
        replayed.expect("the store answers")
    };
    let token = Some(TokenReference::mdes("T7"));
    assert_eq!(asked_again(ReplayFilter { token, ..replay() }, false).await, 2);
    let since = Some(scene.now());
    assert_eq!(
        asked_again(ReplayFilter { since, ..replay() }, true).await,
        MANY as u64 - 2
    );
    assert_eq!(
        asked_again(replay(), false).await,
        MANY as u64 - 2,
        "what is under way from the first is not made twice"
    );
    assert_eq!(asked_again(replay(), false).await, 0);
    assert_eq!(scene.drain().await.len(), MANY);
    assert_eq!(
        asked_again(replay(), true).await,
        MANY as u64,
        "once delivered, it may be asked for again"
    );
}

async fn what_a_clock_set_back_has_put_off_may_be_retried(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active", "B active", "C active"]).await;
    let failed = scene.turn(2).await.claimed.remove(0);
    let soon = scene.now() + Duration::seconds(5);
    scene.settle(&[ended(&failed, Outcome::Again(soon))]).await;
    scene.clock.advance(Duration::hours(-2));
    assert_eq!(scene.drain().await, [""; 0], "all of it is due in two hours");
    let retried = scene.memory.retry(&DeliveryFilter::default(), false).await;
    assert_eq!(
        retried.expect("the store answers"),
        3,
        "failed, being sent, never tried"
    );
    assert_eq!(scene.drain().await.len(), 3);
}

async fn a_lease_that_holds_is_not_retried(database: Database) {
    let scene = Scene::new(database).await;
    scene.happen(&["A active"]).await;
    scene.turn(1).await;
    let retried = scene.memory.retry(&DeliveryFilter::default(), false).await;
    assert_eq!(retried.expect("the store answers"), 0);
}
