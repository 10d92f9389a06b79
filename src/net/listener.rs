//! The accept loop: takes a connection, takes a permit, and is free again.
//!
//! Nothing that a peer does or fails to do holds it up, and no error of one connection ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::select;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::Error;
use super::connection::{self, Doorway};
use super::lifetime::FAREWELL;
use super::peer::{Refusal, Refused};
use super::refusals::Refusals;
use super::tls::{DoorTls, ServerTls};
use crate::clock::Clock;
use crate::config::settings::Limits;
use crate::telemetry::{Metrics, Misses};

/// Connections that the kernel keeps while the loop is busy; the kernel may cut it (net.core.somaxconn).
const BACKLOG: u32 = 4096;
/// After an error such as "too many open files": long enough not to spin, short enough not to be missed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);
/// Requests at once on one HTTP/2 connection, unless it is told otherwise.
const STREAMS_MAX: u32 = 128;

/// What a connection must speak.
#[derive(Clone)]
pub enum Security {
    /// Nothing: plain HTTP, for loopback.
    Plain,
    /// The callback's TLS and identity rules. Requests bear a [`super::peer::Caller`].
    Tls(Arc<DoorTls>),
    /// TLS without client certificates.
    ServerTls(Arc<ServerTls>),
}

/// A bound socket that serves nobody yet.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    streams_max: u32,
    proxy_protocol_from: Vec<IpNet>,
    only_from: Option<Vec<IpNet>>,
    metrics: Metrics,
    misses: Misses,
    clock: Arc<dyn Clock>,
}

impl Listener {
    /// Binds the address that the setting `key` names. Port 0 takes a free one.
    pub fn bind(
        key: &'static str,
        address: SocketAddr,
        limits: Limits,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let failed = |cause| Error::Listen { key, address, cause };
        let socket = listen(address).map_err(failed)?;
        Ok(Listener {
            address: socket.local_addr().map_err(failed)?,
            socket,
            limits,
            streams_max: STREAMS_MAX,
            proxy_protocol_from: Vec::new(),
            only_from: None,
            metrics,
            misses: Misses::default(),
            clock,
        })
    }

    /// So many requests at once on one HTTP/2 connection.
    #[must_use]
    pub fn with_streams(mut self, at_once: u32) -> Self {
        self.streams_max = at_once;
        self
    }

    /// From these addresses a PROXY protocol header is demanded before TLS.
    #[must_use]
    pub fn with_proxy_protocol(mut self, from: Vec<IpNet>) -> Self {
        self.proxy_protocol_from = from;
        self
    }

    /// From anywhere else nobody gets as far as the handshake. What a PROXY protocol header says counts.
    #[must_use]
    pub fn only_from(mut self, networks: Vec<IpNet>) -> Self {
        self.only_from = Some(networks);
        self
    }

    /// Who bears a known name and is not let in is noted there.
    #[must_use]
    pub fn with_misses(mut self, misses: Misses) -> Self {
        self.misses = misses;
        self
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then accepts no more, lets accepted requests finish within `limits.stop`, and
    /// returns when the last connection is closed.
    pub async fn serve(self, security: Security, router: Router, stop: CancellationToken) {
        // The admin side's callers are not the door's, and do not stand in its metrics.
        let metrics = match security {
            Security::Tls(_) => self.metrics,
            Security::Plain | Security::ServerTls(_) => Metrics::new(),
        };
        let permits = Arc::new(Semaphore::new(self.limits.connections_max));
        let connections = TaskTracker::new();
        let doorway = Arc::new(Doorway {
            security,
            router,
            limits: self.limits,
            streams_max: self.streams_max,
            proxy_protocol_from: self.proxy_protocol_from,
            only_from: self.only_from,
            refusals: Refusals::new(metrics.clone(), self.misses, self.clock),
            metrics,
            stop: stop.clone(),
        });
        loop {
            let (socket, address) = select! {
                () = stop.cancelled() => break,
                accepted = accept(&self.socket) => accepted,
            };
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                doorway.refusals.note(&Refusal::nameless(Refused::TooMany), address);
                continue;
            };
            let doorway = doorway.clone();
            connections.spawn(async move {
                connection::serve(doorway, socket, address).await;
                drop(permit);
            });
        }
        drop(self.socket);
        connections.close();
        info!(address = %self.address, connections = connections.len(), "no longer accepting");
        // Every connection ends itself in this time; the deadline here is the belt to those braces.
        if timeout(self.limits.stop + 2 * FAREWELL, connections.wait())
            .await
            .is_err()
        {
            warn!(address = %self.address, connections = connections.len(), "connections left behind");
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // So that a restart need not wait for the old connections' TIME_WAIT.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if ended_before_accept(&error) => {}
            Err(error) => {
                warn!(%error, "cannot accept connections; trying again");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The peer's doing, not ours: the next connection may be had at once.
fn ended_before_accept(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
