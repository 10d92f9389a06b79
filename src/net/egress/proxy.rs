//! The HTTP proxy that some networks put between themselves and the world: CONNECT for `https://`, the whole URL in
//! the request line for `http://`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use super::error::{Class, Error};
use super::target::Origin;
use crate::domain::masked::Secret;

/// No proxy's answer to CONNECT is longer.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Where it is, and who we are to it.
pub(super) struct Proxy {
    origin: Origin,
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Reads `http://[user:password@]host:port`.
    pub(super) fn parse(url: &Secret) -> Result<Self, &'static str> {
        const FORM: &str = "is no proxy's URL; write http://[user:password@]host:port";
        let url = Url::parse(url.expose()).map_err(|_| FORM)?;
        let origin = Origin::of(&url).filter(|origin| !origin.secure).ok_or(FORM)?;
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => Some(basic(user, password.unwrap_or_default()).ok_or(FORM)?),
        };
        Ok(Proxy { origin, authorization })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The value of `Proxy-Authorization`, if it wants one.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Asks it for a tunnel to there. What then comes is the other end's.
    pub(super) async fn tunnel(&self, mut stream: TcpStream, to: &Origin) -> Result<TcpStream, Error> {
        let broken = |error: std::io::Error| Error::new(Class::Connection, format!("the proxy: {error}"));
        stream.write_all(&self.connect(to)).await.map_err(broken)?;
        let mut head = Vec::with_capacity(256);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == HEAD_BYTES_MAX {
                return Err(Error::new(Class::Connection, "the proxy: its answer does not end"));
            }
            // One by one, so that nothing of the tunnel is taken; once a connection.
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        match status(&head) {
            Some(200..=299) => Ok(stream),
            Some(407) => {
                let text = "the proxy: 407; it wants credentials: `proxy = \"http://user:password@host:port\"`";
                Err(Error::new(Class::Connection, text))
            }
            Some(status) => Err(Error::new(Class::Connection, format!("the proxy: {status} for {to}"))),
            None => Err(Error::new(Class::Connection, "the proxy: its answer is not HTTP")),
        }
    }

    fn connect(&self, to: &Origin) -> Vec<u8> {
        let mut head = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(value) = &self.authorization {
            head.extend_from_slice(b"Proxy-Authorization: ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn basic(user: &str, password: &str) -> Option<HeaderValue> {
    let plain = |text: &str| percent_encoding::percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [plain(user), b":".to_vec(), plain(password)].concat();
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|b| *b == b'\r').next()?).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?;
    rest.split(' ').nth(1)?.parse().ok()
}
