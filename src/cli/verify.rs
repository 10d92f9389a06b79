//! `verify`: checks a webhook's signature as its receiver would, and says what is wrong with it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::{inspect, misuse, output};
use crate::delivery::signature::{self, Key, Signed};
use crate::domain::masked::Secret;

/// Check a webhook's signature (Standard Webhooks), or say what is wrong with it
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 0 if one of the secrets signed it, 1 if not.

  mdes-receiver verify --secret-file secret.txt --body body.json \\
    --header 'webhook-id: 019a…' --header 'webhook-timestamp: 1795348800' --header 'webhook-signature: v1,K5oZ…'")]
pub struct VerifyArgs {
    /// A file with one secret (`whsec_…`, `whsk_…`) or public key (`whpk_…`); may be repeated
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// The secret itself. Other users of this machine can see arguments: better a file, or the environment
    #[arg(long, value_name = "SECRET", env = "MDES_RECEIVER_WEBHOOK_SECRET", hide_env_values = true, value_parser = hidden)]
    secret: Vec<Secret>,
    /// A header as it came; others than the three of Standard Webhooks are ignored
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    /// The body, byte for byte as it came; `-` is the standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    body: PathBuf,
    /// How far its timestamp may be from this machine's clock
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    tolerance_secs: u64,
}

/// Says whether it was signed. Exit code 1 if not.
pub fn run(args: &VerifyArgs, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let (names, keys) = args.keys()?;
    let body = inspect::body(&args.body)?;
    let signed = Signed {
        id: args.header(signature::ID)?,
        timestamp: args.header(signature::TIMESTAMP)?,
        signature: args.header(signature::SIGNATURE)?,
        body: &body,
    };
    match signature::verify(&signed, &keys, now, Duration::from_secs(args.tolerance_secs)) {
        Ok(place) => {
            output::print(&format!("signed by {} ({})\n", names[place], keys[place].version()));
            Ok(ExitCode::SUCCESS)
        }
        Err(unverified) => {
            output::tell(format_args!("not to be believed: {unverified}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

impl VerifyArgs {
    /// The keys, and what to call them.
    fn keys(&self) -> anyhow::Result<(Vec<String>, Vec<Key>)> {
        let mut keys = (Vec::new(), Vec::new());
        let mut add = |name: String, text: &str| -> anyhow::Result<()> {
            keys.1.push(Key::parse(text.trim()).with_context(|| name.clone())?);
            keys.0.push(name);
            Ok(())
        };
        for file in &self.secret_file {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            add(file.display().to_string(), &Zeroizing::new(text))?;
        }
        for (index, secret) in self.secret.iter().enumerate() {
            add(format!("secret {}", index + 1), secret.expose())?;
        }
        match keys.1.is_empty() {
            true => Err(misuse("no secret to check by; give --secret-file FILE")),
            false => Ok(keys),
        }
    }

    fn header(&self, name: &str) -> anyhow::Result<&str> {
        let found = self.header.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        let found = found.ok_or_else(|| misuse(format_args!("no {name}; give --header '{name}: …' as it came")))?;
        Ok(&found.1)
    }
}

/// A secret out of an argument.
pub(super) fn hidden(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("must be 'name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
