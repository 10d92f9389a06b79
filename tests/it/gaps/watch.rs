//! The watch over gaps, with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::{Clock, ManualClock};
use mdes_receiver::config::settings::{Egress, Lifecycle, TokenEx};
use mdes_receiver::domain::id::Namespace;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::missed::Missed;
use mdes_receiver::service::gaps::Gaps;
use mdes_receiver::store::asking::{Cause, KeptGap, KeptReconcile, ReconciledPage};
use mdes_receiver::store::{Asking as _, Memory, Store as _};
use mdes_receiver::telemetry::{Metrics, Misses};
use time::macros::datetime;

use crate::support::{Database, Lines};

promises!(
    a_gap_ends_after_two_quiet_minutes_and_begins_one_reconcile,
    gaps_that_end_together_are_asked_after_together,
    a_miss_within_the_quiet_keeps_the_gap_open,
    nothing_is_kept_twice,
    what_the_store_did_not_take_is_kept_when_it_is_back,
    a_downtime_is_seen_at_the_next_start,
    a_quick_restart_is_no_downtime,
    where_nobody_ever_was_nothing_was_missed,
    while_another_replica_is_here_there_is_no_downtime,
    a_store_that_was_away_while_503s_were_answered_is_no_downtime,
    a_replica_that_slept_was_down,
    what_was_answered_before_the_first_look_hides_no_downtime,
    the_next_gap_waits_for_the_reconcile_of_the_one_before,
    without_a_service_a_gap_ends_all_the_same,
    a_person_may_have_said_that_nothing_follows,
);

const PEER: &str = "ws.mastercard.com";

struct Scene {
    database: Database,
    clock: Arc<ManualClock>,
    memory: Arc<Memory>,
    metrics: Metrics,
    misses: Misses,
}

impl Scene {
    async fn new(database: Database) -> Self {
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-22 12:00 UTC)));
        let memory = database.memory(clock.clone()).await;
        Scene {
            database,
            clock,
            memory,
            metrics: Metrics::new(),
            misses: Misses::default(),
        }
    }

    /// A start of a replica.
    fn start(&self) -> Arc<Gaps> {
        self.start_with(&tokenex(true))
    }

    fn start_with(&self, lifecycle: &Lifecycle) -> Arc<Gaps> {
        let clock: Arc<dyn Clock> = self.clock.clone();
        Gaps::new(lifecycle, &self.memory, self.misses.clone(), &clock, &self.metrics)
    }

    /// A replica that has been here.
    async fn running(&self) -> Arc<Gaps> {
        let gaps = self.start();
        look(&gaps).await;
        gaps
    }

    fn unavailable(&self) {
        self.misses
            .note(Missed::Unavailable, PEER, "unavailable", self.clock.now());
    }

    fn refused(&self) {
        self.misses.note(Missed::Refused, PEER, "expired", self.clock.now());
    }

    fn wait(&self, seconds: i64) {
        self.clock.advance(time::Duration::seconds(seconds));
    }

    /// Time goes by, and the replica looks as often as it does.
    async fn goes_on(&self, gaps: &Gaps, seconds: i64) {
        for _ in 0..seconds / 15 {
            self.wait(15);
            look(gaps).await;
        }
    }

    async fn gaps(&self) -> Vec<KeptGap> {
        self.memory.gaps(None, 100).await.expect("the store answers")
    }

    async fn reconciles(&self) -> Vec<KeptReconcile> {
        self.memory.reconciles(None, 100).await.expect("the store answers")
    }

    /// Kind, count and whether it is closed, oldest first.
    async fn told(&self) -> Vec<(Missed, u64, bool)> {
        let gaps = self.gaps().await;
        let told = gaps.iter().rev().map(|gap| (gap.missed, gap.count, gap.closed));
        told.collect()
    }

    fn opened(&self, missed: &str) -> u64 {
        let text = self.metrics.text();
        let series = format!("mdes_receiver_gaps_total{{missed=\"{missed}\"}} ");
        let count = text.lines().find_map(|line| line.strip_prefix(&series));
        count.map_or(0, |count| count.parse().expect("a number"))
    }

    /// Somebody works the open reconcile off.
    async fn reconciled(&self) {
        let lease = Duration::from_secs(60);
        let claimed = self.memory.claim_reconcile(lease).await.expect("the store answers");
        let claimed = claimed.expect("one is open");
        let page = ReconciledPage {
            id: claimed.kept.id,
            claim: claimed.claim,
            total: Some(0),
            cursor: None,
            counts: claimed.kept.counts,
            found: Vec::new(),
            ended: true,
            lease,
        };
        assert!(self.memory.reconciled(&page).await.expect("the store answers"));
    }
}

