//! Puts together who tells the merchant's systems: one destination for each that is configured, one worker for each.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::rand;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::settings::{self, DestinationKind, Settings};
use crate::delivery::{self, Destination, Line, Numbers, Worker};
use crate::domain::id::NotificationId;
use crate::domain::masked::Secret;
use crate::inbox::Inbox;
use crate::store::SharedOutbox;
use crate::telemetry::Metrics;

/// A destination by its name.
pub(super) type Named = (String, Arc<dyn Destination>);

/// The destinations, in the order of the configuration. What the operator wrote wrong is an error;
/// one that is away is not.
pub(super) fn destinations(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Vec<Named>> {
    let one = |one: &settings::Destination| Ok((one.name.clone(), delivery::open(one, clock)?));
    settings.destinations.iter().map(one).collect()
}

/// Starts a worker for each; they end softly when the stop comes.
pub(super) fn start(
    settings: &Settings,
    destinations: &[Named],
    inbox: &Arc<Inbox>,
    outbox: &SharedOutbox,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for (settings_of_one, (_, destination)) in settings.destinations.iter().zip(destinations) {
        let line = Line {
            settings: settings_of_one.clone(),
            destination: destination.clone(),
            stop_overtakes_after: settings.delivery.stop_overtakes_after,
            numbers: wants_numbers(&settings_of_one.kind).then(|| inbox.clone() as Arc<dyn Numbers>),
        };
        let worker = Worker::new(line, outbox.clone(), clock.clone(), metrics.clone(), dice);
        workers.spawn(worker.run(stop.clone()));
    }
    workers
}

fn wants_numbers(kind: &DestinationKind) -> bool {
    matches!(kind, DestinationKind::Webhook(webhook) if webhook.include_token_number)
}

#[async_trait]
impl Numbers for Inbox {
    async fn number(&self, notification: NotificationId, token_index: u32) -> Option<Secret> {
        self.token_number(notification, token_index).await
    }
}

/// From 0 to 1, for jitter.
fn dice() -> f64 {
    let mut byte = [0_u8; 2];
    // Without chance nothing is wrong but that many may come at once.
    let _ = rand::fill(&mut byte);
    f64::from(u16::from_le_bytes(byte)) / f64::from(u16::MAX)
}
