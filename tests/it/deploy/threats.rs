//! The threat table: each row names tests, and they are there.

use std::collections::BTreeSet;

use super::{metrics::sources, path, text};

const TABLE: &str = "docs/security.md";

#[test]
fn each_test_that_it_names_is_one() {
    let texts = [sources(&path("tests/it")), sources(&path("src"))].concat();
    let missing: Vec<String> = named()
        .into_iter()
        .filter(|name| !texts.contains(&format!("fn {name}(")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn no_row_is_without_a_test() {
    let table = text(TABLE);
    let rows = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| who | wants"));
    let unanswered: Vec<&str> = rows.filter(|row| tests_in(row).next().is_none()).collect();
    assert_eq!(unanswered, Vec::<&str>::new());
    assert!(named().len() >= 40);
}

fn named() -> BTreeSet<String> {
    let table = text(TABLE);
    table.lines().flat_map(tests_in).map(ToOwned::to_owned).collect()
}

/// Names of tests are the only words in quotes that are so long.
fn tests_in(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| word.matches('_').count() >= 3 || ["nothing_is_resumed", "a_write_is_json"].contains(word))
}
