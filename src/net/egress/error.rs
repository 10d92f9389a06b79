//! Why nothing came back, in classes; the text is for a person, and holds nothing of a URL but host and port.

use std::error::Error as Cause;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::AlertDescription;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure it is.
    pub class: Class,
    problem: String,
    may_have_arrived: bool,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The URL is none that we could ask.
    Unusable,
    /// Our address guard does not let us go there.
    Guarded,
    /// The name has no address.
    Unresolved,
    /// No connection, or it broke.
    Connection,
    /// The TLS handshake failed: mostly a certificate, theirs or ours.
    Tls,
    /// The peer knows no TLS that we speak.
    TlsTooOld,
    /// Not in time.
    Timeout,
}

impl Error {
    pub(super) fn new(class: Class, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Error {
            class,
            problem,
            may_have_arrived: false,
        }
    }

    /// Whether something of the request may have been written: whoever gets this error cannot know what became of it.
    pub fn may_have_arrived(&self) -> bool {
        self.may_have_arrived
    }

    /// The same, after something may have been written.
    pub(super) fn after_writing(mut self) -> Self {
        self.may_have_arrived = true;
        self
    }

    pub(super) fn late(what: &str, after: Duration) -> Self {
        Error::new(Class::Timeout, format!("no {what} within {} s", after.as_secs_f32()))
    }

    /// What ended a handshake or an exchange; TLS's own words if it was TLS.
    pub(super) fn of(cause: &(dyn Cause + 'static)) -> Self {
        if let Some(tls) = tls_error(cause) {
            return Error::of_tls(tls);
        }
        Error::new(Class::Connection, innermost(cause))
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use rustls::Error as Tls;
        let too_old = match error {
            Tls::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity)
            | Tls::PeerIncompatible(_) => "it knows neither TLS 1.3 nor a good TLS 1.2; bring its TLS up to date",
            Tls::AlertReceived(AlertDescription::HandshakeFailure) => {
                "it shares no version or cipher of TLS with us (or wants a client certificate: `client_certificate`)"
            }
            Tls::InvalidCertificate(_) => return Error::new(Class::Tls, certificate(error)),
            _ => return Error::new(Class::Tls, format!("TLS: {error}")),
        };
        Error::new(Class::TlsTooOld, format!("TLS: {error}: {too_old}"))
    }
}

fn certificate(error: &rustls::Error) -> String {
    use rustls::CertificateError as Why;
    match error {
        rustls::Error::InvalidCertificate(Why::UnknownIssuer) => {
            format!("its certificate: {error}; if its authority is your own, name it in `roots`")
        }
        _ => format!("its certificate: {error}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl Cause for Error {}

/// TLS's own error, however deep; `io::Error` hides what it wraps from `source()`.
fn tls_error<'a>(cause: &'a (dyn Cause + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let inner = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => inner as &(dyn Cause + 'static),
        None => cause.source()?,
    };
    tls_error(inner)
}

fn innermost(cause: &(dyn Cause + 'static)) -> String {
    let mut text = cause.to_string();
    let mut cause = cause;
    while let Some(inner) = cause.source() {
        text = format!("{text}: {inner}");
        cause = inner;
    }
    text
}
