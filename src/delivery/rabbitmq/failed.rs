//! What went wrong with a server, in our words, and of which class it is.

use std::io;

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::{Error, ErrorKind};
use rustls::Error as TlsError;
use rustls::{AlertDescription, PeerIncompatible};

use crate::delivery::broker::failed;
use crate::delivery::{Failure, Sent};

/// No connection came about, or none that could be used.
pub(super) fn unconnected(error: &Error) -> Sent {
    match error.kind() {
        ErrorKind::IOError(io) => unheard(io),
        ErrorKind::ProtocolError(said) if is_no_entry(said.kind()) => failed(
            Failure::Refused,
            &format!(
                "it does not let us in: {}; see the URL's user and virtual host",
                said.get_message().as_str()
            ),
        ),
        _ => failed(Failure::Connection, &format!("no connection: {error}")),
    }
}

fn is_no_entry(kind: &AMQPErrorKind) -> bool {
    matches!(
        kind,
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED)
    )
}

fn unheard(error: &io::Error) -> Sent {
    let tls = error.get_ref().and_then(|held| held.downcast_ref::<TlsError>());
    match tls {
        Some(tls) => failed(tls_class(tls), &format!("no TLS with it: {tls}")),
        None => failed(Failure::Connection, &format!("no connection: {error}")),
    }
}

fn tls_class(error: &TlsError) -> Failure {
    match error {
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        )
        | TlsError::AlertReceived(AlertDescription::ProtocolVersion) => Failure::TlsTooOld,
        _ => Failure::Tls,
    }
}

/// It was sent, and not confirmed.
pub(super) fn unpublished(error: &Error, exchange: &str) -> Sent {
    let ErrorKind::ProtocolError(said) = error.kind() else {
        return failed(Failure::Connection, &format!("the connection broke: {error}"));
    };
    let words = said.get_message().as_str();
    match said.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => failed(
            Failure::Unacknowledged,
            &format!("there is no exchange {exchange}: make it, and bind a queue to it: {words}"),
        ),
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => failed(
            Failure::Refused,
            &format!("it does not let us write to the exchange {exchange}: {words}"),
        ),
        AMQPErrorKind::Soft(_) => failed(Failure::Refused, &format!("it refused: {words}")),
        AMQPErrorKind::Hard(_) => failed(Failure::Connection, &format!("it closed the connection: {words}")),
    }
}
