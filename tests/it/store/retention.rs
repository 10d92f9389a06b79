//! What goes by age, and what never does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mdes_receiver::clock::ManualClock;
use mdes_receiver::config::settings;
use mdes_receiver::domain::command::Stage;
use mdes_receiver::domain::delivery::Outcome;
use mdes_receiver::domain::id::NotificationId;
use mdes_receiver::maintenance::{Ended, Retention};
use mdes_receiver::store::asking::Missed;
use mdes_receiver::store::outbox::{DeliveryFilter, Start};
use mdes_receiver::store::retention::{Dropped, Kept, Page};
use mdes_receiver::store::{
    self, Asking as _, Bodies as _, Desk as _, Memory, NewQuarantine, Outbox as _, QuarantineFilter, Recording,
    Resolution, Retention as _, SealedBy, SharedStore, Store as _,
};
use mdes_receiver::telemetry::Metrics;
use sqlx::{Connection, PgConnection};
use time::OffsetDateTime;
use time::macros::datetime;

use super::scene::*;
use super::{asking, commands, deliveries};
use crate::support::Database;

promises!(
    the_oldest_ten_thousand_notifications_go_in_bounded_batches,
    a_body_stays_that_holds_a_current_number,
    a_body_stays_that_quarantine_points_to,
    a_body_stays_that_somebody_was_not_told_of,
    a_body_stays_whose_token_is_asked_after_or_commanded,
    what_was_said_stays_as_long_as_its_notification_and_goes_after_it,
    an_event_stays_until_everybody_was_told,
    an_event_with_an_open_delivery_stays_and_those_around_it_go,
    a_reader_whose_cursor_is_before_what_went_is_told,
    what_is_open_in_quarantine_stays,
    a_command_stays_until_its_end,
    an_open_gap_and_an_open_reconcile_stay,
    the_newest_scheduled_reconcile_stays,
    what_hangs_by_one_thing_goes_with_it_within_the_bound,
    a_dry_run_counts_what_a_run_deletes_and_changes_nothing,
    one_at_a_time_lets_go_of_what_is_old,
    a_run_is_due_once_in_its_time_and_counted,
    it_gives_way_to_receiving,
    what_is_slow_keeps_none_of_the_others_waiting,
);

/// Everything in these scenes is older.
const LATER: OffsetDateTime = datetime!(2100-01-01 00:00 UTC);

async fn memory(database: &Database) -> Arc<Memory> {
    database.memory(Arc::new(ManualClock::at(noon()))).await
}

fn page(kept: Kept, before: OffsetDateTime) -> Page {
    Page {
        kept,
        before,
        after: None,
        limit: 1_000,
    }
}

/// Page after page, each as the store gives it.
async fn steps(memory: &Memory, mut page: Page, dry_run: bool) -> Vec<Dropped> {
    let mut steps = Vec::new();
    loop {
        let dropped = memory.drop_page(&page, dry_run).await.expect("the store answers");
        let dropped = dropped.expect("it is quick");
        steps.push(dropped);
        match dropped.next {
            None => return steps,
            next => page.after = next,
        }
    }
}

/// Lets go of all that is before then.
async fn drop_all(memory: &Memory, kept: Kept, before: OffsetDateTime) -> Dropped {
    let steps = steps(memory, page(kept, before), false).await;
    steps.into_iter().fold(Dropped::default(), Dropped::and)
}

async fn has(memory: &Memory, id: NotificationId) -> bool {
    memory.notification(id).await.expect("the store answers").is_some()
}

fn numbered(request: &str, reference: &str, clock: &str) -> Recording {
    told(
        request,
        vec![with(
            said(reference, "ACTIVE", clock),
            "tokenInfo.tokenNumber",
            "····1234",
        )],
    )
}

/// Of 500 tokens, at ten; each tells of one.
fn crowd(part: usize) -> Vec<Recording> {
    let one = |n: usize| {
        let clock = format!("{:02}:{:02}", part / 2, n / 500 * 30);
        let status = ["ACTIVE", "SUSPENDED"][part % 2];
        let statement = said(&format!("T{:03}", n % 500), status, &clock);
        received(told(&format!("r-{part}-{n}"), vec![statement]), "10:00")
    };
    (0..500).map(one).collect()
}

