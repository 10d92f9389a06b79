//! Sessions of the command line, as somebody would have them: `tests/transcripts/*.md`, played against the program.
//!
//! What stands there is what is printed, on both databases. `UPDATE_TRANSCRIPTS=1` writes what is printed now in the place
//! of what is not any more; `tests/transcripts/README.md` says how one is written.

mod page;
mod placeholders;
mod stage;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use mdes_receiver::cli::Cli;

use self::page::{Page, Part};
use self::placeholders::{Placeholders, plain};
use self::stage::Stage;
use crate::support::Database;

promises!(
    the_first_day,
    on_call_at_three,
    what_could_not_be_used,
    a_destination_that_fails,
    a_new_key,
    what_is_old_and_what_must_go,
    suspending_and_resuming,
    asking_the_network,
);

/// Commands that run until they are stopped: other tests hold what they print.
const ELSEWHERE: [(&str, &str); 3] = [
    ("serve", "program::signals"),
    ("dev", "program::dev"),
    ("simulate services", "simulator::services"),
];

async fn the_first_day(database: Database) {
    played("the-first-day", database).await;
}

async fn on_call_at_three(database: Database) {
    played("on-call-at-three", database).await;
}

async fn what_could_not_be_used(database: Database) {
    played("what-could-not-be-used", database).await;
}

async fn a_destination_that_fails(database: Database) {
    played("a-destination-that-fails", database).await;
}

async fn a_new_key(database: Database) {
    played("a-new-key", database).await;
}

async fn what_is_old_and_what_must_go(database: Database) {
    played("what-is-old-and-what-must-go", database).await;
}

async fn suspending_and_resuming(database: Database) {
    played("suspending-and-resuming", database).await;
}

async fn asking_the_network(database: Database) {
    played("asking-the-network", database).await;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

/// Plays it from its first line to its last, and compares what is printed with what stands there.
async fn played(name: &str, database: Database) {
    let file = folder().join(format!("{name}.md"));
    let may_write = std::env::var_os("UPDATE_TRANSCRIPTS").is_some() && database.url().starts_with("sqlite");
    let mut page = Page::read(&file);
    let mut stage = Stage::over(database).await;
    let mut placeholders = Placeholders::new(&stage.folder());
    let mut wrong = Vec::new();
    for part in &mut page.parts {
        match part {
            Part::Prose(_) => {}
            Part::Direction(direction) => stage.follow(direction).await,
            Part::File { name, text } => fs::write(stage.folder().join(name), text).expect("a file is written"),
            Part::Typed { command, printed } => {
                let now = placeholders.of(&stage.typed(&placeholders.filled(command)).await);
                if plain(&now) != plain(printed) {
                    wrong.push(format!("$ {command}\n--- stands there\n{printed}--- is printed\n{now}"));
                    *printed = now;
                }
            }
        }
    }
    if may_write {
        fs::write(&file, page.written()).expect("the page is written");
        return;
    }
    assert!(wrong.is_empty(), "{name}.md:\n{}", wrong.join("\n"));
}

/// Every command that can be typed, by its words.
fn commands() -> BTreeSet<String> {
    fn below(command: &clap::Command, words: &str, all: &mut BTreeSet<String>) {
        for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
            let words = format!("{words} {}", one.get_name()).trim().to_owned();
            if !one.is_subcommand_required_set() {
                all.insert(words.clone());
            }
            below(one, &words, all);
        }
    }
    let mut all = BTreeSet::new();
    below(&Cli::command(), "", &mut all);
    all
}

fn pages() -> Vec<(String, Page)> {
    let files = fs::read_dir(folder())
        .expect("the transcripts")
        .map(|file| file.expect("a file").path());
    let files = files.filter(|file| !file.ends_with("README.md"));
    files
        .map(|file| {
            (
                file.file_stem().expect("a name").to_string_lossy().into_owned(),
                Page::read(&file),
            )
        })
        .collect()
}

#[test]
fn every_command_stands_in_a_transcript() {
    let typed = pages().iter().flat_map(|(_, page)| page.commands()).collect::<Vec<_>>();
    // `tokens` is `token`, and settings stand before a command.
    let typed = typed.join(" \n ").replace(" tokens ", " token ");
    let is_typed = |words: &str| typed.contains(&format!(" {words} "));
    let is_elsewhere = |words: &str| ELSEWHERE.iter().any(|(command, _)| *command == words);
    let missing: Vec<String> = commands()
        .into_iter()
        .filter(|words| !is_elsewhere(words) && !is_typed(words))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_transcript_is_played() {
    let text = include_str!("transcripts.rs");
    let unplayed: Vec<String> = pages()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| !text.contains(&format!("played(\"{name}\", database)")))
        .collect();
    assert_eq!(unplayed, Vec::<String>::new());
}
