//! A collector on loopback that remembers the spans it was told, and answers as it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// One span, as it was told.
#[derive(Clone, Debug)]
pub struct Told(Value);

impl Told {
    fn text(&self, key: &str) -> String {
        self.0[key].as_str().unwrap_or_default().to_owned()
    }

    pub fn name(&self) -> String {
        self.text("name")
    }

    pub fn trace(&self) -> String {
        self.text("traceId")
    }

    pub fn id(&self) -> String {
        self.text("spanId")
    }

    /// The span above it; empty if there is none.
    pub fn above(&self) -> String {
        self.text("parentSpanId")
    }

    pub fn says(&self, key: &str) -> String {
        let attributes = self.0["attributes"].as_array().expect("attributes");
        let value = attributes.iter().find(|one| one["key"] == key).map(|one| &one["value"]);
        let value = value.and_then(|value| value["stringValue"].as_str().or_else(|| value["intValue"].as_str()));
        value.unwrap_or_default().to_owned()
    }

    /// The traces that it is linked to.
    pub fn links(&self) -> Vec<String> {
        let links = self.0["links"].as_array().expect("links");
        links
            .iter()
            .map(|link| link["traceId"].as_str().expect("an id").to_owned())
            .collect()
    }

    /// From when to when, in nanoseconds.
    pub fn span(&self) -> (u128, u128) {
        let at = |key| self.text(key).parse().expect("a number");
        (at("startTimeUnixNano"), at("endTimeUnixNano"))
    }
}

/// The collector, until it is dropped.
pub struct Collector {
    pub address: SocketAddr,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    answers: Arc<AtomicU16>,
    accepting: AbortHandle,
}

impl Collector {
    pub async fn content() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("it is bound");
        let bodies: Arc<Mutex<Vec<Bytes>>> = Arc::default();
        let answers = Arc::new(AtomicU16::new(200));
        let accepting = tokio::spawn(accept(listener, bodies.clone(), answers.clone())).abort_handle();
        Collector {
            address,
            bodies,
            answers,
            accepting,
        }
    }

    /// From now on it answers so.
    pub fn answers(&self, status: u16) {
        self.answers.store(status, Ordering::Relaxed);
    }

    /// The `[traces]` that tells it.
    pub fn settings(&self) -> String {
        format!(
            "[traces]\nendpoint = \"http://{}\"\nallow_networks = [\"127.0.0.1\"]\nservice_name = \"receiver-test\"\n\
             headers = [\"x-collector: let me in\"]\n",
            self.address
        )
    }

    /// Everything that it was told, as it came.
    pub fn text(&self) -> String {
        let bodies = self.bodies.lock().expect("no one panics while holding it");
        bodies
            .iter()
            .map(|body| String::from_utf8_lossy(body).into_owned())
            .collect()
    }

    /// Every span that it was told.
    pub fn told(&self) -> Vec<Told> {
        let bodies = self.bodies.lock().expect("no one panics while holding it");
        let spans = bodies.iter().flat_map(|body| {
            let request: Value = serde_json::from_slice(body).expect("OTLP in JSON");
            let whose = &request["resourceSpans"][0];
            assert_eq!(
                whose["resource"]["attributes"][0]["value"]["stringValue"],
                "receiver-test"
            );
            whose["scopeSpans"][0]["spans"].as_array().expect("spans").clone()
        });
        spans.map(Told).collect()
    }

    /// The spans of that name.
    pub fn named(&self, name: &str) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.name() == name).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, bodies: Arc<Mutex<Vec<Bytes>>>, answers: Arc<AtomicU16>) {
    while let Ok((tcp, _)) = listener.accept().await {
        let (bodies, answers) = (bodies.clone(), answers.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, bodies.clone(), answers.clone()));
            // How the caller ends the conversation is its business.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(tcp), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    bodies: Arc<Mutex<Vec<Bytes>>>,
    answers: Arc<AtomicU16>,
) -> hyper::Result<Response<Full<Bytes>>> {
    assert_eq!(
        (request.method().as_str(), request.uri().path()),
        ("POST", "/v1/traces")
    );
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.headers()["x-collector"], "let me in");
    let body = request.into_body().collect().await?.to_bytes();
    let status = answers.load(Ordering::Relaxed);
    if status == 200 {
        bodies.lock().expect("no one panics while holding it").push(body);
    }
    let mut response = Response::new(Full::from("{}"));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    Ok(response)
}