async fn the_oldest_ten_thousand_notifications_go_in_bounded_batches(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let number = received(numbered("number", "N", "09:00"), "10:00");
    record(&store, &number).await;
    for part in 0..20 {
        record_all(&store, &crowd(part)).await;
    }
    let young = received(told("young", vec![said("Y", "ACTIVE", "09:00")]), "11:30");
    record(&store, &young).await;

    let steps = steps(&memory, page(Kept::Notifications, at("11:00")), false).await;
    assert!(steps.len() > 10, "{} steps", steps.len());
    assert!(steps.iter().all(|step| step.rows <= 1_000), "{steps:?}");
    let all = steps.into_iter().fold(Dropped::default(), Dropped::and);
    assert_eq!((all.rows, all.needed), (10_000, 1));
    assert_eq!((all.oldest, all.newest), (Some(at("10:00")), Some(at("10:00"))));
    assert!(has(&memory, number.id).await && has(&memory, young.id).await);
    let count = database.text("select cast(count(*) as text) from notifications").await;
    assert_eq!(count.as_deref(), Some("2"));
    // What a token is, and how it came to be so, outlives what was said of it.
    let token = memory.token(&token("T007")).await.expect("the store answers");
    let token = token.expect("it is held").token;
    let history = memory.transitions(&token.reference, 0, 100).await;
    assert_eq!(history.expect("the store answers").len() as u64, token.sequence);
}

async fn a_body_stays_that_holds_a_current_number(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let (first, second) = (numbered("r-1", "A", "09:00"), numbered("r-2", "A", "10:00"));
    record(&store, &first).await;
    drop_all(&memory, Kept::Notifications, LATER).await;
    assert!(has(&memory, first.id).await);
    let mut second = second;
    second.statements[0]
        .metadata
        .insert("tokenInfo.tokenNumber".to_owned(), Some("····5678".into()));
    record(&store, &second).await;
    drop_all(&memory, Kept::Notifications, LATER).await;
    assert_eq!(
        (has(&memory, first.id).await, has(&memory, second.id).await),
        (false, true)
    );
}

async fn a_body_stays_that_quarantine_points_to(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    let recording = unreadable(told("r-1", vec![said("A", "ACTIVE", "09:00")]), 1, "no reference");
    record(&store, &recording).await;
    drop_all(&memory, Kept::Notifications, LATER).await;
    assert!(has(&memory, recording.id).await);
    let why = Resolution::SetAside("it is of no use".to_owned());
    assert!(
        memory
            .resolve(recording.unreadable[0].0, &why, noon())
            .await
            .expect("the store answers")
    );
    drop_all(&memory, Kept::Notifications, LATER).await;
    assert!(!has(&memory, recording.id).await);
}

async fn a_body_stays_that_somebody_was_not_told_of(database: Database) {
    let scene = deliveries::scene::Scene::new(database).await;
    let store: SharedStore = scene.memory.clone();
    let recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    record(&store, &recording).await;
    drop_all(&scene.memory, Kept::Notifications, LATER).await;
    assert!(
        has(&scene.memory, recording.id).await,
        "its events lie before the cursor"
    );
    let turned = scene.turn(10).await;
    drop_all(&scene.memory, Kept::Notifications, LATER).await;
    assert!(has(&scene.memory, recording.id).await, "a delivery of it is open");
    scene
        .settle(&turned.claimed.iter().map(deliveries::scene::taken).collect::<Vec<_>>())
        .await;
    let keys = scene.memory.keys_of(None, 10).await.expect("the store answers");
    assert!(keys[0].is_needed, "and needs its key until then");
    scene.drain().await;
    let keys = scene.memory.keys_of(None, 10).await.expect("the store answers");
    assert!(!keys[0].is_needed);
    drop_all(&scene.memory, Kept::Notifications, LATER).await;
    assert!(!has(&scene.memory, recording.id).await);
}

