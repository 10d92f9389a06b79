//! The way in: PROXY header, first byte, handshake. Who is refused is noted here, and told why in TLS.
//!
//! All of it together has one deadline, and none of it is on the accept path.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::connection::{Admitted, Doorway, Guest};
use super::listener::Security;
use super::peer::{Refusal, Refused};
use super::proxy;
use super::tls::DoorTls;
use super::verifier::{Verdict, witnessed};

/// How long, and for how many bytes, one who was refused is listened to.
const LINGER: Duration = Duration::from_millis(500);
const LINGER_BYTES_MAX: u64 = 64 * 1024;

/// Someone who was let in.
pub(super) struct Entered {
    pub(super) stream: Either<TcpStream, Box<TlsStream<TcpStream>>>,
    pub(super) http2: bool,
    pub(super) guest: Guest,
}

/// Lets a connection in, or notes why not.
pub(super) async fn enter(doorway: &Doorway, socket: TcpStream, mut address: SocketAddr) -> Option<Entered> {
    // Answers are small and waited for; a failure here costs speed only.
    let _ = socket.set_nodelay(true);
    let entering = async {
        let mut socket = socket;
        if proxy::lists(&doorway.proxy_protocol_from, address.ip()) {
            let source = proxy::read_header(&mut socket).await.map_err(Refusal::nameless)?;
            address = source.unwrap_or(address);
        }
        let may_come = |from: &Vec<_>| proxy::lists(from, address.ip());
        if !doorway.only_from.as_ref().is_none_or(may_come) {
            return Err(Refusal::nameless(Refused::WrongAddress));
        }
        enter_secured(doorway, socket, address).await
    };
    let entered = timeout(doorway.limits.handshake, entering).await;
    match entered.unwrap_or(Err(Refusal::nameless(Refused::Timeout))) {
        Ok(entered) => {
            doorway.metrics.handshake(entered.guest.word());
            Some(entered)
        }
        Err(refusal) => {
            doorway.refusals.note(&refusal, address);
            None
        }
    }
}

async fn enter_secured(doorway: &Doorway, socket: TcpStream, address: SocketAddr) -> Result<Entered, Refusal> {
    let stranger = Guest {
        address,
        admitted: None,
    };
    match &doorway.security {
        Security::Plain => Ok(Entered {
            stream: Either::Left(socket),
            http2: false,
            guest: stranger,
        }),
        Security::ServerTls(tls) => {
            let (stream, _) = handshake(tls.config(), socket).await?;
            Ok(entered(stream, stranger))
        }
        Security::Tls(door) => enter_door(door, socket, address).await,
    }
}

async fn enter_door(door: &Arc<DoorTls>, socket: TcpStream, address: SocketAddr) -> Result<Entered, Refusal> {
    let listed = |forwarded: &crate::config::settings::Forwarded| proxy::lists(&forwarded.from, address.ip());
    if !door.forwarded().is_none_or(listed) {
        return Err(Refusal::nameless(Refused::WrongAddress));
    }
    let reloads = door.reloads();
    let current = door.current();
    let (stream, verdict) = handshake(current.config.clone(), socket).await?;
    let admitted = match (&current.connections, verdict) {
        (None, _) => None,
        (Some(_), Some(Ok(identity))) => Some(Admitted {
            identity,
            chain: stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec(),
            reloads,
        }),
        // A handshake that succeeds without a verdict cannot be; were it so, nobody is let in.
        (Some(_), _) => return Err(Refusal::nameless(Refused::NoCertificate)),
    };
    Ok(entered(stream, Guest { address, admitted }))
}

fn entered(stream: TlsStream<TcpStream>, guest: Guest) -> Entered {
    let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Entered {
        stream: Either::Right(Box::new(stream)),
        http2,
        guest,
    }
}

async fn handshake(
    config: Arc<ServerConfig>,
    socket: TcpStream,
) -> Result<(TlsStream<TcpStream>, Option<Verdict>), Refusal> {
    // A balancer's health check connects and closes: it is no stranger.
    if matches!(socket.peek(&mut [0; 1]).await, Ok(0) | Err(_)) {
        return Err(Refusal::nameless(Refused::Probe));
    }
    let accept = TlsAcceptor::from(config).accept(socket).into_fallible();
    match witnessed(accept).await {
        (Ok(stream), verdict) => Ok((stream, verdict)),
        (Err((error, socket)), verdict) => {
            // On a task of its own, so that the refusal is noted now and its deadline is another.
            tokio::spawn(linger(socket));
            Err(match verdict {
                Some(Err(refusal)) => refusal,
                Some(Ok(identity)) => Refusal::after_all(Refused::by_handshake(&error), identity),
                None => Refusal::nameless(Refused::by_handshake(&error)),
            })
        }
    }
}

/// Closes so that the peer sees the alert: a socket that is closed with bytes unread sends a reset, which
/// overtakes it.
async fn linger(mut socket: TcpStream) {
    let _ = timeout(LINGER, async {
        socket.shutdown().await?;
        let mut rest = socket.take(LINGER_BYTES_MAX);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
        io::Result::Ok(())
    })
    .await;
}
