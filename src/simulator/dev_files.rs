//! The certificates and keys that `dev` keeps in a folder: made once, reused, repaired where something is
//! missing, expired or does not fit.
//!
//! Nothing here opens a real door. Each file is written beside its place and renamed into it, so that a crash leaves
//! the old file or the new one; a pair of which only one half was replaced does not fit and is made again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::caller::MASTERCARD;
use super::pki::{self, Authority, Issued, Leaf, Validity};

/// The name in the probe's certificate: no caller's.
pub const PROBE: &str = "probe.dev.localhost";
const DECRYPTION_KEY_BITS: usize = 2048;
const AUTHORITY_VALID: Duration = Duration::days(3650);
const LEAF_VALID: Duration = Duration::days(365);

/// What ends sooner than this is made again.
const REMAINING_MIN: Duration = Duration::days(1);

/// The files; each `.pem` is a certificate and each `.key` its private key, in PEM, readable by the owner alone.
#[derive(Clone, Debug)]
pub struct DevFiles {
    /// The CA of the server's certificate.
    pub ca: Pair,
    /// The server, for localhost, 127.0.0.1 and ::1.
    pub server: Pair,
    /// The CA of the clients' certificates.
    pub client_ca: Pair,
    /// The client that plays Mastercard.
    pub client: Pair,
    /// The CA of our own probe's certificate, which vouches for no caller.
    pub probe_ca: Pair,
    /// Our own probe.
    pub probe: Pair,
    /// The key that opens sealed bodies.
    pub decryption: Pair,
    /// The files that were made or made again by this call, by name.
    pub made: Vec<String>,
}

/// A certificate and its private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The certificate's file.
    pub certificate: PathBuf,
    /// The private key's file.
    pub private_key: PathBuf,
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}; may this user write there?", .path.display())]
pub struct DevFilesError {
    path: PathBuf,
    cause: io::Error,
}

/// Afterwards every file is there, fits its other half and its CA, and is valid for a day at least.
pub fn ensure(folder: &Path, now: OffsetDateTime) -> Result<DevFiles, DevFilesError> {
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    let mut made = Vec::new();
    let pair = |name: &str| Pair {
        certificate: folder.join(format!("{name}.pem")),
        private_key: folder.join(format!("{name}.key")),
    };
    let files = DevFiles {
        ca: pair("ca"),
        server: pair("server"),
        client_ca: pair("mastercard-client-ca"),
        client: pair("mastercard-client"),
        probe_ca: pair("probe-ca"),
        probe: pair("probe"),
        decryption: pair("decrypt"),
        made: Vec::new(),
    };
    let leaf_valid = (now - Duration::DAY, now + LEAF_VALID);

    let ca = files.ca.authority("mdes-receiver dev CA", now, &mut made)?;
    files.server.leaf(&ca, &Leaf::localhost(leaf_valid), now, &mut made)?;
    let client_ca = files
        .client_ca
        .authority("mdes-receiver dev client CA", now, &mut made)?;
    files
        .client
        .leaf(&client_ca, &Leaf::client(MASTERCARD, leaf_valid), now, &mut made)?;
    let probe_ca = files.probe_ca.authority("mdes-receiver dev probe CA", now, &mut made)?;
    files
        .probe
        .leaf(&probe_ca, &Leaf::client(PROBE, leaf_valid), now, &mut made)?;
    if !files.decryption.holds(None, now)? {
        let issued = pki::decryption_key(DECRYPTION_KEY_BITS, "mdes-receiver dev decryption key");
        files.decryption.write_issued(&issued, &mut made)?;
    }
    Ok(DevFiles { made, ..files })
}

