//! What the README and the documents for who runs it say can be typed, read and asked.

use std::path::Path;
use std::process::Command;

use clap::Parser;
use mdes_receiver::cli::Cli;

use crate::support::Database;

const README: &str = include_str!("../../../README.md");
/// Those beside it, by their paths.
const DOCUMENTS: [&str; 7] = [
    "deploy/balancers/README.md",
    "docs/cli.md",
    "docs/onboarding.md",
    "docs/operations.md",
    "docs/pci.md",
    "docs/runbook.md",
    "docs/security.md",
];

promises!(its_questions_to_the_database_are_good_ones);

#[test]
fn each_of_its_commands_is_one_that_the_program_knows() {
    let commands = commands("README.md", README);
    assert!(commands >= 7, "only {commands} commands were found");
}

#[test]
fn each_command_of_the_documents_beside_it_is_one_that_the_program_knows() {
    let commands: usize = DOCUMENTS.iter().map(|name| commands(name, &document(name))).sum();
    assert!(commands >= 20, "only {commands} commands were found");
}

/// Fails at a line of a shell block that is no command of ours; how many there are.
fn commands(name: &str, text: &str) -> usize {
    let mut commands = 0;
    for line in code(text, "sh").flat_map(str::lines) {
        let words = words(line);
        let typed = match &words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["tests/run"] => continue,
            ["mdes-receiver", ..] => words,
            ["cargo", "run", "--release", "--", arguments @ ..] => {
                let arguments = arguments.iter().map(ToString::to_string);
                std::iter::once("mdes-receiver".to_owned()).chain(arguments).collect()
            }
            _ => panic!("nobody tries this line of {name}: {line}"),
        };
        if let Err(error) = Cli::try_parse_from(typed) {
            panic!("{name}: {line}\n{error}");
        }
        commands += 1;
    }
    commands
}

/// As a shell splits the line, up to where its output goes.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" > ").next().unwrap_or_default();
    let script = format!("set -- {line}\nprintf '%s\\0' \"$@\"");
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    assert!(output.status.success(), "a shell does not read {line}");
    let words = String::from_utf8(output.stdout).expect("documents are UTF-8");
    words
        .split_terminator('\0')
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect()
}

fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn each_file_that_it_names_is_there() {
    let linked = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let quoted = README.split('`').skip(1).step_by(2).filter(|words| {
        let folders = ["src/", "tests/", "config/", "migrations/", "benches/", ".ci/"];
        folders.iter().any(|folder| words.starts_with(folder))
    });
    let named: Vec<&str> = linked.filter(|to| !to.starts_with("http")).chain(quoted).collect();
    assert!(named.contains(&"config/example.toml"), "{named:?}");
    for file in named.into_iter().chain(["tests/run"]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file.split('#').next().unwrap_or_default());
        assert!(path.exists(), "the README names {file}");
    }
}

#[test]
fn each_link_of_the_documents_beside_it_leads_somewhere() {
    for name in DOCUMENTS {
        let text = document(name);
        let folder = Path::new(name).parent().expect("they are in a folder");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|to| !to.starts_with("http")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                Path::new(name).to_owned()
            } else {
                folder.join(file)
            };
            let target = target.to_str().expect("UTF-8").to_owned();
            let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).exists();
            assert!(is_there, "{name} leads to {link}");
            let is_said = |line: &str| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading;
            assert!(
                heading.is_empty() || document(&target).lines().any(is_said),
                "{name} leads to {link}"
            );
        }
    }
}

async fn its_questions_to_the_database_are_good_ones(database: Database) {
    let mut asked = 0;
    for question in code(README, "sql") {
        database.execute(question).await;
        asked += 1;
    }
    assert!(asked >= 1, "none was found");
}

/// A text's code blocks of this language.
fn code<'t>(text: &'t str, language: &str) -> impl Iterator<Item = &'t str> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// A heading's anchor, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    let kept: String = heading.to_lowercase().chars().filter(kept).collect();
    kept.replace(' ', "-")
}
