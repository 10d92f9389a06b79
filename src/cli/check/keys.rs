//! The decryption keys: all of them load, and this is what Mastercard may call them.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use time::macros::date;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificates::period;
use super::findings::Findings;
use crate::config::settings::Settings;
use crate::keys::KeyRing;

/// When Mastercard stops accepting an absent `oaepHashingAlgorithm`.
const LEGACY_ENDS: time::Date = date!(2027 - 03 - 31);

pub(super) fn examine(settings: &Settings, now: OffsetDateTime, findings: &mut Findings) {
    for (index, entry) in settings.keys.iter().enumerate() {
        findings.private(&format!("keys[{index}].private_key"), &entry.private_key);
        if let Some(file) = &entry.certificate {
            certificate(&format!("keys[{index}].certificate"), file, now, findings);
        }
    }
    match KeyRing::load(&settings.keys) {
        Ok(ring) => {
            for key in ring.keys() {
                let names = key
                    .fingerprints()
                    .iter()
                    .map(|name| format!("{} {}", name.label, name.value));
                let names = names.collect::<Vec<_>>().join(", ");
                findings.ok("keys", format!("{}: RSA-{}, {names}", key.source(), key.bits()));
            }
        }
        Err(error) => findings.fail(
            "keys",
            error.to_string(),
            "`mdes-receiver keys` shows what each key file holds",
        ),
    }
    if settings.envelope.legacy_pkcs1_v15 {
        let text = format!("is on; Mastercard ends PKCS#1 v1.5 on {LEGACY_ENDS}");
        let hint = "ask Mastercard to name `oaepHashingAlgorithm`, then set it to false";
        findings.warn("envelope.legacy_pkcs1_v15", text, hint);
    }
}

/// A key opens bodies for ever; but a sender may stop sealing to a certificate that expired.
fn certificate(subject: &str, file: &std::path::Path, now: OffsetDateTime, findings: &mut Findings) {
    let Some(bytes) = findings.read(subject, file) else {
        return;
    };
    let der = CertificateDer::from_pem_slice(&bytes).unwrap_or_else(|_| CertificateDer::from(bytes));
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else {
        return; // the ring says so
    };
    let (_, until) = period(certificate.validity());
    if until < now {
        let text = format!("{}: expired on {}", file.display(), until.date());
        findings.warn(
            subject,
            text,
            "give Mastercard a new certificate; keep this key for what is sealed to it",
        );
    }
}
