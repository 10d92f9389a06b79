//! A new connection: resolved, guarded, connected to the very address that was guarded, by the proxy if there is one,
//! and with TLS if the URL asks for it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::Inner;
use super::connection::Connection;
use super::error::{Class, Error};
use super::guard;
use super::proxy::Proxy;
use super::target::{Host, Origin, Target};
use super::tls::Snapshot;

/// What a request is spoken over.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection to where the target lies, ready for requests.
pub(super) async fn dial(inner: &Inner, target: &Target) -> Result<Connection, Error> {
    guard::target(target, inner.proxy.is_some(), &inner.allow)?;
    let snapshot = inner.tls.load_full();
    let stream = match &inner.proxy {
        None => connected(inner, target.origin(), !target.is_secure()).await?,
        Some(proxy) => by_proxy(inner, proxy, target).await?,
    };
    let wire: Box<dyn Wire> = match target.is_secure() {
        true => Box::new(shaken(&snapshot, target.server_name(), stream).await?),
        false => Box::new(stream),
    };
    Connection::over(wire, snapshot.number).await
}

async fn by_proxy(inner: &Inner, proxy: &Proxy, target: &Target) -> Result<TcpStream, Error> {
    let stream = connected(inner, proxy.origin(), !target.is_secure())
        .await
        .map_err(|error| Error::new(error.class, format!("the proxy: {error}")))?;
    match target.is_secure() {
        true => proxy.tunnel(stream, target.origin()).await,
        false => Ok(stream),
    }
}

/// The first address that takes us, of those that the guard lets through. `plain`: what is said is not encrypted.
async fn connected(inner: &Inner, origin: &Origin, plain: bool) -> Result<TcpStream, Error> {
    let addresses = guarded(inner, origin, plain).await?;
    // The first must not use up the time of the others.
    let share = inner.connect / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = Error::new(Class::Unresolved, format!("{origin} has no address"));
    for address in addresses {
        match connected_to(SocketAddr::new(address, origin.port), share).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// As many addresses of a name as are tried.
const ADDRESSES_MAX: usize = 4;

async fn guarded(inner: &Inner, origin: &Origin, plain: bool) -> Result<Vec<IpAddr>, Error> {
    let addresses = match &origin.host {
        Host::Address(address) => vec![*address],
        Host::Name(name) => inner
            .resolver
            .resolve(name)
            .await
            .map_err(|error| Error::new(Class::Unresolved, format!("{name} cannot be resolved: {error}")))?,
    };
    let mut refusal = None;
    let mut good = Vec::new();
    for address in addresses {
        match guard::address(address, plain, &inner.allow) {
            Ok(()) => good.push(address),
            Err(error) => refusal = Some(error),
        }
    }
    good.truncate(ADDRESSES_MAX);
    match refusal {
        Some(refusal) if good.is_empty() => Err(refusal),
        _ => Ok(good),
    }
}

async fn connected_to(address: SocketAddr, patience: Duration) -> Result<TcpStream, Error> {
    let failed = |error| Error::new(Class::Connection, format!("no connection to {address}: {error}"));
    let late = |_| Error::late(&format!("connection to {address}"), patience);
    let stream = timeout(patience, TcpStream::connect(address))
        .await
        .map_err(late)?
        .map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

async fn shaken(
    snapshot: &Snapshot,
    name: ServerName<'static>,
    stream: TcpStream,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
    let connector = TlsConnector::from(snapshot.config.clone());
    connector.connect(name, stream).await.map_err(|error| {
        let said = Error::of(&error);
        match said.class {
            Class::Connection => Error::new(Class::Tls, format!("hung up during the TLS handshake: {said}")),
            _ => said,
        }
    })
}
