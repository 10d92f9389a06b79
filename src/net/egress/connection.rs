//! One connection that carries one request at a time, and is not used again if anything about it is odd.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response as Answered};
use hyper_util::rt::TokioIo;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::dial::Wire;
use super::error::{Class, Error};
use super::{Limits, Response};

/// What a connection keeps of an answer before it is read; its head must fit.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// How long the connection's own task may take to be ready again, or to say why it ended.
const MOMENT: Duration = Duration::from_millis(100);

/// An open connection. What is left of it is dropped with it: no task outlives it.
pub(super) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: JoinHandle<hyper::Result<()>>,
    /// Of the TLS files that it was opened with.
    pub(super) snapshot: u64,
}

/// How a request ended.
pub(super) enum Exchanged {
    /// With an answer; true if the connection may carry another request.
    Answered(Response, bool),
    /// The connection was gone before anything was written.
    Unsent(Request<Full<Bytes>>),
    /// Without an answer.
    Failed(Error),
}

impl Connection {
    pub(super) async fn over(wire: Box<dyn Wire>, snapshot: u64) -> Result<Self, Error> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(BUFFER_BYTES_MAX)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(|error| Error::of(&error))?;
        Ok(Connection {
            sender,
            driver: tokio::spawn(connection),
            snapshot,
        })
    }

    /// Whether another request may be sent on it, as far as we know.
    pub(super) async fn is_ready(&mut self) -> bool {
        !self.driver.is_finished() && matches!(timeout(MOMENT, self.sender.ready()).await, Ok(Ok(())))
    }

    /// Whether the other end has hung up.
    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed() || self.driver.is_finished()
    }

    /// Sends the request and reads as much of the answer as the limits say, until the deadline.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        limits: &Limits,
        deadline: Instant,
    ) -> Exchanged {
        let mut error = match timeout_at(deadline, self.sender.try_send_request(request)).await {
            Ok(Ok(answered)) => {
                let (response, whole) = read(answered, limits.body_bytes_max, deadline).await;
                return Exchanged::Answered(response, whole);
            }
            Ok(Err(error)) => error,
            Err(_) => return Exchanged::Failed(Error::late("answer", limits.total)),
        };
        match error.take_message() {
            Some(request) => Exchanged::Unsent(request),
            None => Exchanged::Failed(self.why(error.error()).await),
        }
    }

    /// Why it ended before anything was written.
    pub(super) async fn hung_up(&mut self) -> Error {
        let said = Error::new(Class::Connection, "hung up as soon as it was connected");
        self.last_words().await.unwrap_or(said)
    }

    /// The request's error often says only that the connection is gone; the connection's own task knows why.
    async fn why(&mut self, said: &hyper::Error) -> Error {
        let said = Error::of(said);
        match said.class {
            Class::Connection => self.last_words().await.unwrap_or(said),
            _ => said,
        }
    }

    async fn last_words(&mut self) -> Option<Error> {
        match timeout(MOMENT, &mut self.driver).await {
            Ok(Ok(Err(error))) => Some(Error::of(&error)),
            _ => None,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The status is said with the head: what becomes of the body cannot unsay it, and is only marked.
async fn read(answered: Answered<Incoming>, body_bytes_max: usize, deadline: Instant) -> (Response, bool) {
    let (head, mut body) = answered.into_parts();
    let mut kept = BytesMut::new();
    let mut whole = false;
    while let Ok(frame) = timeout_at(deadline, body.frame()).await {
        let data = match frame {
            None => {
                whole = true;
                break;
            }
            Some(Err(_)) => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
        };
        let room = body_bytes_max - kept.len();
        kept.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            break;
        }
    }
    let response = Response {
        status: head.status,
        headers: head.headers,
        body: kept.freeze(),
        truncated: !whole,
    };
    (response, whole)
}
