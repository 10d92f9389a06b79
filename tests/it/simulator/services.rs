//! The token services that are played: what they promise to whoever calls them.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use mdes_receiver::simulator::services::tokens::NewToken;
use mdes_receiver::simulator::services::{Alternative, Services, Settings};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;

mod faults;
mod mdes;
mod notices;
mod script;
mod tokenex;

/// One of the samples.
const TOKEN: &str = "476120FDallZ7718";
const SECONDS: Duration = Duration::from_secs(10);

/// The services, and a token of each kind of name.
struct Street {
    services: Services,
    reference_id: String,
    unique_reference: String,
}

impl Street {
    async fn quiet() -> Self {
        Street::with(Settings::default()).await
    }

    async fn other(alternative: Alternative) -> Self {
        let alternatives = [alternative].into();
        Street::with(Settings {
            alternatives,
            ..Settings::default()
        })
        .await
    }

    async fn with(settings: Settings) -> Self {
        let services = Services::start(settings).await.expect("a free port on loopback");
        let made = services.make(&named(TOKEN)).expect("the first token");
        let name = |key: &str| made[0][key].as_str().expect("a name").to_owned();
        Street {
            reference_id: name("token_reference_id"),
            unique_reference: name("token_unique_reference"),
            services,
        }
    }

    /// TokenEx's method, by somebody it knows.
    async fn tokenex(&self, method: &str, body: impl Into<String>) -> (u16, Value) {
        let headers = [("tx-tokenex-id", ID), ("tx-apikey", KEY)];
        let answer = self.post(&format!("/v2/NetworkToken/{method}"), &headers, body).await;
        answer.expect("an answer")
    }

    /// `LifecycleManagement` of the token.
    async fn act(&self, action: &str) -> (u16, Value) {
        self.tokenex("LifecycleManagement", request(action).to_string()).await
    }

    async fn state(&self) -> String {
        let (_, said) = self.tokenex("GetStatus", json!({ "token": TOKEN }).to_string()).await;
        said["networkResponse"]["tokenState"]
            .as_str()
            .expect("a state")
            .to_owned()
    }

    /// What scripts see of the token.
    fn seen(&self) -> Value {
        self.services.shown()["tokens"][0].clone()
    }

    fn fault(&self, fault: &str) {
        let fault = fault.parse().expect("a fault");
        self.services.add_fault(fault).expect("there is room");
    }

    /// `None`: the connection was closed without an answer.
    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<String>) -> Option<(u16, Value)> {
        self.send("POST", path, headers, body).await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<String>,
    ) -> Option<(u16, Value)> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.services.address().to_string());
        if headers.iter().all(|(name, _)| *name != "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.into()))).expect("a request");
        let tcp = TcpStream::connect(self.services.address()).await.expect("it listens");
        let (mut speak, connection) = http1::handshake(TokioIo::new(tcp)).await.expect("HTTP/1.1");
        let connection = tokio::spawn(connection);
        let answer = timeout(SECONDS, speak.send_request(request))
            .await
            .expect("an answer in time");
        let answer = answer.ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a whole answer").to_bytes();
        connection.abort();
        Some((status, serde_json::from_slice(&body).expect("JSON")))
    }
}

const ID: &str = "1234567890123456";
const KEY: &str = "simulatedapikeythatopensnorealdoor000001";

fn named(token: &str) -> NewToken {
    NewToken {
        token: Some(token.to_owned()),
        ..NewToken::default()
    }
}

fn request(action: &str) -> Value {
    json!({"Token": TOKEN, "LifecycleManagementAction": action, "RequestReason": "Wallet LOST"})
}