/// Afterwards there is a key to sign calls to MDES with, and its certificate; says which files were made.
pub fn signing(folder: &Path, now: OffsetDateTime) -> Result<(Pair, Vec<String>), DevFilesError> {
    fs::create_dir_all(folder).map_err(|cause| failed(folder, cause))?;
    let mut made = Vec::new();
    let pair = Pair {
        certificate: folder.join("signing.pem"),
        private_key: folder.join("signing.key"),
    };
    if !pair.holds(None, now)? {
        let issued = pki::decryption_key(DECRYPTION_KEY_BITS, "mdes-receiver dev signing key");
        pair.write_issued(&issued, &mut made)?;
    }
    Ok((pair, made))
}

impl Pair {
    fn authority(&self, name: &str, now: OffsetDateTime, made: &mut Vec<String>) -> Result<Authority, DevFilesError> {
        if self.holds(None, now)?
            && let (Some(certificate), Some(key)) = (read(&self.certificate)?, read(&self.private_key)?)
            && let Ok(authority) = Authority::from_pem(&certificate, &key)
        {
            return Ok(authority);
        }
        let valid: Validity = (now - Duration::DAY, now + AUTHORITY_VALID);
        let authority = Authority::new(name, valid);
        self.write(&authority.certificate_pem(), &authority.private_key_pem(), made)?;
        Ok(authority)
    }

    fn leaf(
        &self,
        ca: &Authority,
        leaf: &Leaf,
        now: OffsetDateTime,
        made: &mut Vec<String>,
    ) -> Result<(), DevFilesError> {
        if self.holds(Some(&ca.certificate_pem()), now)? {
            return Ok(());
        }
        self.write_issued(&ca.issue(leaf), made)
    }

    /// Whether both files are there, fit each other and the CA, and are valid.
    fn holds(&self, ca: Option<&str>, now: OffsetDateTime) -> Result<bool, DevFilesError> {
        let (Some(certificate), Some(key)) = (read(&self.certificate)?, read(&self.private_key)?) else {
            return Ok(false);
        };
        Ok(is_good(&certificate, &key, ca, now).unwrap_or(false))
    }

    fn write_issued(&self, issued: &Issued, made: &mut Vec<String>) -> Result<(), DevFilesError> {
        self.write(&issued.certificate_pem, &issued.private_key_pem, made)
    }

    /// The key first. A crash between the two leaves a pair that does not fit.
    fn write(&self, certificate: &str, key: &str, made: &mut Vec<String>) -> Result<(), DevFilesError> {
        for (path, text, mode) in [(&self.private_key, key, 0o600), (&self.certificate, certificate, 0o644)] {
            write_atomically(path, text.as_bytes(), mode).map_err(|cause| failed(path, cause))?;
            made.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
        }
        Ok(())
    }
}

/// `None` if one of the texts is not what it should be.
fn is_good(certificate: &str, key: &str, ca: Option<&str>, now: OffsetDateTime) -> Option<bool> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    let key = KeyPair::from_pem(key).ok()?;
    let validity = certificate.validity();
    let fits = certificate.public_key().subject_public_key.data == key.der_bytes();
    let valid = validity.not_before.to_datetime() <= now && now + REMAINING_MIN < validity.not_after.to_datetime();
    let issued = match ca {
        None => true,
        Some(ca) => is_issued_by(&certificate, ca)?,
    };
    Some(fits && valid && issued)
}

/// By the key identifiers: a CA that was made again has another key under the same name.
fn is_issued_by(certificate: &X509Certificate<'_>, ca: &str) -> Option<bool> {
    let der = CertificateDer::from_pem_slice(ca.as_bytes()).ok()?;
    let (_, ca) = X509Certificate::from_der(&der).ok()?;
    let issuer = certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(issuer) => issuer.key_identifier.as_ref(),
            _ => None,
        })?;
    let subject = ca
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(subject) => Some(subject),
            _ => None,
        })?;
    Some(issuer == subject)
}

fn read(path: &Path) -> Result<Option<String>, DevFilesError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(failed(path, cause)),
    }
}

fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    placed
}

fn failed(path: &Path, cause: io::Error) -> DevFilesError {
    DevFilesError {
        path: path.to_owned(),
        cause,
    }
}
