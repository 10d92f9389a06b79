//! `POST {context_root}/digitization/static/1/0/notifyTokenUpdated`: from a request to the inbox, and the answer back.
//!
//! Whatever an authenticated peer sends is on disk before it is answered, on any path and of any type;
//! a misregistered prefix must lose nothing.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use bytes::Bytes;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::settings;
use crate::domain::missed::Missed;
use crate::domain::peer::Peer;
use crate::http::body::{Collected, Room, collect};
use crate::http::health::Readiness;
use crate::http::traced::Answered;
use crate::inbox::{Arrival, Inbox, Receipt, Refusal, STORE_REFUSED};
use crate::mdes::Reason;
use crate::mdes::answer::{self, Answer};
use crate::net::peer::{Caller, Handshake};
use crate::telemetry::{Metrics, Misses};

/// The path of the call, in every version of the specification from 1.2.7 to 1.3.0 (facts: S1, S7).
pub const PATH: &str = "/digitization/static/1/0/notifyTokenUpdated";

/// How much of a sender's own words a log line shows.
const SHOWN_MAX: usize = 80;
/// When a sender should try again whose notification could not be kept.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why the door does not take a request; its body is kept all the same.
#[derive(Clone, Copy)]
enum Fault {
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    TooLarge,
    TooSlow,
    Malformed,
}

impl Fault {
    /// The word that quarantine, metrics and logs use.
    fn word(self) -> &'static str {
        match self {
            Fault::NotFound => "NOT_FOUND",
            Fault::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Fault::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Fault::TooLarge => "TOO_LARGE",
            Fault::TooSlow => "TOO_SLOW",
            Fault::Malformed => "MALFORMED",
        }
    }

    fn answer(self, response_host: &str) -> Answer {
        match self {
            Fault::NotFound => answer::not_found(response_host),
            Fault::MethodNotAllowed => answer::method_not_allowed(response_host),
            Fault::UnsupportedMediaType => answer::unsupported_media_type(response_host),
            Fault::TooLarge => answer::too_large(response_host),
            Fault::TooSlow => answer::too_slow(response_host),
            Fault::Malformed => answer::malformed(response_host),
        }
    }
}

/// What the handler needs.
pub struct Callback {
    inbox: Arc<Inbox>,
    settings: settings::Callback,
    path: String,
    room: Room,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    misses: Misses,
    /// `None`: probes are told that we are not ready.
    readiness: Option<Arc<Readiness>>,
}

impl Callback {
    /// The callback over this inbox.
    pub fn new(inbox: Arc<Inbox>, settings: settings::Callback, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        let path = format!("{}{PATH}", settings.context_root);
        Callback {
            inbox,
            settings,
            path,
            room: Room::new(),
            clock,
            metrics,
            misses: Misses::default(),
            readiness: None,
        }
    }

    /// Whom we could not take a notification from is noted there.
    #[must_use]
    pub fn with_misses(mut self, misses: Misses) -> Self {
        self.misses = misses;
        self
    }

    /// Probes are told whether a notification would be kept now.
    #[must_use]
    pub fn with_readiness(mut self, readiness: Arc<Readiness>) -> Self {
        self.readiness = Some(readiness);
        self
    }

    /// Every path leads to the one handler: what does not belong is refused in MDES's form, and kept.
    pub fn router(self) -> Router {
        let (misses, clock) = (self.misses.clone(), self.clock.clone());
        let panicked = move |_: Box<dyn Any + Send>| {
            misses.note(Missed::Unavailable, "", "panicked", clock.now());
            panicked()
        };
        Router::new()
            .fallback(notify)
            .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
            .with_state(Arc::new(self))
    }

