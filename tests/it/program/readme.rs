//! What the README says can be typed, read and asked.

use std::path::Path;

use clap::Parser;
use mdes_receiver::cli::Cli;

use crate::support::Database;

const README: &str = include_str!("../../../README.md");

promises!(its_questions_to_the_database_are_good_ones);

#[test]
fn each_of_its_commands_is_one_that_the_program_knows() {
    let mut commands = 0;
    for line in code("sh").flat_map(str::lines) {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        let typed = match words[..] {
            [] | ["tests/run"] => continue,
            ["mdes-receiver", ..] => words,
            ["cargo", "run", "--release", "--", ref arguments @ ..] => [&["mdes-receiver"], arguments].concat(),
            _ => panic!("nobody tries this line of the README: {line}"),
        };
        if let Err(error) = Cli::try_parse_from(typed) {
            panic!("{line}\n{error}");
        }
        commands += 1;
    }
    assert!(commands >= 7, "only {commands} commands were found");
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

async fn its_questions_to_the_database_are_good_ones(database: Database) {
    let mut asked = 0;
    for question in code("sql") {
        database.execute(question).await;
        asked += 1;
    }
    assert!(asked >= 1, "none was found");
}

/// Its code blocks of this language.
fn code(language: &str) -> impl Iterator<Item = &'static str> {
    let blocks = README.split("```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}
