//! Silence, with a clock that is moved by hand: what is usual is what was heard.

use std::sync::Arc;

use mdes_receiver::domain::alarm::{Alert, State};
use mdes_receiver::service::watch::Watch;
use mdes_receiver::store::Alarms as _;
use mdes_receiver::telemetry::Metrics;

use super::{look, standing, start, told};
use crate::store::asking::scene::Scene;
use crate::support::Database;

promises!(
    none_ever_is_an_alarm_a_day_after_the_first_start,
    longer_than_usual_is_an_alarm_and_the_next_notification_clears_it,
    what_is_usual_outlives_a_restart,
    what_another_replica_heard_is_no_silence,
);

const HOUR: i64 = 3_600;

struct Day {
    scene: Scene,
    watch: Arc<Watch>,
    metrics: Metrics,
}

impl Day {
    async fn over(database: Database) -> Self {
        let (scene, metrics) = (Scene::new(database).await, Metrics::new());
        let watch = start(&scene, &scene.memory, &metrics);
        look(&watch).await;
        Day { scene, watch, metrics }
    }

    /// A notification comes, and a look says so.
    async fn hears(&self) {
        self.metrics.heard(self.scene.now().unix_timestamp());
        look(&self.watch).await;
    }

    /// Two days: something every twenty minutes, and eight hours of night.
    async fn two_days(&self) {
        for _ in 0..2 {
            for _ in 0..16 * 3 {
                self.hears().await;
                self.scene.wait(HOUR / 3);
            }
            self.scene.wait(8 * HOUR);
        }
        self.hears().await;
    }

    async fn is_silent_after(&self, seconds: i64) -> bool {
        self.scene.wait(seconds);
        look(&self.watch).await;
        standing(&self.scene).await == [(Alert::Silent.as_str(), String::new())]
    }

    fn gauge(&self, name: &str) -> i64 {
        let text = self.metrics.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.expect("it is there").parse().expect("a number")
    }
}

async fn none_ever_is_an_alarm_a_day_after_the_first_start(database: Database) {
    let mut day = Day::over(database).await;
    assert!(!day.is_silent_after(23 * HOUR).await);
    day.metrics = Metrics::new();
    day.watch = start(&day.scene, &day.scene.replica().await, &day.metrics);
    assert!(!day.is_silent_after(HOUR).await);
    assert!(day.is_silent_after(1).await, "a restart does not begin it anew");
    let says = day
        .scene
        .memory
        .alarms()
        .await
        .expect("the store answers")
        .alarms
        .remove(0);
    assert_eq!(says.alarm.says, "no notification ever, 24 hours after the first start");
}

async fn longer_than_usual_is_an_alarm_and_the_next_notification_clears_it(database: Database) {
    let day = Day::over(database).await;
    day.two_days().await;
    let night = 8 * HOUR + HOUR / 3;
    assert!(!day.is_silent_after(2 * night - 1).await);
    assert_eq!(day.gauge("mdes_receiver_silence_seconds"), 2 * night - 1);
    assert_eq!(day.gauge("mdes_receiver_silence_threshold_seconds"), 2 * night);
    assert!(day.is_silent_after(2).await);
    day.hears().await;
    day.scene.wait(60);
    day.hears().await;
    let states: Vec<State> = told(&day.scene).await.into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, [State::Raised, State::Cleared]);
}

async fn what_is_usual_outlives_a_restart(database: Database) {
    let mut day = Day::over(database).await;
    day.two_days().await;
    day.metrics = Metrics::new();
    day.watch = start(&day.scene, &day.scene.replica().await, &day.metrics);
    let night = 8 * HOUR + HOUR / 3;
    assert!(!day.is_silent_after(2 * night - 1).await);
    let last = day.scene.now().unix_timestamp() - (2 * night - 1);
    assert_eq!(
        day.metrics.last_notification(),
        Some(last),
        "it is known when the last one came"
    );
    assert!(day.is_silent_after(1).await);
}

async fn what_another_replica_heard_is_no_silence(database: Database) {
    let day = Day::over(database).await;
    day.two_days().await;
    let metrics = Metrics::new();
    let other = start(&day.scene, &day.scene.replica().await, &metrics);
    for _ in 0..20 {
        day.scene.wait(HOUR);
        metrics.heard(day.scene.now().unix_timestamp());
        look(&other).await;
        assert!(!day.is_silent_after(0).await);
    }
}
