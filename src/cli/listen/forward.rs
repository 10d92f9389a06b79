//! Hands each event on to an endpoint, signed as a destination would be told, and waits for its answer.
//!
//! It is a developer's tool: an endpoint that goes on failing holds nothing up, its event is passed over and told so.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::frames::Told;
use crate::cli::output::{self, escaped};
use crate::cli::verify::hidden;
use crate::clock::{Clock, SystemClock};
use crate::config::settings;
use crate::delivery::signature::{Key, new_secret};
use crate::delivery::webhook::{self, Webhook};
use crate::delivery::{Answer, Destination as _, Failure, Outgoing, Sent};
use crate::domain::event::Event;
use crate::domain::id::TokenReference;
use crate::domain::masked::Secret;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Before the second try, and those after it.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// Whatever `Retry-After` says.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// This machine, which is the developer's own.
const LOOPBACK: [IpNet; 2] = [
    IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::new(127, 0, 0, 0), 8)),
    IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
];
/// Of an answer, what fits on a line.
const SHOWN_CHARS: usize = 100;

#[derive(Debug, Args)]
pub(super) struct ForwardArgs {
    /// POST each event there, signed as a webhook, in order: http://localhost:3000/hook.
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Sign by this `whsec_…` or `whsk_…`; without one, a new one is made and shown. Other users of this machine can see
    /// arguments: better a file, or the environment.
    #[arg(long, value_name = "SECRET", env = "MDES_RECEIVER_WEBHOOK_SECRET", hide_env_values = true, value_parser = hidden)]
    secret: Option<Secret>,
    /// A file with the secret.
    #[arg(long, value_name = "FILE", conflicts_with = "secret")]
    secret_file: Option<PathBuf>,
    /// Further networks to go to, besides this machine and public addresses: 192.168.0.0/16.
    #[arg(long, value_name = "CIDR", value_delimiter = ',', requires = "forward_to", value_parser = network)]
    allow_networks: Vec<IpNet>,
}

/// An endpoint, and what signs for it.
pub(super) struct Forwarder {
    webhook: Webhook,
}

/// What became of one event.
pub(super) enum Forwarded {
    /// The endpoint took it; or, after several tries, it was passed over. In words.
    Done(String),
    /// Nobody wants any more; the event was not taken.
    Stopped,
    /// No event will get there, and why.
    Barred(String),
}

impl ForwardArgs {
    /// What forwards, if that was asked for. A secret that is made is told once, to standard error.
    pub(super) fn open(&self) -> anyhow::Result<Option<Forwarder>> {
        let Some(url) = &self.forward_to else { return Ok(None) };
        let settings = settings::Webhook {
            url: Secret::new(url),
            secrets: vec![self.secret()?],
            secret_files: Vec::new(),
            include_token_number: false,
        };
        let egress = settings::Egress {
            allow_networks: LOOPBACK.iter().chain(&self.allow_networks).copied().collect(),
            connect: CONNECT_WITHIN,
            total: ANSWER_WITHIN,
            ..settings::Egress::default()
        };
        let webhook = Webhook::load(&settings, &egress, Arc::new(SystemClock)).map_err(|error| match error {
            webhook::Error::Url(why) => anyhow!("--forward-to: {why}"),
            other => other.into(),
        })?;
        Ok(Some(Forwarder { webhook }))
    }

    fn secret(&self) -> anyhow::Result<Secret> {
        let (secret, whence) = match (&self.secret, &self.secret_file) {
            (_, Some(file)) => (of_file(file)?, file.display().to_string()),
            (Some(secret), None) => (secret.clone(), "--secret".to_owned()),
            (None, None) => {
                let secret = new_secret(false)?.secret;
                output::tell(format_args!("signed by {} (made for this run)", secret.expose()));
                return Ok(secret);
            }
        };
        Key::parse(secret.expose()).context(whence)?;
        Ok(secret)
    }
}

fn of_file(file: &Path) -> anyhow::Result<Secret> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Secret::new(Zeroizing::new(text).trim()))
}

impl Forwarder {
    /// Sends it, a few times if it must be. What is under way when the stop comes is waited for.
    pub(super) async fn forward(&self, told: &Told, stop: &CancellationToken) -> Forwarded {
        let Some(event) = serde_json::from_str::<Event>(&told.data).ok() else {
            return Forwarded::Done(
                "passed over: this program is older than the receiver, and cannot read it".to_owned(),
            );
        };
        let mut pauses = PAUSES.iter();
        loop {
            let failed = match self.webhook.send(&outgoing(&event, told)).await {
                Sent::Taken(answer) => return Forwarded::Done(words(&answer)),
                Sent::Gone(answer) => return Forwarded::Done(format!("passed over: {}", words(&answer))),
                Sent::Failed {
                    answer,
                    class: Failure::Guarded,
                    ..
                } => return Forwarded::Barred(format!("--forward-to: {}", answer.text)),
                Sent::Failed {
                    answer, retry_after, ..
                } => (words(&answer), retry_after),
            };
            let (why, retry_after) = failed;
            let Some(pause) = pauses.next() else {
                return Forwarded::Done(format!("passed over after {} tries: {why}", PAUSES.len() + 1));
            };
            let pause = retry_after.unwrap_or_default().clamp(*pause, PAUSE_MAX);
            output::note(format_args!(
                "{} was not taken: {why}; again in {pause:?}",
                escaped(&told.id)
            ));
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Forwarded::Stopped;
            }
        }
    }
}

/// The body as the receiver told it, byte for byte.
fn outgoing(event: &Event, told: &Told) -> Outgoing {
    Outgoing {
        id: event.id,
        kind: event.kind,
        token: event.kind.is_of_token().then(|| TokenReference {
            namespace: event.data.namespace,
            reference: event.data.token_unique_reference.clone(),
        }),
        requestor: event.data.token_requestor_id.clone(),
        now: SystemClock.now(),
        body: told.data.clone().into(),
        trace: None,
    }
}

/// `200 noted`, or what went wrong.
fn words(answer: &Answer) -> String {
    let text: String = answer.text.chars().take(SHOWN_CHARS).collect();
    match answer.status {
        Some(status) => format!("{status} {text}").trim_end().to_owned(),
        None => text,
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    parsed.map_err(|_| "must be an address or a network, such as 10.0.0.7 or 10.0.0.0/8".to_owned())
}
