//! `lifecycle`: what is wanted of tokens, and what became of it.
//!
//! It writes commands down, in the store that the receiver works from; a receiver that runs carries them out. Only
//! `status` asks a service by itself.

mod ask;
mod many;
mod show;
mod status;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{NOT_WELL, open_memory, output};
use crate::config::settings::Settings;
use crate::domain::command::{Action, Stage};
use crate::domain::id::{CommandId, Namespace, TokenReference};
use crate::lifecycle::ordering::{self, Written};
use crate::store::desk::Desk as _;
use crate::store::{Memory, Store as _};

/// Who asks, as commands keep it.
const ASKER: &str = "command line";

#[derive(Debug, Args)]
pub(super) struct LifecycleArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Not to be charged until you let go.
    Suspend(Change),
    /// Let go; others (the issuer) may hold on.
    Resume(Change),
    /// Gone for good; needs --yes.
    Delete(Change),
    /// Ask the service how a token stands, and show it beside what we hold.
    Status(status::Status),
    /// What was asked for, newest first.
    Commands(show::List),
    /// Take back what waits for another operator's approval.
    Withdraw {
        /// Its id.
        id: CommandId,
    },
    /// One command, with each step that it took.
    Show {
        /// Its id.
        id: CommandId,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

/// One token, or many.
#[derive(Debug, Args)]
struct Change {
    /// The token's reference.
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    reference: Option<String>,
    #[command(flatten)]
    how: How,
    /// Do it: a deletion, or what stands in --from.
    #[arg(long)]
    yes: bool,
    /// Watch until it is confirmed, or ends otherwise: then the exit code is 1.
    #[arg(long)]
    wait: bool,
    /// Give up watching after so many seconds; the command goes on.
    #[arg(long, value_name = "SECS", requires = "wait", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait_secs: Option<u64>,
    /// The same key again finds the same command, and asks for nothing new.
    #[arg(long, value_name = "KEY", conflicts_with = "from")]
    idempotency_key: Option<String>,
    /// The tokens of a CSV file: reference, and any of namespace, token_reference_id, through, caused_by,
    /// reason_code, reason. Says what it would do, unless --yes. `-` is standard input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// What this run is called: the same file in another batch is asked for anew.
    #[arg(long, value_name = "NAME", default_value = "", requires = "from")]
    batch: String,
    /// Wait while so many commands are open.
    #[arg(long, default_value_t = 100, value_name = "COUNT", requires = "from",
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    open_max: u32,
}

/// What is said of it besides.
#[derive(Debug, Args)]
struct How {
    /// tokenex or mdes.
    #[arg(long)]
    through: Option<String>,
    /// Whose reference it is: mdes or tokenex.
    #[arg(long)]
    namespace: Option<String>,
    /// Which network token of a TokenEx token.
    #[arg(long, value_name = "ID")]
    token_reference_id: Option<String>,
    /// TOKEN_REQUESTOR or CARDHOLDER.
    #[arg(long, value_name = "WORD")]
    caused_by: Option<String>,
    /// OTHER, SUSPECTED_FRAUD …
    #[arg(long, value_name = "WORD")]
    reason_code: Option<String>,
    /// For people; card numbers are masked.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Send it even if it cannot work.
    #[arg(long)]
    force: bool,
}

impl How {
    fn written(&self, action: Action) -> Written {
        Written {
            action: action.as_str().to_owned(),
            through: self.through.clone(),
            namespace: self.namespace.clone(),
            token_reference_id: self.token_reference_id.clone(),
            caused_by: self.caused_by.clone(),
            reason_code: self.reason_code.clone(),
            reason: self.reason.clone(),
            force: self.force,
            confirm: None,
        }
    }
}

impl Change {
    /// For how long a command is watched: a little longer than it is waited for.
    fn patience(&self, settings: &Settings) -> Duration {
        const MORE: Duration = Duration::from_mins(1);
        let chosen = self.wait_secs.map(Duration::from_secs);
        chosen.unwrap_or(settings.lifecycle.desk.confirm_within + MORE)
    }
}

pub(super) async fn run(args: &LifecycleArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = match &args.command {
        Command::Suspend(change) => ask::run(Action::Suspend, change, settings, &memory).await,
        Command::Resume(change) => ask::run(Action::Resume, change, settings, &memory).await,
        Command::Delete(change) => ask::run(Action::Delete, change, settings, &memory).await,
        Command::Status(args) => status::run(args, settings, &memory).await,
        Command::Commands(args) => show::list(args, &memory).await,
        Command::Withdraw { id } => withdraw(*id, &memory).await,
        Command::Show { id, json } => show::one(*id, *json, &memory).await,
    };
    memory.close().await;
    done
}

/// A crash before it is written leaves the command waiting.
async fn withdraw(id: CommandId, memory: &Memory) -> anyhow::Result<ExitCode> {
    if memory.withdraw(id, ASKER).await? {
        output::print("withdrawn: it is refused, and nothing is sent\n");
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(format_args!(
        "no command {id} waits for approval: `mdes-receiver lifecycle show {id}` says how it stands"
    ));
    Ok(ExitCode::from(NOT_WELL))
}

/// A token as a person reads it: TokenEx's by its end, since it may look like a card's number.
fn shown(token: &TokenReference) -> String {
    match token.namespace {
        Namespace::Mdes => token.to_string(),
        Namespace::TokenEx => format!("····{}", ordering::confirmation(token)),
    }
}

fn stage(word: &str) -> Result<Stage, String> {
    let words = || Stage::ALL.iter().map(|stage| stage.as_str()).collect::<Vec<_>>();
    Stage::parse(word).ok_or_else(|| format!("must be one of {}", words().join(", ")))
}
