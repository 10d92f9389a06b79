//! Standard Webhooks: who receives an event can tell that we sent it, when, and that nothing was altered.
//!
//! What is signed is `{webhook-id}.{webhook-timestamp}.{body}`, by every live secret, so that one can be put in place of
//! another without a moment in which nothing fits. `v1` is HMAC-SHA256 by a shared `whsec_…`; `v1a` is Ed25519 by a
//! `whsk_…`, checked by its public half `whpk_…`.

mod key;
mod new;
mod verify;

use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;
use time::OffsetDateTime;
use zeroize::Zeroizing;

pub use self::key::{BadKey, Key};
pub use self::new::{NewSecret, new_secret};
pub use self::verify::{Signed, Unverified, verify};
use crate::domain::masked::Secret;

/// The header with the event's id.
pub const ID: &str = "webhook-id";
/// The header with the time of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

const FILE_BYTES_MAX: u64 = 4 * 1024;

/// The live secrets of one destination. They have no Debug, and are wiped when dropped.
pub struct Secrets {
    texts: Vec<Secret>,
    files: Vec<PathBuf>,
    keys: ArcSwap<Vec<Key>>,
}

/// A secret that cannot sign. No text holds anything of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the configuration's own.
    #[error("key `destinations.secrets[{index}]`: {problem}")]
    Text {
        /// Its place.
        index: usize,
        /// What is wrong with it.
        problem: BadKey,
    },
    /// One in a file.
    #[error("key `destinations.secret_files`: {}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
}

impl Secrets {
    /// Reads them all.
    pub fn load(texts: &[Secret], files: &[PathBuf]) -> Result<Self, Error> {
        Ok(Secrets {
            keys: ArcSwap::from_pointee(read(texts, files)?),
            texts: texts.to_vec(),
            files: files.to_vec(),
        })
    }

    /// Reads the files again; after `Err` the old secrets sign on.
    pub fn reload(&self) -> Result<(), Error> {
        let keys = read(&self.texts, &self.files)?;
        self.keys.store(std::sync::Arc::new(keys));
        Ok(())
    }

    /// Every file that a reload reads.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The value of [`SIGNATURE`] for this body: one signature of each live secret.
    pub fn sign(&self, id: &str, at: OffsetDateTime, body: &[u8]) -> String {
        let keys = self.keys.load();
        let begin = format!("{id}.{}.", at.unix_timestamp());
        let signatures = keys.iter().filter_map(|key| key.sign(begin.as_bytes(), body));
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn read(texts: &[Secret], files: &[PathBuf]) -> Result<Vec<Key>, Error> {
    let text =
        |(index, text): (usize, &Secret)| signing(text.expose()).map_err(|problem| Error::Text { index, problem });
    let texts = texts.iter().enumerate().map(text);
    texts.chain(files.iter().map(|file| in_file(file))).collect()
}

fn in_file(file: &Path) -> Result<Key, Error> {
    let wrong = |problem: String| Error::File {
        file: file.to_owned(),
        problem,
    };
    let size = std::fs::metadata(file)
        .map_err(|e| wrong(format!("cannot be read: {e}")))?
        .len();
    if size > FILE_BYTES_MAX {
        return Err(wrong(format!(
            "{size} bytes is no secret; it must hold one `whsec_…`, and nothing else"
        )));
    }
    let text = std::fs::read_to_string(file).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    signing(Zeroizing::new(text).trim()).map_err(|problem| wrong(problem.to_string()))
}

fn signing(text: &str) -> Result<Key, BadKey> {
    Key::parse(text).and_then(|key| if key.can_sign() { Ok(key) } else { Err(BadKey::Public) })
}
