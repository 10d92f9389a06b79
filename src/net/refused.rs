//! Why someone was not let in: one word each, for metrics and logs.
//!
//! The words are part of the contract with dashboards; they do not change.

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};

/// A reason for not letting someone in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refused {
    /// `no_certificate`
    NoCertificate,
    /// `malformed`
    Malformed,
    /// `unknown_issuer`
    UnknownIssuer,
    /// `ca_certificate`
    CaCertificate,
    /// `unsupported_algorithm`
    UnsupportedAlgorithm,
    /// `bad_signature`
    BadSignature,
    /// `expired`
    Expired,
    /// `not_yet_valid`
    NotYetValid,
    /// `wrong_usage`
    WrongUsage,
    /// `revoked`
    Revoked,
    /// `crl_expired`
    CrlExpired,
    /// `crl_unusable`
    CrlUnusable,
    /// `wrong_name`
    WrongName,
    /// `pin_mismatch`
    PinMismatch,
    /// `wrong_address`
    WrongAddress,
    /// `no_proof`
    NoProof,
    /// `forwarded_header`
    ForwardedHeader,
    /// `proxy_header`
    ProxyHeader,
    /// `not_tls`
    NotTls,
    /// `protocol_version`
    ProtocolVersion,
    /// `incompatible`
    Incompatible,
    /// `peer_alert`
    PeerAlert,
    /// `timeout`
    Timeout,
    /// `closed`
    Closed,
    /// `probe`
    Probe,
    /// `too_many`
    TooMany,
}

