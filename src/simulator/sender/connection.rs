//! One TLS connection that carries one request at a time.
//!
//! What is left of it is dropped with it: no task outlives its connection.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ANSWER_BYTES_MAX, Answer, Deadlines, Http, Target};
use crate::simulator::refusal::SendError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NAME: HeaderValue = HeaderValue::from_static(concat!("mdes-receiver-simulator/", env!("CARGO_PKG_VERSION")));

/// How long the connection's own task may take to say why it ended.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// An open connection.
pub struct Connection {
    speak: Speak,
    driver: JoinHandle<hyper::Result<()>>,
    uri: Uri,
    host: HeaderValue,
    answer_deadline: Duration,
    answered: bool,
}

enum Speak {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects, shakes hands, and listens a moment for a refusal.
    pub(super) async fn open(
        target: &Target,
        tls: Arc<ClientConfig>,
        http: Http,
        deadlines: &Deadlines,
    ) -> Result<Self, SendError> {
        let tcp = connected(target, deadlines.connect).await?;
        let mut tls = handshaken(tcp, target, tls, deadlines.handshake).await?;
        listen_for_refusal(&mut tls, deadlines.listen_first).await?;
        if http == Http::Two && tls.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(SendError::Handshake("the receiver does not speak HTTP/2".to_owned()));
        }
        let (speak, driver) = speaking(tls, http, deadlines.handshake).await?;
        let authority = target.uri.authority().map_or("", |authority| authority.as_str());
        Ok(Connection {
            speak,
            driver,
            uri: target.uri.clone(),
            host: HeaderValue::from_str(authority).map_err(|e| SendError::Handshake(e.to_string()))?,
            answer_deadline: deadlines.answer,
            answered: false,
        })
    }

    /// Sends this body and reads the answer, both within the answer's deadline.
    pub async fn send(&mut self, body: Bytes) -> Result<Answer, SendError> {
        let began = Instant::now();
        let Ok(outcome) = timeout(self.answer_deadline, self.exchange(body)).await else {
            // What comes now would answer a question that nobody asks any more.
            self.driver.abort();
            return Err(SendError::TooLate {
                what: "answer",
                after: self.answer_deadline,
            });
        };
        let (status, body) = outcome?;
        self.answered = true;
        Ok(Answer {
            status,
            body,
            took: began.elapsed(),
        })
    }

    /// Whether another request may be sent on it.
    pub fn is_open(&self) -> bool {
        !self.driver.is_finished()
            && match &self.speak {
                Speak::One(sender) => !sender.is_closed(),
                Speak::Two(sender) => !sender.is_closed(),
            }
    }

    async fn exchange(&mut self, body: Bytes) -> Result<(u16, Bytes), SendError> {
        let request = self.request(body);
        let response = match &mut self.speak {
            Speak::One(sender) => match sender.ready().await {
                Ok(()) => sender.send_request(request).await,
                Err(error) => Err(error),
            },
            Speak::Two(sender) => match sender.ready().await {
                Ok(()) => sender.send_request(request).await,
                Err(error) => Err(error),
            },
        };
        match response {
            Ok(response) => self.read(response).await,
            Err(error) => Err(self.why(&error).await),
        }
    }

    async fn read(&mut self, response: Response<Incoming>) -> Result<(u16, Bytes), SendError> {
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                self.driver.abort();
                Err(SendError::TooLong(ANSWER_BYTES_MAX))
            }
            Err(error) => Err(SendError::of_exchange(error.as_ref(), true)),
        }
    }

    /// The request's error often says only that the connection is gone; the connection's own task knows why.
    async fn why(&mut self, error: &hyper::Error) -> SendError {
        let said = SendError::of_exchange(error, self.answered);
        if !said.is_hang_up() {
            return said;
        }
        match timeout(LAST_WORDS, &mut self.driver).await {
            Ok(Ok(Err(error))) => SendError::of_exchange(&error, self.answered),
            _ => said,
        }
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ACCEPT, JSON);
        headers.insert(USER_AGENT, NAME);
        match self.speak {
            Speak::One(_) => {
                headers.insert(HOST, self.host.clone());
                *request.uri_mut() = Uri::from_static("/");
                if let Some(path) = self.uri.path_and_query() {
                    *request.uri_mut() = Uri::from(path.clone());
                }
            }
            Speak::Two(_) => {
                *request.version_mut() = Version::HTTP_2;
                *request.uri_mut() = self.uri.clone();
            }
        }
        request
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn connected(target: &Target, deadline: Duration) -> Result<TcpStream, SendError> {
    let no_connection = |cause: std::io::Error| SendError::NoConnection {
        to: format!("{}:{}", target.host, target.port),
        cause: cause.to_string(),
    };
    let tcp = timeout(deadline, TcpStream::connect((target.host.as_str(), target.port)))
        .await
        .map_err(|_| SendError::TooLate {
            what: "connection",
            after: deadline,
        })?
        .map_err(no_connection)?;
    tcp.set_nodelay(true).map_err(no_connection)?;
    Ok(tcp)
}

async fn handshaken(
    tcp: TcpStream,
    target: &Target,
    tls: Arc<ClientConfig>,
    deadline: Duration,
) -> Result<TlsStream<TcpStream>, SendError> {
    timeout(
        deadline,
        TlsConnector::from(tls).connect(target.server_name.clone(), tcp),
    )
    .await
    .map_err(|_| SendError::TooLate {
        what: "handshake",
        after: deadline,
    })?
    .map_err(|error| SendError::of_handshake(&error))
}

/// Reads without taking anything. Silence for that long is no refusal; neither is a server that speaks first.
async fn listen_for_refusal(tls: &mut TlsStream<TcpStream>, patience: Duration) -> Result<(), SendError> {
    match timeout(patience, tls.fill_buf()).await {
        Err(_) => Ok(()),
        Ok(Ok(spoken)) if !spoken.is_empty() => Ok(()),
        Ok(Ok(_)) => Err(SendError::Refused(
            "the connection was closed without a reason".to_owned(),
        )),
        Ok(Err(error)) => Err(match SendError::of_handshake(&error) {
            SendError::Handshake(cause) => SendError::Refused(cause),
            refused => refused,
        }),
    }
}

async fn speaking(
    tls: TlsStream<TcpStream>,
    http: Http,
    deadline: Duration,
) -> Result<(Speak, JoinHandle<hyper::Result<()>>), SendError> {
    let io = TokioIo::new(tls);
    let agreed = async {
        match http {
            Http::One => {
                let (sender, connection) = http1::handshake(io).await?;
                Ok((Speak::One(sender), tokio::spawn(connection)))
            }
            Http::Two => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                Ok((Speak::Two(sender), tokio::spawn(connection)))
            }
        }
    };
    timeout(deadline, agreed)
        .await
        .map_err(|_| SendError::TooLate {
            what: "handshake",
            after: deadline,
        })?
        .map_err(|error: hyper::Error| SendError::of_exchange(&error, false))
}
