//! The merchant: an HTTP endpoint on loopback that remembers what it was told, and answers as it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};

/// What it was told, once.
#[derive(Clone, Debug)]
pub struct Told {
    /// `webhook-id`.
    pub id: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub raw: Bytes,
    /// The body.
    pub body: Value,
    /// What it answered.
    pub answered: u16,
}

impl Told {
    /// The event's type.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().expect("an event has a type")
    }

    /// About which token.
    pub fn token(&self) -> &str {
        self.body["data"]["token_unique_reference"]
            .as_str()
            .expect("an event names its token")
    }

    /// The token's version.
    pub fn sequence(&self) -> u64 {
        self.body["data"]["sequence"].as_u64().expect("an event has a sequence")
    }

    /// The place in its lane: the version, and the place among the events of one change.
    pub fn place(&self) -> (u64, u64) {
        (self.sequence(), self.body["data"]["index"].as_u64().expect("an index"))
    }

    /// It was taken.
    pub fn was_taken(&self) -> bool {
        (200..300).contains(&self.answered)
    }
}

/// How one request is answered.
pub enum Reaction {
    /// With this status.
    Status(u16),
    /// With this status and this header.
    With(u16, &'static str, String),
    /// With this status and these words.
    Says(u16, &'static str),
    /// Never.
    Silence,
}

type Manner = Arc<Mutex<dyn FnMut(&Value) -> Reaction + Send>>;

/// The merchant's endpoint, until it is dropped.
pub struct Merchant {
    /// Where it listens.
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    accepting: AbortHandle,
}

impl Merchant {
    /// One that takes everything.
    pub async fn content() -> Self {
        Merchant::who(|_| Reaction::Status(200)).await
    }

    /// One that answers so.
    pub async fn who(answers: impl FnMut(&Value) -> Reaction + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let told = Arc::new(Mutex::new(Vec::new()));
        let manner: Manner = Arc::new(Mutex::new(answers));
        let accepting = tokio::spawn(accept(listener, told.clone(), manner)).abort_handle();
        Merchant {
            address,
            told,
            accepting,
        }
    }

    /// Everything that it was told, in order.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().expect("no one panics while holding it").clone()
    }

    /// The types that it took, of one token, in order.
    pub fn kinds(&self, token: &str) -> Vec<String> {
        let told = self.told();
        let taken = told.iter().filter(|one| one.was_taken() && one.token() == token);
        taken.map(|one| one.kind().to_owned()).collect()
    }

    /// What it took, by token, each event once at its first taking: fails unless every lane is in order.
    pub fn lanes(&self) -> HashMap<String, Vec<(u64, u64)>> {
        let mut lanes: HashMap<String, Vec<(u64, u64)>> = HashMap::new();
        let mut seen = HashMap::new();
        for one in self.told().iter().filter(|one| one.was_taken()) {
            if let Some(before) = seen.insert(one.id.clone(), one.place()) {
                assert_eq!(before, one.place(), "one id is one event");
                continue;
            }
            let lane = lanes.entry(one.token().to_owned()).or_default();
            let in_order = lane.last().is_none_or(|last| *last < one.place());
            assert!(in_order, "{} came after {:?}", one.body, lane.last());
            lane.push(one.place());
        }
        lanes
    }

    /// A `[[destinations]]` entry that tells it.
    pub fn destination(&self, name: &str, extra: &str) -> String {
        format!(
            "[[destinations]]\nname = \"{name}\"\nurl = \"http://{}/hook\"\nsecrets = [\"{SECRET}\"]\n\
             allow_networks = [\"127.0.0.0/8\"]\n{extra}\n",
            self.address
        )
    }
}

/// By which what it is told is signed.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

impl Drop for Merchant {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, told: Arc<Mutex<Vec<Told>>>, manner: Manner) {
    let mut callers = JoinSet::new();
    while let Ok((tcp, _)) = listener.accept().await {
        let (told, manner) = (told.clone(), manner.clone());
        callers.spawn(async move {
            let service = service_fn(move |request| answer(request, told.clone(), manner.clone()));
            // How a caller ends the conversation is the caller's business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    told: Arc<Mutex<Vec<Told>>>,
    manner: Manner,
) -> hyper::Result<Response<Full<Bytes>>> {
    let headers = request.headers().clone();
    let raw = request.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&raw).expect("events are JSON");
    let reply = manner.lock().expect("no one panics while holding it")(&body);
    let words = if let Reaction::Says(_, words) = reply {
        words
    } else {
        "noted"
    };
    let mut response = Response::new(Full::from(words));
    let status = match &reply {
        Reaction::Status(status) | Reaction::With(status, ..) | Reaction::Says(status, _) => *status,
        Reaction::Silence => 0,
    };
    let id = headers["webhook-id"].to_str().expect("text").to_owned();
    let one = Told {
        id,
        headers,
        raw,
        body,
        answered: status,
    };
    told.lock().expect("no one panics while holding it").push(one);
    if let Reaction::Silence = reply {
        std::future::pending::<()>().await;
    }
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    if let Reaction::With(_, name, value) = reply {
        response.headers_mut().insert(name, value.parse().expect("a header"));
    }
    Ok(response)
}
