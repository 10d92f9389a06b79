//! `POST /{secret}/state` and `POST /{secret}/card`: TokenEx's own notifications, on a listener of their own.
//!
//! They bear no signature: who calls from an allowed address and knows the path is heard. Whoever does not know it gets
//! a plain 404, and nothing of it is kept or logged. Which of the two it is, the body says.

use std::any::Any;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_lc_rs::{constant_time, digest};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::{Extension, Router};
use bytes::Bytes;
use uuid::Uuid;

use super::body::{Collected, Room, collect};
use super::traced::Answered;
use crate::clock::Clock;
use crate::config::settings::{Limits, TokenExCallbacks};
use crate::domain::id::{Namespace, QuarantineId};
use crate::domain::masked::masked;
use crate::domain::missed::Missed;
use crate::domain::peer::Peer;
use crate::inbox::{Arrival, Inbox, Receipt, STORE_REFUSED, Unheeded};
use crate::net::peer::Address;
use crate::telemetry::{Flood, Metrics, Misses};

/// What the paths end with; both take both.
const PLACES: [&str; 2] = ["state", "card"];
const RETRY_AFTER: &str = "5";

/// What the handler needs.
pub struct Callbacks {
    inbox: Arc<Inbox>,
    settings: TokenExCallbacks,
    limits: Limits,
    secret: digest::Digest,
    room: Room,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    misses: Misses,
    strangers: Mutex<Flood>,
    flood: Mutex<Flood>,
}

impl Callbacks {
    /// Over this inbox; `limits` bound a body, and how long its answer may take.
    pub fn new(
        inbox: Arc<Inbox>,
        settings: TokenExCallbacks,
        limits: Limits,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        misses: Misses,
    ) -> Self {
        let flood = || Mutex::new(Flood::new(clock.now()));
        Callbacks {
            secret: hashed(settings.path_secret.expose()),
            strangers: flood(),
            flood: flood(),
            inbox,
            settings,
            limits,
            room: Room::new(),
            clock,
            metrics,
            misses,
        }
    }

    /// Every path leads to the one handler.
    pub fn router(self) -> Router {
        let (misses, clock) = (self.misses.clone(), self.clock.clone());
        let panicked = move |_: Box<dyn Any + Send>| {
            misses.note(
                Missed::Unavailable,
                Namespace::TokenEx.as_str(),
                "panicked",
                clock.now(),
            );
            panicked()
        };
        Router::new()
            .fallback(notify)
            .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
            .with_state(Arc::new(self))
    }

    /// Compared in constant time, whatever it is and however long.
    fn knows_the_way(&self, path: &str) -> bool {
        let (given, place) = path
            .strip_prefix('/')
            .and_then(|path| path.rsplit_once('/'))
            .unwrap_or_default();
        let is_secret = constant_time::verify_slices_are_equal(hashed(given).as_ref(), self.secret.as_ref()).is_ok();
        is_secret & PLACES.contains(&place)
    }

    async fn heed(&self, arrival: Arrival) -> Said {
        match self.inbox.overhear(arrival).await {
            Ok(receipt) => Said::Received(receipt),
            Err(unheeded) => Said::of(unheeded),
        }
    }

    /// Keeps what came of a body that cannot be read; if it cannot be kept, the sender should try again.
    async fn keep(&self, arrival: Arrival, fault: &'static str, bytes: u64) -> Said {
        if arrival.body.is_empty() {
            return Said::Refused(fault, "refused at the door", None);
        }
        match self.inbox.keep_overheard(arrival, fault, bytes).await {
            Ok(id) => Said::Refused(fault, "refused at the door", Some(id)),
            Err(unheeded) => Said::of(unheeded),
        }
    }

    fn status(&self, said: &Said) -> u16 {
        match said {
            Said::Received(_) => self.settings.answer_status,
            Said::Refused(TOO_LARGE, ..) => 413,
            Said::Refused(TOO_SLOW, ..) => 408,
            Said::Refused(..) => self.settings.refusal_status,
            Said::TooMany(_) | Said::Unavailable(_) => 503,
        }
    }

