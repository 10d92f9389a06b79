//! One server of a cluster: where it is, and what its URL says of who we are.

use std::net::SocketAddr;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;
use thiserror::Error;

use crate::config::settings::Egress;
use crate::delivery::{Sent, broker};
use crate::domain::masked::Secret;

/// A URL that names no server. It says which one, and not what it is: there may be a password in it.
#[derive(Debug, Error)]
#[error(
    "its URL {place} names no server; write `nats://HOST:PORT` or `tls://HOST:PORT`, with `USER:PASSWORD@` or `TOKEN@` before the host if need be"
)]
pub struct NoServer {
    /// From 1.
    place: usize,
}

/// What a URL said.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
    pub(super) login: Login,
}

/// Who a URL says we are.
pub(super) enum Login {
    /// It does not.
    None,
    /// `TOKEN@`.
    Token(Secret),
    /// `USER:PASSWORD@`.
    User(Secret, Secret),
}

impl Server {
    /// What the URL at this index says.
    pub(super) fn parse(index: usize, url: &Secret) -> Result<Self, NoServer> {
        let place = index + 1;
        let address: ServerAddr = url.expose().parse().map_err(|_| NoServer { place })?;
        if address.host().is_empty() {
            return Err(NoServer { place });
        }
        let decoded = |text: &str| Secret::new(percent_decode_str(text).decode_utf8_lossy());
        let user = address.username().map(decoded);
        let login = match (user, address.password().map(decoded)) {
            (Some(user), Some(password)) => Login::User(user, password),
            (Some(token), None) => Login::Token(token),
            (None, _) => Login::None,
        };
        Ok(Server {
            host: address.host().to_owned(),
            port: address.port(),
            tls: address.tls_required(),
            login,
        })
    }

    /// Its addresses that the guard lets us connect to, at least one.
    pub(super) async fn addresses(&self, egress: &Egress) -> Result<Vec<SocketAddr>, Sent> {
        broker::addresses(&self.host, self.port, self.tls, egress).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_read_from_the_url_and_decoded() {
        let server = Server::parse(0, &Secret::new("nats://me:p%40ss@broker")).expect("a server");
        assert!(
            matches!(&server.login, Login::User(user, password) if user.expose() == "me" && password.expose() == "p@ss")
        );
        assert_eq!((server.host.as_str(), server.port, server.tls), ("broker", 4222, false));
        let server = Server::parse(0, &Secret::new("tls://t0ken@[::1]:4333")).expect("a server");
        assert!(matches!(&server.login, Login::Token(token) if token.expose() == "t0ken"));
        assert_eq!((server.host.as_str(), server.port, server.tls), ("::1", 4333, true));
    }

    #[test]
    fn a_bad_url_is_named_by_its_place_and_not_shown() {
        let url = Secret::new("nats://me:s3cret@host:99999");
        let Err(error) = Server::parse(1, &url) else {
            panic!("it parsed");
        };
        assert!(error.to_string().starts_with("its URL 2 "), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }
}
