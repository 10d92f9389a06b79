//! Connections that wait for the next request, for a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::connection::Connection;
use super::target::Origin;

/// Shorter than servers wait (Node and Apache: 5 s), so that they seldom hang up just as we write.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// More than these wait for nobody.
const CONNECTIONS_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Pool(Mutex<Idle>);

#[derive(Default)]
struct Idle {
    connections: HashMap<Origin, Vec<(Connection, Instant)>>,
    count: usize,
    /// A task comes by to sweep.
    is_swept: bool,
}

impl Pool {
    /// The one that was used last: the others may be let go.
    pub(super) fn take(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle();
        loop {
            let (connection, since) = idle.connections.get_mut(origin)?.pop()?;
            idle.count -= 1;
            if since.elapsed() < IDLE_MAX {
                return Some(connection);
            }
        }
    }

    pub(super) fn put(self: &Arc<Self>, origin: &Origin, connection: Connection) {
        let mut idle = self.idle();
        if idle.count >= CONNECTIONS_MAX {
            return;
        }
        idle.count += 1;
        let kept = (connection, Instant::now());
        match idle.connections.get_mut(origin) {
            Some(connections) => connections.push(kept),
            None => drop(idle.connections.insert(origin.clone(), vec![kept])),
        }
        if !std::mem::replace(&mut idle.is_swept, true) {
            drop(idle);
            self.sweep_later();
        }
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        let mut idle = self.idle();
        idle.connections.clear();
        idle.count = 0;
    }

    /// Comes by until nothing is left, or nobody has the pool any more.
    fn sweep_later(self: &Arc<Self>) {
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(IDLE_MAX).await;
                match pool.upgrade() {
                    Some(pool) if pool.sweep() => {}
                    _ => return,
                }
            }
        });
    }

    /// True if some are left.
    fn sweep(&self) -> bool {
        let mut idle = self.idle();
        idle.connections.retain(|_, connections| {
            connections.retain(|(connection, since)| since.elapsed() < IDLE_MAX && !connection.is_closed());
            !connections.is_empty()
        });
        idle.count = idle.connections.values().map(Vec::len).sum();
        idle.is_swept = idle.count > 0;
        idle.is_swept
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().expect("nobody panics while holding it")
    }
}
