//! What the structs and the example must agree on; the sentences are in `tests/it/operator.rs`.

use std::collections::BTreeSet;

use super::{file, shape};

const EXAMPLE: &str = include_str!("../../config/example.toml");

#[test]
fn every_key_stands_in_the_example_and_every_key_of_the_example_is_known() {
    let known: BTreeSet<String> = shape::of::<file::File>().keys().into_iter().collect();
    assert!(
        known.contains("callback.tls.peers[].names"),
        "the shape is read: {known:?}"
    );
    assert_eq!(keys_of(&uncommented(EXAMPLE)), known);
}

/// With the keys that are only there if wanted.
fn uncommented(example: &str) -> String {
    let is_key = |line: &str| line.starts_with(|c: char| c == '[' || c.is_ascii_lowercase());
    let lines = example.lines();
    let lines = lines.map(|line| line.strip_prefix('#').filter(|rest| is_key(rest)).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn keys_of(text: &str) -> BTreeSet<String> {
    let file = ::config::File::from_str(text, ::config::FileFormat::Toml);
    let parsed = ::config::Config::builder()
        .add_source(file)
        .build()
        .expect("the example is TOML");
    let mut keys = BTreeSet::new();
    collect(parsed.cache, "", &mut keys);
    keys
}

fn collect(value: ::config::Value, at: &str, keys: &mut BTreeSet<String>) {
    match value.kind {
        ::config::ValueKind::Table(table) => {
            for (name, value) in table {
                let key = if at.is_empty() { name } else { format!("{at}.{name}") };
                collect(value, &key, keys);
            }
        }
        ::config::ValueKind::Array(items)
            if items
                .iter()
                .any(|item| matches!(item.kind, ::config::ValueKind::Table(_))) =>
        {
            items
                .into_iter()
                .for_each(|item| collect(item, &format!("{at}[]"), keys));
        }
        _ => {
            keys.insert(at.to_owned());
        }
    }
}
