//! One server of a cluster: where it is, and what its URL says of who we are.

use std::net::SocketAddr;

use lapin::uri::{AMQPScheme, AMQPUri};
use thiserror::Error;
use url::Url;

use crate::config::settings::Egress;
use crate::delivery::{Sent, broker};
use crate::domain::masked::Secret;

/// A URL that names no server. It says which one, and not what it is: there may be a password in it.
#[derive(Debug, Error)]
#[error(
    "its URL {place} names no server; write `amqp://USER:PASSWORD@HOST:PORT/VHOST` or `amqps://…`, the virtual host percent-encoded"
)]
pub struct NoServer {
    /// From 1.
    place: usize,
}

/// What a URL said.
pub(super) struct Server {
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) uri: AMQPUri,
}

impl Server {
    /// What the URL at this index says.
    pub(super) fn parse(index: usize, url: &Secret) -> Result<Self, NoServer> {
        let place = index + 1;
        let uri: AMQPUri = url.expose().parse().map_err(|_| NoServer { place })?;
        // The library takes this machine for what it does not understand, an IPv6 address among others.
        let whole = Url::parse(url.expose()).map_err(|_| NoServer { place })?;
        let host = whole
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(NoServer { place })?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Server { host, uri })
    }

    pub(super) fn tls(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    /// Its addresses that the guard lets us connect to, at least one.
    pub(super) async fn addresses(&self, egress: &Egress) -> Result<Vec<SocketAddr>, Sent> {
        broker::addresses(&self.host, self.uri.authority.port, self.tls(), egress).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_and_a_virtual_host_are_read_from_the_url_and_decoded() {
        let server = Server::parse(0, &Secret::new("amqps://me:p%40ss@[::1]:5679/%2Fours")).expect("a server");
        let who = &server.uri.authority.userinfo;
        assert_eq!((who.username.as_str(), who.password.as_str()), ("me", "p@ss"));
        assert_eq!(
            (server.host.as_str(), server.tls(), server.uri.vhost.as_str()),
            ("::1", true, "/ours")
        );
    }

    #[test]
    fn a_bad_url_is_named_by_its_place_and_not_shown() {
        for url in ["amqp://me:s3cret@host:99999", "amqp:///ours", "amqp://"] {
            let Err(error) = Server::parse(1, &Secret::new(url)) else {
                panic!("{url} parsed");
            };
            assert!(error.to_string().starts_with("its URL 2 "), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }
}