fn tokenex(after_gaps: bool) -> Lifecycle {
    let egress = Egress {
        allow_networks: Vec::new(),
        proxy: None,
        roots: Vec::new(),
        client_certificate: None,
        connect: Duration::from_secs(5),
        total: Duration::from_secs(15),
    };
    let mut lifecycle = Lifecycle {
        tokenex: Some(TokenEx {
            url: Secret::new("https://test-api.tokenex.com"),
            tokenex_id: "1234567890123456".to_owned(),
            api_key: Secret::new("key"),
            egress,
        }),
        ..Lifecycle::default()
    };
    lifecycle.reconcile.after_gaps = after_gaps;
    lifecycle
}

async fn look(gaps: &Gaps) {
    gaps.look().await.expect("the store answers");
}

async fn a_gap_ends_after_two_quiet_minutes_and_begins_one_reconcile(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    let began = scene.clock.now();
    scene.unavailable();
    scene.goes_on(&replica, 105).await;
    let gaps = scene.gaps().await;
    assert_eq!((gaps.len(), gaps[0].closed, gaps[0].peer.as_str()), (1, false, PEER));
    assert_eq!((gaps[0].from, gaps[0].until), (began, began));
    assert_eq!((scene.opened("unavailable"), scene.reconciles().await.len()), (1, 0));

    scene.goes_on(&replica, 60).await;
    let (gaps, reconciles) = (scene.gaps().await, scene.reconciles().await);
    assert_eq!((gaps.len(), gaps[0].closed, reconciles.len()), (1, true, 1));
    let reconcile = &reconciles[0];
    assert_eq!(gaps[0].reconcile, Some(reconcile.id));
    assert_eq!((reconcile.cause, reconcile.dry_run), (Cause::Gap, false));
    assert_eq!(reconcile.scope.namespaces, [Namespace::TokenEx]);
    assert_eq!(reconcile.scope.since, Some(began));
    assert_eq!(scene.opened("unavailable"), 1);
}

async fn gaps_that_end_together_are_asked_after_together(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    scene.refused();
    scene.unavailable();
    scene.goes_on(&replica, 180).await;
    let told = scene.told().await;
    assert!(told.iter().all(|(_, count, closed)| *count == 1 && *closed), "{told:?}");
    assert_eq!((told.len(), scene.reconciles().await.len()), (2, 1));
}

async fn a_miss_within_the_quiet_keeps_the_gap_open(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    for _ in 0..4 {
        scene.refused();
        scene.goes_on(&replica, 90).await;
    }
    assert_eq!(scene.told().await, [(Missed::Refused, 4, false)]);
    assert_eq!(scene.opened("refused"), 1);
}

async fn nothing_is_kept_twice(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    scene.unavailable();
    scene.unavailable();
    look(&replica).await;
    look(&replica).await;
    let next = scene.start();
    look(&next).await;
    assert_eq!(scene.told().await, [(Missed::Unavailable, 2, false)]);
}

async fn what_the_store_did_not_take_is_kept_when_it_is_back(database: Database) {
    let mut scene = Scene::new(database).await;
    let replica = scene.running().await;
    scene.unavailable();
    scene.memory.close().await;
    assert!(replica.look().await.is_err());
    scene.unavailable();
    assert!(replica.look().await.is_err());

    scene.memory = scene.database.memory(scene.clock.clone()).await;
    let back = scene.start();
    look(&back).await;
    assert_eq!(scene.told().await, [(Missed::Unavailable, 2, false)]);
}

async fn a_downtime_is_seen_at_the_next_start(database: Database) {
    let scene = Scene::new(database).await;
    drop(scene.running().await);
    let (from, hour) = (scene.clock.now(), 3_600);
    scene.wait(hour);
    let next = scene.running().await;
    let gaps = scene.gaps().await;
    assert_eq!(scene.told().await, [(Missed::Downtime, 1, false)]);
    assert_eq!((gaps[0].from, gaps[0].until), (from, scene.clock.now()));
    assert_eq!(scene.opened("downtime"), 1);

    scene.goes_on(&next, 180).await;
    assert_eq!(scene.told().await, [(Missed::Downtime, 1, true)]);
    assert_eq!(scene.reconciles().await[0].scope.since, Some(gaps[0].until));
}

