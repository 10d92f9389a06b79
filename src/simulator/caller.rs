//! Who calls: the client certificates that a good receiver must refuse, made on the spot.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pki::{Authority, Issued, Leaf, Validity};
use super::scenario::Caller;
use super::sender::{Identity, SenderError};

/// The name that Mastercard's client certificate carries.
pub const MASTERCARD: &str = "ws.mastercard.com";
const SOMEBODY_ELSE: &str = "somebody-else.example";

/// Why a caller cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// A certificate of the client CA is needed.
    #[error("cannot be played without the client CA: give --client-ca and --client-ca-key")]
    NeedsClientCa,
    /// What we issue would not chain to that CA, and be refused for the wrong reason.
    #[error("client CA: certificates are issued under a common name alone; this CA's subject has more in it")]
    SubjectWithMore,
    /// What we made cannot be used.
    #[error(transparent)]
    Sender(#[from] SenderError),
}

/// The identity of a caller other than Mastercard; `None` is to show no certificate.
pub fn identity(
    caller: Caller,
    client_ca: Option<&Authority>,
    now: OffsetDateTime,
) -> Result<Option<Identity>, CallerError> {
    let today = (now - Duration::DAY, now + Duration::DAY);
    let client_ca = || client_ca.ok_or(CallerError::NeedsClientCa);
    let issued = match caller {
        Caller::Mastercard | Caller::Nobody => return Ok(None),
        Caller::Stranger => Authority::new("A CA that nobody trusts", today).issue(&Leaf::client(MASTERCARD, today)),
        Caller::Expired => issued_by(
            client_ca()?,
            MASTERCARD,
            (now - Duration::days(90), now - Duration::DAY),
        )?,
        Caller::OtherName => issued_by(client_ca()?, SOMEBODY_ELSE, today)?,
    };
    let identity = Identity::from_pem(issued.certificate_pem.as_bytes(), issued.private_key_pem.as_bytes())?;
    Ok(Some(identity))
}

fn issued_by(ca: &Authority, name: &str, valid: Validity) -> Result<Issued, CallerError> {
    let issued = ca.issue(&Leaf::client(name, valid));
    let ca = CertificateDer::from_pem_slice(ca.certificate_pem().as_bytes());
    let ca = ca.map_err(|cause| SenderError::NotPem("client CA", cause))?;
    let same = match (
        X509Certificate::from_der(&ca),
        X509Certificate::from_der(&issued.certificate_der),
    ) {
        (Ok((_, ca)), Ok((_, leaf))) => ca.subject().as_raw() == leaf.issuer().as_raw(),
        _ => false,
    };
    same.then_some(issued).ok_or(CallerError::SubjectWithMore)
}
