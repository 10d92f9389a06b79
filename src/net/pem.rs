//! The files of the door: certificates, keys, revocation lists. Each error names the setting and the file.
//!
//! It reads and parses, and judges nothing: whether a certificate has expired is asked elsewhere.

use std::fmt::Display;
use std::path::Path;

use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, TrustAnchor};
use time::OffsetDateTime;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::Error;

/// No file of ours is larger; a mistyped path must not fill the memory.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Files with the end of their validity: of a bundle, the first end in it; of a revocation list, `nextUpdate`.
pub type Expiries = Vec<(String, OffsetDateTime)>;

/// A file's setting and its content.
pub(super) struct File<'a> {
    key: &'static str,
    path: &'a Path,
    content: Vec<u8>,
}

impl<'a> File<'a> {
    /// Reads it whole.
    pub(super) fn read(key: &'static str, path: &'a Path) -> Result<Self, Error> {
        let file = File {
            key,
            path,
            content: Vec::new(),
        };
        let size = std::fs::metadata(path).map_err(|e| file.wrong(why_unread(&e)))?.len();
        if size > FILE_BYTES_MAX {
            return Err(file.wrong(format!("{size} bytes is no PEM file of ours; check the path")));
        }
        let content = std::fs::read(path).map_err(|e| file.wrong(why_unread(&e)))?;
        Ok(File { content, ..file })
    }

    /// All certificates in it, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.content).collect();
        let certificates = certificates.map_err(|e| self.wrong(format!("not readable as PEM: {e}")))?;
        if certificates.is_empty() {
            return Err(self.wrong("no certificate in it; it must hold -----BEGIN CERTIFICATE-----"));
        }
        Ok(certificates)
    }

    /// The private key in it.
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        // The parser's own words are left out: nothing of a key file may reach a log.
        PrivateKeyDer::from_pem_slice(&self.content).map_err(|_| {
            self.wrong(
                "no private key in it; it must hold -----BEGIN PRIVATE KEY----- (PKCS#8, PKCS#1 or SEC1, unencrypted)",
            )
        })
    }

    /// All certificates in it as trust anchors.
    pub(super) fn anchors(&self) -> Result<Vec<TrustAnchor<'static>>, Error> {
        let certificates = self.certificates()?;
        let anchor = |der: &CertificateDer<'_>| {
            let anchor = webpki::anchor_from_trusted_cert(der).map(|anchor| anchor.to_owned());
            anchor.map_err(|e| self.wrong(format!("a certificate in it cannot be a root: {e}")))
        };
        certificates.iter().map(anchor).collect()
    }

    /// The revocation lists in it (PEM or one DER), each with its `nextUpdate`.
    pub(super) fn revocation_lists(&self) -> Result<Vec<(CertRevocationList<'static>, OffsetDateTime)>, Error> {
        let is_pem = self.content.windows(11).any(|w| w == b"-----BEGIN ");
        let lists: Vec<CertificateRevocationListDer<'static>> = if is_pem {
            let lists: Result<_, _> = CertificateRevocationListDer::pem_slice_iter(&self.content).collect();
            lists.map_err(|e| self.wrong(format!("not readable as PEM: {e}")))?
        } else {
            vec![CertificateRevocationListDer::from(self.content.clone())]
        };
        if lists.is_empty() {
            return Err(self.wrong("no revocation list in it; it must hold -----BEGIN X509 CRL-----"));
        }
        lists.iter().map(|der| self.revocation_list(der)).collect()
    }

    fn revocation_list(&self, der: &[u8]) -> Result<(CertRevocationList<'static>, OffsetDateTime), Error> {
        let wrong = |e: &dyn Display| self.wrong(format!("not a usable revocation list: {e}"));
        let list = OwnedCertRevocationList::from_der(der).map_err(|e| wrong(&e))?;
        let (_, parsed) = CertificateRevocationList::from_der(der).map_err(|e| wrong(&e))?;
        let next = parsed.next_update().ok_or_else(|| wrong(&"it names no nextUpdate"))?;
        Ok((CertRevocationList::Owned(list), next.to_datetime()))
    }

    /// The first end of validity among the certificates.
    pub(super) fn expiry(&self, certificates: &[CertificateDer<'_>]) -> Result<OffsetDateTime, Error> {
        let mut first = None;
        for der in certificates {
            let (_, parsed) = X509Certificate::from_der(der)
                .map_err(|e| self.wrong(format!("a certificate in it is malformed: {e}")))?;
            let end = parsed.validity().not_after.to_datetime();
            first = Some(first.map_or(end, |earliest: OffsetDateTime| earliest.min(end)));
        }
        first.ok_or_else(|| self.wrong("no certificate in it"))
    }

    /// Notes an end of validity: one entry a file, the earliest.
    pub(super) fn note_expiry(&self, end: OffsetDateTime, expiries: &mut Expiries) {
        let file = self.path.display().to_string();
        match expiries.iter_mut().find(|(noted, _)| *noted == file) {
            Some((_, earliest)) => *earliest = end.min(*earliest),
            None => expiries.push((file, end)),
        }
    }

    /// An error about this file.
    pub(super) fn wrong(&self, problem: impl Display) -> Error {
        Error::File {
            key: self.key,
            file: self.path.to_owned(),
            problem: problem.to_string(),
        }
    }
}

/// The certificates of a header's PEM text, at most `max`; `None` if it is anything else.
pub(super) fn chain_of(text: &[u8], max: usize) -> Option<Vec<CertificateDer<'static>>> {
    let mut chain = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        match section {
            Ok((SectionKind::Certificate, der)) if chain.len() < max => chain.push(CertificateDer::from(der)),
            _ => return None,
        }
    }
    (!chain.is_empty()).then_some(chain)
}

fn why_unread(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "file not found; check the path".to_owned(),
        std::io::ErrorKind::PermissionDenied => "not permitted to read it; give this user read access".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}
