//! Certificates and revocation lists as a person wants to see them: whose, what for, and for how long.
//!
//! It reads the files as they are now; what is in force is what they were at the last good reload.

use std::path::Path;

use aws_lc_rs::digest;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::pem::File;

/// One certificate or list of a file, or why there is none to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibit {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file.
    pub file: String,
    /// Its subject; of a list its issuer.
    pub subject: String,
    /// SHA-256 of its DER form, lower-case hex; empty for a list.
    pub sha256: String,
    /// From when it is valid, if that was to be read.
    pub not_before: Option<OffsetDateTime>,
    /// Until when; of a list, when the next is due.
    pub not_after: Option<OffsetDateTime>,
    /// Why it cannot be shown.
    pub problem: Option<String>,
}

/// All certificates of a file, in its order.
pub fn certificates(setting: &'static str, path: &Path) -> Vec<Exhibit> {
    let read = File::read(setting, path).and_then(|file| file.certificates());
    match read {
        Ok(chain) => chain.iter().map(|der| certificate(setting, path, der)).collect(),
        Err(error) => vec![blank(setting, path, error.to_string())],
    }
}

/// All revocation lists of a file.
pub fn revocation_lists(setting: &'static str, path: &Path) -> Vec<Exhibit> {
    let read = File::read(setting, path).and_then(|file| file.revocation_lists());
    let shown = |next: OffsetDateTime| Exhibit {
        subject: "revocation list".to_owned(),
        not_after: Some(next),
        problem: None,
        ..blank(setting, path, String::new())
    };
    match read {
        Ok(lists) => lists.into_iter().map(|(_, next)| shown(next)).collect(),
        Err(error) => vec![blank(setting, path, error.to_string())],
    }
}

fn certificate(setting: &'static str, path: &Path, der: &[u8]) -> Exhibit {
    let sha256 = hex::encode(digest::digest(&digest::SHA256, der));
    let blank = blank(setting, path, "it cannot be read".to_owned());
    match X509Certificate::from_der(der) {
        Ok((_, parsed)) => Exhibit {
            subject: parsed.subject().to_string(),
            sha256,
            not_before: Some(parsed.validity().not_before.to_datetime()),
            not_after: Some(parsed.validity().not_after.to_datetime()),
            problem: None,
            ..blank
        },
        Err(_) => Exhibit { sha256, ..blank },
    }
}

fn blank(setting: &'static str, path: &Path, problem: String) -> Exhibit {
    Exhibit {
        setting,
        file: path.display().to_string(),
        subject: String::new(),
        sha256: String::new(),
        not_before: None,
        not_after: None,
        problem: Some(problem),
    }
}
