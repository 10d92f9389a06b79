//! One connection that all attempts share, made again when it is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

use crate::delivery::Sent;

/// A connection that may break.
pub(in crate::delivery) trait Living {
    /// It is of no use for what comes.
    fn is_over(&self) -> bool;
}

/// The connection as it is now, if there is one.
pub(in crate::delivery) struct Kept<L> {
    current: ArcSwapOption<L>,
    /// How the last try ended, if badly.
    connecting: Mutex<Option<Sent>>,
    /// How many tries to connect have ended.
    tried: AtomicUsize,
}

impl<L: Living> Kept<L> {
    pub(in crate::delivery) fn none() -> Self {
        Kept {
            current: ArcSwapOption::empty(),
            connecting: Mutex::default(),
            tried: AtomicUsize::new(0),
        }
    }

    /// A connection that lives, made now if there is none.
    ///
    /// One task connects at a time; those who waited for it share what came of it, so that a server that is away costs
    /// one deadline and not one for each of them.
    pub(in crate::delivery) async fn link(
        &self,
        connect: impl Future<Output = Result<L, Sent>>,
    ) -> Result<Arc<L>, Sent> {
        if let Some(link) = self.living() {
            return Ok(link);
        }
        let tried_before = self.tried.load(Ordering::Acquire);
        let mut last = self.connecting.lock().await;
        if let Some(link) = self.living() {
            return Ok(link);
        }
        if self.tried.load(Ordering::Acquire) != tried_before
            && let Some(failure) = last.as_ref()
        {
            return Err(failure.clone());
        }
        let connected = connect.await;
        *last = connected.as_ref().err().cloned();
        self.tried.fetch_add(1, Ordering::Release);
        let link = Arc::new(connected?);
        self.current.store(Some(link.clone()));
        Ok(link)
    }

    fn living(&self) -> Option<Arc<L>> {
        self.current.load_full().filter(|link| !link.is_over())
    }

    /// The next attempt connects anew; who still waits on this one goes on waiting.
    pub(in crate::delivery) fn forget(&self, link: &Arc<L>) {
        self.current.compare_and_swap(link, None);
    }

    /// The next attempt connects anew, whatever there is.
    pub(in crate::delivery) fn forget_any(&self) {
        self.current.store(None);
    }
}