async fn a_body_stays_whose_token_is_asked_after_or_commanded(database: Database) {
    let scene = asking::scene::Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    scene.hear(&token("B"), "ACTIVE", "09:00").await;
    scene.hear(&token("C"), "ACTIVE", "09:00").await;
    let ordered = scene.memory.order(&commands::scene::suspend("B")).await;
    ordered.expect("the store answers");
    for kept in [Kept::Notifications, Kept::Statements] {
        let dropped = drop_all(&scene.memory, kept, LATER).await;
        assert_eq!((dropped.rows, dropped.needed), (1, 3), "{kept:?}");
    }
    let heard = scene.memory.statements(&token("C"), 10).await;
    assert_eq!(heard.expect("the store answers"), []);
}

async fn what_was_said_stays_as_long_as_its_notification_and_goes_after_it(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(&store, &numbered("r-1", "A", "09:00")).await;
    record(
        &store,
        &told("r-2", vec![said("B", "ACTIVE", "09:00"), said("C", "ACTIVE", "09:00")]),
    )
    .await;
    let none = drop_all(&memory, Kept::Statements, LATER).await;
    assert_eq!((none.rows, none.needed), (0, 2));
    drop_all(&memory, Kept::Notifications, LATER).await;
    let both = drop_all(&memory, Kept::Statements, LATER).await;
    assert_eq!((both.rows, both.needed), (2, 1));
    let said = memory.statements(&token("A"), 10).await.expect("the store answers");
    assert_eq!(said.len(), 1);
}

async fn an_event_stays_until_everybody_was_told(database: Database) {
    let scene = deliveries::scene::Scene::new(database).await;
    scene.enrol("books", Start::Now).await;
    scene.happen(&["A active", "B active"]).await;
    scene.drain().await;
    let held = drop_all(&scene.memory, Kept::Events, LATER).await;
    assert_eq!((held.rows, held.needed), (0, 2), "books has not looked yet");
    let turned = deliveries::scene::turn(&scene.memory, "books", 10, &[]).await;
    let taken: Vec<_> = turned.claimed.iter().map(deliveries::scene::taken).collect();
    deliveries::scene::turn(&scene.memory, "books", 0, &taken).await;
    let gone = drop_all(&scene.memory, Kept::Events, LATER).await;
    assert_eq!((gone.rows, gone.beside, gone.needed), (2, 4, 0));
    assert_eq!(scene.deliveries(&DeliveryFilter::default()).await, []);
}

async fn an_event_with_an_open_delivery_stays_and_those_around_it_go(database: Database) {
    let scene = deliveries::scene::Scene::new(database).await;
    scene.happen(&["A active", "B active", "C active"]).await;
    let turned = scene.turn(10).await;
    let settled: Vec<_> = turned
        .claimed
        .iter()
        .map(
            |claimed| match claimed.event.event.data.token_unique_reference.as_str() {
                "B" => deliveries::scene::ended(claimed, Outcome::Parked),
                _ => deliveries::scene::taken(claimed),
            },
        )
        .collect();
    scene.settle(&settled).await;
    let gone = drop_all(&scene.memory, Kept::Events, LATER).await;
    assert_eq!((gone.rows, gone.needed), (2, 1));
    let page = scene.memory.events(3, 10).await.expect("the store answers");
    assert_eq!((page.oldest, page.newest), (3, 3));
    let parked = DeliveryFilter::default();
    assert_eq!(scene.memory.retry(&parked, false).await.expect("the store answers"), 1);
    assert_eq!(scene.drain().await.len(), 1, "it can still be sent");
    assert_eq!(drop_all(&scene.memory, Kept::Events, LATER).await.rows, 1);
}

async fn a_reader_whose_cursor_is_before_what_went_is_told(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    record(&store, &told("r-2", vec![said("B", "ACTIVE", "09:00")])).await;
    let before = memory.events(0, 10).await.expect("the store answers");
    assert_eq!((before.oldest, before.newest), (0, 4));
    let mut first = page(Kept::Events, LATER);
    first.limit = 3;
    let dropped = memory.drop_page(&first, false).await.expect("the store answers");
    assert_eq!(dropped.expect("it is quick").rows, 3);
    let page = memory.events(0, 10).await.expect("the store answers");
    assert_eq!((page.items[0].position, page.oldest, page.newest), (4, 3, 4));
    drop_all(&memory, Kept::Events, LATER).await;
    let page = memory.events(4, 10).await.expect("the store answers");
    assert_eq!((page.next, page.oldest, page.newest), (4, 4, 4));
    record(&store, &told("r-3", vec![said("A", "SUSPENDED", "10:00")])).await;
    let page = memory.events(4, 10).await.expect("the store answers");
    assert_eq!((page.items[0].position, page.oldest), (5, 4));
}

