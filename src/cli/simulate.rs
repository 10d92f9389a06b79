//! `simulate`: plays Mastercard against any receiver, one scenario after the other or as a load.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use time::OffsetDateTime;

use crate::simulator::load::{self, Plan, Report};
use crate::simulator::pki::Authority;
use crate::simulator::play::{Mastercard, Played};
use crate::simulator::scenario::{self, Scenario};
use crate::simulator::seal::{Aes, Fingerprint, Oaep, Sealer, Style};
use crate::simulator::sender::{Deadlines, Http, Identity, Sender, Target};
use crate::simulator::set::Edit;
use crate::simulator::story::Story;

pub(super) mod show;

/// Play Mastercard: send scenarios or any body, correctly sealed, to any receiver
///
/// Scenarios are played in the order given; `life` stands for the six of a token's life, `all` for every one.
/// The exit code is 0 if every answer was as expected, 1 if not. Nothing is sent to anyone but --to.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to play (see --list)
    #[arg(value_name = "SCENARIO", required_unless_present_any = ["list", "body", "load"], conflicts_with_all = ["body", "load"])]
    scenarios: Vec<String>,
    /// Describe the scenarios and exit
    #[arg(long)]
    list: bool,
    /// The receiver: https://host[:port][/contextRoot]; the MDES path is appended unless it is there
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    to: Option<Target>,
    /// The client certificate with its intermediates (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    client_certificate: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    client_key: Option<PathBuf>,
    /// The CA certificates that the receiver's certificate must come from (PEM)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    server_roots: Option<PathBuf>,
    /// The certificate, or the bare public key, that bodies are sealed to (PEM or DER)
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    encryption_certificate: Option<PathBuf>,
    /// The CA that the receiver expects its clients from, to mint the certificates of expired-certificate and wrong-name
    #[arg(long, value_name = "FILE", requires = "client_ca_key")]
    client_ca: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "client_ca")]
    client_ca_key: Option<PathBuf>,
    /// Seal this file's content as it is and send it, instead of a scenario
    #[arg(long, value_name = "FILE", conflicts_with = "load")]
    body: Option<PathBuf>,
    /// Send the file of --body as the request's body, not sealed
    #[arg(long, requires = "body")]
    unsealed: bool,
    /// Change what is said: tokens.0.status=SUSPENDED; `envelope.` reaches the body around it. JSON or a string
    #[arg(long, value_name = "PATH=VALUE", conflicts_with = "load")]
    set: Vec<Edit>,
    /// Play the same story again: the same ids and references (default: another one each time)
    #[arg(long)]
    seed: Option<u64>,
    /// The hash of the key wrap
    #[arg(long, default_value = "sha256")]
    oaep: Oaep,
    /// The length of the content key
    #[arg(long, default_value = "128")]
    aes: Aes,
    /// What publicKeyFingerprint says: sha256 or sha1 of the certificate, or these very characters
    #[arg(long, default_value = "sha256", value_parser = fingerprint)]
    fingerprint: Fingerprint,
    /// Speak HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,
    /// Wait so long for a connection, as long for the handshake, and as long for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Send so many new notifications as fast as they are answered, and measure
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=load::REQUESTS_MAX as i64))]
    load: Option<u32>,
    /// Over so many kept connections
    #[arg(long, value_name = "C", default_value_t = 64, requires = "load", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// About so many tokens
    #[arg(long, value_name = "T", default_value_t = 1000, requires = "load", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tokens: u32,
    /// Stop the load after so many seconds in any case
    #[arg(long, value_name = "SECONDS", default_value_t = 600, requires = "load", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    load_deadline: u64,
}

fn fingerprint(text: &str) -> Result<Fingerprint, std::convert::Infallible> {
    Ok(match text {
        "sha256" => Fingerprint::Sha256,
        "sha1" => Fingerprint::Sha1,
        other => Fingerprint::Forced(other.to_owned()),
    })
}

