//! TokenEx as the desk's token service: one request, one answer, and what that means. It retries nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::errors::{self, Means, Row};
use super::wire::{self, Answer, Kept};
use crate::clock::Clock;
use crate::config::settings;
use crate::domain::command::{Seen, Service, Target};
use crate::lifecycle::{Looked, Reply, Request, TokenService, Trouble};
use crate::net::egress::{self, BadSetting, Client, Limits, Resolver, Response, System};

/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NAME: HeaderValue = HeaderValue::from_static(concat!("mdes-receiver/", env!("CARGO_PKG_VERSION")));

/// TokenEx.
pub struct TokenEx {
    client: Client,
    lifecycle: Arc<egress::Target>,
    status: Arc<egress::Target>,
    headers: HeaderMap,
    limits: Limits,
}

/// Why TokenEx cannot be asked as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its URL, or where that leads.
    #[error("key `lifecycle.tokenex.url`: {0}")]
    Url(#[from] egress::Error),
    /// Its certificates, or the proxy.
    #[error("`[lifecycle]`: {0}")]
    Egress(#[from] BadSetting),
    /// Its credentials do not fit into a header.
    #[error("key `lifecycle.tokenex.{0}`: cannot stand in an HTTP header")]
    Credentials(&'static str),
}

impl TokenEx {
    /// Reads all files that the settings name; an address in the URL that the guard would refuse is refused now.
    pub fn load(settings: &settings::TokenEx, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        TokenEx::with_resolver(settings, clock, Arc::new(System))
    }

    /// The same, with names resolved by that one.
    pub fn with_resolver(
        settings: &settings::TokenEx,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, Error> {
        let client = Client::with_resolver(&settings.egress, clock, resolver)?;
        let target = |path: &str| egress::Target::parse(&format!("{}{path}", settings.url.expose()));
        let lifecycle = target(wire::LIFECYCLE_MANAGEMENT)?;
        client.admits(&lifecycle)?;
        Ok(TokenEx {
            status: Arc::new(target(wire::GET_STATUS)?),
            lifecycle: Arc::new(lifecycle),
            headers: headers(settings)?,
            limits: Limits {
                total: settings.egress.total,
                body_bytes_max: ANSWER_BYTES_MAX,
            },
            client,
        })
    }

    /// Every file that a reload reads.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        self.client.files()
    }

    /// Reads the files again; a bad one leaves the old in place.
    pub fn reload(&self) -> Result<(), Error> {
        Ok(self.client.reload()?)
    }

    async fn ask(&self, target: &Arc<egress::Target>, body: &impl Serialize) -> Result<Response, egress::Error> {
        let request = egress::Request {
            method: Method::POST,
            target: target.clone(),
            headers: self.headers.clone(),
            body: serde_json::to_vec(body).expect("texts alone make JSON").into(),
        };
        self.client.send(request, self.limits).await
    }
}

fn headers(settings: &settings::TokenEx) -> Result<HeaderMap, Error> {
    let secret = |text: &str, key| {
        let mut value = HeaderValue::from_str(text).map_err(|_| Error::Credentials(key))?;
        value.set_sensitive(true);
        Ok::<_, Error>(value)
    };
    let mut headers = HeaderMap::with_capacity(5);
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(ACCEPT, JSON);
    headers.insert(USER_AGENT, NAME);
    headers.insert(
        HeaderName::from_static(wire::ID),
        secret(&settings.tokenex_id, "tokenex_id")?,
    );
    headers.insert(
        HeaderName::from_static(wire::KEY),
        secret(settings.api_key.expose(), "api_key")?,
    );
    Ok(headers)
}

#[async_trait]
impl TokenService for TokenEx {
    fn service(&self) -> Service {
        Service::TokenEx
    }

    async fn look(&self, target: &Target) -> Result<Looked, Trouble> {
        let question = wire::Look {
            token: &target.token,
            token_reference_id: target.reference_id.as_deref(),
        };
        let response = self
            .ask(&self.status, &question)
            .await
            .map_err(|error| trouble(&error))?;
        match Answer::read(&response.body, &target.token) {
            Answer::Yes(kept) => looked(kept, &target.token),
            Answer::No { code, why, means, kept } => Err(Trouble {
                no_such_token: means == Means::NoSuchToken,
                of_this_token: row_of(code.as_deref()).is_some_and(Row::is_about_one_token),
                code,
                why,
                unasked: false,
                words: Some(kept.words),
            }),
            Answer::Unreadable => Err(unreadable(response.status)),
        }
    }

    async fn change(&self, request: &Request<'_>) -> Reply {
        let change = wire::Change {
            token: &request.target.token,
            lifecycle_management_action: wire::action_name(request.action),
            request_reason: request.reason,
            token_reference_id: request.target.reference_id.as_deref(),
        };
        match self.ask(&self.lifecycle, &change).await {
            Ok(response) => heard(&response, &request.target.token),
            Err(error) if error.may_have_arrived() => Reply::Lost(trouble(&error)),
            Err(error) => Reply::Unsent(trouble(&error)),
        }
    }
}

/// TokenEx says a state and no more: since when, and by whom, it keeps to itself.
fn looked(kept: Kept, token: &str) -> Result<Looked, Trouble> {
    let Some(state) = kept.state else {
        return Err(Trouble {
            code: None,
            why: "TokenEx: said yes, and no state".to_owned(),
            no_such_token: false,
            of_this_token: true,
            unasked: false,
            words: Some(kept.words),
        });
    };
    let status = wire::status(&state);
    let statement = json!({"tokens": [{"tokenUniqueReference": token, "status": status.as_str()}]});
    Ok(Looked {
        seen: Seen {
            status,
            suspended_by: None,
            at: None,
        },
        statement: Some(Bytes::from(statement.to_string())),
        words: kept.words,
    })
}

/// What an answer to a change means: its body first, and the HTTP status only where that says nothing.
fn heard(response: &Response, token: &str) -> Reply {
    let status = response.status;
    match Answer::read(&response.body, token) {
        Answer::Yes(kept) => Reply::Accepted {
            seen: None,
            statement: None,
            words: kept.words,
        },
        Answer::No { code, why, means, kept } => {
            // A code that no table has says nothing against the status.
            let is_ours = row_of(code.as_deref()).is_some();
            if means == Means::Lost || (status.is_server_error() && !is_ours) {
                return Reply::Lost(Trouble {
                    code,
                    why,
                    no_such_token: false,
                    of_this_token: false,
                    unasked: false,
                    words: Some(kept.words),
                });
            }
            Reply::Refused {
                code,
                why,
                wrong_state: means == Means::WrongState,
                words: kept.words,
            }
        }
        Answer::Unreadable => unread(status),
    }
}

fn row_of(code: Option<&str>) -> Option<&'static Row> {
    let code = code?;
    errors::network(code).or_else(|| errors::tokenex(code))
}

/// Somebody answered, and not in TokenEx's form: a proxy, a gateway, another server.
fn unread(status: StatusCode) -> Reply {
    let trouble = unreadable(status);
    match status {
        StatusCode::TOO_MANY_REQUESTS => Reply::Unsent(trouble),
        StatusCode::REQUEST_TIMEOUT => Reply::Lost(trouble),
        status if status.is_redirection() || status.is_client_error() => Reply::Refused {
            code: None,
            why: trouble.why,
            wrong_state: false,
            words: json!({}),
        },
        _ => Reply::Lost(trouble),
    }
}

fn unreadable(status: StatusCode) -> Trouble {
    Trouble {
        code: None,
        why: format!("HTTP {}, and a body that is no answer of TokenEx's", status.as_u16()),
        no_such_token: false,
        of_this_token: false,
        unasked: false,
        words: None,
    }
}

fn trouble(error: &egress::Error) -> Trouble {
    Trouble {
        code: None,
        why: format!("TokenEx: {error}"),
        no_such_token: false,
        of_this_token: false,
        unasked: false,
        words: None,
    }
}
