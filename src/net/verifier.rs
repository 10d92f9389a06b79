//! Where rustls asks about a client certificate.
//!
//! rustls knows neither the socket nor the task, and its errors carry no name; so the verifier leaves its
//! verdict where the task of this handshake finds it.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use time::OffsetDateTime;

use super::peer::{Identity, Refusal};
use super::rules::Rules;
use crate::clock::Clock;

/// What the identity rules said of a certificate. It counts only if the handshake was finished.
pub(super) type Verdict = Result<Identity, Refusal>;

tokio::task_local! {
    static VERDICT: RefCell<Option<Verdict>>;
}

/// Runs a handshake, and hands over the verdict that fell in it, if one did.
pub(super) async fn witnessed<F: Future>(handshake: F) -> (F::Output, Option<Verdict>) {
    let scope = async {
        let output = handshake.await;
        (output, VERDICT.with(RefCell::take))
    };
    VERDICT.scope(RefCell::default(), scope).await
}

/// Asks the identity rules, inside the handshake.
#[derive(Debug)]
pub(super) struct Verifier {
    rules: Arc<Rules>,
    hints: Vec<DistinguishedName>,
}

impl Verifier {
    /// Peers are told the subjects of the roots, so that one with several certificates can choose.
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        let hints = rules.subjects();
        Verifier { rules, hints }
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let since_1970 = time::Duration::seconds(now.as_secs().cast_signed());
        let now = OffsetDateTime::UNIX_EPOCH.saturating_add(since_1970);
        let verdict = self.rules.judge(leaf, above, now);
        let answer = match &verdict {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            Err(refusal) => Err(refusal.reason.as_tls()),
        };
        // Outside `witnessed` there is nobody to tell.
        let _ = VERDICT.try_with(|place| place.replace(Some(verdict)));
        answer
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.rules.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.rules.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.algorithms.supported_schemes()
    }
}

/// Our clock, as rustls asks for the time.
#[derive(Clone)]
pub(super) struct ByClock(pub(super) Arc<dyn Clock>);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().unix_timestamp()).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for ByClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByClock")
    }
}
