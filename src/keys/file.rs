//! Reads a private key file, and tells by its content what it is. It never trusts a file's name.

use std::io::Read;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::rsa::{KeyPair, PrivateDecryptingKey};
use p12_keystore::Pkcs12Archive;
use rustls::pki_types::pem::{PemObject, SectionKind};
use zeroize::{Zeroize, Zeroizing};

use super::{DecryptionKey, Error};
use crate::config::settings::KeyFile;

/// No key or certificate file is larger.
const FILE_BYTES_MAX: u64 = 1 << 20;
const BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// A private key and the certificates that lay beside it, DER.
struct Material {
    private: PrivateDecryptingKey,
    certificates: Vec<Vec<u8>>,
}

/// What is wrong with a file, and what to do.
type Problem = String;

/// The key of the `[[keys]]` entry with this index.
pub(super) fn load(index: usize, entry: &KeyFile) -> Result<DecryptionKey, Error> {
    let at = |field, file: &Path, problem| Error::File {
        index,
        field,
        file: file.to_owned(),
        problem,
    };
    let private_key = |problem| at("private_key", &entry.private_key, problem);

    let password = entry.password.as_ref().map(|password| password.expose());
    let mut material = read(&entry.private_key)
        .and_then(|bytes| material(&bytes, password))
        .map_err(private_key)?;
    let spki: PublicKeyX509Der = material
        .private
        .public_key()
        .as_der()
        .map_err(|_| private_key("its public key cannot be written".to_owned()))?;
    let belongs = |der: &Vec<u8>| certified_key(der).is_some_and(|certified| certified == spki.as_ref());

    // What lies beside the key may be a whole chain: only its own certificate names it.
    material.certificates.retain(belongs);
    if let Some(file) = &entry.certificate {
        let given = read(file)
            .and_then(|bytes| certificates(&bytes))
            .map_err(|problem| at("certificate", file, problem))?;
        let own: Vec<Vec<u8>> = given.into_iter().filter(belongs).collect();
        if own.is_empty() {
            let problem =
                "is of another key; if a sender names the key by it, put its fingerprint under `fingerprints`";
            return Err(at("certificate", file, problem.to_owned()));
        }
        material.certificates.extend(own);
    }
    let source = entry.private_key.display().to_string();
    DecryptionKey::new(material.private, &material.certificates, &entry.fingerprints, source)
        .map_err(|_| private_key("cannot be used for decryption".to_owned()))
}

/// A key that signs: of the same formats and sizes.
pub(super) fn signing(file: &Path, password: Option<&str>) -> Result<KeyPair, Problem> {
    let material = read(file).and_then(|bytes| material(&bytes, password))?;
    let pkcs8: Pkcs8V1Der = material.private.as_der().map_err(|_| "cannot be read".to_owned())?;
    KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|error| refusal(&[error]))
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(file)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "file not found".to_owned(),
            _ => format!("cannot be read: {error}"),
        })?;
    match bytes.len() as u64 {
        0 => Err("is empty".to_owned()),
        1..=FILE_BYTES_MAX => Ok(bytes),
        _ => Err(format!("is larger than {FILE_BYTES_MAX} bytes, so it is no key")),
    }
}

fn material(bytes: &[u8], password: Option<&str>) -> Result<Material, Problem> {
    if is_pem(bytes) {
        return from_pem(bytes);
    }
    match version(bytes) {
        Some(3) => from_pkcs12(bytes, password.unwrap_or_default()),
        Some(_) => private(bytes).map(Material::alone),
        None => Err("is no private key: PKCS#8, PKCS#1 or PKCS#12, as PEM or DER".to_owned()),
    }
}

