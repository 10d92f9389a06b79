//! A webhook: one POST, signed by Standard Webhooks, and what its answer means.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{HeaderMap, Method, StatusCode};
use time::OffsetDateTime;

use super::signature::{self, Secrets};
use super::{Answer, Destination, Failure, Outgoing, Sent, shown, shown_in_part};
use crate::clock::Clock;
use crate::config::settings;
use crate::net::egress::{self, BadSetting, Class, Client, Limits, Request, Resolver, Response, System, Target};

/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NAME: HeaderValue = HeaderValue::from_static(concat!("mdes-receiver/", env!("CARGO_PKG_VERSION")));
const ID: HeaderName = HeaderName::from_static(signature::ID);
const TIMESTAMP: HeaderName = HeaderName::from_static(signature::TIMESTAMP);
const SIGNATURE: HeaderName = HeaderName::from_static(signature::SIGNATURE);
/// W3C Trace Context. It is not signed: it says nothing that anybody acts on.
const TRACE: HeaderName = HeaderName::from_static("traceparent");

/// One HTTP endpoint.
pub struct Webhook {
    client: Client,
    target: Arc<Target>,
    secrets: Secrets,
    limits: Limits,
}

/// Why a webhook cannot begin, or not with its new files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its URL, or where that leads.
    #[error("key `destinations.url`: {0}")]
    Url(#[from] egress::Error),
    /// Its certificates, or its proxy.
    #[error(transparent)]
    Egress(#[from] BadSetting),
    /// Its secrets.
    #[error(transparent)]
    Secrets(#[from] signature::Error),
}

impl Webhook {
    /// Reads all files that the settings name; an address in the URL that the guard would refuse is refused now.
    pub fn load(webhook: &settings::Webhook, egress: &settings::Egress, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Webhook::with_resolver(webhook, egress, clock, Arc::new(System))
    }

    /// The same, with names resolved by that one.
    pub fn with_resolver(
        webhook: &settings::Webhook,
        egress: &settings::Egress,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, Error> {
        let client = Client::with_resolver(egress, clock, resolver)?;
        let target = Target::parse(webhook.url.expose())?;
        client.admits(&target)?;
        Ok(Webhook {
            secrets: Secrets::load(&webhook.secrets, &webhook.secret_files)?,
            limits: Limits {
                total: egress.total,
                body_bytes_max: ANSWER_BYTES_MAX,
            },
            target: Arc::new(target),
            client,
        })
    }

    fn request(&self, outgoing: &Outgoing) -> Request {
        let id = outgoing.id.to_string();
        let signatures = self.secrets.sign(&id, outgoing.now, &outgoing.body);
        let plain = |text: &str| HeaderValue::from_str(text).expect("ids, a number, base64: all are printable");
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(USER_AGENT, NAME);
        headers.insert(ID, plain(&id));
        headers.insert(TIMESTAMP, HeaderValue::from(outgoing.now.unix_timestamp()));
        headers.insert(SIGNATURE, plain(&signatures));
        if let Some(place) = outgoing.trace {
            headers.insert(TRACE, plain(&place.traceparent()));
        }
        Request {
            method: Method::POST,
            target: self.target.clone(),
            headers,
            body: outgoing.body.clone(),
        }
    }
}

#[async_trait]
impl Destination for Webhook {
    async fn send(&self, outgoing: &Outgoing) -> Sent {
        match self.client.send(self.request(outgoing), self.limits).await {
            Ok(response) => heard(&response, outgoing.now),
            Err(error) => Sent::Failed {
                answer: Answer {
                    status: None,
                    text: shown(&error.to_string()),
                },
                class: class(error.class),
                retry_after: None,
            },
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let secrets = self.secrets.files().iter().cloned();
        self.client.files().into_iter().chain(secrets).collect()
    }

    /// Certificates and secrets, each by itself.
    fn reload(&self) -> Result<(), String> {
        let secrets = self.secrets.reload();
        self.client.reload().map_err(|error| error.to_string())?;
        secrets.map_err(|error| error.to_string())
    }

    fn expiries(&self) -> egress::Expiries {
        self.client.expiries()
    }
}

/// What an answer means. The status decides; the words are for a person.
fn heard(response: &Response, now: OffsetDateTime) -> Sent {
    let words = String::from_utf8_lossy(&response.body);
    let answer = Answer {
        status: Some(response.status.as_u16()),
        text: match response.truncated {
            true => shown_in_part(&words),
            false => shown(&words),
        },
    };
    let class = match response.status {
        status if status.is_success() => return Sent::Taken(answer),
        StatusCode::GONE => return Sent::Gone(answer),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Failure::Busy,
        status if status.is_redirection() => Failure::Redirect,
        _ => Failure::Refused,
    };
    let retry_after = response.headers.get(RETRY_AFTER);
    Sent::Failed {
        retry_after: retry_after.and_then(|value| wait(value.to_str().ok()?, now)),
        answer,
        class,
    }
}

/// `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); a date that is past is no wait.
fn wait(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(secs) = value.parse() {
        return Some(Duration::from_secs(secs));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    Some(at.duration_since(SystemTime::from(now)).unwrap_or_default())
}

fn class(class: Class) -> Failure {
    match class {
        Class::Unusable | Class::Guarded => Failure::Guarded,
        Class::Unresolved => Failure::Unresolved,
        Class::Connection => Failure::Connection,
        Class::Tls => Failure::Tls,
        Class::TlsTooOld => Failure::TlsTooOld,
        Class::Timeout => Failure::Timeout,
    }
}
