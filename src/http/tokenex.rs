//! TokenEx's contract, served: code that was written for TokenEx's *Lifecycle Management* points at us unchanged.
//!
//! `POST /v2/NetworkToken/LifecycleManagement` makes a command and waits for what the service says of it;
//! `POST /v2/NetworkToken/GetStatus` asks the service; `GET /v2/home/errorcodes` is the table of codes. Who calls shows
//! TokenEx's two headers; operators' bearer tokens mean nothing here. What is answered is TokenEx's in every letter, and
//! in no case what was sent.

mod admit;
mod answer;
mod ask;
mod carry;
mod seek;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_LENGTH};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use self::admit::Client;
use self::answer::{Answer, No};
use crate::clock::Clock;
use crate::config::settings::{Contract, Lifecycle, LifecycleClient, Limits};
use crate::domain::command::{Service, Target};
use crate::http::body::{Collected, Room, collect};
use crate::lifecycle::{Looked, TokenService, Trouble};
use crate::net::peer::Address;
use crate::store::desk::SharedDesk;
use crate::store::ledger::Hand;
use crate::telemetry::Metrics;
use crate::tokenex::errors;

/// A request's body at most.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// What a request has besides the wait for a service, to be read, and to be kept: a quarter of that, and so much at least.
const MORE_MIN: Duration = Duration::from_secs(1);
/// Requests that wait for a service at once.
const WAITING_MAX: usize = 256;

/// What the contract is served from.
#[derive(Clone)]
pub struct Served {
    /// Where commands and links are kept.
    pub desk: SharedDesk,
    /// The same, in the hand of a client of the contract: what is ordered there is in the audit.
    pub in_hand: InHand,
    /// Who is asked for a token's state.
    pub looks: Arc<dyn Looks>,
    /// Who carries commands out: see [`through`].
    pub through: Service,
    /// Who may ask.
    pub clients: Vec<LifecycleClient>,
    /// How it answers where nobody knows how TokenEx does.
    pub contract: Contract,
    /// Bounds and deadlines of a request's body.
    pub limits: Limits,
    /// For ids, and the log's bound.
    pub clock: Arc<dyn Clock>,
    /// What was counted.
    pub metrics: Metrics,
    /// Cancelled when a stop begins: nobody waits any longer then.
    pub stopping: CancellationToken,
}

/// The desk in somebody's hand.
pub type InHand = Arc<dyn Fn(Hand) -> SharedDesk + Send + Sync>;

/// Who is asked for a token's state. Every question has a deadline of its own.
#[async_trait]
pub trait Looks: Send + Sync {
    /// How that service sees it now.
    async fn look(&self, service: Service, target: &Target) -> Result<Looked, Trouble>;
}

/// The services themselves.
#[async_trait]
impl Looks for Vec<Arc<dyn TokenService>> {
    async fn look(&self, service: Service, target: &Target) -> Result<Looked, Trouble> {
        match self.iter().find(|one| one.service() == service) {
            Some(one) => one.look(target).await,
            None => Err(Trouble {
                code: None,
                why: format!("{} is not configured", service.as_str()),
                no_such_token: false,
                of_this_token: false,
                unasked: false,
                words: None,
            }),
        }
    }
}

/// Who carries out what is asked by this contract: TokenEx if it is configured, since its token needs no link then.
pub fn through(lifecycle: &Lifecycle) -> Option<Service> {
    let tokenex = lifecycle.tokenex.as_ref().map(|_| Service::TokenEx);
    tokenex.or_else(|| lifecycle.mdes.as_ref().map(|_| Service::Mdes))
}

/// What the handlers share.
struct Shared {
    served: Served,
    limits: Limits,
    room: Room,
    waiting: Semaphore,
}

/// What stands under `/v2`.
pub fn router<S: Clone + Send + Sync + 'static>(served: Served) -> Router<S> {
    let door = Arc::new(admit::Door::new(&served));
    let internal = served.contract.internal;
    let shared = Arc::new(Shared {
        limits: Limits {
            body_bytes_max: BODY_BYTES_MAX,
            ..served.limits
        },
        served,
        room: Room::new(),
        waiting: Semaphore::new(WAITING_MAX),
    });
    Router::new()
        .route("/NetworkToken/LifecycleManagement", post(lifecycle_management))
        .route("/NetworkToken/GetStatus", post(get_status))
        .route("/home/errorcodes", get(error_codes))
        .layer(middleware::from_fn_with_state(door, admit::admit))
        .method_not_allowed_fallback(wrong_method)
        .fallback(no_such_path)
        .layer(CatchPanicLayer::custom(move |_: Box<dyn std::any::Any + Send>| {
            answer::defect(internal)
        }))
        .with_state(shared)
}

