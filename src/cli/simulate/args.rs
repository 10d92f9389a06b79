//! What `simulate` is told, and what follows from it: who sends, to whom, sealed how, and what.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::load::LoadArgs;
use super::services::ServicesArgs;
use crate::cli::{misuse, output};
use crate::simulator::scenario::{self, Scenario};
use crate::simulator::seal::{Aes, Fingerprint, Oaep, Sealer, Style};
use crate::simulator::sender::{Deadlines, Http, Identity, Sender, Target};
use crate::simulator::set::Edit;

/// Play Mastercard: send scenarios or any body, correctly sealed, to any receiver
///
/// Scenarios are played in the order given; `life` stands for the six of a token's life, `all` for every one.
/// The exit code is 0 if every answer was as expected, 1 if not. Nothing is sent to anyone but --to.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    pub(super) playing: Option<Playing>,
    /// What to play (see --list)
    #[arg(value_name = "SCENARIO", required_unless_present_any = ["list", "body", "load", "duration"], conflicts_with_all = ["body", "load", "duration"])]
    pub(super) scenarios: Vec<String>,
    /// Describe the scenarios and exit
    #[arg(long)]
    pub(super) list: bool,
    /// The receiver: https://host[:port][/contextRoot]; the MDES path is appended unless it is there
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    pub(super) to: Option<Target>,
    /// The client certificate with its intermediates (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(super) client_certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(super) client_key: Option<PathBuf>,
    /// The CA certificates that the receiver's certificate must come from (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(super) server_roots: Option<PathBuf>,
    /// The certificate, or the bare public key, that bodies are sealed to (PEM or DER)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(super) encryption_certificate: Option<PathBuf>,
    /// The CA that the receiver expects its clients from, to mint the certificates of expired-certificate and wrong-name
    #[arg(long, value_name = "FILE", requires = "client_ca_key")]
    pub(super) client_ca: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "client_ca")]
    pub(super) client_ca_key: Option<PathBuf>,
    /// Seal this file's content as it is and send it, instead of a scenario
    #[arg(long, value_name = "FILE", conflicts_with_all = ["load", "duration"])]
    pub(super) body: Option<PathBuf>,
    /// Send the file of --body as the request's body, not sealed
    #[arg(long, requires = "body")]
    pub(super) unsealed: bool,
    /// Change what is said: tokens.0.status=SUSPENDED; `envelope.` reaches the body around it. JSON or a string
    #[arg(long, value_name = "PATH=VALUE", conflicts_with_all = ["load", "duration"])]
    pub(super) set: Vec<Edit>,
    /// Play the same story again: the same ids and references (default: another one each time)
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// The hash of the key wrap
    #[arg(long, default_value = "sha256")]
    pub(super) oaep: Oaep,
    /// The length of the content key
    #[arg(long, default_value = "128")]
    pub(super) aes: Aes,
    /// What publicKeyFingerprint says: sha256 or sha1 of the certificate, or these very characters
    #[arg(long, default_value = "sha256", value_parser = fingerprint)]
    pub(super) fingerprint: Fingerprint,
    /// Speak HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    pub(super) http2: bool,
    /// One JSON object a line instead of text
    #[arg(long)]
    pub(super) json: bool,
    /// Wait so long for a connection, as long for the handshake, and as long for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) timeout: u64,
    #[command(flatten)]
    pub(super) load: LoadArgs,
}

/// What else is played.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Playing {
    /// Play the token services, TokenEx and MDES, for whoever changes tokens
    Services(Box<ServicesArgs>),
}

fn fingerprint(text: &str) -> Result<Fingerprint, std::convert::Infallible> {
    Ok(match text {
        "sha256" => Fingerprint::Sha256,
        "sha1" => Fingerprint::Sha1,
        other => Fingerprint::Forced(other.to_owned()),
    })
}

impl Args {
    /// `all` leaves out what cannot be played with what was given, and says so.
    pub(super) fn chosen(&self) -> anyhow::Result<Vec<&'static Scenario>> {
        let mut chosen = Vec::new();
        for name in &self.scenarios {
            match name.as_str() {
                "life" => chosen.extend(scenario::life()),
                "all" => {
                    let (out, all): (Vec<&Scenario>, Vec<&Scenario>) = scenario::all()
                        .iter()
                        .partition(|scenario| scenario.needs_client_ca() && self.client_ca.is_none());
                    for scenario in out {
                        output::tell(format_args!(
                            "left out: {} (needs --client-ca and --client-ca-key)",
                            scenario.name
                        ));
                    }
                    chosen.extend(all);
                }
                name => chosen.push(Scenario::named(name).ok_or_else(|| misuse(unknown(name)))?),
            }
        }
        if self.client_ca.is_none()
            && let Some(scenario) = chosen.iter().find(|scenario| scenario.needs_client_ca())
        {
            return Err(misuse(format_args!(
                "scenario `{}`: needs --client-ca and --client-ca-key",
                scenario.name
            )));
        }
        Ok(chosen)
    }

    pub(super) fn sender(&self) -> anyhow::Result<Sender> {
        let target = self.to.clone().context("--to is missing")?;
        let certificate = read_given("--client-certificate", self.client_certificate.as_deref())?;
        let key = read_given("--client-key", self.client_key.as_deref())?;
        let roots = read_given("--server-roots", self.server_roots.as_deref())?;
        let each = Duration::from_secs(self.timeout);
        let deadlines = Deadlines {
            connect: each,
            handshake: each,
            answer: each,
            // A load is sent by whoever is let in: it does not listen for a refusal before each handshake's first word.
            listen_first: if self.load.afresh() {
                Duration::ZERO
            } else {
                Deadlines::default().listen_first
            },
        };
        let http = if self.http2 { Http::Two } else { Http::One };
        let identity = Identity::from_pem(&certificate, &key)?;
        Ok(Sender::new(target, Some(identity), &roots, http, deadlines)?)
    }

    pub(super) fn sealer(&self) -> anyhow::Result<Sealer> {
        let certificate = read_given("--encryption-certificate", self.encryption_certificate.as_deref())?;
        let style = Style {
            oaep: self.oaep,
            aes: self.aes,
            fingerprint: self.fingerprint.clone(),
        };
        Ok(Sealer::new(&certificate, style)?)
    }
}

fn unknown(name: &str) -> String {
    let nearest = scenario::all()
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(name, a.name).total_cmp(&strsim::jaro_winkler(name, b.name)))
        .map_or("active", |scenario| scenario.name);
    format!("no scenario `{name}`; the nearest is `{nearest}`, and --list describes all")
}

fn read_given(flag: &str, file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    read(flag, file.with_context(|| format!("{flag} is missing"))?)
}

/// The file that this flag names.
pub(super) fn read(flag: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{flag} {}", file.display()))
}
