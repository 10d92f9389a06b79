//! `notifications`: what Mastercard sent, and what came of it; never its body.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::{self, pairs, table, time};
use super::{NOT_WELL, open_memory};
use crate::config::settings::Settings;
use crate::domain::id::NotificationId;
use crate::domain::status::Status;
use crate::store::search::{Head, Search as _};
use crate::store::{KeptStatement, Memory, Store as _};

#[derive(Debug, Args)]
pub(super) struct NotificationsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Newest first.
    List {
        /// Go on after this one.
        #[arg(long, value_name = "ID")]
        after: Option<NotificationId>,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// One of them, with what it said of which token, and what came of that.
    Show {
        /// Its id.
        id: NotificationId,
        /// For programs.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: &NotificationsArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = match &args.command {
        Command::List { after, limit, json } => list(&memory, *after, *limit, *json).await,
        Command::Show { id, json } => show(&memory, *id, *json).await,
    };
    memory.close().await;
    done
}

async fn list(memory: &Memory, after: Option<NotificationId>, limit: u32, as_json: bool) -> anyhow::Result<ExitCode> {
    let heads = memory.heads(after, limit).await?;
    if as_json {
        output::print_json(&heads.iter().map(Head::shown).collect());
        return Ok(ExitCode::SUCCESS);
    }
    let row = |head: &Head| {
        [
            head.id.to_string(),
            time(Some(head.received_at)),
            head.request_id.clone(),
            head.peer.name.clone(),
            head.repeats.to_string(),
        ]
    };
    let rows: Vec<[String; 5]> = heads.iter().map(row).collect();
    output::print(&table(["ID", "RECEIVED", "REQUEST", "PEER", "REPEATS"], &rows));
    if let Some(last) = heads.last().filter(|_| heads.len() >= limit as usize) {
        output::print(&format!("there may be more: --after {}\n", last.id));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(memory: &Memory, id: NotificationId, as_json: bool) -> anyhow::Result<ExitCode> {
    let Some(head) = memory.head(id).await? else {
        output::tell(format_args!(
            "no notification {id}: `mdes-receiver notifications list` shows those that there are"
        ));
        return Ok(ExitCode::from(NOT_WELL));
    };
    let statements = memory.statements_in(id).await?;
    if as_json {
        let mut shown = head.shown();
        shown["statements"] = statements
            .iter()
            .map(KeptStatement::shown)
            .collect::<Vec<Value>>()
            .into();
        output::print_json(&shown);
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<[String; 4]> = statements.iter().map(row).collect();
    let said = table(["TOKEN", "STATUS", "NETWORK TIME", "WHAT CAME OF IT"], &rows);
    output::print(&format!("{}\n{said}", pairs(&told(&head))));
    Ok(ExitCode::SUCCESS)
}

fn told(head: &Head) -> Vec<(&'static str, String)> {
    let flags: Vec<&str> = head.flags.iter().map(|flag| flag.as_str()).collect();
    vec![
        ("notification", head.id.to_string()),
        ("request", head.request_id.clone()),
        ("received", time(Some(head.received_at))),
        ("peer", format!("{} from {}", head.peer.name, head.peer.address)),
        ("bytes", head.sealed_bytes.to_string()),
        ("key", head.key.clone()),
        ("repeats", head.repeats.to_string()),
        ("flags", flags.join(" ")),
    ]
}

fn row(statement: &KeptStatement) -> [String; 4] {
    [
        statement.token.shown(),
        statement.status.as_ref().map_or_else(output::dash, Status::to_string),
        time(statement.status_at),
        statement.verdict.sentence().to_owned(),
    ]
}
