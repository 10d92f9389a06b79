//! Turns: how many connections each kind of asking may hold at once, so that none of them starves another, and receiving
//! finds some whatever the others do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Error;

/// Who waits for which turn. Receiving waits for none.
#[derive(Clone)]
pub(super) struct Turns {
    /// Workers, acts, whatever is no search: half of the connections.
    aside: Arc<Semaphore>,
    /// Searches and pages for people, among those: half of the half, so that they leave the workers the rest.
    looks: Arc<Semaphore>,
    /// One row by its key, for who waits at a checkout or a door: a fifth, shared with nobody.
    keyed: Arc<Semaphore>,
}

/// A turn, until it is dropped.
pub(super) struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Turns {
    /// Of so many connections; of each kind there is one turn at least.
    pub(super) fn of(connections: u32) -> Self {
        let turns = |part: u32| Arc::new(Semaphore::new(part.max(1) as usize));
        Turns {
            aside: turns(connections / 2),
            looks: turns(connections / 4),
            keyed: turns(connections / 5),
        }
    }

    /// For whatever is neither of the two below.
    pub(super) async fn aside(&self, patience: Duration) -> Result<Turn, Error> {
        within(patience, [&self.aside]).await
    }

    /// For a search.
    pub(super) async fn look(&self, patience: Duration) -> Result<Turn, Error> {
        within(patience, [&self.looks, &self.aside]).await
    }

    /// For one row by its key.
    pub(super) async fn keyed(&self, patience: Duration) -> Result<Turn, Error> {
        within(patience, [&self.keyed]).await
    }
}

async fn within<const N: usize>(patience: Duration, kinds: [&Arc<Semaphore>; N]) -> Result<Turn, Error> {
    let all = async {
        let mut permits = Vec::with_capacity(N);
        for kind in kinds {
            permits.push(kind.clone().acquire_owned().await.expect("nobody closes it"));
        }
        Turn { _permits: permits }
    };
    let late = |_| Error::Unavailable(format!("too much is asked of it: no turn within {patience:?}"));
    timeout(patience, all).await.map_err(late)
}
