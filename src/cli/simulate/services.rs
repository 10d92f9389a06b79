//! `simulate services`: plays TokenEx and MDES for whoever changes tokens, until Ctrl-C.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use time::OffsetDateTime;

use super::args::read;
use crate::cli::{misuse, output};
use crate::simulator::dev_files::{self, Pair};
use crate::simulator::seal::{Sealer, Style};
use crate::simulator::sender::{Deadlines, Http, Identity, Sender, Target};
use crate::simulator::services::tokens::NewToken;
use crate::simulator::services::{Alternative, Door, Fault, Post, Services, Settings};

/// Play the token services, TokenEx and MDES, over one set of tokens
///
/// On loopback, until Ctrl-C. It prints a [lifecycle] to paste, and the tokens that it knows. What it forgets when it
/// ends is everything. `POST /tokens` and `POST /faults` script it while it runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Faults, KIND[@CALLS]:TIMES:
  drop:1                     the next change is closed without an answer, and not carried out
  drop-answer:1              the same, but it was carried out
  timeout:1                  never answered (timeout-applied: but carried out)
  9004@SUSPEND_TOKEN:2       a row of TokenEx's tables (9004-applied: but carried out)
  INVALID_TOKEN_STATUS:1     a row of MDES's or its gateway's
  500@any:10%                HTTP 500, for one call in ten of any kind
  delay=1500ms@look:3        later
  duplicate:1, reorder:1, silence:1, overtake:1     the notifications of the next change

While it runs:
  curl http://127.0.0.1:9643/tokens
  curl http://127.0.0.1:9643/tokens -H 'content-type: application/json' -d '{\"do\": \"hold\", \"name\": \"DM4MMC…\", \"by\": \"ISSUER\"}'
  curl http://127.0.0.1:9643/faults -H 'content-type: application/json' -d '{\"faults\": [\"drop-answer:1\"]}'")]
pub struct ServicesArgs {
    /// Where to listen: on loopback
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9643")]
    listen: SocketAddr,
    /// Make up the same names again, and leave the same things to chance (default: others each time)
    #[arg(long)]
    seed: Option<u64>,
    /// How many tokens there are at first
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=1_000))]
    tokens: u16,
    /// What goes wrong, such as drop-answer:1; may be repeated
    #[arg(long, value_name = "FAULT")]
    fault: Vec<Fault>,
    /// Where nobody knows what a service does, do the other thing; may be repeated
    #[arg(long, value_enum)]
    alternative: Vec<Alternative>,
    /// TokenEx: suspending a suspended token succeeds, instead of 9104
    #[arg(long)]
    idempotent_suspend: bool,
    /// Do not notify of what the token requestor did itself
    #[arg(long)]
    no_echo: bool,
    /// How long a notification waits, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=60_000))]
    notify_after: u64,
    /// The certificate, or the public key, of who calls MDES (PEM or DER; default: the one under --certificates)
    #[arg(long, value_name = "FILE")]
    signing_certificate: Option<PathBuf>,
    /// Where a signing key is kept, made once and used again, if none is given
    #[arg(long, value_name = "FOLDER", default_value = "certs/dev")]
    certificates: PathBuf,
    /// Send MDES's notifications to this receiver: https://host[:port][/contextRoot]
    #[arg(long, value_name = "URL", requires_all = ["client_certificate", "client_key", "server_roots", "encryption_certificate"])]
    notify: Option<Target>,
    /// The client certificate with its intermediates (PEM)
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    client_key: Option<PathBuf>,
    /// The CA certificates that the receiver's certificate must come from (PEM)
    #[arg(long, value_name = "FILE")]
    server_roots: Option<PathBuf>,
    /// The certificate, or the bare public key, that bodies are sealed to (PEM or DER)
    #[arg(long, value_name = "FILE")]
    encryption_certificate: Option<PathBuf>,
    /// Post TokenEx's own notifications there, as its state callback and its card callback
    #[arg(long, value_name = "URL")]
    notify_tokenex: Option<String>,
}

/// Until Ctrl-C.
pub async fn run(args: &ServicesArgs, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let (settings, signing_key) = args.settings(now)?;
    let services = Services::start(settings).await?;
    for _ in 0..args.tokens {
        let new = NewToken {
            announce: true,
            ..NewToken::default()
        };
        services.make(&new)?;
    }
    output::print(&pasted(&services, signing_key.as_deref()));
    output::print(&format!(
        "\n# its tokens: TokenEx's name, its tokenReferenceId, MDES's name; all of it: curl http://{}/tokens\n",
        services.address()
    ));
    for line in names(&services.shown()) {
        output::print(&format!("# {line}\n"));
    }
    output::note(format_args!(
        "listening on http://{}; Ctrl-C ends it",
        services.address()
    ));
    tokio::signal::ctrl_c().await?;
    Ok(ExitCode::SUCCESS)
}

