//! What went wrong with a broker, in our words, and of which class it is.

use std::error::Error;

use async_nats::jetstream::context::{CreateStreamError, PublishError, PublishErrorKind};
use async_nats::{ConnectError, ConnectErrorKind};
use rustls::{AlertDescription, Error as TlsError, PeerIncompatible};

use crate::delivery::broker::failed;
use crate::delivery::{Failure, Sent};

/// No connection came about.
pub(super) fn unconnected(error: &ConnectError) -> Sent {
    let whole = whole(error);
    if let Some(tls) = cause::<TlsError>(error) {
        return failed(tls_class(tls), &format!("no TLS with it: {tls}"));
    }
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => failed(
            Failure::Refused,
            &format!("it does not let us in: {whole}; see the URL's user, or `credentials`"),
        ),
        ConnectErrorKind::Dns => failed(Failure::Unresolved, &whole),
        ConnectErrorKind::TimedOut => failed(Failure::Timeout, "no connection in time"),
        ConnectErrorKind::Tls => failed(Failure::Tls, &format!("no TLS with it: {whole}")),
        _ => failed(Failure::Connection, &format!("no connection: {whole}")),
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

/// It was sent, and no stream said that it has it.
pub(super) fn unpublished(error: &PublishError, subject: &str) -> Sent {
    match error.kind() {
        PublishErrorKind::StreamNotFound => failed(
            Failure::Unacknowledged,
            &format!(
                "no stream takes the subject {subject}: make one with it, or let `create_stream` do so; \
                 or the stream has no leader just now"
            ),
        ),
        PublishErrorKind::TimedOut => failed(Failure::Timeout, "no acknowledgement in time"),
        PublishErrorKind::BrokenPipe => failed(Failure::Connection, "the connection broke"),
        PublishErrorKind::MaxPayloadExceeded => failed(
            Failure::Refused,
            &format!("the event is larger than the server's `max_payload`: {}", whole(error)),
        ),
        _ => failed(Failure::Unacknowledged, &format!("no stream took it: {}", whole(error))),
    }
}

/// Afterwards another connection may fare better: nothing was heard on this one.
pub(super) fn is_silence(sent: &Sent) -> bool {
    matches!(
        sent,
        Sent::Failed {
            class: Failure::Timeout | Failure::Connection,
            ..
        }
    )
}

/// The stream was not there, and could not be made.
pub(super) fn unmade(error: &CreateStreamError, stream: &str) -> Sent {
    failed(
        Failure::Unacknowledged,
        &format!("the stream {stream} could not be made: {}", whole(error)),
    )
}

/// An error with its causes, each said once.
fn whole(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        next = cause.source();
    }
    words
}

/// The cause of that kind, also where an I/O error holds it.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let io = error.downcast_ref::<std::io::Error>();
        let held = io
            .and_then(std::io::Error::get_ref)
            .map(|held| held as &(dyn Error + 'static));
        if let Some(found) = held.and_then(|held| held.downcast_ref::<T>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}
