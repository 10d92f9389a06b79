//! `deploy/` and the documents for who runs it: read by the programs that will read them, and held against ours.

mod alerts;
mod compose;
mod dashboard;
mod kubernetes;
mod metrics;
mod threats;
mod unit;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mdes_receiver::config;
use mdes_receiver::config::settings::Settings;
use serde_json::Value;

/// A path of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of the repository.
fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The documents of a YAML file, as Python's reader reads them.
fn yaml(name: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let read = ran(Command::new(python()).args(["-c", script]).arg(path(name)));
    serde_json::from_str(&read).expect("Python writes JSON")
}

/// The environment that `tests/run` makes.
fn python() -> std::ffi::OsString {
    std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run NAME` runs one test with the Python environment that it makes",
    )
}

/// Runs a program that must be there and must be content; gives what it printed.
fn ran(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; `tests/run` installs what is needed"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}{complaint}");
    said
}

/// A configuration of the repository, resolved, with this store.
fn configured(name: &str, store: &str) -> Settings {
    let env = [("STORE_URL".to_owned(), store.to_owned())];
    config::load(Some(&path(name)), &[], env).unwrap_or_else(|error| panic!("{name}: {error}"))
}