/// Does what the arguments say. The exit code is 0 if every answer was as expected.
pub async fn run(args: &Args, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    if args.list {
        print!("{}", show::list());
        return Ok(ExitCode::SUCCESS);
    }
    let seed = args.seed.unwrap_or(now.unix_timestamp_nanos() as u64);
    let sender = args.sender()?;
    let sealer = args.sealer()?;
    if !args.json {
        eprintln!("to {}, seed {seed}", sender.target());
    }
    let passed = match args.load {
        Some(requests) => args.run_load(requests as usize, sender, sealer, seed, now).await?,
        None => args.run_scenarios(sender, sealer, &mut Story::new(seed, now)).await?,
    };
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    async fn run_scenarios(&self, sender: Sender, sealer: Sealer, story: &mut Story) -> anyhow::Result<bool> {
        let mut mastercard = Mastercard::new(sender, sealer).with_edits(self.set.clone());
        if let (Some(certificate), Some(key)) = (&self.client_ca, &self.client_ca_key) {
            let certificate = String::from_utf8(read("--client-ca", certificate)?)?;
            let key = String::from_utf8(read("--client-ca-key", key)?)?;
            let authority = Authority::from_pem(&certificate, &key).context("--client-ca and --client-ca-key")?;
            mastercard = mastercard.with_client_ca(authority);
        }
        if let Some(file) = &self.body {
            let played = self.play_body(&mastercard, file, story).await?;
            print!("{}", self.shown(&played));
            return Ok(played.passed);
        }
        let (mut steps, mut as_expected) = (0, 0);
        for scenario in self.chosen()? {
            if !self.json {
                println!("\n{} — {}", scenario.name, scenario.about);
            }
            for played in mastercard.play(scenario, story).await {
                print!("{}", self.shown(&played));
                steps += 1;
                as_expected += usize::from(played.passed);
            }
        }
        if !self.json {
            println!("\n{as_expected} of {steps} answers as expected");
        }
        Ok(steps == as_expected)
    }

    async fn play_body(&self, mastercard: &Mastercard, file: &Path, story: &mut Story) -> anyhow::Result<Played> {
        let mut content = read("--body", file)?;
        if !self.set.is_empty() {
            let mut value = serde_json::from_slice(&content).context("--body: --set needs a file with JSON")?;
            Edit::apply_to_content(&self.set, &mut value);
            content = value.to_string().into_bytes();
        }
        Ok(match self.unsealed {
            true => mastercard.send_raw(content).await,
            false => mastercard.send_sealed(&content, story).await,
        })
    }

    async fn run_load(
        &self,
        requests: usize,
        sender: Sender,
        sealer: Sealer,
        seed: u64,
        now: OffsetDateTime,
    ) -> anyhow::Result<bool> {
        let plan = Plan {
            requests,
            connections: self.connections as usize,
            tokens: self.tokens as usize,
            deadline: Duration::from_secs(self.load_deadline),
        };
        let told = std::io::stderr().is_terminal();
        if told {
            eprintln!("sealing {requests} bodies");
        }
        let sealing = tokio::task::spawn_blocking(move || load::sealed_bodies(&plan, &sealer, seed, now));
        let bodies = sealing.await??;
        let done = Arc::new(AtomicUsize::new(0));
        let telling = told.then(|| tokio::spawn(tell_progress(Arc::clone(&done), requests)));
        let report: Report = load::run(Arc::new(sender), bodies, &plan, done).await;
        if let Some(telling) = telling {
            telling.abort();
        }
        match self.json {
            true => println!("{}", serde_json::to_string(&report)?),
            false => print!("{}", show::report(&report, &plan)),
        }
        Ok(report.passed(&plan))
    }

    fn shown(&self, played: &Played) -> String {
        match self.json {
            true => show::played_json(played),
            false => show::played(played),
        }
    }

    /// `all` leaves out what cannot be played with what was given, and says so.
    fn chosen(&self) -> anyhow::Result<Vec<&'static Scenario>> {
        let mut chosen = Vec::new();
        for name in &self.scenarios {
            match name.as_str() {
                "life" => chosen.extend(scenario::life()),
                "all" => {
                    let (out, all): (Vec<&Scenario>, Vec<&Scenario>) = scenario::all()
                        .iter()
                        .partition(|scenario| scenario.needs_client_ca() && self.client_ca.is_none());
                    for scenario in out {
                        eprintln!("left out: {} (needs --client-ca and --client-ca-key)", scenario.name);
                    }
                    chosen.extend(all);
                }
                name => chosen.push(Scenario::named(name).with_context(|| unknown(name))?),
            }
        }
        if self.client_ca.is_none()
            && let Some(scenario) = chosen.iter().find(|scenario| scenario.needs_client_ca())
        {
            bail!("scenario `{}`: needs --client-ca and --client-ca-key", scenario.name);
        }
        Ok(chosen)
    }

    fn sender(&self) -> anyhow::Result<Sender> {
        let target = self.to.clone().context("--to is missing")?;
        let certificate = read_given("--client-certificate", self.client_certificate.as_deref())?;
        let key = read_given("--client-key", self.client_key.as_deref())?;
        let roots = read_given("--server-roots", self.server_roots.as_deref())?;
        let each = Duration::from_secs(self.timeout);
        let deadlines = Deadlines {
            connect: each,
            handshake: each,
            answer: each,
            ..Deadlines::default()
        };
        let http = if self.http2 { Http::Two } else { Http::One };
        let identity = Identity::from_pem(&certificate, &key)?;
        Ok(Sender::new(target, Some(identity), &roots, http, deadlines)?)
    }

    fn sealer(&self) -> anyhow::Result<Sealer> {
        let certificate = read_given("--encryption-certificate", self.encryption_certificate.as_deref())?;
        let style = Style {
            oaep: self.oaep,
            aes: self.aes,
            fingerprint: self.fingerprint.clone(),
        };
        Ok(Sealer::new(&certificate, style)?)
    }
}

/// Until it is stopped.
async fn tell_progress(done: Arc<AtomicUsize>, of: usize) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    loop {
        every.tick().await;
        eprintln!("{} of {of}", done.load(Ordering::Relaxed));
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

fn read(flag: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{flag} {}", file.display()))
}
