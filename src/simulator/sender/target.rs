//! The address of a receiver: `https://host[:port][/contextRoot]`, and the path that MDES puts behind it.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::Scheme;
use rustls::pki_types::ServerName;

/// What MDES appends to the registered host and context root.
pub const PATH: &str = "/digitization/static/1/0/notifyTokenUpdated";
const HTTPS_PORT: u16 = 443;

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub(super) uri: Uri,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) server_name: ServerName<'static>,
}

/// Why that is no address of a receiver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address `{address}`: {why}; write https://host[:port][/contextRoot]")]
pub struct BadTarget {
    address: String,
    why: &'static str,
}

impl FromStr for Target {
    type Err = BadTarget;

    fn from_str(address: &str) -> Result<Self, BadTarget> {
        let whole = match address.contains("://") {
            true => address.to_owned(),
            false => format!("https://{address}"),
        };
        let bad = |why| bad(address, why);
        let base: Uri = whole.parse().map_err(|_| bad("not a URL"))?;
        if base.query().is_some() {
            return Err(bad("it has a query"));
        }
        let root = base.path().trim_end_matches('/');
        let path = match root.ends_with(PATH) {
            true => root.to_owned(),
            false => format!("{root}{PATH}"),
        };
        Target::at(&base, &path, bad)
    }
}

impl Target {
    /// That URL as it stands, with its path and query.
    pub fn exactly(url: &str) -> Result<Self, BadTarget> {
        let bad = |why| bad("…", why);
        let uri: Uri = url.parse().map_err(|_| bad("not a URL"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Target::at(&uri, path, bad)
    }

    fn at(base: &Uri, path: &str, bad: impl Fn(&'static str) -> BadTarget) -> Result<Self, BadTarget> {
        if base.scheme() != Some(&Scheme::HTTPS) {
            return Err(bad("only https has client certificates"));
        }
        let authority = base.authority().ok_or_else(|| bad("no host"))?.clone();
        if authority.as_str().contains('@') {
            return Err(bad("it holds a user name"));
        }
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let server_name = ServerName::try_from(host.clone()).map_err(|_| bad("not a host name"))?;
        let uri = Uri::builder()
            .scheme(Scheme::HTTPS)
            .authority(authority)
            .path_and_query(path)
            .build()
            .map_err(|_| bad("not a URL"))?;
        Ok(Target {
            port: uri.port_u16().unwrap_or(HTTPS_PORT),
            uri,
            host,
            server_name,
        })
    }
}

fn bad(address: &str, why: &'static str) -> BadTarget {
    BadTarget {
        address: address.to_owned(),
        why,
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(address: &str) -> String {
        address.parse::<Target>().expect("a good address").to_string()
    }

    #[test]
    fn the_path_is_appended_unless_it_is_there() {
        let whole = format!("https://localhost:8443/shop{PATH}");
        assert_eq!(url("https://localhost:8443/shop"), whole);
        assert_eq!(url("https://localhost:8443/shop/"), whole);
        assert_eq!(url(&whole), whole);
        assert_eq!(url("localhost:8443/shop"), whole);
    }

    #[test]
    fn an_address_literal_is_a_host() {
        let target: Target = "https://[::1]:8443".parse().expect("a good address");
        assert_eq!((target.host.as_str(), target.port), ("::1", 8443));
    }

    #[test]
    fn what_is_no_https_address_is_refused_with_the_form_to_write() {
        for bad in [
            "http://localhost",
            "https://",
            "https://a b",
            "https://me@localhost",
            "https://localhost?a=1",
        ] {
            let said = bad.parse::<Target>().expect_err(bad).to_string();
            assert!(said.contains("write https://host"), "{said}");
        }
    }
}