async fn a_quick_restart_is_no_downtime(database: Database) {
    let scene = Scene::new(database).await;
    for _ in 0..3 {
        drop(scene.running().await);
        scene.wait(59);
    }
    look(&scene.start()).await;
    assert_eq!(scene.told().await, []);
}

async fn where_nobody_ever_was_nothing_was_missed(database: Database) {
    let scene = Scene::new(database).await;
    drop(scene.running().await);
    assert_eq!(scene.told().await, []);
}

async fn while_another_replica_is_here_there_is_no_downtime(database: Database) {
    let scene = Scene::new(database).await;
    let one = scene.running().await;
    let other = scene.running().await;
    scene.goes_on(&one, 600).await;
    look(&other).await;
    assert_eq!(scene.told().await, []);
}

async fn a_store_that_was_away_while_503s_were_answered_is_no_downtime(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    scene.wait(300);
    scene.unavailable();
    scene.wait(60);
    look(&replica).await;
    assert_eq!(scene.told().await, [(Missed::Unavailable, 1, false)]);

    scene.wait(600);
    look(&replica).await;
    let told = scene.told().await;
    assert!(told.contains(&(Missed::Downtime, 1, false)), "{told:?}");
}

async fn a_replica_that_slept_was_down(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    scene.wait(600);
    look(&replica).await;
    assert_eq!(scene.told().await, [(Missed::Downtime, 1, false)]);
}

async fn what_was_answered_before_the_first_look_hides_no_downtime(database: Database) {
    let scene = Scene::new(database).await;
    drop(scene.running().await);
    scene.wait(3_600);
    let next = scene.start();
    scene.unavailable();
    look(&next).await;
    let mut told = scene.told().await;
    told.sort();
    let expected = [(Missed::Downtime, 1, false), (Missed::Unavailable, 1, false)];
    assert_eq!(told, expected);
}

/// However often a stranger shows a known name's certificate.
async fn the_next_gap_waits_for_the_reconcile_of_the_one_before(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.running().await;
    scene.refused();
    scene.goes_on(&replica, 180).await;
    for _ in 0..3 {
        scene.refused();
        scene.goes_on(&replica, 600).await;
    }
    assert_eq!(scene.reconciles().await.len(), 1, "the first one is open");
    assert_eq!(
        scene.told().await,
        [(Missed::Refused, 1, true), (Missed::Refused, 3, false)]
    );

    scene.reconciled().await;
    look(&replica).await;
    assert_eq!(scene.reconciles().await.len(), 2);
    scene.reconciled().await;
    scene.refused();
    scene.goes_on(&replica, 600).await;
    assert_eq!(scene.reconciles().await.len(), 2, "the second one was not long ago");
    scene.goes_on(&replica, 600).await;
    assert_eq!(scene.reconciles().await.len(), 3);
}

async fn without_a_service_a_gap_ends_all_the_same(database: Database) {
    let scene = Scene::new(database).await;
    let lines = Lines::default();
    let _guard = lines.capture();
    let replica = scene.start_with(&Lifecycle::default());
    look(&replica).await;
    scene.refused();
    scene.goes_on(&replica, 180).await;
    assert_eq!(scene.told().await, [(Missed::Refused, 1, true)]);
    assert_eq!(scene.reconciles().await, []);
    let text = lines.text();
    let [opened, closed] = text.lines().collect::<Vec<_>>()[..] else {
        panic!("{text}");
    };
    assert!(opened.contains("a gap: ") && opened.contains(PEER), "{opened}");
    assert!(
        closed.contains("there is nobody to ask") && closed.contains("2026-11-22T12:00:00Z"),
        "{closed}"
    );
}

async fn a_person_may_have_said_that_nothing_follows(database: Database) {
    let scene = Scene::new(database).await;
    let replica = scene.start_with(&tokenex(false));
    look(&replica).await;
    scene.refused();
    scene.goes_on(&replica, 180).await;
    assert_eq!(scene.told().await, [(Missed::Refused, 1, true)]);
    assert_eq!(scene.reconciles().await, []);
}
