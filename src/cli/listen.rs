//! `listen`: live events from a running receiver, on a developer's own machine.
//!
//! It follows the admin listener's stream and goes on where it was cut off; no token number ever stands in it.
//! What it keeps is where it stands, and only in memory: a crash here forgets that, and nothing else.

mod follow;
mod forward;
mod frames;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::Value;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::follow::{Follower, Stream, Trouble};
use self::forward::{ForwardArgs, Forwarded, Forwarder};
use self::frames::Told;
use super::{NOT_WELL, misuse, output};
use crate::domain::bearer::Bearer;

const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver listen --token-file alice.token
  mdes-receiver listen --token-file alice.token --forward-to http://localhost:3000/hook --secret-file dev.secret
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
    #[command(flatten)]
    forward: ForwardArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Print {
    Line,
    Json,
}

/// Until it is interrupted, or told that it may not.
pub(super) async fn run(args: &ListenArgs) -> anyhow::Result<ExitCode> {
    let follower = Follower::new(&args.url, args.ca.as_deref(), &bearer(args)?, args.types.as_deref())?;
    let listener = Listener {
        forwarder: args.forward.open()?,
        print: args.print,
        stop: on_ctrl_c(),
        last: args.after.clone(),
    };
    Ok(listener.listen(&follower, &args.url).await)
}

struct Listener {
    forwarder: Option<Forwarder>,
    print: Print,
    stop: CancellationToken,
    /// Everything up to here was shown, and forwarded if it is to be.
    last: Option<String>,
}

/// Why a stream is read no more.
enum Ended {
    Stopped,
    Trouble(Trouble),
}

impl Listener {
    async fn listen(mut self, follower: &Follower, url: &hyper::Uri) -> ExitCode {
        let mut pause = PAUSE_MIN;
        loop {
            let ended = match self.stop.run_until_cancelled(follower.open(self.last.as_deref())).await {
                None => Ended::Stopped,
                Some(Err(trouble)) => Ended::Trouble(trouble),
                Some(Ok(mut stream)) => {
                    output::note(format_args!("listening to {url}"));
                    pause = PAUSE_MIN;
                    self.tell(&mut stream).await
                }
            };
            match ended {
                Ended::Stopped => break,
                Ended::Trouble(Trouble::Refused(why)) => {
                    output::tell(format_args!("mdes-receiver: {why}"));
                    return ExitCode::from(NOT_WELL);
                }
                Ended::Trouble(Trouble::Passing(why)) => output::note(format_args!("{why}; again in {pause:?}")),
            }
            if self.stop.run_until_cancelled(sleep(pause)).await.is_none() {
                break;
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        if let Some(last) = &self.last {
            output::tell(format_args!(
                "stopped; --after {} goes on from here",
                output::escaped(last)
            ));
        }
        ExitCode::SUCCESS
    }

    /// Hands on what comes, one after the other, until no more does.
    async fn tell(&mut self, stream: &mut Stream) -> Ended {
        loop {
            let stop = self.stop.clone();
            let told = match stop.run_until_cancelled(stream.next()).await {
                Some(Ok(told)) => told,
                other => {
                    // A sign may have moved on past what was not wanted.
                    self.last = stream.seen().or(self.last.take());
                    return match other {
                        Some(Err(trouble)) => Ended::Trouble(trouble),
                        _ => Ended::Stopped,
                    };
                }
            };
            if let Err(ended) = self.hand_on(&told).await {
                return ended;
            }
            self.last = Some(told.id);
        }
    }

    async fn hand_on(&self, told: &Told) -> Result<(), Ended> {
        let answer = match &self.forwarder {
            None => None,
            Some(forwarder) => match forwarder.forward(told, &self.stop).await {
                Forwarded::Done(answer) => Some(answer),
                Forwarded::Stopped => return Err(Ended::Stopped),
                Forwarded::Barred(why) => return Err(Ended::Trouble(Trouble::Refused(why))),
            },
        };
        show(told, answer.as_deref(), self.print);
        Ok(())
    }
}

/// Cancelled by the first Ctrl-C.
fn on_ctrl_c() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopping.cancel();
        }
    });
    stop
}

fn bearer(args: &ListenArgs) -> anyhow::Result<Bearer> {
    let text = match &args.token_file {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => std::env::var("MDES_RECEIVER_TOKEN").unwrap_or_default(),
    };
    let text = zeroize::Zeroizing::new(text);
    if text.trim().is_empty() {
        return Err(misuse(
            "no bearer token: write --token-file FILE or MDES_RECEIVER_TOKEN; `mdes-receiver operators add` makes one",
        ));
    }
    let bearer = Bearer::parse(text.trim());
    bearer.ok_or_else(|| misuse("that is no bearer token of ours: they begin with mdr_"))
}

/// One line of the event and of the answer to it. A body stands alone on standard output, and its answer beside it.
fn show(told: &Told, answer: Option<&str>, print: Print) {
    let answer = answer.map(|answer| format!("  → {answer}")).unwrap_or_default();
    match print {
        Print::Line => output::print(&format!("{}\n", output::escaped(&format!("{}{answer}", line(told))))),
        Print::Json => {
            output::print(&format!("{}\n", output::json_text(&told.data)));
            if !answer.is_empty() {
                output::tell(output::escaped(&format!("{}{answer}", line(told))));
            }
        }
    }
}

fn line(told: &Told) -> String {
    let Ok(body) = serde_json::from_str::<Value>(&told.data) else {
        return told.data.clone();
    };
    let data = |field: &str| body["data"][field].as_str().unwrap_or("-");
    format!(
        "{}  {}  {}  {}  {}",
        told.id,
        body["timestamp"].as_str().unwrap_or("-"),
        told.kind,
        data("token_unique_reference"),
        data("advice"),
    )
}
