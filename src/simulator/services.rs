//! Plays the token services: a TokenEx and an MDES over one set of tokens, on loopback.
//!
//! Written from the facts alone: it never uses `tokenex`, `mdes` or `lifecycle`, so that it cannot share their
//! misreadings. What nobody documents is one of the [`Alternative`]s. It keeps nothing: when it ends, its tokens do.
//!
//! | module | what it is |
//! |---|---|
//! | [`tokens`] | the tokens, and what may be done to one in which state |
//! | [`tokenex`] | TokenEx's six methods, and its list of error codes |
//! | [`mdes`] | MDES's calls; who calls is proved by an OAuth signature |
//! | [`notices`] | the notifications that follow: MDES's through the real door, TokenEx's own |
//! | [`faults`] | what goes wrong, on demand |
//! | [`script`] | `/tokens` and `/faults`: what a test or a person makes happen |
//! | [`codes`] | the error tables |

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

pub mod codes;
mod desk;
pub mod faults;
pub mod mdes;
pub mod notices;
pub mod script;
pub mod tokenex;
pub mod tokens;

use desk::Desk;
pub use faults::Fault;
pub use notices::{Door, Post};
use tokens::{Act, Cause, NewToken, TokensError};

const BODY_BYTES_MAX: usize = 64 << 10;
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const CONNECTIONS_MAX: usize = 1_024;
/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// "Never" ends with the caller's patience, or with ours.
const NEVER: Duration = Duration::from_mins(10);

/// Where nobody knows what the services do, the other thing that they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Alternative {
    /// TokenEx: a missing or empty id or key is 400 with 2437, 2435, 1000 or 1001, not 401 with 1003
    Headers,
    /// TokenEx: what cannot be read is 200, not 400
    Malformed,
    /// TokenEx: 3000 and 3024 are 400, not 200
    UnknownToken,
    /// TokenEx: what the network refused is `success: true` with the network's code
    NetworkRefused,
    /// TokenEx: a network that did not answer is 500 with 5000, not 200 with its code
    NetworkTimeout,
    /// TokenEx: of several network tokens one must be chosen, else 3024; not the oldest
    Selector,
    /// MDES: an application's error is HTTP 500, not 200
    Mdes500,
    /// MDES: an application's error is one `Errors` object as the specification says, not the `errors` array seen
    MdesErrorObject,
    /// MDES: suspending again what one suspended oneself is refused
    MdesSuspendedTwice,
    /// MDES: `statusTimestamp` moves with the status alone, not with its suspenders
    SameTimestamp,
    /// MDES: `statusTimestamp` without a fraction, at -07:00
    WholeSeconds,
}

/// Called with a line for people for each call and each notification. A token stands in it masked.
pub type Tell = Box<dyn Fn(&str) + Send + Sync>;

/// What is played, and how. No `Debug`: it holds keys.
pub struct Settings {
    /// Where to listen, on loopback.
    pub listen: SocketAddr,
    /// Settles what is made up, and what is left to chance.
    pub seed: u64,
    /// What a caller must send as `tx-tokenex-id`.
    pub tokenex_id: String,
    /// What it must send as `tx-apikey`.
    pub api_key: String,
    /// OAuth's consumer key of who calls MDES.
    pub consumer_key: String,
    /// The certificate, or the bare public key, of who calls MDES (PEM or DER); without one MDES believes nobody.
    pub signing_certificate: Option<Vec<u8>>,
    /// The other things that the services may do.
    pub alternatives: BTreeSet<Alternative>,
    /// TokenEx: suspending a suspended token succeeds, instead of 9104.
    pub idempotent_suspend: bool,
    /// What the token requestor did itself is notified of too.
    pub echo: bool,
    /// How long a notification waits.
    pub notify_after: Duration,
    /// MDES's notifications go through this door.
    pub door: Option<Door>,
    /// TokenEx's notifications are posted there.
    pub post: Option<Post>,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
    /// Hears of each call.
    pub tell: Tell,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            seed: 1,
            tokenex_id: "1234567890123456".to_owned(),
            api_key: "simulatedapikeythatopensnorealdoor000001".to_owned(),
            consumer_key: "simulated-consumer-key-that-opens-no-real-door!simulated".to_owned(),
            signing_certificate: None,
            alternatives: BTreeSet::new(),
            idempotent_suspend: false,
            echo: true,
            notify_after: Duration::ZERO,
            door: None,
            post: None,
            faults: Vec::new(),
            tell: Box::new(|_| {}),
        }
    }
}

/// Why nothing is played.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Others could reach it.
    #[error("cannot listen on {0}: what it plays is for this machine alone; choose a loopback address")]
    NotLoopback(SocketAddr),
    /// The address is taken, or not ours.
    #[error("cannot listen on {0}: {1}; stop what listens there, or choose another port")]
    Listen(SocketAddr, std::io::Error),
    /// There is no RSA key in it.
    #[error("signing certificate: neither a certificate nor a public key with an RSA key, in PEM or DER")]
    SigningCertificate,
    /// There are too many.
    #[error(transparent)]
    Faults(#[from] faults::TooManyFaults),
}

