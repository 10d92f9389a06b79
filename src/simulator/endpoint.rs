//! Plays the merchant's endpoint: takes whatever is told, and measures how it came.
//!
//! It checks no signature: whoever wants to see that done asks `verify`. It listens on loopback only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const BODY_BYTES_MAX: usize = 1 << 20;
const HEAD_DEADLINE: Duration = Duration::from_secs(30);
const CONNECTIONS_MAX: usize = 1_024;

/// What is done with each event that comes.
pub type Show = Box<dyn Fn(&Value) + Send + Sync>;

/// An endpoint that listens.
pub struct Endpoint {
    listener: TcpListener,
    heard: Arc<Heard>,
}

struct Heard {
    status: StatusCode,
    until: Option<usize>,
    show: Show,
    tally: Mutex<Tally>,
    enough: Notify,
}

#[derive(Default)]
struct Tally {
    taken: usize,
    first: Option<Instant>,
    last: Option<Instant>,
    /// From the recording of an event to its coming here, in microseconds.
    micros: Vec<u32>,
    /// The highest place (`sequence`, `index`) of each token.
    places: HashMap<String, (u64, u64)>,
    out_of_order: usize,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many events.
    pub taken: usize,
    /// Of how many tokens.
    pub tokens: usize,
    /// How many came after a later one of their token.
    pub out_of_order: usize,
    /// From the first to the last, in seconds.
    pub seconds: f64,
    /// Events a second.
    pub per_second: f64,
    /// From recording to coming here, in milliseconds: 50, 95, 99 and 100 of a hundred came within.
    pub after_ms: [f64; 4],
}

impl Endpoint {
    /// Listens there; answers every event with that status, and ends after so many.
    pub async fn bind(
        address: SocketAddr,
        status: StatusCode,
        until: Option<usize>,
        show: Show,
    ) -> std::io::Result<Self> {
        let heard = Heard {
            status,
            until,
            show,
            tally: Mutex::default(),
            enough: Notify::new(),
        };
        Ok(Endpoint {
            listener: TcpListener::bind(address).await?,
            heard: Arc::new(heard),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes what comes until it is enough, or until it is told to stop.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Report {
        let mut callers = JoinSet::new();
        let accept = async {
            loop {
                if let Ok((tcp, _)) = self.listener.accept().await
                    && callers.len() < CONNECTIONS_MAX
                {
                    callers.spawn(serve(tcp, self.heard.clone()));
                }
                while callers.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accept => {}
            () = self.heard.enough.notified() => {}
            () = stop => {}
        }
        self.heard.report()
    }
}

async fn serve(tcp: TcpStream, heard: Arc<Heard>) {
    // An answer is one small packet: it is not to wait for another.
    let _ = tcp.set_nodelay(true);
    let service = service_fn(move |request| answer(request, heard.clone()));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE);
    // How a caller ends the conversation is the caller's business.
    let _ = server.serve_connection(TokioIo::new(tcp), service).await;
}

async fn answer(request: Request<Incoming>, heard: Arc<Heard>) -> hyper::Result<Response<Full<Bytes>>> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let event = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    let mut response = Response::new(Full::default());
    *response.status_mut() = match event {
        Some(event) => heard.take(&event),
        None => StatusCode::BAD_REQUEST,
    };
    Ok(response)
}

impl Heard {
    fn take(&self, event: &Value) -> StatusCode {
        (self.show)(event);
        let mut tally = self.tally.lock().expect("no one panics while holding it");
        tally.take(event);
        if self.until.is_some_and(|until| tally.taken >= until) {
            self.enough.notify_one();
        }
        self.status
    }

    fn report(&self) -> Report {
        let mut tally = self.tally.lock().expect("no one panics while holding it");
        let took = tally
            .first
            .zip(tally.last)
            .map_or(Duration::ZERO, |(first, last)| last - first);
        tally.micros.sort_unstable();
        let within = |percent: usize| {
            let rank = (tally.micros.len() * percent).div_ceil(100);
            tally
                .micros
                .get(rank.saturating_sub(1))
                .map_or(0.0, |micros| f64::from(*micros) / 1_000.0)
        };
        Report {
            taken: tally.taken,
            tokens: tally.places.len(),
            out_of_order: tally.out_of_order,
            seconds: took.as_secs_f64(),
            per_second: tally.taken as f64 / took.as_secs_f64().max(f64::EPSILON),
            after_ms: [50, 95, 99, 100].map(within),
        }
    }
}

impl Tally {
    fn take(&mut self, event: &Value) {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.taken += 1;
        let recorded = event["timestamp"]
            .as_str()
            .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
        if let Some(recorded) = recorded {
            let after = (OffsetDateTime::now_utc() - recorded).whole_microseconds();
            self.micros.push(u32::try_from(after.max(0)).unwrap_or(u32::MAX));
        }
        let data = &event["data"];
        if let (Some(token), Some(sequence), Some(index)) = (
            data["token_unique_reference"].as_str(),
            data["sequence"].as_u64(),
            data["index"].as_u64(),
        ) {
            let place = (sequence, index);
            match self.places.get_mut(token) {
                Some(highest) if *highest > place => self.out_of_order += 1,
                Some(highest) => *highest = place,
                None => drop(self.places.insert(token.to_owned(), place)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_comes_after_a_later_one_of_its_token_is_counted() {
        let mut tally = Tally::default();
        for (token, sequence, index) in [("a", 1, 1), ("a", 1, 2), ("b", 2, 1), ("b", 1, 1), ("a", 1, 2)] {
            tally.take(&json!({"data": {"token_unique_reference": token, "sequence": sequence, "index": index}}));
        }
        assert_eq!((tally.taken, tally.places.len(), tally.out_of_order), (5, 2, 1));
    }
}
