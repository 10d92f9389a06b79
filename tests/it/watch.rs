//! What needs a person: seen by all replicas, raised once, told to who asks for it, and cleared.

mod looks;
mod silence;
mod told;

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::Clock;
use mdes_receiver::config::settings;
use mdes_receiver::domain::alarm::State;
use mdes_receiver::domain::silence::Rule;
use mdes_receiver::service::watch::Watch;
use mdes_receiver::store::{Alarms as _, Memory, Outbox as _};
use mdes_receiver::telemetry::Metrics;

use crate::store::asking::scene::Scene;

/// As by default.
const SETTINGS: settings::Watch = settings::Watch {
    silence: Rule::Auto,
    first_within: Some(Duration::from_hours(24)),
};

/// A start of a replica over this memory.
fn start(scene: &Scene, memory: &Arc<Memory>, metrics: &Metrics) -> Arc<Watch> {
    let clock: Arc<dyn Clock> = scene.clock.clone();
    Watch::new(SETTINGS, ["orders".to_owned()], memory, &clock, metrics)
}

async fn look(watch: &Watch) {
    watch.look().await.expect("the store answers");
}

/// Time goes by, and the replicas look as often as they do.
async fn go_on(scene: &Scene, watches: &[&Watch], seconds: i64) {
    for _ in 0..seconds / 15 {
        scene.wait(15);
        for watch in watches {
            look(watch).await;
        }
    }
}

/// The alarms that stand: alert and subject.
async fn standing(scene: &Scene) -> Vec<(&'static str, String)> {
    let standing = scene.memory.alarms().await.expect("the store answers");
    let words = standing.alarms.into_iter().map(|kept| kept.alarm);
    words.map(|alarm| (alarm.alert.as_str(), alarm.about)).collect()
}

/// What was told of alarms, oldest first: type, state and subject.
async fn told(scene: &Scene) -> Vec<(&'static str, State, String)> {
    let events = scene.memory.events(0, 1_000).await.expect("the store answers").items;
    let told = events.into_iter().filter_map(|kept| {
        let alarm = kept.event.data.alarm?;
        Some((kept.event.kind.as_str(), alarm.state, alarm.about))
    });
    told.collect()
}
