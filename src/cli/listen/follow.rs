//! Follows the stream of a receiver: one connection, opened again by whoever calls.
//!
//! It trusts the given certificate authority and no other, follows no redirect, and never waits without a deadline.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::frames::{Frames, Told};
use crate::cli::misuse;
use crate::cli::output::escaped;
use crate::domain::bearer::Bearer;

const OPEN_WITHIN: Duration = Duration::from_secs(15);
/// The receiver gives a sign each 15 s.
const SIGN_WITHIN: Duration = Duration::from_secs(45);
const REFUSAL_BYTES_MAX: usize = 16 << 10;
const DETAIL_CHARS_MAX: usize = 500;

/// Why there is no more to hear.
pub(super) enum Trouble {
    /// It would be the same again.
    Refused(String),
    /// It may be better in a while.
    Passing(String),
}

/// Where to follow, and as whom.
pub(super) struct Follower {
    host: String,
    port: u16,
    authority: HeaderValue,
    authorization: HeaderValue,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    types: Option<String>,
}

impl Follower {
    pub(super) fn new(url: &Uri, ca: Option<&Path>, bearer: &Bearer, types: Option<&str>) -> anyhow::Result<Self> {
        let (Some(scheme), Some(authority)) = (url.scheme_str(), url.authority()) else {
            return Err(misuse("--url must be http://HOST:PORT or https://HOST:PORT"));
        };
        if url.path().len() > 1 || url.query().is_some() {
            return Err(misuse("--url has no path: the paths are the receiver's"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if scheme == "http" && !is_here {
            return Err(misuse(format_args!(
                "--url goes over http to {host}, where others could read the token: use https, or a tunnel to localhost"
            )));
        }
        let tls = match (scheme, ca) {
            ("http", None) => None,
            ("https", Some(ca)) => Some((connector(ca)?, ServerName::try_from(host.clone())?)),
            ("https", None) => {
                return Err(misuse(format_args!(
                    "--ca FILE is missing: whose certificates to trust for {host}"
                )));
            }
            _ => {
                return Err(misuse(
                    "--url must begin with https:// (with --ca) or http:// (without)",
                ));
            }
        };
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()))?;
        authorization.set_sensitive(true);
        Ok(Follower {
            port: authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 }),
            authority: HeaderValue::from_str(authority.as_str())?,
            host,
            authorization,
            tls,
            types: types.map(str::to_owned),
        })
    }

    /// Opens the stream after that cursor, or from now on.
    pub(super) async fn open(&self, after: Option<&str>) -> Result<Stream, Trouble> {
        let opened = timeout(OPEN_WITHIN, self.ask(after)).await;
        let (response, driver) = opened
            .map_err(|_| Trouble::Passing(format!("no answer within {OPEN_WITHIN:?}")))?
            .map_err(|error| Trouble::Passing(format!("{error:#}")))?;
        let status = response.status();
        if status == 200 {
            return Ok(Stream {
                body: response.into_body(),
                frames: Frames::default(),
                _driver: driver,
            });
        }
        let why = timeout(OPEN_WITHIN, detail(response)).await.unwrap_or_default();
        let why = format!("the receiver answers {status}: {why}");
        Err(match status.as_u16() {
            429 | 500.. => Trouble::Passing(why),
            _ => Trouble::Refused(why),
        })
    }

    async fn ask(&self, after: Option<&str>) -> anyhow::Result<(Response<Incoming>, Driver)> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .with_context(|| format!("no connection to {}:{}", self.host, self.port))?;
        match &self.tls {
            None => self.ask_over(tcp, after).await,
            Some((connector, name)) => {
                let tls = connector.connect(name.clone(), tcp).await.context("TLS handshake")?;
                self.ask_over(tls, after).await
            }
        }
    }

    async fn ask_over<S>(&self, socket: S, after: Option<&str>) -> anyhow::Result<(Response<Incoming>, Driver)>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let types = self.types.as_deref().map(|types| format!("types={}", encoded(types)));
        let after = after.map(|after| format!("after={}", encoded(after)));
        let query: Vec<String> = [types, after].into_iter().flatten().collect();
        let request = Request::get(format!("/v1/events/stream?{}", query.join("&")))
            .header(HOST, &self.authority)
            .header(AUTHORIZATION, &self.authorization)
            .header(ACCEPT, "text/event-stream")
            .body(Empty::<Bytes>::new())?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        let driver = Driver(tokio::spawn(connection));
        Ok((sender.send_request(request).await?, driver))
    }
}

/// The stream, open.
pub(super) struct Stream {
    body: Incoming,
    frames: Frames,
    _driver: Driver,
}

impl Stream {
    /// Where to go on when it has ended.
    pub(super) fn seen(&self) -> Option<String> {
        self.frames.seen.clone()
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Result<Told, Trouble> {
        let ended = |why: &str| Trouble::Passing(why.to_owned());
        loop {
            if let Some(told) = self.frames.next() {
                return Ok(told);
            }
            let frame = timeout(SIGN_WITHIN, self.body.frame()).await;
            let frame = frame.map_err(|_| ended("the stream has fallen silent"))?;
            let frame = frame.ok_or_else(|| ended("the stream has ended"))?;
            let frame = frame.map_err(|_| ended("the stream broke off"))?;
            let data = frame.into_data().unwrap_or_default(); // trailers say nothing to us
            let pushed = self.frames.push(&data);
            pushed.map_err(|_| Trouble::Refused("what came is no stream of a receiver".to_owned()))?;
        }
    }
}

/// The connection's task, which does not outlive the stream.
struct Driver(JoinHandle<hyper::Result<()>>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What the problem says.
async fn detail(response: Response<Incoming>) -> String {
    let body = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail: String = problem["detail"]
        .as_str()
        .unwrap_or("(no more is said)")
        .chars()
        .take(DETAIL_CHARS_MAX)
        .collect();
    // Who knows who answers there: it must not speak to the terminal.
    escaped(&detail)
}

fn connector(ca: &Path) -> anyhow::Result<TlsConnector> {
    let pem = std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?;
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(&pem) {
        roots.add(root.with_context(|| format!("{} is not PEM", ca.display()))?)?;
    }
    ensure!(!roots.is_empty(), "no certificate in {}: PEM is expected", ca.display());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
