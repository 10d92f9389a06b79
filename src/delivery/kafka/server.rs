//! The servers to begin with, and what their URLs say of who we are.

use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::Url;

use crate::config::settings::Egress;
use crate::delivery::broker::tls;
use crate::domain::masked::Secret;

const PORT: u16 = 9092;

/// A URL that names no server, or not one of the same cluster. It says which one, and not what it is: there may be a
/// password in it.
#[derive(Debug, Error)]
pub enum NoServer {
    /// It cannot be read.
    #[error(
        "its URL {0} names no server; write `kafka://HOST:PORT` or `kafkas://HOST:PORT`, with `USER:PASSWORD@` before the host if need be"
    )]
    Unread(usize),
    /// A cluster is spoken to in one way.
    #[error("its URL {0} differs from the first in scheme, user or password; the servers of one cluster share them")]
    Different(usize),
}

/// What the URLs said.
#[derive(Clone, Debug)]
pub(super) struct Servers {
    /// Host and port.
    pub(super) all: Vec<(String, u16)>,
    pub(super) tls: bool,
    pub(super) login: Option<(Secret, Secret)>,
}

impl Servers {
    pub(super) fn parse(urls: &[Secret]) -> Result<Self, NoServer> {
        let mut servers: Option<Servers> = None;
        for (index, url) in urls.iter().enumerate() {
            let place = index + 1;
            let one = one(url.expose()).ok_or(NoServer::Unread(place))?;
            match &mut servers {
                None => servers = Some(one),
                Some(first) if first.is_alike(&one) => first.all.extend(one.all),
                Some(_) => return Err(NoServer::Different(place)),
            }
        }
        servers.ok_or(NoServer::Unread(1))
    }

    fn is_alike(&self, other: &Servers) -> bool {
        let login = |servers: &Servers| {
            let login = servers.login.as_ref();
            login.map(|(user, password)| (user.expose().to_owned(), password.expose().to_owned()))
        };
        self.tls == other.tls && login(self) == login(other)
    }

    /// As the library wants them.
    pub(super) fn bootstrap(&self) -> String {
        let shown = |(host, port): &(String, u16)| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        self.all.iter().map(shown).collect::<Vec<_>>().join(",")
    }

    /// The files are such that TLS can be spoken with them; errors name the setting and the file. Reads them.
    pub(super) fn check(&self, egress: &Egress) -> Result<(), String> {
        for (host, _) in &self.all {
            tls::config(host, egress)?;
        }
        Ok(())
    }
}

fn one(url: &str) -> Option<Servers> {
    let url = Url::parse(url).ok()?;
    let tls = match url.scheme() {
        "kafka" => false,
        "kafkas" => true,
        _ => return None,
    };
    let rest = (url.path(), url.query(), url.fragment());
    if !matches!(rest, ("" | "/", None, None)) {
        return None;
    }
    let host = url.host_str().filter(|host| !host.is_empty() && !host.contains(','))?;
    let decoded = |text: &str| Secret::new(percent_decode_str(text).decode_utf8_lossy());
    let login = match (url.username(), url.password()) {
        ("", None) => None,
        ("", Some(_)) | (_, None) => return None,
        (user, Some(password)) => Some((decoded(user), decoded(password))),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Some(Servers {
        all: vec![(host, url.port().unwrap_or(PORT))],
        tls,
        login,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(urls: &[&str]) -> Result<Servers, NoServer> {
        let urls: Vec<Secret> = urls.iter().copied().map(Secret::new).collect();
        Servers::parse(&urls)
    }

    #[test]
    fn servers_of_one_cluster_share_their_login() {
        let both = servers(&["kafkas://me:p%40ss@k1:9093", "kafkas://me:p%40ss@[::1]"]).expect("servers");
        assert_eq!(both.bootstrap(), "k1:9093,[::1]:9092");
        let (user, password) = both.login.expect("a login");
        assert!(both.tls && user.expose() == "me" && password.expose() == "p@ss");
        for other in ["kafka://me:p%40ss@k2", "kafkas://k2", "kafkas://me:other@k2"] {
            let error = servers(&["kafkas://me:p%40ss@k1", other]).expect_err("they differ");
            assert!(error.to_string().starts_with("its URL 2 differs"), "{error}");
        }
    }

    #[test]
    fn a_bad_url_is_named_by_its_place_and_not_shown() {
        for url in [
            "kafka://me:s3cret@host:99999",
            "kafka://me@host",
            "kafka://host/path",
            "kafka://a,b:9092",
            "kafka://",
        ] {
            let error = servers(&["kafka://fine", url]).expect_err(url);
            assert!(error.to_string().starts_with("its URL 2 names no server"), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }
}
