//! One server of a cluster: where it is, and what its URL says of who we are.

use std::net::{IpAddr, SocketAddr};

use async_nats::ServerAddr;
use ipnet::IpNet;
use percent_encoding::percent_decode_str;
use thiserror::Error;
use tokio::time::timeout;

use super::failed::failed;
use crate::config::settings::Egress;
use crate::delivery::{Failure, Sent};
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

    /// Its addresses that the guard lets us connect to, at least one. What was looked at is what is connected to: a
    /// name that changes its address in between gains nothing.
    pub(super) async fn addresses(&self, egress: &Egress) -> Result<Vec<SocketAddr>, Sent> {
        let found = timeout(egress.connect, tokio::net::lookup_host((self.host.as_str(), self.port)))
            .await
            .map_err(|_| failed(Failure::Timeout, "its name was not resolved in time"))?
            .map_err(|e| failed(Failure::Unresolved, &format!("its name has no address: {e}")))?;
        let mut allowed = Vec::new();
        let mut refused = failed(Failure::Unresolved, "its name has no address");
        for address in found {
            match guarded(address.ip(), !self.tls, &egress.allow_networks) {
                Ok(()) => allowed.push(address),
                Err(why) => refused = failed(Failure::Guarded, &why),
            }
        }
        if allowed.is_empty() { Err(refused) } else { Ok(allowed) }
    }
}

/// The seam of the address guard: whether we may go there. `plain` is without TLS, which goes into `allow` alone.
fn guarded(address: IpAddr, plain: bool, allow: &[IpNet]) -> Result<(), String> {
    let address = address.to_canonical();
    let is_allowed = allow.iter().any(|network| network.contains(&address));
    if is_allowed || (is_public(address) && !plain) {
        return Ok(());
    }
    let what = if plain {
        "would be spoken to without TLS"
    } else {
        "is not public"
    };
    Err(format!(
        "{address} {what}; if it shall be reached, name it in `allow_networks`"
    ))
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            let is_special = first == 0 || first >= 224 || (first, second, third) == (192, 0, 0);
            let is_benchmark = first == 198 && (18..20).contains(&second);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || is_shared
                || is_special
                || is_benchmark)
        }
        // Only what is given out as global unicast, without the prefixes that carry an IPv4 address.
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            let is_global = first & 0xe000 == 0x2000;
            let is_tunnel = first == 0x2002 || (first == 0x2001 && second < 0x0200);
            let is_documentation = (first, second) == (0x2001, 0x0db8) || first == 0x3fff;
            is_global && !is_tunnel && !is_documentation
        }
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

    #[test]
    fn only_public_addresses_and_allowed_networks_are_connected_to() {
        let allow = ["10.1.0.0/16".parse().expect("a network")];
        let allows = |address: &str| guarded(address.parse().expect("an address"), false, &allow).is_ok();
        for address in ["8.8.8.8", "10.1.2.3", "::ffff:10.1.2.3", "2606:4700::1111"] {
            assert!(allows(address), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.2.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "224.0.0.1",
            "ff02::1",
        ] {
            assert!(!allows(address), "{address}");
        }
    }
}
