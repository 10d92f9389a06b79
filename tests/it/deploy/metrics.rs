//! The list of metrics, as `src/telemetry.rs` writes it down, and what queries ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::{path, text};

/// The series of every metric in the list: a counter's `_total`, a histogram's three, a gauge's own.
pub fn series() -> BTreeSet<String> {
    let list = text("src/telemetry.rs");
    let kinds: BTreeMap<&str, &str> = list.lines().filter_map(kind).collect();
    let registered = list.split("register(").skip(1).filter_map(|call| {
        let (call, _) = call.split_once(");")?;
        let name = call.trim_start().strip_prefix('"')?.split('"').next()?;
        let field = call.rsplit_once(".clone()")?.0.rsplit('.').next()?;
        let ends: &[&str] = match *kinds.get(field)? {
            "Counter" => &["_total"],
            "Histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        Some(ends.iter().map(move |end| format!("mdes_receiver_{name}{end}")))
    });
    let series: BTreeSet<String> = registered.flatten().collect();
    assert!(series.len() >= 20, "the list reads otherwise than it did: {series:?}");
    series
}

/// `breaker: Family<To, Gauge>,` is a gauge's line.
fn kind(line: &str) -> Option<(&str, &str)> {
    let (field, kind) = line.trim().strip_suffix(',')?.split_once(": ")?;
    let kind = kind.trim_end_matches('>').rsplit([' ', '<']).next()?;
    ["Counter", "Gauge", "Histogram"]
        .contains(&kind)
        .then_some((field, kind))
}

/// The series of ours that a query names.
pub fn asked(query: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = query.split(|c| !is_name(c));
    let ours = words.filter(|word| word.starts_with("mdes_receiver_"));
    ours.map(ToOwned::to_owned).collect()
}

/// Fails unless each series of the query is in the list, and each word that it asks for is one that the program says.
pub fn hold(query: &str) {
    let (series, asked) = (series(), asked(query));
    assert!(asked.is_subset(&series), "not in the list of metrics: {query}");
    let said = sources(&path("src"));
    for word in words(query) {
        assert!(said.contains(&format!("\"{word}\"")), "nobody says {word:?}: {query}");
    }
}

/// The values of the labels that are words of the program's own.
fn words(query: &str) -> impl Iterator<Item = &str> {
    let quoted = query.split('"').collect::<Vec<_>>();
    let pairs: Vec<(&str, &str)> = quoted.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let ours = pairs.into_iter().filter(|(before, _)| {
        let label = before.trim_end_matches(['=', '~', '!']).rsplit(['{', ' ', ',']).next();
        label.is_some_and(|label| ["outcome", "end", "action", "service"].contains(&label))
    });
    ours.flat_map(|(_, words)| words.split('|'))
}

/// All Rust sources under this folder.
pub fn sources(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).expect("a folder of sources");
    let texts = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path)
        } else {
            std::fs::read_to_string(path).expect("a source file")
        }
    });
    texts.collect()
}