async fn lifecycle_management(
    State(shared): State<Arc<Shared>>,
    Extension(mut client): Extension<Client>,
    request: Request,
) -> Response {
    let address: Option<&Address> = request.extensions().get();
    client.came_from = address.map(|address| address.0.ip());
    shared.in_time(shared.change(&client, request)).await
}

async fn get_status(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.in_time(shared.show(request)).await
}

/// TokenEx's own codes alone, as TokenEx lists them: a number and a text.
async fn error_codes() -> impl IntoResponse {
    let rows = errors::TOKENEX.iter();
    Json(
        rows.map(|row| json!({"code": row.code, "message": row.message}))
            .collect::<Vec<_>>(),
    )
}

async fn no_such_path() -> impl IntoResponse {
    let text = "not found: of TokenEx's methods there are NetworkToken/LifecycleManagement, NetworkToken/GetStatus and home/errorcodes\n";
    (StatusCode::NOT_FOUND, text)
}

async fn wrong_method() -> impl IntoResponse {
    let text = "method not allowed: NetworkToken methods answer POST, home/errorcodes answers GET\n";
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD, POST")], text)
}

impl Shared {
    /// Makes a command of it, and waits for what comes of that.
    async fn change(&self, client: &Client, request: Request) -> Answer {
        let id = self.new_id();
        let wish = match self.read(request).await.and_then(|body| ask::wish(&body)) {
            Ok(wish) => wish,
            Err(no) => return Answer::no(id, no),
        };
        if !client.actions.contains(&wish.action) {
            return Answer::no(id, No::of("1003"));
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return self.too_much(id, "tokenex_no_room");
        };
        self.carry(client, &wish, id).await
    }

    /// Asks the service that serves the token.
    async fn show(&self, request: Request) -> Answer {
        let id = self.new_id();
        let asked = match self.read(request).await.and_then(|body| ask::asked(&body)) {
            Ok(asked) => asked,
            Err(no) => return Answer::no(id, no),
        };
        let target = match self.seek(&asked).await {
            Ok(target) => target,
            Err(no) => return Answer::no(id, no),
        };
        let Ok(_place) = self.waiting.try_acquire() else {
            return self.too_much(id, "tokenex_no_room");
        };
        let looked = self.served.looks.look(self.served.through, &target);
        match timeout(self.served.contract.wait, looked).await {
            Ok(Ok(looked)) => Answer::state(id, &looked),
            Ok(Err(trouble)) => Answer::unseen(id, &trouble),
            Err(_) => Answer::no(id, No::LATE).about_a_state(),
        }
    }

    fn new_id(&self) -> uuid::Uuid {
        crate::clock::new_id(self.served.clock.now())
    }

    /// Whatever is slow, there is an answer: what was begun goes on, and nobody here knows how it ends.
    async fn in_time(&self, answer: impl Future<Output = Answer>) -> Response {
        let wait = self.served.contract.wait;
        let deadline = wait + MORE_MIN.max(wait / 4);
        let answer = timeout(deadline, answer).await;
        let answer = answer.unwrap_or_else(|_| Answer::no(self.new_id(), No::LATE));
        answer.respond(&self.served.contract)
    }

    /// More is asked than there is room for: counted under that word, and none of it is done.
    fn too_much(&self, id: uuid::Uuid, outcome: &'static str) -> Answer {
        self.served.metrics.admin_request(outcome);
        Answer::no(id, No::of("9999"))
    }

    async fn read(&self, request: Request) -> Result<Bytes, No> {
        let (head, body): (_, Body) = request.into_parts();
        let announced = head.headers.get(CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
        match collect(body, announced, &self.limits, &self.room).await {
            (Collected::Whole(body), _) => Ok(body),
            (Collected::NoRoom, _) => Err(No::of("9999")),
            _ => Err(No::of("2999")),
        }
    }
}
