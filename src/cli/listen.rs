//! `listen`: live events from a running receiver, on a developer's own machine.
//!
//! It follows the admin listener's stream and goes on where it was cut off; no token number ever stands in it.

mod follow;
mod frames;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio::time::sleep;

use self::follow::{Follower, Stream, Trouble};
use self::frames::Told;
use super::{NOT_WELL, output};
use crate::domain::bearer::Bearer;

const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver listen --token-file alice.token
  mdes-receiver listen --token-file alice.token --types token.suspended,token.deactivated --print json | jq .data
  mdes-receiver listen --token-file alice.token --after 0       # from the oldest event that is kept")]
pub(super) struct ListenArgs {
    /// The receiver's admin listener.
    #[arg(long, default_value = "http://127.0.0.1:9443")]
    url: hyper::Uri,
    /// The certificate authority of an https:// one, PEM.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A file with the bearer token, from `operators add`; or give it by MDES_RECEIVER_TOKEN.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Only these types: token.suspended,card.*
    #[arg(long)]
    types: Option<String>,
    /// Begin after this cursor; without one, with what happens from now on.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// One line for people, or the body for programs.
    #[arg(long, default_value = "line")]
    print: Print,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Print {
    Line,
    Json,
}

/// Until it is interrupted, or told that it may not.
pub(super) async fn run(args: &ListenArgs) -> anyhow::Result<ExitCode> {
    let follower = Follower::new(&args.url, args.ca.as_deref(), &bearer(args)?, args.types.as_deref())?;
    let mut last = args.after.clone();
    let mut pause = PAUSE_MIN;
    loop {
        let trouble = match follower.open(last.as_deref()).await {
            Ok(mut stream) => {
                eprintln!("listening to {}", args.url);
                let trouble = tell(&mut stream, args.print).await;
                if let Some(seen) = stream.seen() {
                    (last, pause) = (Some(seen), PAUSE_MIN);
                }
                trouble
            }
            Err(trouble) => trouble,
        };
        match trouble {
            Trouble::Refused(why) => {
                eprintln!("mdes-receiver: {why}");
                return Ok(ExitCode::from(NOT_WELL));
            }
            Trouble::Passing(why) => eprintln!("{why}; again in {pause:?}"),
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Prints what comes, until no more does.
async fn tell(stream: &mut Stream, print: Print) -> Trouble {
    loop {
        match stream.next().await {
            Ok(told) => show(&told, print),
            Err(trouble) => return trouble,
        }
    }
}

fn bearer(args: &ListenArgs) -> anyhow::Result<Bearer> {
    let text = match &args.token_file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => std::env::var("MDES_RECEIVER_TOKEN").unwrap_or_default(),
    };
    let text = zeroize::Zeroizing::new(text);
    ensure!(
        !text.trim().is_empty(),
        "no bearer token: write --token-file FILE or MDES_RECEIVER_TOKEN; `mdes-receiver operators add` makes one"
    );
    match Bearer::parse(text.trim()) {
        Some(bearer) => Ok(bearer),
        None => bail!("that is no bearer token of ours: they begin with mdr_"),
    }
}

fn show(told: &Told, print: Print) {
    let line = match (print, serde_json::from_str::<Value>(&told.data)) {
        (Print::Line, Ok(body)) => {
            let data = |field: &str| body["data"][field].as_str().unwrap_or("-").to_owned();
            format!(
                "{}  {}  {}  {}  {}",
                told.id,
                body["timestamp"].as_str().unwrap_or("-"),
                told.kind,
                data("token_unique_reference"),
                data("advice"),
            )
        }
        _ => told.data.clone(),
    };
    output::print(&format!("{}\n", output::escaped(&line)));
}
