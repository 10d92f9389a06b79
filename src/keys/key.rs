//! One decryption key: what it is known by, what it unwraps, and the secrets derived from it.
//!
//! It never shows its material: Debug prints fingerprints, and what is wiped is wiped by the library's own buffers.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OAEP_SHA512_MGF1SHA512, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::{digest, error::Unspecified, hkdf, hmac};
use serde::Serialize;
use zeroize::Zeroizing;

use super::veil::Veil;
use crate::domain::id::ContentHash;

/// How a content key was wrapped: `oaepHashingAlgorithm`, in our words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrapping {
    /// RSA-OAEP, SHA-256, MGF1 with SHA-256, no label.
    OaepSha256,
    /// RSA-OAEP, SHA-512, MGF1 with SHA-512, no label.
    OaepSha512,
    /// RSA PKCS#1 v1.5, which MDES supports until 2027-03-31.
    Pkcs1V15,
}

/// What came of unwrapping. There is always a key, so that the work that follows is the same.
pub struct Unwrapped {
    /// 16 or 32 bytes.
    pub key: Zeroizing<Vec<u8>>,
    /// The sender wrapped it. If not, it is a decoy that opens nothing.
    pub genuine: bool,
}

/// One name that a sender may know a key by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fingerprint {
    /// `certificate SHA-1`, `certificate SHA-256`, `SPKI SHA-256` or `alias`.
    pub label: &'static str,
    /// Lower-case, without colons; an alias may be any text.
    pub value: String,
}

/// An RSA private key of 2048 to 4096 bits that opens what was sealed to us.
pub struct DecryptionKey {
    oaep: OaepPrivateDecryptingKey,
    pkcs1: Pkcs1PrivateDecryptingKey,
    public: OaepPublicEncryptingKey,
    hashing: hmac::Key,
    decoys: hmac::Key,
    veil: Veil,
    spki_sha256: String,
    fingerprints: Vec<Fingerprint>,
    source: String,
}

impl DecryptionKey {
    /// A key from `source` (a file name, for people), known by its public key and by these certificates and aliases.
    pub(super) fn new(
        private: PrivateDecryptingKey,
        certificates: &[Vec<u8>],
        aliases: &[String],
        source: String,
    ) -> Result<Self, Unspecified> {
        let spki: PublicKeyX509Der = private.public_key().as_der()?;
        let spki_sha256 = hex::encode(digest::digest(&digest::SHA256, spki.as_ref()));
        let pkcs8: Pkcs8V1Der = private.as_der()?;
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mdes-receiver").extract(pkcs8.as_ref());
        let derived = |purpose: &[u8]| -> Result<hmac::Key, Unspecified> {
            Ok(hmac::Key::from(secret.expand(&[purpose], hmac::HMAC_SHA256)?))
        };
        let mut key = DecryptionKey {
            public: OaepPublicEncryptingKey::new(private.public_key())?,
            oaep: OaepPrivateDecryptingKey::new(private.clone())?,
            pkcs1: Pkcs1PrivateDecryptingKey::new(private)?,
            hashing: derived(b"content hash")?,
            decoys: derived(b"decoy")?,
            veil: Veil::of(&secret)?,
            spki_sha256,
            fingerprints: Vec::new(),
            source,
        };
        key.name_it(certificates, aliases);
        Ok(key)
    }

    fn name_it(&mut self, certificates: &[Vec<u8>], aliases: &[String]) {
        let hash = |algorithm, der: &[u8]| hex::encode(digest::digest(algorithm, der));
        let mut names = vec![("SPKI SHA-256", self.spki_sha256.clone())];
        for der in certificates {
            names.push(("certificate SHA-1", hash(&digest::SHA1_FOR_LEGACY_USE_ONLY, der)));
            names.push(("certificate SHA-256", hash(&digest::SHA256, der)));
        }
        names.extend(aliases.iter().map(|alias| ("alias", canonical(alias))));
        let names: Vec<Fingerprint> = names
            .into_iter()
            .map(|(label, value)| Fingerprint { label, value })
            .collect();
        self.also_known_as(&names);
    }

    /// Takes on these names too.
    pub(super) fn also_known_as(&mut self, names: &[Fingerprint]) {
        for name in names {
            if !self.answers_to(&name.value) {
                self.fingerprints.push(name.clone());
            }
        }
    }

    /// It bears this name, given as [`canonical`] writes it.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        self.fingerprints.iter().any(|held| held.value == name)
    }

    /// SHA-256 of its public key (SubjectPublicKeyInfo), lower-case hex: its identity.
    pub fn spki_sha256(&self) -> &str {
        &self.spki_sha256
    }

    /// Every name that it answers to.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    /// The size of its modulus.
    pub fn bits(&self) -> usize {
        self.oaep.key_size_bits()
    }

    /// The file that it came from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// HMAC-SHA-256 under a secret that only this private key gives, so that nobody can guess at what was hashed.
    pub fn hash(&self, content: &[u8]) -> ContentHash {
        let tag = hmac::sign(&self.hashing, content);
        let bytes = tag.as_ref().try_into().expect("HMAC-SHA-256 gives 32 bytes");
        ContentHash(bytes)
    }

    /// A text that may stand in a URL instead of this one: the same each time, and nothing to who has not this key.
    pub fn veil(&self, text: &str) -> String {
        self.veil.over(text)
    }

    /// What such a text of this key's stands for.
    pub fn unveil(&self, veiled: &str) -> Option<String> {
        self.veil.off(veiled)
    }

    /// Unwraps a content key. What cannot be unwrapped gives a decoy that depends on what came, as RFC 5246
    /// section 7.4.7.1 has it for PKCS#1 v1.5, so that failure does the same work as success and says nothing.
    ///
    /// aws-lc's own OAEP and PKCS#1 checks run in constant time up to their last branch, which says yes or no.
    pub fn unwrap(&self, wrapped: &[u8], wrapping: Wrapping) -> Unwrapped {
        let tag = hmac::sign(&self.decoys, wrapped);
        let decoy = Zeroizing::new(tag.as_ref()[..16].to_vec());
        let mut buffer = Zeroizing::new(vec![0; self.oaep.min_output_size()]);
        let opened = match wrapping {
            Wrapping::OaepSha256 => self.oaep.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut buffer, None),
            Wrapping::OaepSha512 => self.oaep.decrypt(&OAEP_SHA512_MGF1SHA512, wrapped, &mut buffer, None),
            Wrapping::Pkcs1V15 => self.pkcs1.decrypt(wrapped, &mut buffer),
        };
        match opened {
            Ok(key) if matches!(key.len(), 16 | 32) => Unwrapped {
                key: Zeroizing::new(key.to_vec()),
                genuine: true,
            },
            _ => Unwrapped {
                key: decoy,
                genuine: false,
            },
        }
    }

    /// Wraps a content key to this key's public half, by RSA-OAEP with SHA-256.
    pub fn wrap(&self, content_key: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let mut wrapped = vec![0; self.public.ciphertext_size()];
        self.public
            .encrypt(&OAEP_SHA256_MGF1SHA256, content_key, &mut wrapped, None)?;
        Ok(wrapped)
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecryptionKey")
            .field("fingerprints", &self.fingerprints)
            .finish_non_exhaustive()
    }
}

/// A fingerprint as it is compared: lower-case, without the colons that `openssl` prints.
pub(super) fn canonical(fingerprint: &str) -> String {
    fingerprint.trim().replace(':', "").to_lowercase()
}
