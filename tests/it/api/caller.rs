//! Who asks: a program with a bearer token.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::bearer::Bearer;
use mdes_receiver::store::roster::{NewOperator, Role, Roster as _};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::net::TcpSocket;

use crate::world::{PATIENCE, World, statement};

/// One who asks.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    authorization: Option<String>,
    /// Where they are: an address of loopback's.
    pub at: IpAddr,
}

/// An answer, whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        value.to_str().expect("ASCII")
    }

    /// It is a problem as RFC 9457 wants it; gives the last word of its type.
    pub fn problem(&self) -> String {
        let problem = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{problem}");
        assert_eq!(problem["status"], self.status, "{problem}");
        for field in ["title", "detail"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "{problem}"
            );
        }
        let kind = problem["type"].as_str().expect("a type");
        let kind = kind.strip_prefix("urn:mdes-receiver:problem:").expect("one of ours");
        format!("{} {kind}", self.status)
    }
}

impl Caller {
    /// Nobody in particular.
    pub fn stranger(world: &World) -> Self {
        Caller {
            address: world.service.admin_address,
            authorization: None,
            at: Ipv4Addr::LOCALHOST.into(),
        }
    }

    /// One who shows this.
    pub fn showing(world: &World, authorization: &str) -> Self {
        Caller {
            authorization: Some(authorization.to_owned()),
            ..Caller::stranger(world)
        }
    }

    /// One who looks.
    pub async fn viewer(world: &World) -> Self {
        Caller::added(world, "a viewer", Role::Viewer, time::Duration::HOUR).await
    }

    /// One who acts.
    pub async fn operator(world: &World) -> Self {
        Caller::added(world, "an operator", Role::Operator, time::Duration::HOUR).await
    }

    /// A new operator whose token is good for so long from now on.
    pub async fn added(world: &World, name: &str, role: Role, good_for: time::Duration) -> Self {
        let bearer = bearer(world, name, role, good_for).await;
        Caller::showing(world, &format!("Bearer {}", bearer.expose()))
    }

    /// Begins a request; the answer's body is still to come.
    pub async fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", self.address.to_string());
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(Bytes::copy_from_slice(body)))
            .expect("a request");
        let asking = async {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.bind((self.at, 0).into()).expect("an address of ours");
            let socket = socket.connect(self.address).await.expect("the admin side listens");
            let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            sender.send_request(request).await.expect("an answer")
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let (head, body) = self.begin(method, path, headers, body).await.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.expect("in time");
        Reply {
            status: head.status.as_u16(),
            headers: head.headers,
            body: body.expect("whole").to_bytes(),
        }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], b"").await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let json = [("content-type", "application/json")];
        self.ask("POST", path, &json, body.to_string().as_bytes()).await
    }
}

/// The token of a new operator, good for so long from now on.
pub async fn bearer(world: &World, name: &str, role: Role, good_for: time::Duration) -> Bearer {
    let random: [u8; 32] = std::array::from_fn(|_| uuid::Uuid::now_v7().as_bytes()[15]);
    let bearer = Bearer::of(&random);
    let operator = NewOperator {
        name: name.to_owned(),
        role,
        token_hash: bearer.sha256(),
        expires_at: OffsetDateTime::now_utc() + good_for,
    };
    let added = memory(world).await.add_operator(&operator).await;
    assert!(added.expect("the store answers"), "{name} is there already");
    bearer
}

/// The memory behind the service's back.
pub async fn memory(world: &World) -> Arc<mdes_receiver::store::Memory> {
    let clock = ManualClock::at(OffsetDateTime::now_utc());
    world.desk.database.memory(Arc::new(clock)).await
}

/// Mastercard says so of a token.
pub async fn say(world: &World, reference: &str, status: &str, at: &str) {
    let request = format!("{reference}-{status}-{at}");
    let answer = world.told(&request, &statement(reference, status, at)).await;
    assert_eq!(answer.status, 200);
}

/// The types of some events.
pub fn types(events: &[Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().expect("a type"))
        .collect()
}

/// A body of two registrations.
pub fn two_tokens() -> Value {
    json!({ "items": [
        {"reference": "DM4MMC0001", "token_requestor_id": "50100000001", "merchant_reference": "card-1", "status": "INACTIVE"},
        {"reference": "DM4MMC0002", "merchant_reference": "card-2"},
    ]})
}
