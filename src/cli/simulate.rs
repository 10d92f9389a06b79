//! `simulate`: plays Mastercard against any receiver, one scenario after the other or as a load.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use time::OffsetDateTime;

use super::output;
use crate::simulator::pki::Authority;
use crate::simulator::play::{Mastercard, Played};
use crate::simulator::seal::Sealer;
use crate::simulator::sender::Sender;
use crate::simulator::set::Edit;
use crate::simulator::story::Story;

mod args;
mod load;
pub(super) mod services;
pub(super) mod show;

pub use args::Args;
use args::{Playing, read};

/// Does what the arguments say. The exit code is 0 if every answer was as expected.
pub async fn run(args: &Args, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    if let Some(Playing::Services(args)) = &args.playing {
        return services::run(args, now).await;
    }
    if args.list {
        output::print(&show::list());
        return Ok(ExitCode::SUCCESS);
    }
    let seed = args.seed.unwrap_or(now.unix_timestamp_nanos() as u64);
    let sender = args.sender()?;
    let sealer = args.sealer()?;
    if !args.json {
        output::note(format_args!("to {}, seed {seed}", sender.target()));
    }
    let passed = match args.load.plan()? {
        Some(plan) => args.load.run(plan, sender, sealer, (seed, now), args.json).await?,
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
            output::print(&self.shown(&played));
            return Ok(played.passed);
        }
        let (mut steps, mut as_expected) = (0, 0);
        for scenario in self.chosen()? {
            if !self.json {
                output::print(&format!("\n{} — {}\n", scenario.name, scenario.about));
            }
            for played in mastercard.play(scenario, story).await {
                output::print(&self.shown(&played));
                steps += 1;
                as_expected += usize::from(played.passed);
            }
        }
        if !self.json {
            output::print(&format!("\n{as_expected} of {steps} answers as expected\n"));
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

    fn shown(&self, played: &Played) -> String {
        match self.json {
            true => show::played_json(played),
            false => show::played(played),
        }
    }
}
