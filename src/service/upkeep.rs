//! What goes on beside the doors: waiting for the store, redriving for new keys.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::inbox::Inbox;
use crate::store::outbox::Start;
use crate::store::roster::{Operator, Right};
use crate::store::{self, Memory, Outbox as _, Roster as _, Store as _};

/// How often the store is asked whether it is there, until it is.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How long after one that failed the next redrive is tried.
const REDRIVE_RETRY: Duration = Duration::from_secs(5);

const NO_OPERATOR: &str = "key `admin.listen`: is beyond loopback, and there is no operator who may ask: run \
                           `mdes-receiver operators add NAME --role operator`, or listen on 127.0.0.1";

/// What must hold before anything is recorded.
pub(super) struct Preparation {
    /// The memory.
    pub memory: Arc<Memory>,
    /// By which an operator's token expires.
    pub clock: Arc<dyn Clock>,
    /// Its schema is brought up to date.
    pub migrate: bool,
    /// These have a cursor: what is acknowledged from then on is told to each of them.
    pub destinations: Vec<(String, Start)>,
    /// The admin side is open beyond this machine: somebody must be there who may ask.
    pub needs_operator: bool,
}

/// Waits for the store, prepares it, and then does what needs it. A database that is away may come back;
/// a schema on which this program may not run stays as it is.
pub(super) async fn prepare(
    preparation: Preparation,
    unfit: oneshot::Sender<anyhow::Error>,
    then: impl Future<Output = ()>,
) {
    loop {
        match preparation.make().await {
            Ok(true) => break,
            Ok(false) => {
                let _ = unfit.send(anyhow::Error::msg(NO_OPERATOR)); // as below
                return;
            }
            Err(error @ store::Error::Schema(_)) => {
                let _ = unfit.send(error.into()); // nobody listens while the program stops
                return;
            }
            Err(error) => tracing::warn!(%error, "the store is not ready; trying again"),
        }
        tokio::time::sleep(STORE_RETRY).await;
    }
    tracing::info!("the store is ready");
    then.await;
}

impl Preparation {
    /// Says whether whoever must be there is.
    async fn make(&self) -> Result<bool, store::Error> {
        if self.migrate {
            let migrated = self.memory.migrate().await?;
            if migrated.applied > 0 {
                tracing::info!(
                    version = migrated.version,
                    applied = migrated.applied,
                    "schema migrated"
                );
            }
        }
        self.memory.ready().await?;
        for (destination, start) in &self.destinations {
            if self.memory.enrol(destination, *start).await? {
                tracing::info!(destination, "enrolled");
            }
        }
        let now = self.clock.now();
        let may = |one: &Operator| one.role.may(Right::Act) && one.revoked_at.is_none() && one.expires_at > now;
        Ok(!self.needs_operator || self.memory.operators().await?.iter().any(may))
    }
}

/// Tells that the store is there, once it is, and redrives from then on.
pub(super) fn begin(
    store_is_there: CancellationToken,
    inbox: &Arc<Inbox>,
    new_keys: Arc<Notify>,
    settled: Duration,
) -> impl Future<Output = ()> + use<> {
    let inbox = inbox.clone();
    async move {
        store_is_there.cancel();
        redrive_for_ever(inbox, new_keys, settled).await;
    }
}

/// Redrives what newer keys may open: now, whenever the keys were read again, and once more when all that was
/// under way with the keys of before has `settled` in quarantine.
async fn redrive_for_ever(inbox: Arc<Inbox>, new_keys: Arc<Notify>, settled: Duration) {
    loop {
        redrive(&inbox).await;
        if tokio::time::timeout(settled, new_keys.notified()).await.is_err() {
            redrive(&inbox).await;
            new_keys.notified().await;
        }
    }
}

/// Redrives until the store took part in it.
async fn redrive(inbox: &Inbox) {
    loop {
        match inbox.redrive_for_new_keys().await {
            Ok(report) if report.recorded + report.still_open > 0 => {
                tracing::info!(
                    recorded = report.recorded,
                    still_open = report.still_open,
                    "redriven with the keys of now"
                );
                return;
            }
            Ok(_) => return,
            Err(error) => tracing::warn!(%error, "cannot redrive; trying again"),
        }
        tokio::time::sleep(REDRIVE_RETRY).await;
    }
}
