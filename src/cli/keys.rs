//! `keys`: every fingerprint of every decryption key, as Mastercard's portal or a log line may name it.

pub(super) mod retire;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::{misuse, output};
use crate::config::settings::KeyFile;
use crate::domain::masked::Secret;
use crate::keys::{DecryptionKey, Fingerprint, KeyRing};

/// Print every fingerprint of each decryption key
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  mdes-receiver keys                      what each key is known by
  mdes-receiver keys needed               which bodies in the store still need which key
  mdes-receiver keys reseal --dry-run     what would be moved to the newest key
  mdes-receiver keys reseal               move what must stay readable, so that an old key can be taken away"
)]
pub struct KeysArgs {
    /// What to do with what is sealed to them.
    #[command(subcommand)]
    pub(super) command: Option<retire::Command>,
    /// Which keys to look at.
    #[command(flatten)]
    pub key_files: KeyFiles,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Keys given by hand, in place of the configured ones.
#[derive(Debug, clap::Args)]
pub struct KeyFiles {
    /// Use this private key instead of the configured ones (PKCS#8, PKCS#1 or PKCS#12; may be repeated)
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// Opens a PKCS#12 file; other users of this machine see it here, but not in the variable
    #[arg(long, value_name = "PASSWORD", env = "MDES_RECEIVER_KEY_PASSWORD", hide_env_values = true, value_parser = secret)]
    pub key_password: Option<Secret>,
}

/// Prints the keys, oldest first.
pub fn run(args: &KeysArgs, configured: Option<KeyRing>) -> anyhow::Result<ExitCode> {
    let ring = args.key_files.ring(configured)?;
    let keys: Vec<Shown> = ring.keys().iter().map(Shown::of).collect();
    let text = match args.json {
        true => format!("{}\n", serde_json::to_string_pretty(&keys)?),
        false => keys.iter().map(Shown::text).collect(),
    };
    output::print(&text);
    Ok(ExitCode::SUCCESS)
}

impl KeyFiles {
    /// The keys of these files, or else the configured ones.
    pub fn ring(&self, configured: Option<KeyRing>) -> anyhow::Result<KeyRing> {
        if self.keys.is_empty() {
            let how = "no key is configured, give one with --key FILE or a configuration with --config FILE";
            return configured.ok_or_else(|| misuse(how));
        }
        let file = |path: &PathBuf| KeyFile {
            private_key: path.clone(),
            password: self.key_password.clone(),
            certificate: None,
            fingerprints: Vec::new(),
        };
        let files: Vec<KeyFile> = self.keys.iter().map(file).collect();
        Ok(KeyRing::load(&files)?)
    }
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

/// A key as it may be shown.
#[derive(Serialize)]
struct Shown<'k> {
    file: &'k str,
    bits: usize,
    fingerprints: &'k [Fingerprint],
}

impl<'k> Shown<'k> {
    fn of(key: &'k DecryptionKey) -> Self {
        Shown {
            file: key.source(),
            bits: key.bits(),
            fingerprints: key.fingerprints(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{} (RSA, {} bits)\n", self.file, self.bits);
        for Fingerprint { label, value } in self.fingerprints {
            let _ = writeln!(text, "  {label:<20} {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_stands_on_a_line_of_its_own() {
        let fingerprints = [
            Fingerprint {
                label: "SPKI SHA-256",
                value: "761b".to_owned(),
            },
            Fingerprint {
                label: "alias",
                value: "243e".to_owned(),
            },
        ];
        let shown = Shown {
            file: "decrypt.key",
            bits: 2048,
            fingerprints: &fingerprints,
        };
        assert_eq!(
            shown.text(),
            "decrypt.key (RSA, 2048 bits)\n  SPKI SHA-256         761b\n  alias                243e\n"
        );
    }

    #[test]
    fn without_any_key_it_says_how_to_give_one() {
        let none = KeyFiles {
            keys: Vec::new(),
            key_password: None,
        };
        let error = none.ring(None).expect_err("no key");
        assert!(error.to_string().contains("--key FILE"));
    }
}