    fn respond(&self, said: &Said) -> Response {
        let status = StatusCode::from_u16(self.status(said)).expect("the configuration holds valid statuses only");
        let body = match said {
            Said::Received(_) => self.settings.answer_body.clone(),
            _ => String::new(),
        };
        let kind = match body.starts_with(['{', '[']) {
            true => "application/json",
            false => "text/plain; charset=utf-8",
        };
        let mut response = plain(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let after = HeaderValue::from_static(RETRY_AFTER);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        if !body.is_empty() {
            let kind = HeaderValue::from_static(kind);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            *response.body_mut() = Body::from(body);
        }
        response
    }

    /// A line for one who does not know the way: within the limit, and nothing of what it asked for.
    fn note_stranger(&self, address: Address) {
        self.metrics.tokenex_callback("not_found");
        let mut flood = self.strangers.lock().expect("no one panics while holding it");
        if let Some(suppressed) = flood.line(self.clock.now()) {
            let address = address.0;
            tracing::warn!(%address, suppressed, "refused at the TokenEx callbacks: not their path");
        }
    }

    /// One line and one count per request; never what it said, and of a token its last digits.
    fn tell(&self, said: &Said, address: Address, started: Instant) {
        let took_ms = (started.elapsed().as_secs_f64() * 100_000.0).round() / 100.0;
        let (address, status, outcome) = (address.0, self.status(said), said.word());
        self.metrics.tokenex_callback(outcome);
        match said {
            Said::Received(receipt) => {
                for outcome in &receipt.outcomes {
                    self.metrics.statement(outcome.verdict.as_str());
                }
                let (notification, statements) = (receipt.id, statements(receipt));
                tracing::info!(outcome, status, %notification, statements, %address, took_ms, "TokenEx callback");
            }
            Said::Refused(_, detail, quarantine) => {
                let quarantine = quarantine.map_or_else(|| "-".to_owned(), |id| id.to_string());
                tracing::warn!(outcome, detail, status, quarantine, %address, took_ms, "TokenEx callback");
            }
            Said::TooMany(why) => {
                let mut flood = self.flood.lock().expect("no one panics while holding it");
                if let Some(suppressed) = flood.line(self.clock.now()) {
                    tracing::error!(outcome, why, suppressed, status, %address, "TokenEx callback");
                }
            }
            Said::Unavailable(why) => {
                tracing::error!(outcome, why, status, %address, took_ms, "TokenEx callback");
            }
        }
    }
}

const TOO_LARGE: &str = "TOO_LARGE";
const TOO_SLOW: &str = "TOO_SLOW";
const MALFORMED: &str = "MALFORMED";

/// What became of a request.
enum Said {
    Received(Receipt),
    Refused(&'static str, &'static str, Option<QuarantineId>),
    TooMany(&'static str),
    Unavailable(String),
}

impl Said {
    fn of(unheeded: Unheeded) -> Self {
        match unheeded {
            Unheeded::Unusable { id, reason, detail } => Said::Refused(reason, detail, Some(id)),
            Unheeded::Poison(id) => Said::Refused(STORE_REFUSED, "the store refuses it", Some(id)),
            Unheeded::TooMany(why) => Said::TooMany(why),
            Unheeded::Unavailable(why) => Said::Unavailable(why),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Said::Received(receipt) if receipt.repeat => "repeat",
            Said::Received(_) => "recorded",
            Said::Refused(reason, ..) => reason,
            Said::TooMany(_) => "too_many",
            Said::Unavailable(_) => "unavailable",
        }
    }

    /// Of a repeat, the id of the first.
    fn first(&self) -> Option<Uuid> {
        match self {
            Said::Received(receipt) if receipt.repeat => Some(receipt.id.0),
            _ => None,
        }
    }
}

async fn notify(
    State(callbacks): State<Arc<Callbacks>>,
    Extension(address): Extension<Address>,
    request: Request,
) -> Response {
    let came_at = Instant::now();
    let (head, body) = request.into_parts();
    if !callbacks.knows_the_way(head.uri.path()) {
        callbacks.note_stranger(address);
        return plain(StatusCode::NOT_FOUND);
    }
    if head.method != Method::POST {
        callbacks.metrics.tokenex_callback("METHOD_NOT_ALLOWED");
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(header::ALLOW, allowed);
        return response;
    }
    let mut unanswered = callbacks
        .misses
        .unanswered(Namespace::TokenEx.as_str(), callbacks.clock.now());
    let announced = head.headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let (collected, _taken) = collect(body, announced, &callbacks.limits, &callbacks.room).await;

    let started = Instant::now();
    let received_at = callbacks.clock.now();
    let arrival = |body: Bytes| Arrival {
        received_at,
        peer: Peer::overheard(address.0),
        body,
    };
    let work = async {
        let length = |body: &Bytes| body.len() as u64;
        match collected {
            Collected::Whole(body) => callbacks.heed(arrival(body)).await,
            Collected::TooLarge { first, bytes } => callbacks.keep(arrival(first), TOO_LARGE, bytes).await,
            Collected::TooSlow(body) => callbacks.keep(arrival(body.clone()), TOO_SLOW, length(&body)).await,
            Collected::Malformed(body) => callbacks.keep(arrival(body.clone()), MALFORMED, length(&body)).await,
            Collected::Broken => Said::Unavailable("the sender hung up".to_owned()),
            Collected::NoRoom => Said::Unavailable("no room for more bodies".to_owned()),
        }
    };
    let work = tokio::time::timeout(callbacks.limits.answer, work);
    let (said, seen) = callbacks.metrics.traces().witness(work).await;
    let said = said.unwrap_or_else(|_| Said::Unavailable("no commit in time".to_owned()));
    unanswered.is_miss = matches!(said, Said::TooMany(_) | Said::Unavailable(_));
    callbacks.tell(&said, address, started);
    let response = callbacks.respond(&said);
    let answered = Answered {
        handshake: None,
        came: came_at,
        whole: started,
        seen,
        peer: &Peer::overheard(address.0).name,
        path: "-", // a part of it is a secret
        outcome: said.word(),
        status: response.status().as_u16(),
        first: said.first(),
    };
    answered.trace(callbacks.metrics.traces(), callbacks.clock.now());
    response
}

/// `····7718=SUSPENDED#3/hinted`.
fn statements(receipt: &Receipt) -> String {
    let word = |outcome: &crate::store::Outcome| {
        let status = outcome.status.as_ref().map_or("-", |status| status.as_str());
        let (token, verdict) = (masked(&outcome.token.reference), outcome.verdict.as_str());
        format!("{token}={}#{}/{verdict}", status.escape_default(), outcome.sequence)
    };
    receipt.outcomes.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn hashed(text: &str) -> digest::Digest {
    digest::digest(&digest::SHA256, text.as_bytes())
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A defect of ours must not look like an acceptance.
fn panicked() -> Response {
    tracing::error!("a handler panicked; nothing was acknowledged");
    plain(StatusCode::SERVICE_UNAVAILABLE)
}
