//! Where a request goes: a URL, read once.

use std::fmt;
use std::net::IpAddr;

use hyper::Uri;
use hyper::header::HeaderValue;
use rustls::pki_types::ServerName;
use url::Url;

use super::error::{Class, Error};

/// A URL that can be asked. Debug shows neither path nor query, which may hold a secret.
pub struct Target {
    origin: Origin,
    server_name: ServerName<'static>,
    host_header: HeaderValue,
    path: Uri,
    absolute: Uri,
}

/// Whom a connection is with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// The host of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// To be resolved.
    Name(String),
    /// An address, however it was written: `2130706433` is 127.0.0.1.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(address) => address.fmt(f),
        }
    }
}

impl Target {
    /// Reads it: `http://` or `https://`, without user name and password.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let bad = |why: &str| {
            Error::new(
                Class::Unusable,
                format!("the URL {why}; write https://host[:port]/path"),
            )
        };
        let url = Url::parse(url).map_err(|e| bad(&format!("cannot be read ({e})")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("holds a user name or password"));
        }
        let origin = Origin::of(&url).ok_or_else(|| bad("is neither http:// nor https://, or has no host"))?;
        let of_url = |text: &str| {
            text.parse::<Uri>()
                .map_err(|_| bad("has a path that HTTP cannot carry"))
        };
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        Ok(Target {
            server_name: origin.server_name().ok_or_else(|| bad("has a host that is no name"))?,
            host_header: HeaderValue::from_str(authority).map_err(|_| bad("has a host that is no name"))?,
            path: of_url(path)?,
            absolute: of_url(&url[..url::Position::AfterQuery])?,
            origin,
        })
    }

    /// Whether it is asked over TLS.
    pub fn is_secure(&self) -> bool {
        self.origin.secure
    }

    /// Its host.
    pub fn host(&self) -> &Host {
        &self.origin.host
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn server_name(&self) -> ServerName<'static> {
        self.server_name.clone()
    }

    pub(super) fn host_header(&self) -> HeaderValue {
        self.host_header.clone()
    }

    /// What follows the method: the path, or for a proxy that is asked for plain HTTP the whole URL.
    pub(super) fn uri(&self, whole: bool) -> Uri {
        if whole {
            self.absolute.clone()
        } else {
            self.path.clone()
        }
    }
}

impl Origin {
    pub(super) fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = match url.host()? {
            url::Host::Domain(name) => Host::Name(name.to_owned()),
            url::Host::Ipv4(address) => Host::Address(address.into()),
            url::Host::Ipv6(address) => Host::Address(address.into()),
        };
        let port = url.port_or_known_default()?;
        Some(Origin { secure, host, port })
    }

    fn server_name(&self) -> Option<ServerName<'static>> {
        match &self.host {
            Host::Name(name) => ServerName::try_from(name.trim_end_matches('.').to_owned()).ok(),
            Host::Address(address) => Some(ServerName::from(*address)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => write!(f, "{name}:{}", self.port),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)
    }
}
