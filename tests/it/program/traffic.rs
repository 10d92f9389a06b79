//! Many senders at once, who remember what they said and what they were answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use mdes_receiver::simulator::refusal::SendError;
use mdes_receiver::simulator::sender::{Answer, Deadlines, Http, Identity, Sender};
use serde_json::json;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;

use crate::world::{Desk, read, sealed, statement};

/// About how few tokens all of them talk, so that they get into each other's way.
const TOKENS: usize = 5;
/// In the past whatever the clock says, so that no statement is from the future; and none of whole seconds,
/// which stand for a second's end or beginning.
const BEGAN: OffsetDateTime = datetime!(2025-11-02 9:00:00.5 UTC);

/// One notification, and what became of it.
pub struct Sent {
    pub request_id: String,
    pub token: String,
    pub at: OffsetDateTime,
    pub body: Bytes,
    pub outcome: Result<Answer, SendError>,
}

impl Sent {
    /// It was answered, and then with 200.
    pub fn acknowledged(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|answer| answer.status == 200)
    }
}

/// Senders at work; each stops at its first failure.
pub struct Traffic {
    senders: JoinSet<Vec<Sent>>,
    answered: Arc<AtomicUsize>,
}

impl Traffic {
    /// Eight senders, every other one by HTTP/2. What they say in one round is news after the last.
    pub fn to(desk: &Desk, address: SocketAddr, round: usize) -> Self {
        let (mut senders, answered) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for place in 0..8 {
            let http = if place % 2 == 0 { Http::One } else { Http::Two };
            let (sender, sealer) = (sender(desk, http, address), desk.sealer());
            let (name, answered) = (format!("round-{round}-{place}"), answered.clone());
            let began = BEGAN + Duration::hours(round as i64);
            senders.spawn(async move {
                let seal = |request_id: &str, token: &str, at| {
                    let status = if place % 3 == 0 { "SUSPENDED" } else { "ACTIVE" };
                    sealed(&sealer, request_id, &statement(token, status, &rfc3339(at)))
                };
                work(
                    sender,
                    &name,
                    began + Duration::milliseconds(place as i64),
                    &answered,
                    seal,
                )
                .await
            });
        }
        Traffic { senders, answered }
    }

    /// Waits until this many were answered.
    pub async fn answered(&self, at_least: usize) {
        crate::world::eventually("enough is answered", || async {
            self.answered.load(Ordering::Relaxed) >= at_least
        })
        .await;
    }

    /// What all of them sent, once none sends any more.
    pub async fn ended(self) -> Vec<Sent> {
        let ended = tokio::time::timeout(super::process::PATIENCE, self.senders.join_all());
        ended
            .await
            .expect("each stops at its first failure")
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Mastercard, calling this address by this HTTP.
pub fn sender(desk: &Desk, http: Http, address: SocketAddr) -> Sender {
    let client = &desk.files.client;
    let identity = Identity::from_pem(&read(&client.certificate), &read(&client.private_key)).expect("a pair");
    let target = format!("https://{address}").parse().expect("a URL");
    let roots = read(&desk.files.ca.certificate);
    Sender::new(target, Some(identity), &roots, http, Deadlines::default()).expect("a sender")
}

async fn work(
    sender: Sender,
    name: &str,
    began: OffsetDateTime,
    answered: &AtomicUsize,
    seal: impl Fn(&str, &str, OffsetDateTime) -> Bytes,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    let mut connection = sender.connect().await.expect("the door is open");
    loop {
        let number = sent.len();
        let (request_id, token) = (format!("{name}-{number}"), format!("DM4MMC-{}", number % TOKENS));
        let at = began + Duration::seconds(number as i64);
        let body = seal(&request_id, &token, at);
        let outcome = connection.send(body.clone()).await;
        let failed = outcome.is_err();
        let one = Sent {
            request_id,
            token,
            at,
            body,
            outcome,
        };
        answered.fetch_add(usize::from(one.acknowledged()), Ordering::Relaxed);
        sent.push(one);
        if failed {
            return sent;
        }
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("a year of four digits")
}

/// The answer that belongs to a requestId.
pub fn expected(request_id: &str) -> serde_json::Value {
    json!({"responseHost": "tokens.merchant.example", "responseId": request_id})
}
