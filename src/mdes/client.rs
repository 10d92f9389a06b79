//! MDES, asked: suspend, unsuspend, delete, getToken, searchTokens, getAsset.
//!
//! It fits the desk's port. Each call but getAsset is one POST of JSON, all are signed; the bytes that are sent are the bytes that were
//! hashed. It retries nothing: what its answers mean is for `heard`, what follows from them for the desk.

mod ask;
mod asset;
mod heard;
mod words;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use aws_lc_rs::rand;
use bytes::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method};
use serde_json::Value;
use url::Url;

pub use self::ask::{Search, SearchBy, Wish};
use self::heard::Heard;
use super::oauth1::{self, Signed, Signer};
use crate::clock::{Clock, new_id};
use crate::config::settings;
use crate::domain::command::{Seen, Service, Target};
use crate::lifecycle::{Looked, Reply, Request, TokenService, Trouble};
use crate::net::egress::{self, BadSetting, Limits, Resolver, Response, System};

/// What is read of an answer; a token with its card's art takes about 3 KiB, and an answer has ten at most.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Of one call.
pub const TOKENS_MAX: usize = 10;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NAME: HeaderValue = HeaderValue::from_static(concat!("mdes-receiver/", env!("CARGO_PKG_VERSION")));

/// MDES, as one consumer asks it.
pub struct Client {
    egress: egress::Client,
    settings: settings::Mdes,
    signer: ArcSwap<Signer>,
    clock: Arc<dyn Clock>,
}