impl ServicesArgs {
    /// And the signing key's file, where it is ours to know.
    fn settings(&self, now: OffsetDateTime) -> anyhow::Result<(Settings, Option<PathBuf>)> {
        let (certificate, key) = match &self.signing_certificate {
            Some(file) => (file.clone(), None),
            None => {
                let (pair, _) = dev_files::signing(&self.certificates, now)?;
                (pair.certificate, Some(std::path::absolute(pair.private_key)?))
            }
        };
        let settings = Settings {
            listen: self.listen,
            seed: self.seed.unwrap_or(now.unix_timestamp_nanos() as u64),
            signing_certificate: Some(read("--signing-certificate", &certificate)?),
            alternatives: self.alternative.iter().copied().collect(),
            idempotent_suspend: self.idempotent_suspend,
            echo: !self.no_echo,
            notify_after: Duration::from_millis(self.notify_after),
            door: self.door()?,
            post: self.post()?,
            faults: self.fault.clone(),
            tell: Box::new(|line| output::note(line)),
            ..Settings::default()
        };
        Ok((settings, key))
    }

    fn door(&self) -> anyhow::Result<Option<Door>> {
        let Some(target) = self.notify.clone() else {
            return Ok(None);
        };
        let (Some(certificate), Some(private_key)) = (&self.client_certificate, &self.client_key) else {
            return Err(misuse("--notify needs --client-certificate and --client-key"));
        };
        let (Some(roots), Some(sealed_to)) = (&self.server_roots, &self.encryption_certificate) else {
            return Err(misuse("--notify needs --server-roots and --encryption-certificate"));
        };
        let client = Pair {
            certificate: certificate.clone(),
            private_key: private_key.clone(),
        };
        door(target, &client, roots, sealed_to).map(Some)
    }

    fn post(&self) -> anyhow::Result<Option<Post>> {
        let Some(url) = &self.notify_tokenex else {
            return Ok(None);
        };
        let roots = self.server_roots.as_deref().map(|file| read("--server-roots", file));
        Ok(Some(
            Post::to(url, roots.transpose()?.as_deref()).context("--notify-tokenex")?,
        ))
    }
}

/// The door of that receiver, as this client, sealed to that certificate.
pub fn door(target: Target, client: &Pair, roots: &Path, sealed_to: &Path) -> anyhow::Result<Door> {
    let certificate = read("--client-certificate", &client.certificate)?;
    let key = read("--client-key", &client.private_key)?;
    let identity = Identity::from_pem(&certificate, &key)?;
    let roots = read("--server-roots", roots)?;
    let sender = Sender::new(target, Some(identity), &roots, Http::One, Deadlines::default())?;
    let sealer = Sealer::new(&read("--encryption-certificate", sealed_to)?, Style::default())?;
    Ok(Door { sender, sealer })
}

/// What a configuration must say to use these services.
fn pasted(services: &Services, signing_key: Option<&Path>) -> String {
    let known = Settings::default();
    let key = signing_key.map_or("the key of --signing-certificate".to_owned(), |key| {
        key.display().to_string()
    });
    format!(
        "[lifecycle]\n\
         through = \"mdes\"                        # or \"tokenex\"\n\
         allow_networks = [\"127.0.0.0/8\", \"::1/128\"]\n\n\
         [lifecycle.tokenex]\n\
         url = {:?}\n\
         tokenex_id = {:?}\n\
         api_key = {:?}\n\n\
         [lifecycle.mdes]\n\
         url = {:?}\n\
         consumer_key = {:?}\n\
         signing_key = {key:?}\n",
        services.tokenex_url(),
        known.tokenex_id,
        known.api_key,
        services.mdes_url(),
        known.consumer_key,
    )
}

/// A line for each token, with its names and its state.
pub fn names(shown: &Value) -> Vec<String> {
    let word = |token: &Value, key: &str| token[key].as_str().unwrap_or("-").to_owned();
    let line = |token: &Value| {
        let names = ["token", "token_reference_id", "token_unique_reference", "state"];
        names.map(|key| word(token, key)).join("  ")
    };
    shown["tokens"].as_array().into_iter().flatten().map(line).collect()
}