    fn fault_of(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Fault> {
        match () {
            () if path != self.path => Some(Fault::NotFound),
            () if method != Method::POST => Some(Fault::MethodNotAllowed),
            () if !is_json(headers) => Some(Fault::UnsupportedMediaType),
            () => None,
        }
    }

    /// A probe may ask whether the door is open: 204, or 503 if nothing would be kept now, both without a body. Nothing else
    /// that it sends is read, kept or counted among the notifications.
    async fn probed(&self, peer: &Peer, head: &Parts) -> Response {
        let (outcome, answer) = match () {
            () if head.method != Method::GET || head.uri.path() != self.settings.probe_path => {
                let (probe, address) = (&peer.name, peer.address);
                tracing::warn!(probe, %address, method = %head.method, "a probe asked for what it may not have");
                ("refused", respond(answer::forbidden(&self.settings.response_host)))
            }
            () if self.would_keep().await => ("answered", StatusCode::NO_CONTENT.into_response()),
            () => ("unavailable", StatusCode::SERVICE_UNAVAILABLE.into_response()),
        };
        self.metrics.probe_answered(outcome);
        answer
    }

    async fn would_keep(&self) -> bool {
        let Some(readiness) = &self.readiness else {
            return false;
        };
        let asked = tokio::time::timeout(self.settings.limits.answer, readiness.now()).await;
        matches!(asked, Ok(Ok(())))
    }

    async fn receive(&self, arrival: Arrival) -> (Said, Answer) {
        let host = &self.settings.response_host;
        match self.inbox.receive(arrival).await {
            Ok(receipt) => {
                let answer = answer::accepted(host, &receipt.response_id);
                (Said::Received(receipt), answer)
            }
            Err(Refusal::Unusable {
                id,
                reason,
                detail,
                request_id,
            }) => {
                let answer = answer::refused(reason, self.settings.refusal_status, host, request_id.as_deref());
                let said = Said::Refused {
                    reason: reason.code(),
                    detail: Cow::Owned(detail),
                    quarantine: Some(id.to_string()),
                };
                (said, answer)
            }
            Err(Refusal::Poison { id, request_id }) => {
                let answer = answer::refused(
                    Reason::Unkeepable,
                    self.settings.refusal_status,
                    host,
                    Some(&request_id),
                );
                let said = Said::Refused {
                    reason: STORE_REFUSED,
                    detail: Cow::Borrowed("the store refuses it"),
                    quarantine: Some(id.to_string()),
                };
                (said, answer)
            }
            Err(Refusal::Unavailable(why)) => (Said::Unavailable(why), unavailable(host)),
        }
    }

    /// Keeps what came and refuses it; if it cannot be kept, the sender should try again.
    async fn refuse(&self, arrival: Arrival, fault: Fault, body_bytes: u64) -> (Said, Answer) {
        let host = &self.settings.response_host;
        let mut quarantine = None;
        if !arrival.body.is_empty() {
            match self.inbox.keep(arrival, fault.word(), body_bytes).await {
                Ok(id) => quarantine = Some(id.to_string()),
                Err(refusal) => return (Said::Unavailable(format!("{refusal:?}")), unavailable(host)),
            }
        }
        let said = Said::Refused {
            reason: fault.word(),
            detail: Cow::Borrowed("refused at the door"),
            quarantine,
        };
        (said, fault.answer(host))
    }
}

/// What is told of a request, in one line and one count.
enum Said {
    Received(Receipt),
    Refused {
        reason: &'static str,
        detail: Cow<'static, str>,
        quarantine: Option<String>,
    },
    Unavailable(String),
}

impl Said {
    /// The word that metrics, logs and traces use.
    fn outcome(&self) -> &'static str {
        match self {
            Said::Received(receipt) if receipt.repeat => "repeat",
            Said::Received(_) => "recorded",
            Said::Refused { reason, .. } => reason,
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
    State(callback): State<Arc<Callback>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Response {
    let came_at = Instant::now();
    let (head, body) = request.into_parts();
    let host = &callback.settings.response_host;
    let peer = match caller {
        Caller::Sender(peer) => peer,
        Caller::Probe(peer) => return callback.probed(&peer, &head).await,
        Caller::Refused(_) => return respond(answer::forbidden(host)), // the door has logged and counted it
    };
    let mut unanswered = callback.misses.unanswered(&peer.name, callback.clock.now());
    let announced = head
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let fault = callback.fault_of(&head.method, head.uri.path(), &head.headers);
    let (collected, _taken) = collect(body, announced, &callback.settings.limits, &callback.room).await;

    let started = Instant::now();
    let received_at = callback.clock.now();
    let arrival = |body| Arrival {
        received_at,
        peer: peer.clone(),
        body,
    };
    let work = async {
        match came(collected, fault) {
            Ok((body, None, _)) => callback.receive(arrival(body)).await,
            Ok((body, Some(fault), bytes)) => callback.refuse(arrival(body), fault, bytes).await,
            Err(why) => (Said::Unavailable(why.to_owned()), unavailable(host)),
        }
    };
    let work = tokio::time::timeout(callback.settings.limits.answer, work);
    let (done, seen) = callback.metrics.traces().witness(work).await;
    let (said, answer) =
        done.unwrap_or_else(|_| (Said::Unavailable("no commit in time".to_owned()), unavailable(host)));
    unanswered.is_miss = matches!(said, Said::Unavailable(_));
    if let Said::Received(_) = said {
        callback.metrics.heard(received_at.unix_timestamp());
    }
    tell(&callback.metrics, &said, &peer, &answer, started);
    let answered = Answered {
        handshake: head.extensions.get::<Handshake>().copied(),
        came: came_at,
        whole: started,
        seen,
        peer: &peer.name,
        path: if head.uri.path() == callback.path {
            &callback.path
        } else {
            "-"
        },
        outcome: said.outcome(),
        status: answer.status,
        first: said.first(),
    };
    answered.trace(callback.metrics.traces(), callback.clock.now());
    respond(answer)
}

/// The body or what there is of it, what is wrong with it, and how long it was; or why there is nothing to keep.
fn came(collected: Collected, fault: Option<Fault>) -> Result<(Bytes, Option<Fault>, u64), &'static str> {
    let (body, fault) = match collected {
        Collected::Whole(body) => (body, fault),
        Collected::TooLarge { first, bytes } => return Ok((first, Some(Fault::TooLarge), bytes)),
        Collected::TooSlow(body) => (body, Some(Fault::TooSlow)),
        Collected::Malformed(body) => (body, Some(Fault::Malformed)),
        Collected::Broken => return Err("the sender hung up"),
        Collected::NoRoom => return Err("no room for more bodies"),
    };
    let bytes = body.len() as u64;
    Ok((body, fault, bytes))
}

/// One line and one count per request; never what it said.
fn tell(metrics: &Metrics, said: &Said, peer: &Peer, answer: &Answer, started: Instant) {
    let took = started.elapsed();
    let took_ms = (took.as_secs_f64() * 100_000.0).round() / 100.0;
    let (peer, address, status) = (&peer.name, peer.address, answer.status);
    match said {
        Said::Received(receipt) => {
            let outcome = said.outcome();
            metrics.notification(outcome, took);
            for outcome in &receipt.outcomes {
                metrics.statement(outcome.verdict.as_str());
            }
            tracing::info!(
                outcome,
                status,
                notification = %receipt.id,
                request_id = %shown(&receipt.response_id),
                statements = %statements(receipt),
                unreadable = receipt.unreadable,
                peer,
                %address,
                took_ms,
                "notification"
            );
        }
        Said::Refused {
            reason,
            detail,
            quarantine,
        } => {
            metrics.notification(reason, took);
            let quarantine = quarantine.as_deref().unwrap_or("-");
            tracing::warn!(outcome = reason, detail = %detail, status, quarantine, peer, %address, took_ms, "notification");
        }
        Said::Unavailable(why) => {
            metrics.notification("unavailable", took);
            tracing::error!(outcome = "unavailable", why, status, peer, %address, took_ms, "notification");
        }
    }
}

/// `DM4MMC…=SUSPENDED#3/advanced`, at most a few of them.
fn statements(receipt: &Receipt) -> String {
    let mut text: Vec<String> = receipt
        .outcomes
        .iter()
        .take(10)
        .map(|outcome| {
            let status = outcome.status.as_ref().map_or("-", |status| status.as_str());
            let token = shown(&outcome.token.reference);
            format!(
                "{token}={}#{}/{}",
                shown(status),
                outcome.sequence,
                outcome.verdict.as_str()
            )
        })
        .collect();
    if receipt.outcomes.len() > text.len() {
        text.push(format!("and {} more", receipt.outcomes.len() - text.len()));
    }
    text.join(" ")
}

/// A sender's own words as a log may show them: cut, escaped, without card numbers.
fn shown(words: &str) -> String {
    let cut: String = words.chars().take(SHOWN_MAX).flat_map(char::escape_default).collect();
    crate::domain::masked::without_numbers(&cut)
}

/// `application/json`, with any parameter; an absent type is taken as JSON, since the body will tell.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    kind.to_str().is_ok_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

fn unavailable(response_host: &str) -> Answer {
    answer::unavailable(RETRY_AFTER, response_host, None)
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("mdes::answer knows only valid statuses");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in answer.headers {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(&value).expect("mdes::answer writes visible ASCII"),
        );
    }
    response
}

/// A defect of ours must not look like an acceptance, nor close the connection on the others of it.
fn panicked() -> Response {
    tracing::error!("a handler panicked; nothing was acknowledged");
    respond(unavailable(""))
}
