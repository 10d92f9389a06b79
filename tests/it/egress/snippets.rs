//! The snippets of `docs/webhooks.md` as they stand there, run against requests that we really sent, by the
//! libraries of Standard Webhooks.

mod believed;

use std::ffi::OsString;
use std::path::Path;

use assert_cmd::Command;
use axum::http::{HeaderMap, HeaderName};
use mdes_receiver::clock::SystemClock;
use mdes_receiver::delivery::webhook::Webhook;
use mdes_receiver::delivery::{Destination as _, Outgoing, Sent, signature};
use mdes_receiver::domain::masked::Secret;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::sink::{Says, Sink, answer};
use super::{BODY, SECRET, egress, outgoing, webhook};

const DOCS: &str = include_str!("../../../docs/webhooks.md");
const NAMES: [&str; 3] = [signature::ID, signature::TIMESTAMP, signature::SIGNATURE];

/// A request as it came, its body altered, under another secret, and one that is ten minutes old.
const EXPECTED: [&str; 4] = ["taken", "refused", "refused", "refused"];

#[tokio::test]
async fn the_python_snippet_tells_ours_from_others() {
    let python = required("MDES_RECEIVER_TEST_PYTHON");
    let harness = include_str!("../../webhooks/check.py");
    assert_eq!(said(&python, "python", harness, &[]).await, EXPECTED);
}

#[tokio::test]
async fn the_javascript_snippet_tells_ours_from_others() {
    let modules = required("MDES_RECEIVER_TEST_NODE_MODULES");
    let harness = include_str!("../../webhooks/check.js");
    let words = said("node".as_ref(), "javascript", harness, &[("NODE_PATH", modules)]).await;
    assert_eq!(words, EXPECTED);
}

#[tokio::test]
async fn the_rust_snippet_tells_ours_from_others() {
    assert_eq!(
        snippet("rust"),
        include_str!("snippets/believed.rs"),
        "docs and test must be the same"
    );
    let believed = |request: &Value| {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let header = |name: &str| (name.parse::<HeaderName>(), text(&request["headers"][name]).parse());
        let headers: HeaderMap = NAMES
            .map(header)
            .into_iter()
            .map(|(name, value)| (name.expect("a name"), value.expect("a value")))
            .collect();
        match believed::believed(&text(&request["secret"]), &headers, text(&request["body"]).into()) {
            Ok(_) => "taken",
            Err(_) => "refused",
        }
    };
    let words: Vec<_> = requests().await.iter().map(believed).collect();
    assert_eq!(words, EXPECTED);
}

fn required(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| panic!("no {name}: `tests/run` makes what the snippets need"))
}

/// The first block of code of that language.
fn snippet(language: &str) -> &'static str {
    let (_, rest) = DOCS.split_once(&format!("```{language}\n")).expect("a snippet");
    rest.split_once("```").expect("its end").0
}

/// What the snippet says of each request.
async fn said(program: &std::ffi::OsStr, language: &str, harness: &str, env: &[(&str, OsString)]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("snippet");
    write(&script, &[snippet(language), harness].concat());
    let lines: Vec<String> = requests().await.iter().map(ToString::to_string).collect();
    let mut command = Command::new(program);
    command.arg(&script).write_stdin(lines.join("\n"));
    command.envs(env.iter().map(|(name, value)| (name, value)));
    let output = command
        .timeout(std::time::Duration::from_secs(60))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let words = String::from_utf8(output.stdout).expect("UTF-8");
    words.lines().map(str::to_owned).collect()
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("written");
}

async fn requests() -> Vec<Value> {
    let sent = sent(OffsetDateTime::now_utc()).await;
    let with = |key: &str, value: &str| {
        let mut other = sent.clone();
        other[key] = value.into();
        other
    };
    let altered = with("body", &BODY.replace("suspended", "activated"));
    let of_another = with("secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    let old = self::sent(OffsetDateTime::now_utc() - time::Duration::minutes(10)).await;
    vec![sent, altered, of_another, old]
}

/// What an endpoint hears of us at that time, in the middle of a rotation.
async fn sent(now: OffsetDateTime) -> Value {
    let sink = Sink::plain(Says::Raw(answer(200, "", ""))).await;
    let mut settings = webhook(&sink.http());
    for ed25519 in [false, true] {
        settings
            .secrets
            .insert(0, signature::new_secret(ed25519).expect("dice").secret);
    }
    settings.secrets.push(Secret::new(SECRET));
    let destination = Webhook::load(&settings, &egress(), std::sync::Arc::new(SystemClock)).expect("good settings");
    let sent = destination.send(&Outgoing { now, ..outgoing() }).await;
    assert!(matches!(sent, Sent::Taken(_)), "{sent:?}");
    let heard = sink.heard().remove(0);
    let headers: serde_json::Map<String, Value> = NAMES
        .iter()
        .map(|name| ((*name).to_owned(), heard.header(name).into()))
        .collect();
    let body = String::from_utf8(heard.body).expect("UTF-8");
    json!({"secret": SECRET, "headers": headers, "body": body})
}
