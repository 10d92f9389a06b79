//! `token`, or `tokens`: what is known of a token, and how it came to be known; and what the merchant knows of its own.

mod erase;
mod export;
mod import;
mod json;
mod list;
mod told;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{NOT_WELL, open_memory, output};
use crate::config::settings::Settings;
use crate::domain::id::{Namespace, TokenReference};
use crate::store::joined::{Joined, joined};
use crate::store::outbox::Standing;
use crate::store::search::{CALLED_MAX, Search as _};
use crate::store::{Memory, SharedStore, Store as _};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mdes-receiver token show DWSPMC000000000132d72d4fcb2f4136a0532d3093ff1a45
  mdes-receiver token show --namespace tokenex 476120FDallZ7718
  mdes-receiver token list --limit 20
  mdes-receiver token list --suffix 1209
  mdes-receiver token list --status SUSPENDED --since 2026-11-22T10:00:00Z
  mdes-receiver token list --json | jq '.[] | select(.provisional)'
  mdes-receiver tokens import our-tokens.csv --dry-run
  mdes-receiver token erase card-4711 --dry-run")]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One token: its status, its data, what changed it, and everything that was heard of it.
    Show {
        /// Its tokenUniqueReference; with --namespace tokenex, TokenEx's token.
        reference: String,
        /// Whose reference it is: mdes or tokenex.
        #[arg(long, default_value = "mdes", value_parser = namespace)]
        namespace: Namespace,
        /// For programs.
        #[arg(long)]
        json: bool,
        /// How many changes and how many statements at most: the newest.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// Tokens in the order of their references; or those that fit, with a status or a time the newest first.
    List(list::List),
    /// Register the tokens that you made, with your own reference for the card or customer: every event then carries it.
    Import(import::Import),
    /// Erase everything that is held of a token, or of all that your reference names: all of it or nothing.
    Erase(erase::Erase),
    /// Everything that is held of a token, or of all that your reference names: one JSON object a line.
    Export(export::Export),
}

pub(super) async fn run(args: &TokenArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let store: SharedStore = memory.clone();
    let done = match &args.command {
        Command::Show {
            reference,
            namespace,
            json,
            limit,
        } => {
            let reference = TokenReference {
                namespace: *namespace,
                reference: reference.clone(),
            };
            let links = joined(&*store, &*memory, &reference, settings.lifecycle.authority).await?;
            show(&store, &reference, &links, *json, *limit).await
        }
        Command::List(args) => list::run(args, &memory).await,
        Command::Import(args) => import::run(args, &*memory).await,
        Command::Erase(args) => erase::run(args, &memory).await,
        Command::Export(args) => export::run(args, &memory).await,
    };
    memory.close().await;
    done
}

/// All tokens that somebody's word names; `None`, once it is said why: there are none, or too many to be held together.
async fn called(memory: &Memory, namespace: Namespace, reference: &str) -> anyhow::Result<Option<Vec<Standing>>> {
    let found = memory.called(namespace, reference).await?;
    let token = TokenReference {
        namespace,
        reference: reference.to_owned(),
    };
    if found.is_empty() {
        never_heard_of(&token);
        return Ok(None);
    }
    if found.len() > CALLED_MAX {
        let shown = output::escaped(&token.shown());
        output::tell(format_args!(
            "{shown} names more than {CALLED_MAX} tokens: take them by their own references"
        ));
        return Ok(None);
    }
    Ok(Some(found))
}

/// TokenEx's name of a token may look like a card's number, and is shown by its end alone.
pub(super) fn never_heard_of(token: &TokenReference) {
    let token = output::escaped(&token.shown());
    output::tell(format_args!(
        "token {token} was never heard of: `mdes-receiver token list` shows those that were"
    ));
}

fn namespace(word: &str) -> Result<Namespace, String> {
    Namespace::parse(word).ok_or_else(|| "write mdes or tokenex".to_owned())
}

async fn show(
    store: &SharedStore,
    reference: &TokenReference,
    links: &[Joined],
    as_json: bool,
    limit: u32,
) -> anyhow::Result<ExitCode> {
    let Some(kept) = store.token(reference).await? else {
        never_heard_of(reference);
        return Ok(ExitCode::from(NOT_WELL));
    };
    let before = kept.token.sequence.saturating_sub(u64::from(limit));
    let transitions = store.transitions(reference, before, limit).await?;
    let statements = store.statements(reference, limit).await?;
    if as_json {
        output::print_json(&json::story(&kept, links, &transitions, &statements));
    } else {
        output::print(&told::story(&kept, links, &transitions, &statements));
    }
    Ok(ExitCode::SUCCESS)
}