async fn what_is_open_in_quarantine_stays(database: Database) {
    let memory = memory(&database).await;
    let entry = |reason: &str| NewQuarantine {
        id: quarantine_id(),
        received_at: noon(),
        peer: peer(),
        body: b"sealed".to_vec(),
        sealed_by: SealedBy::Us,
        body_bytes: 6,
        reason: reason.to_owned(),
        detail: "no padding".to_owned(),
        keys_tried: "ring-1".to_owned(),
    };
    let (open, resolved) = (entry("open"), entry("resolved"));
    for entry in [&open, &resolved] {
        memory.quarantine(entry).await.expect("it is kept");
    }
    let why = Resolution::SetAside("a probe".to_owned());
    assert!(
        memory
            .resolve(resolved.id, &why, noon())
            .await
            .expect("the store answers")
    );
    assert_eq!(
        drop_all(&memory, Kept::Quarantine, noon()).await.rows,
        0,
        "it counts from its end"
    );
    assert_eq!(drop_all(&memory, Kept::Quarantine, LATER).await.rows, 1);
    let left = memory.quarantined(&QuarantineFilter::default(), None, 10).await;
    let left: Vec<_> = left.expect("the store answers").iter().map(|entry| entry.id).collect();
    assert_eq!(left, [open.id]);
}

async fn a_command_stays_until_its_end(database: Database) {
    let scene = commands::scene::Scene::new(database).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    let command = scene.ordered(&commands::scene::suspend("A")).await;
    assert_eq!(drop_all(&scene.memory, Kept::Commands, LATER).await.rows, 0);
    let claimed = scene.claimed().await;
    assert!(
        scene
            .progress(&commands::scene::at_stage(&claimed, Stage::Refused))
            .await
    );
    let gone = drop_all(&scene.memory, Kept::Commands, LATER).await;
    assert_eq!((gone.rows, gone.beside), (1, 2));
    assert_eq!(
        scene
            .memory
            .command(command.command.id)
            .await
            .expect("the store answers"),
        None
    );
}

async fn an_open_gap_and_an_open_reconcile_stay(database: Database) {
    let scene = asking::scene::Scene::new(database).await;
    scene
        .missed(&[asking::scene::miss(Missed::Refused, "ws", "09:00", "09:05")])
        .await;
    assert_eq!(drop_all(&scene.memory, Kept::Gaps, LATER).await.rows, 0, "it is open");
    let reconcile = asking::scene::reconcile_by(mdes_receiver::store::asking::Cause::Gap);
    let closed = scene
        .memory
        .close_gaps(asking::scene::quiet(noon()), Some(&reconcile))
        .await;
    assert_eq!(closed.expect("the store answers").len(), 1);
    for kept in [Kept::Gaps, Kept::Reconciles] {
        assert_eq!(
            drop_all(&scene.memory, kept, LATER).await.rows,
            0,
            "its reconcile is open"
        );
    }
    assert!(
        scene
            .memory
            .stop_reconcile(reconcile.id)
            .await
            .expect("the store answers")
    );
    assert_eq!(
        drop_all(&scene.memory, Kept::Reconciles, LATER).await.needed,
        1,
        "its gap is there"
    );
    for kept in [Kept::Gaps, Kept::Reconciles] {
        assert_eq!(drop_all(&scene.memory, kept, LATER).await.rows, 1);
    }
}

async fn the_newest_scheduled_reconcile_stays(database: Database) {
    let scene = asking::scene::Scene::new(database).await;
    for _ in 0..2 {
        let reconcile = asking::scene::reconcile_by(mdes_receiver::store::asking::Cause::Schedule);
        assert!(scene.begin(&reconcile).await);
        assert!(
            scene
                .memory
                .stop_reconcile(reconcile.id)
                .await
                .expect("the store answers")
        );
        scene.wait(60);
    }
    let gone = drop_all(&scene.memory, Kept::Reconciles, LATER).await;
    assert_eq!((gone.rows, gone.needed), (1, 1), "the schedule goes by it");
}

