//! Posts TokenEx's notifications: to one URL, over plain HTTP or TLS, without a certificate of its own.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::simulator::sender::{BadTarget, Deadlines, Http, Sender, SenderError, Target};

const DEADLINE: Duration = Duration::from_secs(10);
const HTTP_PORT: u16 = 80;

/// One URL to post to.
pub struct Post(Way);

enum Way {
    Plain(Uri),
    Tls(Box<Sender>),
}

/// Why nothing can be posted there.
#[derive(Debug, thiserror::Error)]
pub enum BadPost {
    /// It is no URL with a host.
    #[error("not a URL of the form http[s]://host[:port]/path")]
    NotAUrl,
    /// It is https, and nobody is to be believed.
    #[error("over https, the roots that the receiver's certificate comes from are needed")]
    NoRoots,
    /// The address cannot be used.
    #[error(transparent)]
    Target(#[from] BadTarget),
    /// The roots cannot.
    #[error(transparent)]
    Sender(#[from] SenderError),
}

impl Post {
    /// To this URL as it stands; over https the server's certificate must come from these roots (PEM).
    pub fn to(url: &str, server_roots: Option<&[u8]>) -> Result<Self, BadPost> {
        let uri: Uri = url.parse().map_err(|_| BadPost::NotAUrl)?;
        if uri.host().is_none() {
            return Err(BadPost::NotAUrl);
        }
        match uri.scheme_str() {
            Some("http") => Ok(Post(Way::Plain(uri))),
            Some("https") => {
                let roots = server_roots.ok_or(BadPost::NoRoots)?;
                let target = Target::exactly(url)?;
                let sender = Sender::new(target, None, roots, Http::One, Deadlines::default())?;
                Ok(Post(Way::Tls(Box::new(sender))))
            }
            _ => Err(BadPost::NotAUrl),
        }
    }

    /// The status of the answer, or why there is none; the URL may hold a secret and is not said.
    pub(super) async fn send(&self, body: Bytes) -> Result<u16, String> {
        match &self.0 {
            Way::Tls(sender) => {
                let answer = sender.send(body).await;
                answer.map(|answer| answer.status).map_err(|error| error.to_string())
            }
            Way::Plain(uri) => match timeout(DEADLINE, plainly(uri, body)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {DEADLINE:?}")),
            },
        }
    }
}

async fn plainly(uri: &Uri, body: Bytes) -> Result<u16, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let tcp = TcpStream::connect((host, uri.port_u16().unwrap_or(HTTP_PORT))).await;
    let (mut speak, connection) = http1::handshake(TokioIo::new(tcp.map_err(|e| said(&e))?))
        .await
        .map_err(|e| said(&e))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::post(path)
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|e| said(&e))?;
    tokio::select! {
        answer = speak.send_request(request) => answer.map(|answer| answer.status().as_u16()).map_err(|e| said(&e)),
        ended = connection => Err(ended.err().map_or("the connection was closed".to_owned(), |e| said(&e))),
    }
}