impl Refused {
    /// The word, as metrics and logs bear it.
    pub fn word(self) -> &'static str {
        self.texts().0
    }

    /// What it means, for the person who reads the log.
    pub fn sentence(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Refused::NoCertificate => ("no_certificate", "no client certificate"),
            Refused::Malformed => ("malformed", "its certificate cannot be read"),
            Refused::UnknownIssuer => ("unknown_issuer", "no valid chain to a configured root"),
            Refused::CaCertificate => ("ca_certificate", "it shows the certificate of an authority as its own"),
            Refused::UnsupportedAlgorithm => ("unsupported_algorithm", "a signature algorithm that is not admitted"),
            Refused::BadSignature => ("bad_signature", "it does not hold the key of its certificate"),
            Refused::Expired => ("expired", "its certificate, or one above it, has expired"),
            Refused::NotYetValid => ("not_yet_valid", "its certificate, or one above it, is not valid yet"),
            Refused::WrongUsage => ("wrong_usage", "its certificate is not for client authentication"),
            Refused::Revoked => ("revoked", "its certificate, or one above it, is revoked"),
            Refused::CrlExpired => (
                "crl_expired",
                "the revocation list for it is past its nextUpdate; fetch a new one",
            ),
            Refused::CrlUnusable => (
                "crl_unusable",
                "the revocation list for it was not signed by its issuer",
            ),
            Refused::WrongName => ("wrong_name", "no allowed name on its certificate"),
            Refused::PinMismatch => ("pin_mismatch", "its key is not a pinned one"),
            Refused::WrongAddress => (
                "wrong_address",
                "not an address in `callback.forwarded.from`, or in `tokenex_callbacks.allow_from`",
            ),
            Refused::NoProof => ("no_proof", "the balancer's secret is absent or wrong"),
            Refused::ForwardedHeader => ("forwarded_header", "the certificate header is repeated or not readable"),
            Refused::ProxyHeader => ("proxy_header", "no readable PROXY protocol header"),
            Refused::NotTls => ("not_tls", "it does not speak TLS"),
            Refused::ProtocolVersion => ("protocol_version", "it speaks neither TLS 1.2 nor 1.3"),
            Refused::Incompatible => ("incompatible", "no cipher, group or protocol in common"),
            Refused::PeerAlert => ("peer_alert", "it refused us; does it trust our certificate?"),
            Refused::Timeout => ("timeout", "the handshake took too long"),
            Refused::Closed => ("closed", "it went away during the handshake"),
            Refused::Probe => ("probe", "it connected and closed"),
            Refused::TooMany => ("too_many", "`callback.limits.connections_max` connections are open"),
        }
    }

    /// What ended a chain check.
    #[expect(
        deprecated,
        reason = "older variants are still in the enumeration and must not fall to the default"
    )]
    pub(super) fn by_chain(error: &webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::CertExpired { .. } => Refused::Expired,
            E::CertNotValidYet { .. } => Refused::NotYetValid,
            E::CertRevoked => Refused::Revoked,
            E::CrlExpired { .. } => Refused::CrlExpired,
            E::InvalidCrlSignatureForPublicKey
            | E::IssuerNotCrlSigner
            | E::UnknownRevocationStatus
            | E::UnsupportedCrlSignatureAlgorithm
            | E::UnsupportedCrlSignatureAlgorithmContext(_)
            | E::UnsupportedCrlSignatureAlgorithmForPublicKey
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Refused::CrlUnusable,
            E::RequiredEkuNotFound | E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Refused::WrongUsage,
            E::CaUsedAsEndEntity => Refused::CaCertificate,
            E::UnsupportedSignatureAlgorithm
            | E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKey
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Refused::UnsupportedAlgorithm,
            E::UnknownIssuer
            | E::CertDistrusted
            | E::EndEntityUsedAsCa
            | E::InvalidSignatureForPublicKey
            | E::MaximumNameConstraintComparisonsExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumPathDepthExceeded
            | E::MaximumSignatureChecksExceeded
            | E::NameConstraintViolation
            | E::PathLenConstraintViolated => Refused::UnknownIssuer,
            _ => Refused::Malformed,
        }
    }

    /// What ended a handshake, where the identity rules did not.
    pub(super) fn by_handshake(error: &std::io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match tls {
            Some(Error::NoCertificatesPresented) => Refused::NoCertificate,
            Some(Error::InvalidCertificate(CertificateError::BadSignature)) => Refused::BadSignature,
            Some(Error::InvalidCertificate(_)) => Refused::Malformed,
            Some(Error::InvalidMessage(InvalidMessage::UnknownProtocolVersion)) => Refused::ProtocolVersion,
            Some(Error::InvalidMessage(_) | Error::InappropriateMessage { .. } | Error::PeerSentOversizedRecord) => {
                Refused::NotTls
            }
            // An older client names no signature algorithms, and rustls looks for those first.
            Some(Error::PeerIncompatible(
                PeerIncompatible::SignatureAlgorithmsExtensionRequired
                | PeerIncompatible::Tls12NotOffered
                | PeerIncompatible::Tls12NotOfferedOrEnabled
                | PeerIncompatible::SupportedVersionsExtensionRequired
                | PeerIncompatible::ServerDoesNotSupportTls12Or13,
            )) => Refused::ProtocolVersion,
            Some(Error::AlertReceived(AlertDescription::ProtocolVersion)) => Refused::ProtocolVersion,
            Some(Error::AlertReceived(_)) => Refused::PeerAlert,
            Some(_) => Refused::Incompatible,
            None => Refused::Closed,
        }
    }

    /// How a peer is told in TLS. A good certificate that is not admitted is `access_denied` (RFC 8446, 6.2).
    pub(super) fn as_tls(self) -> Error {
        Error::InvalidCertificate(match self {
            Refused::UnknownIssuer => CertificateError::UnknownIssuer,
            Refused::Expired => CertificateError::Expired,
            Refused::NotYetValid => CertificateError::NotValidYet,
            Refused::Revoked => CertificateError::Revoked,
            Refused::CrlExpired => CertificateError::ExpiredRevocationList,
            Refused::CrlUnusable => CertificateError::UnknownRevocationStatus,
            Refused::WrongUsage => CertificateError::InvalidPurpose,
            Refused::WrongName | Refused::PinMismatch => CertificateError::ApplicationVerificationFailure,
            _ => CertificateError::BadEncoding,
        })
    }
}
