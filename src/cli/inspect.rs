//! `inspect`: opens a sealed body with the configured keys, or names the step that failed.
//!
//! Card numbers stay masked unless `--reveal` is given. Nothing is written but to the standard output.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;
use zeroize::Zeroizing;

use super::keys::KeyFiles;
use super::output;
use crate::config::settings::{Envelope, Payload};
use crate::domain::masked;
use crate::keys::KeyRing;
use crate::mdes::{self, Opened, Reading};

/// A body at the door is 1 MiB; sealed by us in hexadecimal, about twice that.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Open a sealed body and print what is in it, or say which step failed
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    /// The body: an envelope, or a bare `encryptedPayload`; `-` is the standard input
    pub file: PathBuf,
    /// Which keys to try.
    #[command(flatten)]
    pub key_files: KeyFiles,
    /// Show card and token numbers, and content that is not JSON
    #[arg(long)]
    pub reveal: bool,
}

/// Prints what is in the body. Exit code 1 if it could not be opened, or holds no JSON object.
pub fn run(args: &InspectArgs, configured: Option<KeyRing>) -> anyhow::Result<ExitCode> {
    let ring = args.key_files.ring(configured)?;
    let body = body(&args.file)?;
    let report = match mdes::open(&body, &ring, &RULES) {
        Ok(opened) => report(&opened, args.reveal),
        Err(unreadable) => {
            output::tell(format_args!("cannot be opened: {unreadable}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    output::tell(&report.heading);
    let Some(text) = report.text else {
        return Ok(ExitCode::FAILURE);
    };
    output::print_as_it_is(&text);
    Ok(if report.is_json {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A person asks: whatever can open it may.
const RULES: Reading = Reading {
    payload: Payload::Either,
    envelope: Envelope {
        try_all: true,
        legacy_pkcs1_v15: true,
        refuse_expired: false,
    },
};

/// A file, or the standard input, up to a bound.
pub(super) fn body(file: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    let from: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin().lock()),
        _ => Box::new(std::fs::File::open(file).with_context(|| format!("cannot open {}", file.display()))?),
    };
    from.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", file.display()))?;
    anyhow::ensure!(
        bytes.len() as u64 <= FILE_BYTES_MAX,
        "{} is larger than {FILE_BYTES_MAX} bytes",
        file.display()
    );
    Ok(bytes)
}

/// What is printed: a line about the opening, and the content if it may be seen.
struct Report {
    heading: String,
    text: Option<Zeroizing<String>>,
    is_json: bool,
}

fn report(opened: &Opened, reveal: bool) -> Report {
    let mut heading = format!("opened with key {}", opened.key.spki_sha256());
    if !opened.named {
        heading.push_str(", which publicKeyFingerprint does not name");
    }
    let object = serde_json::from_slice(&opened.bytes).ok().filter(Value::is_object);
    if let Some(mut object) = object {
        if !reveal {
            mask(&mut object);
        }
        return Report {
            heading,
            text: Some(Zeroizing::new(format!("{object:#}\n"))),
            is_json: true,
        };
    }
    let _ = write!(
        heading,
        "; the {} bytes in it are no UTF-8 JSON object",
        opened.bytes.len()
    );
    if !reveal {
        heading.push_str(", --reveal prints them");
    }
    let text = reveal.then(|| Zeroizing::new(String::from_utf8_lossy(&opened.bytes).into_owned()));
    Report {
        heading,
        text,
        is_json: false,
    }
}

/// Masks what looks like a card number, and `tokenNumber` whatever it looks like.
fn mask(value: &mut Value) {
    mask_token_numbers(value);
    masked::mask_value(value);
}

fn mask_token_numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "tokenNumber" && !value.is_null() {
                    let number = Zeroizing::new(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                    *value = masked::masked(&number).into();
                } else {
                    mask_token_numbers(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_token_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_number_is_masked_even_if_it_is_none() {
        let mut value = json!({"tokens": [{"tokenInfo": {"tokenNumber": "5204730000001202"}}, {"tokenNumber": 123}]});
        mask(&mut value);
        assert_eq!(
            value,
            json!({"tokens": [{"tokenInfo": {"tokenNumber": "····1202"}}, {"tokenNumber": "····"}]})
        );
    }
}
