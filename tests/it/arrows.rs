//! The arrows of the house: who may name whom. The table is the architecture; a new arrow is a decision.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules of ours that it may name. A later line may name only earlier ones, so that there is no circle.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("config", &["domain"]),
    ("telemetry", &["config", "domain"]),
    ("telemetry::traces", &[]),
    ("keys", &["config", "domain"]),
    ("mdes", &["config", "domain", "keys", "telemetry::traces"]),
    ("store", &["clock", "config", "domain"]),
    ("net", &["clock", "config", "domain", "telemetry"]),
    (
        "delivery",
        &[
            "clock",
            "config",
            "domain",
            "net::egress",
            "store",
            "telemetry",
            "telemetry::traces",
        ],
    ),
    ("maintenance", &["clock", "config", "store", "telemetry"]),
    ("tokenex::notice", &["domain"]),
    (
        "inbox",
        &[
            "clock",
            "domain",
            "keys",
            "mdes",
            "store",
            "telemetry::traces",
            "tokenex::notice",
        ],
    ),
    (
        "lifecycle",
        &[
            "clock",
            "config",
            "domain",
            "inbox",
            "store",
            "telemetry",
            "telemetry::traces",
        ],
    ),
    ("tokenex", &["clock", "config", "domain", "lifecycle", "net::egress"]),
    (
        "mdes::client",
        &["clock", "config", "domain", "lifecycle", "net::egress", "store"],
    ),
    (
        "inbox::batch",
        &["clock", "domain", "store", "telemetry", "telemetry::traces"],
    ),
    (
        "http",
        &[
            "clock",
            "config",
            "domain",
            "inbox",
            "lifecycle",
            "mdes::Reason",
            "mdes::answer",
            "net::lifetime",
            "net::peer",
            "store",
            "telemetry",
            "telemetry::traces",
            "tokenex::errors",
            "tokenex::wire",
        ],
    ),
    (
        "service",
        &[
            "clock",
            "config",
            "delivery",
            "domain",
            "http",
            "inbox",
            "inbox::batch",
            "keys",
            "lifecycle",
            "maintenance",
            "mdes",
            "mdes::client",
            "net",
            "store",
            "telemetry",
            "telemetry::traces",
            "tokenex",
        ],
    ),
    ("simulator", &["domain"]),
    (
        "cli",
        &[
            "clock",
            "config",
            "delivery",
            "domain",
            "inbox",
            "keys",
            "lifecycle",
            "maintenance",
            "mdes",
            "mdes::client",
            "net",
            "service",
            "simulator",
            "store",
            "telemetry",
            "tokenex",
        ],
    ),
];

#[test]
fn nobody_names_what_the_arrows_do_not_allow() {
    let wrong: Vec<String> = sources(Path::new("src"))
        .iter()
        .flat_map(|file| wrong_names(file))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_arrows_make_no_circle() {
    let mut earlier = BTreeSet::new();
    for (module, allowed) in ARROWS {
        for target in *allowed {
            let line = line_of(target).expect("a line of the table");
            assert!(earlier.contains(line), "{module} names {target}, which stands later");
        }
        earlier.insert(*module);
    }
}

#[test]
fn every_module_stands_in_the_table() {
    for file in sources(Path::new("src")) {
        let module = module_of(&file);
        let known = ["main", "lib"].contains(&module.as_str()) || allowed_for(&module).is_some();
        assert!(known, "{} has no arrows", file.display());
    }
}

/// What commands say goes out by one door, which lets nothing speak to a terminal.
#[test]
fn nobody_prints_but_the_door_for_it() {
    const WAYS: [&str; 4] = ["println!(", "print!(", "io::stdout()", "io::stderr()"];
    let door = Path::new("src/cli/output/stream.rs");
    let raw: Vec<String> = sources(Path::new("src"))
        .iter()
        .filter(|file| *file != door)
        .flat_map(|file| {
            let text = fs::read_to_string(file).expect("a source file");
            let prints =
                |line: &&str| WAYS.iter().any(|way| line.contains(way)) && !line.trim_start().starts_with("//");
            let lines: Vec<String> = text.lines().filter(prints).map(str::to_owned).collect();
            lines
                .into_iter()
                .map(|line| format!("{}: {}", file.display(), line.trim()))
        })
        .collect();
    assert_eq!(raw, Vec::<String>::new());
}

/// The house keeps its files and functions small enough to be read.
#[test]
fn no_function_is_longer_than_a_screen() {
    let long: Vec<String> = sources(Path::new("src"))
        .iter()
        .flat_map(|file| long_functions(file))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

fn wrong_names(file: &Path) -> Vec<String> {
    let module = module_of(file);
    let Some(allowed) = allowed_for(&module) else {
        return Vec::new();
    };
    let top = module.split("::").next().unwrap_or_default().to_owned();
    let text = fs::read_to_string(file).expect("a source file");
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.match_indices("crate::").map(|(at, _)| line[at + 7..].to_owned()))
        .filter(|path| {
            let named = path
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            // What has a line of its own is named by its own name: `mdes` is not `mdes::client`.
            let is_allowed = allowed
                .iter()
                .any(|target| (named == *target || path.starts_with(target)) && line_of(path) == line_of(target));
            !named.is_empty() && named != top && !is_allowed
        })
        .map(|path| format!("{}: crate::{path} (allowed: {allowed:?})", file.display()))
        .collect()
}

/// The arrows of the line that a module stands in.
fn allowed_for(module: &str) -> Option<&'static [&'static str]> {
    let line = line_of(module)?;
    ARROWS
        .iter()
        .find(|(name, _)| *name == line)
        .map(|(_, allowed)| *allowed)
}

/// The longest name in the table that a path begins with.
fn line_of(path: &str) -> Option<&'static str> {
    let begins = |name: &str| {
        let rest = path.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let names = ARROWS.iter().map(|(name, _)| *name).filter(|name| begins(name));
    names.max_by_key(|name| name.len())
}

fn module_of(file: &Path) -> String {
    let path = file.with_extension("");
    let parts: Vec<_> = path.iter().skip(1).map(|part| part.to_string_lossy()).collect();
    parts.join("::")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        match path.extension() {
            _ if path.is_dir() => found.extend(sources(&path)),
            Some(extension) if extension == "rs" => found.push(path),
            _ => {}
        }
    }
    found
}

fn long_functions(file: &Path) -> Vec<String> {
    const LINES_MAX: usize = 70;
    let text = fs::read_to_string(file).expect("a source file");
    let lines: Vec<&str> = text.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let begins = |line: &str| {
        let line = line.trim_start();
        [
            "fn ",
            "pub fn ",
            "async fn ",
            "pub async fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    };
    lines
        .iter()
        .enumerate()
        .filter(|(_, line)| begins(line))
        .filter_map(|(start, line)| {
            let body = lines[start..]
                .iter()
                .position(|line| line.trim_end().ends_with(['{', ';', '}']))?;
            if lines[start + body].trim_end().ends_with(';') {
                return None; // a promise of a trait, without a body
            }
            let end = (start..lines.len())
                .find(|&at| indent(lines[at]) == indent(line) && lines[at].trim_start().starts_with('}'))?;
            (end - start > LINES_MAX).then(|| format!("{}:{}: {} lines", file.display(), start + 1, end - start))
        })
        .collect()
}
