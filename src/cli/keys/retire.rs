//! `keys needed` and `keys reseal`: what must be done before a decryption key is taken away.
//!
//! No body is shown; what is opened stays in memory, and is wiped.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::cli::output::{self, table};
use crate::cli::progress::Progress;
use crate::cli::{NOT_WELL, hand, open_memory};
use crate::config::settings::{Payload, Settings};
use crate::inbox::reseal::{Need, Needs, Resealed, Resealer};
use crate::keys::KeyRing;
use crate::mdes::Reading;
use crate::store::ledger::{BEGUN, Deed};
use crate::store::{Ledger as _, Memory, Store as _};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say which key how many bodies in the store still need.
    Needed {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Move to the newest key what must stay readable: the bodies that hold tokens' current numbers, and what is open in
    /// quarantine.
    Reseal {
        /// All other notifications, too.
        #[arg(long)]
        all: bool,
        /// Look, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

pub(in crate::cli) async fn run(command: &Command, settings: &Settings) -> anyhow::Result<ExitCode> {
    let ring = Arc::new(KeyRing::load(&settings.keys)?);
    let memory = open_memory(settings).await?;
    let rules = Reading {
        payload: Payload::Either,
        envelope: settings.envelope,
    };
    let resealer = Resealer::new(memory.clone(), memory.clone(), ring.clone(), rules);
    let done = match command {
        Command::Needed { json } => needed(&resealer, &ring, *json).await,
        Command::Reseal { all, dry_run, json } => reseal(&resealer, &memory, *all, *dry_run, *json).await,
    };
    memory.close().await;
    done
}

async fn needed(resealer: &Resealer, ring: &KeyRing, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut progress = Progress::new();
    let needs = resealer
        .needs(&mut |looked| progress.tell(|| format!("{looked} notifications looked at")))
        .await?;
    drop(progress);
    match as_json {
        true => output::print_json(&needs_json(&needs, ring)),
        false => output::print(&shown(&needs, ring)),
    }
    let is_there = |key: &String| ring.keys().iter().any(|held| held.spki_sha256() == key);
    let missing: u64 = needs
        .keys
        .iter()
        .filter(|(key, _)| !is_there(key))
        .map(|(_, need)| need.needed)
        .sum();
    if needs.unopened + missing == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(format_args!(
        "{} open entries of quarantine and {missing} bodies with current numbers are opened by none of the configured keys",
        needs.unopened
    ));
    Ok(ExitCode::from(NOT_WELL))
}

/// Every key that is configured or needed: the oldest first, then those that are not configured any more.
fn lines<'n>(needs: &'n Needs, ring: &'n KeyRing) -> Vec<(&'n str, String, Need)> {
    let held = ring.keys().iter().map(|key| {
        let need = needs.keys.get(key.spki_sha256()).copied().unwrap_or_default();
        let newest = key.spki_sha256() == ring.newest().spki_sha256();
        let what = if newest { "newest" } else { "older" };
        (key.spki_sha256(), format!("{what}, {}", key.source()), need)
    });
    let is_held = |key: &str| ring.keys().iter().any(|held| held.spki_sha256() == key);
    let gone = needs.keys.iter().filter(|(key, _)| !is_held(key));
    let gone = gone.map(|(key, need)| (key.as_str(), "not configured".to_owned(), *need));
    held.chain(gone).collect()
}

fn shown(needs: &Needs, ring: &KeyRing) -> String {
    let row = |(key, what, need): (&str, String, Need)| {
        [
            key.to_owned(),
            need.needed.to_string(),
            need.quarantine.to_string(),
            need.others.to_string(),
            what,
        ]
    };
    let rows: Vec<[String; 5]> = lines(needs, ring).into_iter().map(row).collect();
    let header = ["KEY (SPKI SHA-256)", "NEEDED", "QUARANTINE", "OTHERS", "WHICH"];
    table(header, &rows)
}

fn needs_json(needs: &Needs, ring: &KeyRing) -> Value {
    let key = |(key, what, need): (&str, String, Need)| {
        json!({
            "spki_sha256": key,
            "which": what,
            "needed": need.needed,
            "quarantine": need.quarantine,
            "others": need.others,
        })
    };
    let keys: Vec<Value> = lines(needs, ring).into_iter().map(key).collect();
    json!({ "keys": keys, "quarantine_unopened": needs.unopened })
}

async fn reseal(
    resealer: &Resealer,
    memory: &Memory,
    all: bool,
    dry_run: bool,
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let what = if all { "everything" } else { "what is needed" };
    let deed = Deed::on("keys.reseal", what);
    if !dry_run {
        memory.note(&hand(None), &deed, BEGUN).await?;
    }
    let mut progress = Progress::new();
    let mut told = |done: &Resealed| {
        progress.tell(|| format!("{} of {} notifications moved", done.notifications, done.looked));
    };
    let done = resealer.reseal(all, dry_run, &mut told).await?;
    drop(progress);
    let (notifications, quarantine, unopened) = (done.notifications, done.quarantine, done.unopened);
    if !dry_run {
        let outcome = format!("done: {notifications} notifications, {quarantine} in quarantine, {unopened} unopened");
        memory.note(&hand(None), &deed, &outcome).await?;
    }
    if as_json {
        output::print_json(&json!({
            "dry_run": dry_run,
            "notifications": notifications,
            "quarantine": quarantine,
            "unopened": unopened,
        }));
    } else {
        let verb = if dry_run { "would be" } else { "are" };
        output::print(&format!(
            "{notifications} notifications and {quarantine} entries of quarantine {verb} moved to the newest key\n"
        ));
    }
    if unopened == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(format_args!(
        "{unopened} bodies are opened by none of the configured keys, and stay as they are"
    ));
    Ok(ExitCode::from(NOT_WELL))
}
