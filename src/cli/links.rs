//! `links`: which names of MDES and of TokenEx are of one token.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use csv::StringRecord;
use serde_json::json;

use super::progress::Progress;
use super::{NOT_WELL, misuse, open_memory, output, rows};
use crate::config::settings::Settings;
use crate::domain::id::TokenReference;
use crate::store::desk::{Desk as _, Link};
use crate::store::linked::Written;
use crate::store::{self, Memory, Store as _};

const COLUMNS: [&str; 3] = ["token_unique_reference", "tokenex_token", "token_reference_id"];
const CHUNK: usize = 1_000;
const TRIES_MAX: u32 = 5;

#[derive(Debug, Args)]
pub(super) struct LinksArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Join the names of a CSV file; those that are joined already stay as they are.
    Import {
        /// CSV with a header line: token_unique_reference, tokenex_token, and token_reference_id if there are any.
        /// `-` is standard input.
        file: PathBuf,
        /// Read and check everything, join nothing.
        #[arg(long)]
        dry_run: bool,
    },
    /// Join the names of one token.
    Add {
        /// MDES's name.
        #[arg(long, value_name = "NAME")]
        token_unique_reference: String,
        /// TokenEx's name.
        #[arg(long, value_name = "NAME")]
        tokenex_token: String,
        /// Which network token of TokenEx's.
        #[arg(long, value_name = "ID")]
        token_reference_id: Option<String>,
    },
    /// All links, in the order of their names.
    List {
        /// Only those of this token of MDES's.
        #[arg(long, value_name = "REFERENCE")]
        token: Option<String>,
        /// For programs: one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Take one link away.
    Remove {
        /// MDES's name.
        #[arg(long, value_name = "NAME")]
        token_unique_reference: String,
        /// TokenEx's name.
        #[arg(long, value_name = "NAME")]
        tokenex_token: String,
        /// Which network token of TokenEx's.
        #[arg(long, value_name = "ID")]
        token_reference_id: Option<String>,
    },
}

pub(super) async fn run(args: &LinksArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let memory = open_memory(settings).await?;
    let done = match &args.command {
        Command::Import { file, dry_run } => import(file.clone(), *dry_run, &memory).await,
        Command::Add {
            token_unique_reference,
            tokenex_token,
            token_reference_id,
        } => {
            let written = Written {
                token_unique_reference: token_unique_reference.clone(),
                tokenex_token: tokenex_token.clone(),
                token_reference_id: token_reference_id.clone(),
            };
            add(written, &memory).await
        }
        Command::List { token: None, json } => list(*json, &memory).await,
        Command::List {
            token: Some(token),
            json,
        } => {
            let links = memory.links_of(&TokenReference::mdes(token)).await?;
            print(&links, *json);
            Ok(ExitCode::SUCCESS)
        }
        Command::Remove {
            token_unique_reference,
            tokenex_token,
            token_reference_id,
        } => {
            let link = Link {
                token_unique_reference: token_unique_reference.clone(),
                tokenex_token: tokenex_token.clone(),
                token_reference_id: token_reference_id.clone(),
            };
            remove(&link, &memory).await
        }
    };
    memory.close().await;
    done
}

/// A thousand at a time: a crash leaves whole thousands joined, and the same file again changes nothing of them.
async fn import(file: PathBuf, dry_run: bool, memory: &Memory) -> anyhow::Result<ExitCode> {
    let mut reader = rows::open(&file)?;
    let required = ["token_unique_reference", "tokenex_token"];
    let header = rows::header(&mut reader, &COLUMNS, &required)?;
    let (mut record, mut chunk) = (StringRecord::new(), Vec::with_capacity(CHUNK));
    let (mut read, mut new) = (0, 0);
    let (mut wrong, mut progress) = (rows::Wrong::default(), Progress::new());
    loop {
        let line = reader.position().line();
        let checked = match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => checked(&record, &header),
            Err(error) if error.is_io_error() => return Err(error).context("the file cannot be read on"),
            Err(error) => Err(rows::broken(&error).to_owned()),
        };
        match checked {
            Ok(link) => chunk.push(link),
            Err(why) => wrong.tell(record.position().map_or(line, csv::Position::line), &why),
        }
        if chunk.len() == CHUNK {
            (read, new) = (read + CHUNK, new + joined(&mut chunk, dry_run, memory).await?);
            progress.tell(|| format!("{read} lines"));
        }
    }
    (read, new) = (read + chunk.len(), new + joined(&mut chunk, dry_run, memory).await?);
    drop(progress);
    let left_out = match wrong.count {
        0 => String::new(),
        wrong => format!("; {wrong} wrong, left out"),
    };
    output::print(&match dry_run {
        true => format!("{read} would be joined{left_out}\n"),
        false => format!("{read} joined: {new} new, {} before{left_out}\n", read as u64 - new),
    });
    Ok(if wrong.count == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(NOT_WELL)
    })
}

fn checked(record: &StringRecord, header: &StringRecord) -> Result<Link, String> {
    let written = record.deserialize::<Written>(Some(header));
    let written = written.map_err(|error| rows::broken(&error).to_owned())?;
    written.checked().map_err(|unfit| unfit.to_string())
}

/// A deadlock with the receiver beside it is no reason to give up.
async fn joined(chunk: &mut Vec<Link>, dry_run: bool, memory: &Memory) -> Result<u64, store::Error> {
    let links = std::mem::take(chunk);
    if dry_run || links.is_empty() {
        return Ok(0);
    }
    for _ in 1..TRIES_MAX {
        match memory.link(&links).await {
            Err(store::Error::Conflict(_)) => {}
            done => return done,
        }
    }
    memory.link(&links).await
}

async fn list(as_json: bool, memory: &Memory) -> anyhow::Result<ExitCode> {
    let mut after: Option<Link> = None;
    loop {
        let links = memory.links(after.as_ref(), CHUNK as u32).await?;
        print(&links, as_json);
        match links.into_iter().last() {
            Some(last) => after = Some(last),
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn print(links: &[Link], as_json: bool) {
    for link in links {
        output::print(&match as_json {
            true => output::json_line(&json!(link)),
            false => line(link),
        });
    }
}

/// A crash before the commit joins nothing.
async fn add(written: Written, memory: &Memory) -> anyhow::Result<ExitCode> {
    let link = written.checked().map_err(misuse)?;
    let new = memory.link(&[link]).await?;
    output::print(if new == 1 { "joined\n" } else { "joined already\n" });
    Ok(ExitCode::SUCCESS)
}

fn line(link: &Link) -> String {
    let id = link.token_reference_id.as_deref().unwrap_or("-");
    let parts = [&link.token_unique_reference, &link.tokenex_token, id];
    format!("{}\n", parts.map(output::escaped).join("  "))
}

async fn remove(link: &Link, memory: &Memory) -> anyhow::Result<ExitCode> {
    if memory.unlink(link).await? {
        output::print("removed\n");
        return Ok(ExitCode::SUCCESS);
    }
    output::tell("these names are not joined: `mdes-receiver links list` shows those that are");
    Ok(ExitCode::from(NOT_WELL))
}
