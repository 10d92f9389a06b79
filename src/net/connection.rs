//! One connection from its first byte to its last: entry, requests, farewell.
//!
//! Every wait in here has a deadline. A request that was begun is finished, unless it outlasts `limits.stop`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::entry::{self, Entered};
use super::forwarded;
use super::lifetime::{self, Activity, Asked, Farewell, Life};
use super::listener::Security;
use super::peer::{Address, Caller, Handshake, Identity, Refused};
use super::refusals::Refusals;
use super::streamed;
use super::tls::DoorTls;
use crate::config::settings::Limits;
use crate::telemetry::Metrics;

/// A request's head at most; a forwarded chain, URL-encoded, needs room.
const HEAD_BYTES_MAX: usize = 64 * 1024;
const HTTP2_PING_EVERY: Duration = Duration::from_secs(30);
const HTTP2_PONG_WITHIN: Duration = Duration::from_secs(20);

/// What all connections of a listener share.
pub(super) struct Doorway {
    pub(super) security: Security,
    pub(super) router: Router,
    pub(super) limits: Limits,
    /// Requests at once on one HTTP/2 connection.
    pub(super) streams_max: u32,
    pub(super) proxy_protocol_from: Vec<IpNet>,
    /// `None`: from anywhere.
    pub(super) only_from: Option<Vec<IpNet>>,
    pub(super) refusals: Refusals,
    pub(super) metrics: Metrics,
    pub(super) stop: CancellationToken,
}

/// Serves a connection to its end.
pub(super) async fn serve(doorway: Arc<Doorway>, socket: TcpStream, address: SocketAddr) {
    let began = Instant::now();
    let entered = select! {
        () = doorway.stop.cancelled() => return,
        entered = entry::enter(&doorway, socket, address) => entered,
    };
    let Some(Entered { stream, http2, guest }) = entered else {
        return;
    };
    let _open = Open::count(&doorway.metrics);
    let visit = Arc::new(Visit {
        handshake: Mutex::new(doorway.metrics.traces().are_on().then(|| Handshake {
            began,
            ended: Instant::now(),
        })),
        doorway,
        guest,
        activity: watch::Sender::default(),
        farewell: Farewell::default(),
    });
    let service = service_fn({
        let visit = visit.clone();
        move |request: Request<Incoming>| {
            // Counted here, not at the first poll: a farewell must not come between.
            let asked = Asked::begin(&visit.activity);
            visit.clone().answer(request, asked)
        }
    });
    let life = Life {
        limits: &visit.doorway.limits,
        activity: visit.activity.subscribe(),
        disowned: visit.disowned(),
        stop: &visit.doorway.stop,
        farewell: visit.farewell.clone(),
    };
    let stream = TokioIo::new(stream);
    if http2 {
        lifetime::run(
            http2_settings(visit.doorway.streams_max).serve_connection(stream, service),
            life,
        )
        .await;
    } else {
        lifetime::run(http1_settings().serve_connection(stream, service), life).await;
    }
}

/// The one who was let in.
pub(super) struct Guest {
    pub(super) address: SocketAddr,
    /// What the handshake proved; `None` if it asked for no certificate.
    pub(super) admitted: Option<Admitted>,
}

impl Guest {
    /// What the metrics call its entry: who looks whether callers come must not count our own.
    pub(super) fn word(&self) -> &'static str {
        match &self.admitted {
            Some(admitted) if admitted.identity.is_probe => "accepted_probe",
            _ => "accepted",
        }
    }
}

/// A certificate that was admitted, kept to be judged again when the rules change.
pub(super) struct Admitted {
    pub(super) identity: Identity,
    pub(super) chain: Vec<rustls::pki_types::CertificateDer<'static>>,
    /// Subscribed before the handshake, so that no reload falls between.
    pub(super) reloads: watch::Receiver<()>,
}

struct Visit {
    doorway: Arc<Doorway>,
    guest: Guest,
    /// Until the first request takes it.
    handshake: Mutex<Option<Handshake>>,
    activity: watch::Sender<Activity>,
    farewell: Farewell,
}

impl Visit {
    async fn answer(self: Arc<Self>, request: Request<Incoming>, asked: Asked) -> Result<Response<Body>, Infallible> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(self.farewell.clone());
        request.extensions_mut().insert(Address(self.guest.address));
        let first = self.handshake.lock().expect("nobody panics while holding it").take();
        if let Some(handshake) = first {
            request.extensions_mut().insert(handshake);
        }
        if let Security::Tls(door) = &self.doorway.security {
            let caller = self.caller(door, &mut request);
            request.extensions_mut().insert(caller);
        }
        let answer = self.doorway.router.clone().oneshot(request).await;
        answer.map(|answer| streamed::held(answer, asked))
    }

    fn caller(&self, door: &DoorTls, request: &mut Request<Body>) -> Caller {
        let address = self.guest.address;
        let Some(settings) = door.forwarded() else {
            // Without `forwarded` no handshake succeeds without a certificate.
            let identity = self.guest.admitted.as_ref().map(|admitted| &admitted.identity);
            return identity.map_or(Caller::Refused(Refused::NoCertificate), |identity| identity.at(address));
        };
        let judged = forwarded::judge(request.headers_mut(), settings, &door.current().callers, door.now());
        match judged {
            Ok(identity) => identity.at(address),
            Err(refusal) => {
                self.doorway.refusals.note(&refusal, address);
                Caller::Refused(refusal.reason)
            }
        }
    }

    /// Returns once a reload brought rules that do not admit this guest; never, if no certificate was asked for.
    async fn disowned(&self) {
        let (Security::Tls(door), Some(admitted)) = (&self.doorway.security, &self.guest.admitted) else {
            return std::future::pending().await;
        };
        let mut reloads = admitted.reloads.clone();
        while reloads.changed().await.is_ok() {
            let (Some((leaf, above)), Some(rules)) = (admitted.chain.split_first(), &door.current().connections) else {
                return;
            };
            if let Err(refusal) = rules.judge(leaf, above, door.now()) {
                self.doorway.refusals.note(&refusal, self.guest.address);
                return;
            }
        }
    }
}

/// Counted among the open connections as long as it lives.
struct Open(Metrics);

impl Open {
    fn count(metrics: &Metrics) -> Self {
        metrics.connections(1);
        Open(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections(-1);
    }
}

/// Its own header timeout stays off: the deadlines of [`lifetime`] cover the first head, a slow head and idleness.
fn http1_settings() -> http1::Builder {
    let mut settings = http1::Builder::new();
    settings.timer(TokioTimer::new());
    settings.header_read_timeout(None);
    settings.max_buf_size(HEAD_BYTES_MAX);
    settings
}

fn http2_settings(streams_max: u32) -> http2::Builder<TokioExecutor> {
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings.timer(TokioTimer::new());
    settings.max_concurrent_streams(streams_max);
    settings.max_header_list_size(HEAD_BYTES_MAX as u32);
    settings.keep_alive_interval(HTTP2_PING_EVERY);
    settings.keep_alive_timeout(HTTP2_PONG_WITHIN);
    settings
}
