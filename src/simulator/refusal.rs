//! What went wrong on the way to an answer, in words for people.
//!
//! A TLS 1.3 server that refuses a client's certificate says so after the client believes the handshake done:
//! the alert comes on the first read, so it must be dug out of whatever error that read ended in.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::AlertDescription;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nobody listens there, or the name does not resolve.
    #[error("no connection to {to}: {cause}; is the receiver up?")]
    NoConnection {
        /// Host and port.
        to: String,
        /// What the system said.
        cause: String,
    },
    /// A deadline passed.
    #[error("no {what} within {} s", .after.as_secs_f32())]
    TooLate {
        /// `connection`, `handshake` or `answer`.
        what: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// The receiver did not want this caller.
    #[error("refused in the handshake: {0}")]
    Refused(String),
    /// We did not want this receiver.
    #[error("the receiver's certificate: {0}; do the server roots and the name in the address fit it?")]
    ServerNotTrusted(String),
    /// The handshake failed in another way.
    #[error("handshake: {0}")]
    Handshake(String),
    /// The receiver hung up on a request.
    #[error("hung up without an answer: {0}")]
    HungUp(String),
    /// The answer is longer than anybody should answer.
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
}

impl SendError {
    /// What an error during the handshake means.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        match tls_error(error) {
            Some(rustls::Error::AlertReceived(alert)) => SendError::Refused(in_words(*alert)),
            Some(rustls::Error::InvalidCertificate(why)) => SendError::ServerNotTrusted(why.to_string()),
            Some(other) => SendError::Handshake(other.to_string()),
            None if is_hang_up(error) => SendError::Refused("the connection was closed without a reason".to_owned()),
            None => SendError::Handshake(error.to_string()),
        }
    }

    /// What an error after it means: a TLS alert on a connection that never answered is a refusal.
    pub(super) fn of_exchange(error: &(dyn Error + 'static), answered_before: bool) -> Self {
        match tls_error(error) {
            Some(rustls::Error::AlertReceived(alert)) if !answered_before => SendError::Refused(in_words(*alert)),
            Some(other) => SendError::HungUp(other.to_string()),
            None => SendError::HungUp(innermost(error).to_string()),
        }
    }

    /// The connection is of no use any more, through no fault of the request.
    pub fn is_hang_up(&self) -> bool {
        matches!(self, SendError::HungUp(_))
    }
}

/// Some servers close where they should say why not.
fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
    )
}

/// The TLS error inside, however deep.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // An io::Error shows as its source what its inner error has as source: the inner one itself must be asked for.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

fn in_words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::CertificateRequired => "certificate required (it wants a client certificate)",
        AlertDescription::UnknownCA => "unknown ca (it does not know the issuer of the client certificate)",
        AlertDescription::BadCertificate => "bad certificate (it does not take this client certificate)",
        AlertDescription::CertificateExpired => "certificate expired (or not valid yet)",
        AlertDescription::CertificateRevoked => "certificate revoked",
        AlertDescription::CertificateUnknown => "certificate unknown (it does not take this client certificate)",
        AlertDescription::UnsupportedCertificate => "unsupported certificate (is it one for client authentication?)",
        AlertDescription::AccessDenied => "access denied (the certificate is valid, its name is not on the list)",
        AlertDescription::HandshakeFailure => "handshake failure (no certificate it takes, or no cipher in common)",
        AlertDescription::ProtocolVersion => "protocol version (no TLS version in common)",
        AlertDescription::NoApplicationProtocol => "no application protocol (it does not speak this HTTP version)",
        other => return format!("alert {other:?}"),
    };
    words.to_owned()
}