impl Material {
    fn alone(private: PrivateDecryptingKey) -> Self {
        Material {
            private,
            certificates: Vec::new(),
        }
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn from_pem(bytes: &[u8]) -> Result<Material, Problem> {
    let text = String::from_utf8_lossy(bytes);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(
            "is encrypted, decrypt it with `openssl pkcs8 -in FILE -out NEW` or give a PKCS#12 file".to_owned(),
        );
    }
    let mut keys = Vec::new();
    let mut certificates = Vec::new();
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes) {
        let (kind, mut der) = section.map_err(|error| format!("is no readable PEM: {error}"))?;
        match kind {
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey => {
                keys.push(private(&der));
                der.zeroize();
            }
            SectionKind::EcPrivateKey => keys.push(Err("is an EC key, MDES seals to RSA keys".to_owned())),
            SectionKind::Certificate => certificates.push(der),
            _ => {}
        }
    }
    let private = only(keys)??;
    Ok(Material { private, certificates })
}

fn from_pkcs12(bytes: &[u8], password: &str) -> Result<Material, Problem> {
    let archive = Pkcs12Archive::from_pkcs12(bytes, password)
        .map_err(|error| format!("cannot be opened as PKCS#12, is `password` right? ({error})"))?;
    let bag = only(archive.keys)?;
    Ok(Material {
        private: private(bag.key.as_der())?,
        certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}

fn only<T>(mut keys: Vec<T>) -> Result<T, Problem> {
    match (keys.len(), keys.pop()) {
        (1, Some(key)) => Ok(key),
        (0, _) => Err("holds no private key".to_owned()),
        (n, _) => Err(format!("holds {n} private keys, give each its own file and entry")),
    }
}

/// A PKCS#8 or PKCS#1 key, DER, of a size that we use.
fn private(der: &[u8]) -> Result<PrivateDecryptingKey, Problem> {
    let key = PrivateDecryptingKey::from_pkcs8(der).or_else(|as_pkcs8| {
        let pair = KeyPair::from_der(der).map_err(|as_pkcs1| refusal(&[as_pkcs8, as_pkcs1]))?;
        let pkcs8: Pkcs8V1Der = pair.as_der().map_err(|_| "cannot be read".to_owned())?;
        PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).map_err(|error| refusal(&[error]))
    })?;
    match key.key_size_bits() {
        bits if BITS.contains(&bits) => Ok(key),
        bits => Err(format!(
            "has {bits} bits, use a key of {} to {}",
            BITS.start(),
            BITS.end()
        )),
    }
}

fn refusal(errors: &[KeyRejected]) -> Problem {
    match errors.iter().any(|error| error.to_string() == "TooSmall") {
        true => format!("is an RSA key of fewer than {} bits, use a larger one", BITS.start()),
        false => "is no RSA private key, as PKCS#8 or PKCS#1".to_owned(),
    }
}

fn certificates(bytes: &[u8]) -> Result<Vec<Vec<u8>>, Problem> {
    let found: Vec<Vec<u8>> = if is_pem(bytes) {
        <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes)
            .filter_map(Result::ok)
            .filter(|(kind, _)| *kind == SectionKind::Certificate)
            .map(|(_, der)| der)
            .collect()
    } else {
        vec![bytes.to_vec()]
    };
    match found.iter().all(|der| certified_key(der).is_some()) && !found.is_empty() {
        true => Ok(found),
        false => Err("is no X.509 certificate, as PEM or DER".to_owned()),
    }
}

/// The SubjectPublicKeyInfo of a certificate. Its validity is nobody's concern: it only names a key.
fn certified_key(der: &[u8]) -> Option<Vec<u8>> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    rest.is_empty().then(|| certificate.public_key().raw.to_vec())
}

/// The INTEGER that opens the outer SEQUENCE: 3 in PKCS#12 (RFC 7292), 0 in PKCS#8 (RFC 5208) and PKCS#1 (RFC 8017).
fn version(der: &[u8]) -> Option<u8> {
    let (tag, length) = (der.first()?, *der.get(1)?);
    let header = 2 + if length & 0x80 == 0 {
        0
    } else {
        usize::from(length & 0x7f)
    };
    match (tag, der.get(header..header + 3)?) {
        (0x30, [0x02, 0x01, version]) => Some(*version),
        _ => None,
    }
}