async fn what_hangs_by_one_thing_goes_with_it_within_the_bound(database: Database) {
    let scene = deliveries::scene::Scene::new(database).await;
    scene
        .happen(&["A active", "B active", "C active", "D active", "E active"])
        .await;
    scene.drain().await;
    let mut few = page(Kept::Events, LATER);
    few.limit = 4;
    let steps = steps(&scene.memory, few, false).await;
    assert!(steps.iter().all(|step| step.rows + step.beside <= 4), "{steps:?}");
    let all = steps.into_iter().fold(Dropped::default(), Dropped::and);
    assert_eq!((all.rows, all.beside), (5, 5));
}

async fn a_dry_run_counts_what_a_run_deletes_and_changes_nothing(database: Database) {
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(&store, &numbered("r-1", "A", "09:00")).await;
    record(&store, &told("r-2", vec![said("B", "ACTIVE", "09:00")])).await;
    for kept in [Kept::Events, Kept::Notifications] {
        let counted = steps(&memory, page(kept, LATER), true).await;
        assert_eq!(counted, steps(&memory, page(kept, LATER), true).await);
        assert_eq!(counted, steps(&memory, page(kept, LATER), false).await);
        assert_eq!(drop_all(&memory, kept, LATER).await.rows, 0);
    }
}

async fn one_at_a_time_lets_go_of_what_is_old(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let (one, other) = (
        database.memory(clock.clone()).await,
        database.memory(clock.clone()).await,
    );
    let lease = Duration::from_secs(60);
    let begin = async |memory: &Memory, since| memory.begin_retention(lease, since).await.expect("the store answers");
    let claim = begin(&one, None).await.expect("nobody has it");
    assert_eq!(begin(&other, None).await, None);
    clock.advance(time::Duration::seconds(61));
    let taken = begin(&other, None).await.expect("the lease has ended");
    assert!(!one.hold_retention(claim, lease).await.expect("the store answers"));
    assert!(other.hold_retention(taken, lease).await.expect("the store answers"));
    other.end_retention(taken, false).await.expect("the store answers");
    let again = begin(&one, Some(noon())).await.expect("it was broken off");
    one.end_retention(again, true).await.expect("the store answers");
    assert_eq!(begin(&other, Some(noon())).await, None, "all was looked through");
    clock.advance(time::Duration::days(1));
    assert!(begin(&other, Some(noon() + time::Duration::hours(12))).await.is_some());
}

/// Notifications stay a day, all else for ever.
fn policy() -> settings::Retention {
    let day = Duration::from_secs(86_400);
    settings::Retention {
        every: day,
        notifications: Some(day),
        statements: None,
        events: None,
        quarantine: None,
        commands: None,
        reconciles: None,
    }
}

async fn a_run_is_due_once_in_its_time_and_counted(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let memory = database.memory(clock.clone()).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    let metrics = Metrics::new();
    let retention = Retention::new(memory.clone(), policy(), clock.clone(), metrics.clone());
    let look = async || retention.look().await.expect("the store answers");
    let first = look().await.expect("it is due");
    assert_eq!((first.rows(), first.ended), (0, Ended::Done), "it is young");
    clock.advance(time::Duration::hours(23));
    assert!(look().await.is_none());
    clock.advance(time::Duration::hours(2));
    assert_eq!(look().await.expect("it is due").rows(), 1);
    let counted = "mdes_receiver_retention_rows_total{table=\"notifications\"} 1\n";
    assert!(metrics.text().contains(counted), "{}", metrics.text());
    let heard = memory.statements(&token("A"), 10).await;
    assert_eq!(heard.expect("the store answers").len(), 1, "never means never");
}