/// Both services, until this is dropped.
pub struct Services {
    address: SocketAddr,
    desk: Arc<Desk>,
    accepting: AbortHandle,
    notifying: AbortHandle,
}

impl Services {
    /// Listens, and answers from now on.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let listen = settings.listen;
        if !listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(listen));
        }
        let (desk, told) = Desk::new(settings)?;
        let desk = Arc::new(desk);
        let failed = |cause| StartError::Listen(listen, cause);
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let notifying = tokio::spawn(notices::send_all(Arc::clone(&desk.outbox), told));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&desk)));
        Ok(Services {
            address,
            desk,
            accepting: accepting.abort_handle(),
            notifying: notifying.abort_handle(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// TokenEx's base URL.
    pub fn tokenex_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// MDES's base URL.
    pub fn mdes_url(&self) -> String {
        format!("http://{}/mdes", self.address)
    }

    /// From now on MDES's notifications go through this door.
    pub fn notify_mdes(&self, door: Door) {
        self.desk.outbox.set_door(door);
    }

    /// From now on TokenEx's notifications are posted there.
    pub fn notify_tokenex(&self, post: Post) {
        self.desk.outbox.set_post(post);
    }

    /// Makes a token; what it is called, its state and its calls, for each of its network tokens.
    pub fn make(&self, new: &NewToken) -> Result<Vec<Value>, TokensError> {
        self.desk.make(new, OffsetDateTime::now_utc())
    }

    /// Does something to a token by hand, as an issuer or anybody else would; `name` is any of its names.
    pub fn act(&self, name: &str, act: Act, cause: &Cause) -> Result<Vec<Value>, script::NotDone> {
        self.desk.act_by_hand(name, act, cause, OffsetDateTime::now_utc())
    }

    /// What goes wrong from now on, besides what is set already.
    pub fn add_fault(&self, fault: Fault) -> Result<(), faults::TooManyFaults> {
        held(&self.desk.faults).add(fault)
    }

    /// Nothing goes wrong any more.
    pub fn clear_faults(&self) {
        held(&self.desk.faults).clear();
    }

    /// Every token with its state, and how often each call about it came and was carried out; what was notified.
    pub fn shown(&self) -> Value {
        self.desk.shown()
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        self.accepting.abort();
        self.notifying.abort();
    }
}

async fn accept(listener: TcpListener, desk: Arc<Desk>) {
    let mut callers = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((tcp, _)) if callers.len() < CONNECTIONS_MAX => {
                callers.spawn(serve(tcp, Arc::clone(&desk)));
            }
            Ok(_) => {}
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
        while callers.try_join_next().is_some() {}
    }
}

async fn serve(tcp: TcpStream, desk: Arc<Desk>) {
    // An answer is one small packet: it is not to wait for another.
    let _ = tcp.set_nodelay(true);
    let service = service_fn(move |request| respond(request, Arc::clone(&desk)));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    // How a caller ends the conversation is the caller's business.
    let _ = server.serve_connection(TokioIo::new(tcp), service).await;
}

/// The connection is closed, and nothing said.
#[derive(Debug, thiserror::Error)]
#[error("no answer, as asked for")]
struct NoAnswer;

async fn respond(request: Request<Incoming>, desk: Arc<Desk>) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let (parts, body) = request.into_parts();
    let body = tokio::time::timeout(BODY_DEADLINE, Limited::new(body, BODY_BYTES_MAX).collect()).await;
    let Ok(Ok(body)) = body else {
        return Ok(Answer::new(413, json!({"error": "no body, or too much of it"})).into());
    };
    // A task of its own: a caller who hangs up does not undo what it asked for.
    let asked = tokio::spawn(async move { answer(&desk, &parts, &body.to_bytes()).await });
    match asked.await {
        Ok(Outcome::Answer(answer)) => Ok(answer.into()),
        Ok(Outcome::Never) => {
            sleep(NEVER).await;
            Err(NoAnswer)
        }
        Ok(Outcome::HangUp) | Err(_) => Err(NoAnswer),
    }
}

async fn answer(desk: &Arc<Desk>, parts: &Parts, body: &[u8]) -> Outcome {
    let path = parts.uri.path();
    if tokenex::is_its(path) {
        return tokenex::answer(desk, parts, body).await;
    }
    if mdes::is_its(path) {
        return mdes::answer(desk, parts, body).await;
    }
    Outcome::Answer(script::answer(desk, parts, body))
}

/// What becomes of a call.
enum Outcome {
    Answer(Answer),
    HangUp,
    Never,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Outcome::Answer(answer)
    }
}

/// A status and a JSON body.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn new(status: u16, body: impl serde::Serialize) -> Self {
        let body = serde_json::to_string(&body).expect("our own values are JSON");
        Answer { status, body }
    }
}

impl From<Answer> for Response<Full<Bytes>> {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(Full::from(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no one panics while holding it")
}
