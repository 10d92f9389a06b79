//! The decryption key ring: private keys, known by the fingerprints that a sender may name them by.
//! And the key that signs what we ask of Mastercard, read from the same kinds of file ([`signing_key`]).
//!
//! A [`KeyRing`] never changes; [`Keys`] holds the current one and swaps it whole, so that nobody
//! sees half a reload. Key material leaves this module only as what it unwraps.

mod file;
mod key;
mod veil;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use aws_lc_rs::rsa::KeyPair;

pub use key::{DecryptionKey, Fingerprint, Unwrapped, Wrapping};

use crate::config::settings::KeyFile;
use crate::domain::masked::Secret;

/// The RSA key of a file (PKCS#12, PKCS#8 or PKCS#1) that signs. The problem says what is wrong with the file, and
/// holds nothing of it.
pub fn signing_key(file: &Path, password: Option<&Secret>) -> Result<KeyPair, String> {
    file::signing(file, password.map(Secret::expose))
}

/// Why a key could not be taken in. Names the setting and the file, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no `[[keys]]` entry.
    #[error("key `keys`: no decryption key is given, add a [[keys]] entry with a `private_key`")]
    NoKey,
    /// A file cannot be used.
    #[error("key `keys[{index}].{field}`: {}: {problem}", file.display())]
    File {
        /// Which `[[keys]]` entry, from 0.
        index: usize,
        /// Which of its settings.
        field: &'static str,
        /// The file that it names.
        file: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

/// The decryption keys at one moment: at least one, each private key once.
#[derive(Debug)]
pub struct KeyRing {
    keys: Vec<DecryptionKey>,
    id: String,
}

impl KeyRing {
    /// Reads every file. The formats (PKCS#8, PKCS#1, PKCS#12; PEM, DER) are told by content, not by name.
    pub fn load(files: &[KeyFile]) -> Result<Self, Error> {
        let mut keys: Vec<DecryptionKey> = Vec::new();
        for (index, file) in files.iter().enumerate() {
            let mut key = file::load(index, file)?;
            // The same private key under two entries is one key with the fingerprints of both.
            if let Some(same) = keys.iter().position(|held| held.spki_sha256() == key.spki_sha256()) {
                key.also_known_as(keys.remove(same).fingerprints());
            }
            keys.push(key);
        }
        let id = ring_id(&keys);
        if keys.is_empty() {
            return Err(Error::NoKey);
        }
        Ok(KeyRing { keys, id })
    }

    /// The key that we seal to: the last entry.
    pub fn newest(&self) -> &DecryptionKey {
        self.keys.last().expect("a ring holds at least one key")
    }

    /// All keys, oldest first.
    pub fn keys(&self) -> &[DecryptionKey] {
        &self.keys
    }

    /// The keys that bear this fingerprint or alias (without regard to case or colons); often one, perhaps several.
    pub fn named<'r>(&'r self, fingerprint: &str) -> impl Iterator<Item = &'r DecryptionKey> {
        let fingerprint = key::canonical(fingerprint);
        self.keys.iter().filter(move |key| key.answers_to(&fingerprint))
    }

    /// Which set of keys this is: 16 hex digits that stay the same as long as the private keys do.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn set(&self) -> BTreeSet<&str> {
        self.keys.iter().map(DecryptionKey::spki_sha256).collect()
    }
}

fn ring_id(keys: &[DecryptionKey]) -> String {
    let set: BTreeSet<&str> = keys.iter().map(DecryptionKey::spki_sha256).collect();
    let mut hash = digest::Context::new(&digest::SHA256);
    for spki in set {
        hash.update(spki.as_bytes());
    }
    hex::encode(&hash.finish().as_ref()[..8])
}

/// What a reload changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloaded {
    /// Keys that were not there before.
    pub added: usize,
    /// Keys that are there no longer.
    pub removed: usize,
}

/// The key ring as it is now, and the files that it comes from.
#[derive(Debug)]
pub struct Keys {
    files: ArcSwap<Vec<KeyFile>>,
    current: ArcSwap<KeyRing>,
}

impl Keys {
    /// Reads every file for the first time.
    pub fn load(files: Vec<KeyFile>) -> Result<Self, Error> {
        let current = ArcSwap::from_pointee(KeyRing::load(&files)?);
        let files = ArcSwap::from_pointee(files);
        Ok(Keys { files, current })
    }

    /// The ring as it is now; whoever holds it keeps it whole.
    pub fn current(&self) -> Arc<KeyRing> {
        self.current.load_full()
    }

    /// Reads these files from now on. If one of them is bad the old ring stays; they are the ones to watch all the
    /// same, since that one may be mended, or come only now.
    pub fn reload(&self, files: Vec<KeyFile>) -> Result<Reloaded, Error> {
        let files = Arc::new(files);
        self.files.store(Arc::clone(&files));
        let new = Arc::new(KeyRing::load(&files)?);
        let old = self.current.swap(Arc::clone(&new));
        Ok(Reloaded {
            added: new.set().difference(&old.set()).count(),
            removed: old.set().difference(&new.set()).count(),
        })
    }

    /// The files of the keys' certificates, where they have one of their own.
    pub fn certificates(&self) -> Vec<PathBuf> {
        let files = self.files.load();
        files.iter().filter_map(|file| file.certificate.clone()).collect()
    }

    /// The files to watch.
    pub fn files(&self) -> Vec<PathBuf> {
        let files = self.files.load();
        files
            .iter()
            .flat_map(|file| std::iter::once(&file.private_key).chain(&file.certificate))
            .cloned()
            .collect()
    }
}
