//! The asker: asks the network after what is in doubt, and compares all that we hold with what it says.
//!
//! Each replica has one; leases, not locks, say who asks about what. It changes nothing by itself: an answer goes
//! through the inbox and the state rules like whatever else is said of a token, and what the rules make of it is told
//! to every destination. A crash at any moment costs no more than asking once more.

mod answer;
mod queue;
mod sweep;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Listener, TokenService};
use crate::clock::Clock;
use crate::domain::id::Namespace;
use crate::domain::question::answers_for;
use crate::store::SharedAsking;
use crate::telemetry::Metrics;

/// After trouble with the store.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What the asker works with.
pub struct Enquiry {
    /// What is to be asked, and how far we are.
    pub asking: SharedAsking,
    /// Who is asked, each in the one line of its callers.
    pub services: Vec<Arc<dyn TokenService>>,
    /// Who takes in what they say.
    pub listener: Arc<dyn Listener>,
    /// How reconciles go.
    pub sweeps: Sweeps,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Metrics,
}

/// How reconciles go.
#[derive(Clone, Copy, Debug)]
pub struct Sweeps {
    /// How often one is begun by itself; `None`: never.
    pub every: Option<Duration>,
    /// Questions a second at most, of all services together.
    pub calls_per_second: u32,
}

impl Enquiry {
    /// Whose tokens can be asked after.
    pub fn namespaces(&self) -> Vec<Namespace> {
        let all = [Namespace::Mdes, Namespace::TokenEx];
        let has = |namespace: &Namespace| self.service_of(*namespace).is_some();
        all.into_iter().filter(has).collect()
    }

    fn service_of(&self, namespace: Namespace) -> Option<&Arc<dyn TokenService>> {
        self.services.iter().find(|one| one.service() == answers_for(namespace))
    }

    /// Works until the stop, and then finishes what is being asked just now, each call of which has a deadline.
    pub async fn run(self: Arc<Self>, bell: watch::Receiver<()>, stop: CancellationToken) {
        let mut workers = JoinSet::new();
        for namespace in self.namespaces() {
            // Of its own, so that a service that hangs keeps nobody else's questions waiting.
            workers.spawn(queue::run(self.clone(), namespace, bell.clone(), stop.clone()));
        }
        workers.spawn(sweep::run(self, stop));
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                // A defect of ours: whoever supervises this begins again.
                std::panic::resume_unwind(error.into_panic());
            }
        }
    }
}
