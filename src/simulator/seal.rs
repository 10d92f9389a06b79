//! Seals content as Mastercard does: a fresh AES key, wrapped by RSA-OAEP for the receiver's public key.
//!
//! Written from the specification alone. It never uses `mdes` or `keys`, so that it cannot share their misreadings.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde::Serialize;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};
use zeroize::Zeroizing;

/// Why nothing can be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file is none of the forms that hold a public key.
    #[error("encryption certificate: neither a certificate nor a public key, in PEM or DER")]
    NoPublicKey,
    /// The key is none that OAEP can use.
    #[error("encryption certificate: not an RSA key of 2048 to 8192 bits")]
    NotRsa,
    /// The cryptographic library refused.
    #[error("sealing failed: the key cannot wrap with this hash; give one of 2048 bits or more")]
    Refused,
}

impl From<Unspecified> for SealError {
    fn from(_: Unspecified) -> Self {
        SealError::Refused
    }
}

/// The hash of OAEP, and of its mask generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Oaep {
    /// `SHA256` on the wire.
    #[default]
    Sha256,
    /// `SHA512` on the wire.
    Sha512,
}

/// The length of the content's key in bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Aes {
    /// What the specification requires.
    #[default]
    #[value(name = "128")]
    Bits128,
    /// What it allows.
    #[value(name = "256")]
    Bits256,
}

/// What stands in `publicKeyFingerprint`. Without a certificate the public key itself is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fingerprint {
    /// SHA-256 of the certificate, as Mastercard's libraries do.
    #[default]
    Sha256,
    /// SHA-1 of the certificate, as the MDES sandbox does.
    Sha1,
    /// These characters.
    Forced(String),
}

/// How to seal.
#[derive(Clone, Debug, Default)]
pub struct Style {
    /// The hash of the key wrap.
    pub oaep: Oaep,
    /// The length of the content key.
    pub aes: Aes,
    /// What names the key.
    pub fingerprint: Fingerprint,
}

/// `encryptedPayload`, field by field as it goes over the wire, all hexadecimal.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealed {
    public_key_fingerprint: String,
    encrypted_key: String,
    oaep_hashing_algorithm: &'static str,
    iv: String,
    encrypted_data: String,
}

/// Seals to one public key.
pub struct Sealer {
    key: OaepPublicEncryptingKey,
    fingerprint: String,
    style: Style,
}

impl Sealer {
    /// Seals to the key of this certificate (or this bare public key), PEM or DER. The certificate's validity
    /// is not looked at: it is only the container of a key.
    pub fn new(certificate: &[u8], style: Style) -> Result<Self, SealError> {
        let (public_key, fingerprinted) = public_key(certificate)?;
        let key = PublicEncryptingKey::from_der(&public_key).map_err(|_| SealError::NotRsa)?;
        let fingerprint = match &style.fingerprint {
            Fingerprint::Sha256 => hex::encode(digest(&SHA256, &fingerprinted)),
            Fingerprint::Sha1 => hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &fingerprinted)),
            Fingerprint::Forced(value) => value.clone(),
        };
        Ok(Sealer {
            key: OaepPublicEncryptingKey::new(key).map_err(|_| SealError::NotRsa)?,
            fingerprint,
            style,
        })
    }

    /// Seals, in the style of this one, to a key whose other half nobody has.
    pub fn to_a_lost_key(&self) -> Result<Sealer, SealError> {
        let lost = PrivateDecryptingKey::generate(KeySize::Rsa2048)?.public_key();
        let style = Style {
            fingerprint: Fingerprint::Sha256,
            ..self.style.clone()
        };
        let der = AsDer::<PublicKeyX509Der>::as_der(&lost)?;
        Sealer::new(der.as_ref(), style)
    }

    /// Seals these bytes, with a new content key and a new iv each time.
    pub fn seal(&self, plaintext: &[u8]) -> Result<Sealed, SealError> {
        let (cipher, key_bytes) = match self.style.aes {
            Aes::Bits128 => (&AES_128, 16),
            Aes::Bits256 => (&AES_256, 32),
        };
        let mut content_key = Zeroizing::new(vec![0; key_bytes]);
        rand::fill(&mut content_key)?;
        let mut iv = [0; 16];
        rand::fill(&mut iv)?;

        let mut data = plaintext.to_vec();
        PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(cipher, &content_key)?)?
            .less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from(iv)))?;

        let (wrap, named) = match self.style.oaep {
            Oaep::Sha256 => (&OAEP_SHA256_MGF1SHA256, "SHA256"),
            Oaep::Sha512 => (&OAEP_SHA512_MGF1SHA512, "SHA512"),
        };
        let mut wrapped = vec![0; self.key.ciphertext_size()];
        self.key.encrypt(wrap, &content_key, &mut wrapped, None)?;

        Ok(Sealed {
            public_key_fingerprint: self.fingerprint.clone(),
            encrypted_key: hex::encode(wrapped),
            oaep_hashing_algorithm: named,
            iv: hex::encode(iv),
            encrypted_data: hex::encode(data),
        })
    }
}

/// The public key in that file as SubjectPublicKeyInfo, and the bytes that its fingerprint is of.
pub(super) fn public_key(file: &[u8]) -> Result<(Vec<u8>, Vec<u8>), SealError> {
    let der = CertificateDer::from_pem_slice(file)
        .map(|certificate| certificate.to_vec())
        .or_else(|_| SubjectPublicKeyInfoDer::from_pem_slice(file).map(|key| key.to_vec()))
        .unwrap_or_else(|_| file.to_vec());
    if let Ok((_, certificate)) = X509Certificate::from_der(&der) {
        return Ok((certificate.public_key().raw.to_vec(), der));
    }
    match SubjectPublicKeyInfo::from_der(&der) {
        Ok(_) => Ok((der.clone(), der)),
        Err(_) => Err(SealError::NoPublicKey),
    }
}
