//! `dev`: the whole walk on this machine, with nothing installed and nothing to configure.
//!
//! Makes what is missing under `certs/dev/`, runs the receiver in this process, plays Mastercard against
//! its real door, and shows what became of each notification. Nothing it makes opens a real door.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::output;
use crate::cli::simulate::{services, show};
use crate::clock::{Clock, SystemClock};
use crate::config::settings::Settings;
use crate::domain::id::TokenReference;
use crate::domain::token::Token;
use crate::service::{Reread, Service};
use crate::simulator::dev_files::{self, DevFiles, Pair};
use crate::simulator::play::{Mastercard, Played};
use crate::simulator::scenario;
use crate::simulator::seal::{Sealer, Style};
use crate::simulator::sender::{Deadlines, Http, Identity, Sender, Target};
use crate::simulator::services::Services;
use crate::simulator::story::{Say, Story};
use crate::store::{self, SharedStore};
use crate::telemetry;

mod beside;

/// How long the receiver may take to be ready.
const READY_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);

/// What `dev` is told.
#[derive(Debug, clap::Args)]
pub struct DevArgs {
    /// Exit after the scenarios: 0 if every answer was as expected, 1 if not
    #[arg(long)]
    once: bool,
    /// Where the certificates and keys of this desk are kept, made once and used again
    #[arg(long, value_name = "FOLDER", default_value = "certs/dev")]
    certificates: PathBuf,
    /// Where the token services are played, so that tokens can be suspended and resumed; not with --once
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9643")]
    services: SocketAddr,
}

/// Who is there beside the receiver.
pub struct Beside {
    files: DevFiles,
    services: Option<Services>,
}

impl DevArgs {
    /// Makes the files, plays the token services (unless `--once`), and says what the configuration must be: what is
    /// `given` by `--setting` goes over it.
    pub async fn settings(
        &self,
        given: &[(String, String)],
        now: OffsetDateTime,
    ) -> anyhow::Result<(Beside, Vec<(String, String)>)> {
        let mut files = dev_files::ensure(&self.certificates, now)?;
        let key = format!(
            "[{{ private_key = {:?}, certificate = {:?} }}]",
            path(&files.decryption.private_key)?,
            path(&files.decryption.certificate)?
        );
        let settings = [
            ("callback.response_host", "localhost:8443".to_owned()),
            ("callback.tls.certificate", path(&files.server.certificate)?),
            ("callback.tls.private_key", path(&files.server.private_key)?),
            ("callback.tls.client_roots", path(&files.client_ca.certificate)?),
            ("keys", key),
            ("watch.first_within", "off".to_owned()),
            ("log.filter", "warn".to_owned()),
        ];
        let mut settings = settings.map(|(key, value)| (key.to_owned(), value)).to_vec();
        settings.extend(probe(&files, given)?);
        let services = match self.once {
            true => None,
            false => {
                let (signing, made) = dev_files::signing(&self.certificates, now)?;
                files.made.extend(made);
                let services = beside::start(self.services, &signing).await?;
                settings.extend(beside::lifecycle(&services, path(&signing.private_key)?));
                let [certificate, key] = [&files.server.certificate, &files.server.private_key];
                settings.extend(beside::callbacks(self.services, path(certificate)?, path(key)?));
                Some(services)
            }
        };
        settings.extend(given.iter().cloned());
        Ok((Beside { files, services }, settings))
    }
}

/// Our own probe, by a certificate of its own. Where the door stands elsewhere than usual, nobody but the caller knows
/// how to reach it.
fn probe(files: &DevFiles, given: &[(String, String)]) -> anyhow::Result<Vec<(String, String)>> {
    let mut settings = vec![
        ("callback.probe.roots", path(&files.probe_ca.certificate)?),
        ("callback.probe.names", dev_files::PROBE.to_owned()),
        ("probe.client_certificate", path(&files.probe.certificate)?),
        ("probe.client_key", path(&files.probe.private_key)?),
        ("probe.roots", path(&files.ca.certificate)?),
        ("probe.every", "5s".to_owned()),
        ("probe.allow_networks", "[\"127.0.0.0/8\", \"::1/128\"]".to_owned()),
    ];
    if !given.iter().any(|(key, _)| key == "callback.listen") {
        settings.push(("probe.url", "https://localhost:8443".to_owned()));
    }
    let settings = settings.into_iter().map(|(key, value)| (key.to_owned(), value));
    Ok(settings.collect())
}

fn path(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    Ok(path.to_str().context("the path is not UTF-8")?.to_owned())
}