async fn it_gives_way_to_receiving(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let memory = database.memory(clock.clone()).await;
    let store: SharedStore = memory.clone();
    let recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    record(&store, &recording).await;
    clock.advance(time::Duration::days(2));
    let retention = |memory: &Arc<Memory>| Retention::new(memory.clone(), policy(), clock.clone(), Metrics::new());
    let busy = retention(&memory).giving_way_to(|| true);
    assert!(busy.look().await.expect("the store answers").is_none());
    // It gets busy once it has begun.
    let looks = std::sync::atomic::AtomicU32::new(0);
    let soon = move || looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0;
    let broken_off = retention(&memory).giving_way_to(soon);
    let run = broken_off.look().await.expect("the store answers").expect("it is due");
    assert_eq!((run.ended, run.rows()), (Ended::Busy, 0));
    assert!(has(&memory, recording.id).await);
    let again = retention(&memory).look().await.expect("the store answers");
    assert_eq!(again.expect("it is due at once").rows(), 1);
}

/// A memory in which no look at events is ever quick.
struct Sluggish(Arc<Memory>, Mutex<Vec<u32>>);

#[async_trait]
impl store::Retention for Sluggish {
    async fn begin_retention(
        &self,
        lease: Duration,
        unless_since: Option<OffsetDateTime>,
    ) -> Result<Option<u32>, store::Error> {
        self.0.begin_retention(lease, unless_since).await
    }

    async fn hold_retention(&self, claim: u32, lease: Duration) -> Result<bool, store::Error> {
        self.0.hold_retention(claim, lease).await
    }

    async fn end_retention(&self, claim: u32, done: bool) -> Result<(), store::Error> {
        self.0.end_retention(claim, done).await
    }

    async fn drop_page(&self, page: &Page, dry_run: bool) -> Result<Option<Dropped>, store::Error> {
        match page.kept {
            Kept::Events => {
                self.1.lock().expect("no panic").push(page.limit);
                Ok(None)
            }
            _ => self.0.drop_page(page, dry_run).await,
        }
    }
}

async fn what_is_slow_keeps_none_of_the_others_waiting(database: Database) {
    let clock = Arc::new(ManualClock::at(noon()));
    let memory = database.memory(clock.clone()).await;
    let store: SharedStore = memory.clone();
    let recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    record(&store, &recording).await;
    clock.advance(time::Duration::days(2));
    let sluggish = Arc::new(Sluggish(memory.clone(), Mutex::default()));
    let policy = settings::Retention {
        events: Some(Duration::from_secs(86_400)),
        ..policy()
    };
    let retention = Retention::new(sluggish.clone(), policy, clock.clone(), Metrics::new());
    let run = retention.look().await.expect("the store answers").expect("it is due");
    assert_eq!(run.ended, Ended::Slow);
    assert!(!has(&memory, recording.id).await, "its turn came all the same");
    let asked = sluggish.1.lock().expect("no panic").clone();
    assert_eq!(asked, [1_000, 500, 250, 125, 62, 31, 15, 10], "it was asked for less");
    let again = retention.look().await.expect("the store answers");
    assert!(again.is_some(), "what was not looked at is due");
}

#[tokio::test]
async fn a_destination_that_begins_with_what_is_kept_and_retention_take_turns() {
    let database = Database::postgres().await;
    let memory = memory(&database).await;
    let store: SharedStore = memory.clone();
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
    let mut other = PgConnection::connect(database.url()).await.expect("the server answers");
    let held = sqlx::raw_sql("begin; select claim from retention for no key update").execute(&mut other);
    held.await.expect("it is ours");
    let (enrolling, dropping) = (memory.clone(), memory.clone());
    let enrolled = tokio::spawn(async move { enrolling.enrol("books", Start::Beginning).await });
    let dropped = tokio::spawn(async move { dropping.drop_page(&page(Kept::Events, LATER), false).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(
        !enrolled.is_finished() && !dropped.is_finished(),
        "each waits for who is at it"
    );
    sqlx::raw_sql("commit").execute(&mut other).await.expect("let go");
    assert!(enrolled.await.expect("no panic").expect("the store answers"));
    let dropped = dropped.await.expect("no panic").expect("the store answers");
    let gone = dropped.expect("it is quick").rows;
    let events = memory.events(0, 10).await.expect("the store answers");
    let cursor = memory.destinations().await.expect("the store answers")[0].position;
    assert_eq!(
        (gone, events.oldest),
        (cursor, cursor),
        "nothing is gone that it was promised"
    );
}
