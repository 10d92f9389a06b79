//! Puts together who tells the merchant's systems: one destination for each that is configured, one worker for each.

use std::sync::Arc;
use std::time::Duration;

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

const AFTER_PANIC: Duration = Duration::from_secs(1);

/// A destination by its name.
pub(super) type Named = (String, Arc<dyn Destination>);

/// The destinations, in the order of the configuration. What the operator wrote wrong is an error;
/// one that is away is not.
pub(super) fn destinations(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Vec<Named>> {
    let one = |one: &settings::Destination| Ok((one.name.clone(), delivery::open(one, clock)?));
    settings.destinations.iter().map(one).collect()
}

/// Starts a worker for each, which begins once the store is there; they end softly when the stop comes.
pub(super) fn start(
    settings: &Settings,
    destinations: &[Named],
    inbox: &Arc<Inbox>,
    outbox: &SharedOutbox,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    [store_is_there, stop]: [&CancellationToken; 2],
) -> JoinSet<()> {
    let mut workers = JoinSet::new();
    for (settings_of_one, (_, destination)) in settings.destinations.iter().zip(destinations) {
        let line = Arc::new(Line {
            settings: settings_of_one.clone(),
            destination: destination.clone(),
            stop_overtakes_after: settings.delivery.stop_overtakes_after,
            numbers: wants_numbers(&settings_of_one.kind).then(|| inbox.clone() as Arc<dyn Numbers>),
        });
        let (outbox, clock, metrics) = (outbox.clone(), clock.clone(), metrics.clone());
        let name = settings_of_one.name.clone();
        let panicked = move || tracing::error!(destination = name, "its worker panicked; another one begins");
        let stop_of_one = stop.clone();
        let work = move || {
            let (outbox, clock, metrics) = (outbox.clone(), clock.clone(), metrics.clone());
            Worker::new(line.clone(), outbox, clock, metrics, dice).run(stop_of_one.clone())
        };
        workers.spawn(supervised(work, panicked, store_is_there.clone(), stop.clone()));
    }
    workers
}

/// Works once the store is there, until the stop. A defect of ours must not be the end of a worker: another one begins,
/// and what the first one held is taken up when its lease ends.
pub(super) async fn supervised<W: Future<Output = ()> + Send + 'static>(
    work: impl Fn() -> W,
    tell: impl Fn(),
    store_is_there: CancellationToken,
    stop: CancellationToken,
) {
    if stop.run_until_cancelled(store_is_there.cancelled()).await.is_none() {
        return;
    }
    while panicked(work()).await {
        tell();
        let _ = stop.run_until_cancelled(tokio::time::sleep(AFTER_PANIC)).await;
    }
}

/// In a task of its own, which ends with the caller.
async fn panicked(work: impl Future<Output = ()> + Send + 'static) -> bool {
    let mut alone = JoinSet::new();
    alone.spawn(work);
    matches!(alone.join_next().await, Some(Err(error)) if error.is_panic())
}

fn wants_numbers(kind: &DestinationKind) -> bool {
    matches!(kind, DestinationKind::Webhook(webhook) if webhook.include_token_number)
}

#[async_trait]
impl Numbers for Inbox {
    async fn number(&self, notification: NotificationId, token_index: u32) -> Result<Option<Secret>, String> {
        let number = self.token_number(notification, token_index).await;
        number.map_err(|error| error.to_string())
    }
}

/// From 0 to 1, for jitter.
fn dice() -> f64 {
    let mut byte = [0_u8; 2];
    // Without chance nothing is wrong but that many may come at once.
    let _ = rand::fill(&mut byte);
    f64::from(u16::from_le_bytes(byte)) / f64::from(u16::MAX)
}
