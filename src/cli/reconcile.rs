//! `reconcile`: compares what we hold with what the network says, and shows what was missed.
//!
//! It writes the wish down, in the store that the receiver works from; a receiver that runs carries it out.

mod show;
mod watch;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use time::OffsetDateTime;

use super::output::instant;
use super::{NOT_WELL, misuse, open_memory, output};
use crate::clock::new_id;
use crate::config::settings::Settings;
use crate::domain::id::{Namespace, ReconcileId};
use crate::lifecycle::ordering::Offered;
use crate::lifecycle::reconcile::Wanted;
use crate::store::{Asking as _, Memory, Store as _};

/// Who asks, as reconciles keep it.
const ASKER: &str = "command line";

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  mdes-receiver reconcile --since 2026-11-22T10:00:00Z --dry-run     what did we miss since ten?
  mdes-receiver reconcile --since 2026-11-22T10:00:00Z               put it right
  mdes-receiver reconcile gaps                                       when may something have been missed?

It asks one question a token, no faster than `lifecycle.reconcile.calls_per_second`."
)]
pub(super) struct ReconcileArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    begin: Begin,
}

#[derive(Debug, Args)]
struct Begin {
    /// Only tokens of which nothing was received since then.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<OffsetDateTime>,
    /// Only tokens of this namespace; may be repeated.
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Vec<NamespaceArg>,
    /// Look, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not watch it.
    #[arg(long)]
    detach: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NamespaceArg {
    Mdes,
    Tokenex,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All that there were, newest first.
    List {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// One, with what it found.
    Show {
        /// Its id.
        id: ReconcileId,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Watch one until it ends.
    Watch {
        /// Its id.
        id: ReconcileId,
    },
    /// End one after the page that it is at.
    Stop {
        /// Its id.
        id: ReconcileId,
    },
    /// When notifications may have been missed.
    Gaps {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// The tokens that are in doubt and asked after, those that need a person first.
    Questions {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: &ReconcileArgs, settings: &Settings, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = match &args.command {
        None => begin(&args.begin, settings, &memory, now).await,
        Some(Command::List { json }) => show::list(&memory, *json).await,
        Some(Command::Show { id, json }) => show::one(&memory, *id, *json).await,
        Some(Command::Watch { id }) => watch::shown(*id, &memory).await,
        Some(Command::Stop { id }) => stop(&memory, *id).await,
        Some(Command::Gaps { json }) => show::gaps(&memory, *json).await,
        Some(Command::Questions { json }) => show::questions(&memory, *json).await,
    };
    memory.close().await;
    done
}

async fn begin(begin: &Begin, settings: &Settings, memory: &Memory, now: OffsetDateTime) -> anyhow::Result<ExitCode> {
    let namespace = |one: &NamespaceArg| match one {
        NamespaceArg::Mdes => Namespace::Mdes,
        NamespaceArg::Tokenex => Namespace::TokenEx,
    };
    let wanted = Wanted {
        namespaces: begin.namespace.iter().map(namespace).collect(),
        since: begin.since,
        dry_run: begin.dry_run,
    };
    let id = ReconcileId(new_id(now));
    let reconcile = wanted.by(id, ASKER, &Offered::by(&settings.lifecycle), now);
    let reconcile = reconcile.map_err(|unfit| misuse(format_args!("{} {}", unfit.field, unfit.why)))?;
    memory.begin_reconcile(&reconcile, None).await?;
    if begin.detach {
        match begin.json {
            true => output::print_json(&serde_json::json!({ "id": id })),
            false => output::print(&format!("{id}\n")),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let code = watch::shown(id, memory).await?;
    show::one(memory, id, begin.json).await?;
    Ok(code)
}

async fn stop(memory: &Memory, id: ReconcileId) -> anyhow::Result<ExitCode> {
    if memory.stop_reconcile(id).await? {
        return Ok(ExitCode::SUCCESS);
    }
    match memory.reconcile(id).await? {
        Some(_) => output::tell(format_args!(
            "it has ended: `mdes-receiver reconcile show {id}` says what came of it"
        )),
        None => output::tell("no reconcile has that id: `mdes-receiver reconcile list` shows those that there are"),
    }
    Ok(ExitCode::from(NOT_WELL))
}
