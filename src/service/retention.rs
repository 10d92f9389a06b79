//! The worker that lets go of what is old: one replica at a time, by a lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::act::With;
use super::deliver::supervised;
use crate::maintenance::Retention;

/// A start has other things to do.
const FIRST_LOOK_AFTER: Duration = Duration::from_mins(1);
/// How often it is asked whether it is time; what was broken off goes on then.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// Starts it among the workers; it begins once the store is there, and breaks off at the stop.
pub(super) fn start(with: &With<'_>, [store_is_there, stop]: [&CancellationToken; 2], workers: &mut JoinSet<()>) {
    let (memory, clock, metrics) = (with.memory.clone(), with.clock.clone(), with.metrics.clone());
    let inbox = with.inbox.clone();
    let retention = Retention::new(memory, with.settings.retention, clock, metrics);
    let retention = Arc::new(retention.giving_way_to(move || inbox.is_busy()));
    let until = stop.clone();
    let work = move || {
        let (retention, until) = (retention.clone(), until.clone());
        async move {
            // Cut off in the middle, what was committed is gone, and the rest goes with the next run.
            let _: Option<()> = until.run_until_cancelled(look_for_ever(&retention)).await;
        }
    };
    let panicked = || tracing::error!("retention panicked; another one begins");
    workers.spawn(supervised(work, panicked, store_is_there.clone(), stop.clone()));
}

async fn look_for_ever(retention: &Retention) {
    tokio::time::sleep(FIRST_LOOK_AFTER).await;
    loop {
        if let Err(error) = retention.look().await {
            tracing::warn!(%error, "cannot let go of what is old; trying again");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