/// Why it cannot begin, or not with its new files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its URL, or where that leads.
    #[error("key `lifecycle.mdes.url`: {0}")]
    Url(#[from] egress::Error),
    /// Its certificates, or its proxy.
    #[error(transparent)]
    Egress(#[from] BadSetting),
    /// Its signing key.
    #[error(transparent)]
    Key(#[from] oauth1::Error),
}

impl Client {
    /// Reads all files that the settings name; an address in the URL that the guard would refuse is refused now.
    pub fn load(settings: &settings::Mdes, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Client::with_resolver(settings, clock, Arc::new(System))
    }

    /// The same, with names resolved by that one.
    pub fn with_resolver(
        settings: &settings::Mdes,
        clock: Arc<dyn Clock>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Self, Error> {
        let egress = egress::Client::with_resolver(&settings.egress, clock.clone(), resolver)?;
        egress.admits(&egress::Target::parse(settings.url.expose())?)?;
        Ok(Client {
            egress,
            signer: ArcSwap::from_pointee(signer(settings)?),
            settings: settings.clone(),
            clock,
        })
    }

    /// Every file that a reload reads.
    pub fn files(&self) -> BTreeSet<PathBuf> {
        let mut files = self.egress.files();
        files.insert(self.settings.signing_key.clone());
        files
    }

    /// Reads the files again; a bad one leaves the old in place.
    pub fn reload(&self) -> Result<(), Error> {
        let signer = signer(&self.settings).map(|signer| self.signer.store(Arc::new(signer)));
        self.egress.reload()?;
        Ok(signer?)
    }

    /// Asks once to change up to [`TOKENS_MAX`] tokens in one call; the replies are in their order.
    pub async fn change_many(&self, wish: &Wish<'_>, references: &[&str]) -> Vec<Reply> {
        if !(1..=TOKENS_MAX).contains(&references.len()) {
            let refused = trouble(format!("one call takes 1 to {TOKENS_MAX} tokens"));
            return vec![Reply::Unsent(refused); references.len()];
        }
        let host = self.settings.response_host.as_deref();
        match self
            .post(ask::path(wish.action), &ask::change(wish, references, host))
            .await
        {
            Ok(heard) => references
                .iter()
                .map(|one| heard.reply(one, &wish.request_id))
                .collect(),
            Err(unheard) => vec![unheard.reply(); references.len()],
        }
    }

    /// The tokens that MDES knows by that name, as they are now; never one that was deactivated.
    pub async fn search(&self, search: &Search<'_>) -> Result<Vec<(String, Option<Seen>)>, Trouble> {
        let host = self.settings.response_host.as_deref();
        let heard = self
            .post(ask::SEARCH, &ask::search(search, &self.request_id(), host))
            .await;
        heard.map_err(Unheard::trouble)?.found()
    }

    async fn get_token(&self, target: &Target, with_number: bool) -> Result<Looked, Trouble> {
        let id = self.request_id();
        let host = self.settings.response_host.as_deref();
        let question = ask::get_token(&target.token, &id, host, with_number);
        let heard = self.post(ask::GET_TOKEN, &question).await;
        heard.map_err(Unheard::trouble)?.looked(&target.token, &id)
    }

    fn request_id(&self) -> String {
        new_id(self.clock.now()).to_string()
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Heard, Unheard> {
        let limits = Limits {
            total: self.settings.egress.total,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let body = Bytes::from(body.to_string());
        let response = self.send(Method::POST, path, body, limits).await?;
        Ok(Heard::of(&response))
    }

    async fn send(&self, method: Method, path: &str, body: Bytes, limits: Limits) -> Result<Response, Unheard> {
        let request = self.signed(method, path, body);
        let request = request.map_err(|why| Unheard::Unsent(trouble(why)))?;
        self.egress.send(request, limits).await.map_err(|error| {
            let failed = trouble(format!("MDES: {error}"));
            match error.may_have_arrived() {
                true => Unheard::Lost(failed),
                false => Unheard::Unsent(failed),
            }
        })
    }

    fn signed(&self, method: Method, path: &str, body: Bytes) -> Result<egress::Request, String> {
        let address = format!("{}{path}", self.settings.url.expose());
        let url = Url::parse(&address).map_err(|error| format!("key `lifecycle.mdes.url`: {error}"))?;
        let target = egress::Target::parse(url.as_str()).map_err(|error| error.to_string())?;
        let nonce = nonce()?;
        let signed = Signed {
            method: method.as_str(),
            url: &url,
            body: &body,
            nonce: &nonce,
            at: self.clock.now(),
        };
        let authorization = self.signer.load().authorization(&signed);
        let authorization = authorization.map_err(|error| error.to_string())?;
        let mut authorization = HeaderValue::from_str(&authorization)
            .map_err(|_| "key `lifecycle.mdes.consumer_key`: has characters that no header holds".to_owned())?;
        authorization.set_sensitive(true);
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(AUTHORIZATION, authorization);
        if method != Method::GET {
            headers.insert(CONTENT_TYPE, JSON);
        }
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, NAME);
        Ok(egress::Request {
            method,
            target: Arc::new(target),
            headers,
            body,
        })
    }
}

#[async_trait]
impl TokenService for Client {
    fn service(&self) -> Service {
        Service::Mdes
    }

    async fn look(&self, target: &Target) -> Result<Looked, Trouble> {
        self.get_token(target, false).await
    }

    async fn look_with_number(&self, target: &Target) -> Result<Looked, Trouble> {
        self.get_token(target, true).await
    }

    async fn change(&self, request: &Request<'_>) -> Reply {
        let replies = self.change_many(&Wish::of(request), &[&request.target.token]).await;
        let reply = replies.into_iter().next();
        reply.unwrap_or_else(|| Reply::Lost(trouble("MDES: no reply")))
    }
}

/// Why there is no answer.
enum Unheard {
    Unsent(Trouble),
    Lost(Trouble),
}

impl Unheard {
    fn reply(&self) -> Reply {
        match self {
            Unheard::Unsent(trouble) => Reply::Unsent(trouble.clone()),
            Unheard::Lost(trouble) => Reply::Lost(trouble.clone()),
        }
    }

    fn trouble(self) -> Trouble {
        match self {
            Unheard::Unsent(trouble) | Unheard::Lost(trouble) => trouble,
        }
    }
}

/// One that the service said nothing about.
fn trouble(why: impl Into<String>) -> Trouble {
    Trouble {
        code: None,
        why: why.into(),
        no_such_token: false,
        of_this_token: false,
        unasked: false,
        words: None,
    }
}

/// Opens the signing key, with its password if it has one; the error says which step failed.
pub fn opens(settings: &settings::Mdes) -> Result<(), oauth1::Error> {
    signer(settings).map(drop)
}

fn signer(settings: &settings::Mdes) -> Result<Signer, oauth1::Error> {
    let password = settings.signing_key_password.as_ref();
    Signer::load(&settings.consumer_key, &settings.signing_key, password)
}

/// Sixteen characters, as Mastercard's own signers have them.
fn nonce() -> Result<String, String> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| "the system gives no random bytes".to_owned())?;
    Ok(hex::encode(bytes))
}