/// Runs the receiver, plays the six scenarios against it, and stays up until Ctrl-C (unless `--once`).
pub async fn run(args: &DevArgs, beside: Beside, settings: Settings) -> anyhow::Result<ExitCode> {
    let Beside { files, services } = beside;
    telemetry::init_logs(&settings.log, output::is_log_colored());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for name in &files.made {
        output::print(&format!("made    {}\n", args.certificates.join(name).display()));
    }
    let keys = settings.keys.clone();
    let reread = Reread {
        file: None,
        keys: Box::new(move || Ok(keys.clone())),
    };
    let store_settings = settings.store.clone();
    let callbacks = settings.tokenex_callbacks.clone();
    let service = Service::start(settings, clock.clone(), reread).await?;
    ready(&service).await?;
    output::print(&format!("door    https://{}\n", service.callback_address));
    output::print(&format!("admin   http://{}/readyz\n", service.admin_address));
    if let Some(services) = &services {
        output::print(&format!(
            "played  http://{}/tokens (TokenEx and MDES)\n",
            services.address()
        ));
    }

    let now = clock.now();
    let mut story = Story::new(
        u64::from_ne_bytes(now.unix_timestamp_nanos().to_ne_bytes()[..8].try_into()?),
        now,
    );
    let target: Target = format!("https://{}", service.callback_address).parse()?;
    let mastercard = mastercard(&files, target.clone())?;
    let passed = play_life(&mastercard, &mut story, service.store()).await?;
    let Some(services) = services else {
        service.stop().await;
        return Ok(if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    };

    let links = store::open(&store_settings, clock.clone()).await?;
    let door = services::door(
        target.clone(),
        &files.client,
        &files.ca.certificate,
        &files.decryption.certificate,
    )?;
    services.notify_mdes(door);
    if let Some((at, callbacks)) = service.tokenex_callbacks_address.zip(callbacks) {
        beside::overheard(&services, at, &callbacks.path_secret, &files.ca.certificate)?;
    }
    let tokens = beside::tokens(&services, &links, story.token_unique_reference()).await?;
    let body = args.certificates.join("notification.json");
    std::fs::write(&body, mastercard.sealed(Say::Suspended(&["ISSUER"]), &mut story)?)?;
    let console = beside::console(&links, service.admin_address, now).await?;
    output::print(&format!(
        "{tokens}{}{console}\nCtrl-C stops.\n",
        try_it(&files, &body, &target)
    ));
    tokio::signal::ctrl_c().await?;
    output::print("\nstopping\n");
    service.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The log says why it is not, meanwhile.
async fn ready(service: &Service) -> anyhow::Result<()> {
    let prepared = tokio::time::timeout(READY_WITHIN, service.prepared()).await;
    prepared.with_context(|| format!("the store is not ready after {READY_WITHIN:?}: see the log above"))
}

fn mastercard(files: &DevFiles, target: Target) -> anyhow::Result<Mastercard> {
    let read = |file: &Path| std::fs::read(file).with_context(|| file.display().to_string());
    let Pair {
        certificate,
        private_key,
    } = &files.client;
    let identity = Identity::from_pem(&read(certificate)?, &read(private_key)?)?;
    let roots = read(&files.ca.certificate)?;
    let sender = Sender::new(target, Some(identity), &roots, Http::One, Deadlines::default())?;
    let sealer = Sealer::new(&read(&files.decryption.certificate)?, Style::default())?;
    Ok(Mastercard::new(sender, sealer))
}

/// The six scenarios of the specification, as one token's life.
async fn play_life(mastercard: &Mastercard, story: &mut Story, store: &SharedStore) -> anyhow::Result<bool> {
    let mut passed = true;
    let life = scenario::life();
    for (place, scenario) in life.iter().enumerate() {
        output::print(&format!(
            "\n{} of {}  {}: {}\n",
            place + 1,
            life.len(),
            scenario.name,
            scenario.about
        ));
        for played in mastercard.play(scenario, story).await {
            passed &= played.passed;
            output::print(&show::played(&played));
            output::print(&format!("{}\n", state_after(&played, store).await?));
        }
    }
    output::print(&format!(
        "\n{}\n",
        match passed {
            true => "every answer was as expected, and every state is on disk",
            false => "NOT every answer was as expected",
        }
    ));
    Ok(passed)
}

async fn state_after(played: &Played, store: &SharedStore) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    for reference in &played.token_unique_references {
        let kept = store.token(&TokenReference::mdes(reference)).await?;
        lines.push(match kept {
            Some(kept) => format!("  now       {}", described(&kept.token)),
            None => "  now       nothing is held of this token".to_owned(),
        });
    }
    Ok(lines.join("\n"))
}

/// `SUSPENDED by ISSUER since 2026-11-03T11:56:23Z; change 2; account ending 0011 (to 0331)`.
fn described(token: &Token) -> String {
    let mut text = token
        .status()
        .map_or("no status yet", |status| status.as_str())
        .to_owned();
    let suspenders: Vec<&str> = token.suspended_by().collect();
    if !suspenders.is_empty() {
        text += &format!(" by {}", suspenders.join(" and "));
    }
    if let Some(since) = token.status_at().and_then(|at| at.format(&Rfc3339).ok()) {
        text += &format!(" since {since}");
    }
    text += &format!("; change {}", token.sequence);
    let field = |name: &str| token.field(name).and_then(|value| value.as_str());
    if let Some(account) = field("tokenInfo.accountPanSuffix") {
        let expiry = field("tokenInfo.accountPanExpiry").unwrap_or("?");
        text += &format!("; account ending {account} (to {expiry})");
    }
    if let Some(art) = field("productConfig.shortDescription") {
        text += &format!("; card \"{art}\"");
    }
    text
}

fn try_it(files: &DevFiles, body: &Path, target: &Target) -> String {
    format!(
        "\nSend one more yourself (a new token, suspended; run it twice to see a repeat):\n\n\
         curl --cacert {} --cert {} --key {} \\\n  -H 'content-type: application/json' --data @{} \\\n  {target}\n",
        files.ca.certificate.display(),
        files.client.certificate.display(),
        files.client.private_key.display(),
        body.display(),
    )
}
