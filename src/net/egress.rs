//! The way out: the only HTTP client.
//!
//! It goes where its guard lets it, within deadlines, by HTTP/1.1 over connections that it keeps for a moment; it
//! follows no redirect, retries nothing that may have arrived, and reads no more of an answer than it was told to.
//! A client of our own over what is here anyway (hyper, rustls): the guard must see the address that is connected to,
//! which a finished client hides.
//!
//! | module | what it is |
//! |---|---|
//! | [`guard`] | which addresses may be reached |
//! | `target` | a URL, read once |
//! | `dial` | a new connection: resolved, guarded, by the proxy, with TLS |
//! | `connection`, `pool` | one request at a time, again and again |

mod connection;
mod dial;
mod error;
pub mod guard;
mod pool;
mod proxy;
mod resolver;
mod target;
mod tls;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{HeaderMap, Method, StatusCode};
use ipnet::IpNet;
use tokio::time::{Instant, timeout};

use self::connection::{Connection, Exchanged};
pub use self::error::{Class, Error};
use self::pool::Pool;
use self::proxy::Proxy;
pub use self::resolver::{Resolver, System};
pub use self::target::{Host, Target};
use self::tls::Snapshot;
pub use super::Error as BadSetting;
pub use super::tls::Expiries;
use crate::clock::Clock;
use crate::config::settings::Egress;

/// Sends requests by one way out: its guard, its proxy, its roots, its certificate.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: Egress,
    clock: Arc<dyn Clock>,
    allow: Vec<IpNet>,
    connect: Duration,
    proxy: Option<Proxy>,
    resolver: Arc<dyn Resolver>,
    tls: ArcSwap<Snapshot>,
    pool: Arc<Pool>,
}

/// What is asked. Who makes it says the headers but for `host` and `content-length`.
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where.
    pub target: Arc<Target>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// How long it may take, how much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the first step to the last byte.
    pub total: Duration,
    /// Of the answer's body; what comes after is not waited for, and the connection is not used again.
    pub body_bytes_max: usize,
}

/// What was answered.
#[derive(Clone)]
pub struct Response {
    /// The status, a redirect's too.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// As much of the body as came in time and fits.
    pub body: Bytes,
    /// That is not all of it.
    pub truncated: bool,
}

impl Client {
    /// Reads the files that the settings name.
    pub fn new(settings: &Egress, clock: Arc<dyn Clock>) -> Result<Self, BadSetting> {
        Client::with_resolver(settings, clock, Arc::new(System))
    }

    /// The same, with names resolved by that one.
    pub fn with_resolver(
        settings: &Egress,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, BadSetting> {
        let proxy = settings.proxy.as_ref().map(Proxy::parse).transpose();
        let proxy = proxy.map_err(|problem| BadSetting::Setting {
            key: "proxy",
            problem: problem.to_owned(),
        })?;
        Ok(Client(Arc::new(Inner {
            allow: settings.allow_networks.clone(),
            connect: settings.connect,
            proxy,
            resolver,
            tls: ArcSwap::from_pointee(Snapshot::read(settings, &clock, 0)?),
            pool: Arc::default(),
            settings: settings.clone(),
            clock,
        })))
    }

    /// Reads the files again. After `Ok` no request begins on a connection of before; after `Err` all stays as it was.
    pub fn reload(&self) -> Result<(), BadSetting> {
        let number = self.0.tls.load().number + 1;
        let snapshot = Snapshot::read(&self.0.settings, &self.0.clock, number)?;
        self.0.tls.store(Arc::new(snapshot));
        self.0.pool.clear();
        Ok(())
    }

    /// Every file that a reload reads.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        tls::files(&self.0.settings)
    }

    /// When our own certificate expires.
    pub fn expiries(&self) -> Expiries {
        self.0.tls.load().expiries.clone()
    }

    /// Whether the guard would let it go there, as far as that shows before a name is resolved.
    pub fn admits(&self, target: &Target) -> Result<(), Error> {
        guard::target(target, self.0.proxy.is_some(), &self.0.allow)
    }

    /// Sends it once, and gives what was answered, whatever the status. After an error it may have arrived all the
    /// same, if the error says so ([`Error::may_have_arrived`]).
    pub async fn send(&self, request: Request, limits: Limits) -> Result<Response, Error> {
        let deadline = Instant::now() + limits.total;
        let mut message = self.0.message(&request);
        loop {
            let (mut connection, is_new) = self.0.connection(&request.target, deadline).await?;
            match connection.exchange(message, &limits, deadline).await {
                Exchanged::Answered(response, whole) => {
                    self.0.keep(request.target.origin(), connection, whole);
                    return Ok(response);
                }
                Exchanged::Failed(error) => return Err(error.after_writing()),
                Exchanged::Unsent(_) if is_new => return Err(connection.hung_up().await),
                Exchanged::Unsent(unsent) => message = unsent,
            }
        }
    }
}

impl Inner {
    fn message(&self, request: &Request) -> hyper::Request<Full<Bytes>> {
        let mut message = hyper::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = request.method.clone();
        *message.headers_mut() = request.headers.clone();
        message.headers_mut().insert(HOST, request.target.host_header());
        let forwarding = self.proxy.as_ref().filter(|_| !request.target.is_secure());
        *message.uri_mut() = request.target.uri(forwarding.is_some());
        if let Some(value) = forwarding.and_then(Proxy::authorization) {
            message.headers_mut().insert(PROXY_AUTHORIZATION, value.clone());
        }
        message
    }

    /// One that waits, or a new one; true if it is new.
    async fn connection(&self, target: &Target, deadline: Instant) -> Result<(Connection, bool), Error> {
        while let Some(mut connection) = self.pool.take(target.origin()) {
            if self.is_current(&connection) && connection.is_ready().await {
                return Ok((connection, false));
            }
        }
        let patience = self.connect.min(deadline.saturating_duration_since(Instant::now()));
        let dialled = timeout(patience, dial::dial(self, target)).await;
        let connection = dialled.unwrap_or_else(|_| Err(Error::late("connection", patience)))?;
        Ok((connection, true))
    }

    fn is_current(&self, connection: &Connection) -> bool {
        connection.snapshot == self.tls.load().number
    }

    fn keep(&self, origin: &target::Origin, connection: Connection, whole: bool) {
        if whole && self.is_current(&connection) && !connection.is_closed() {
            self.pool.put(origin, connection);
        }
    }
}
