//! `docs/callback.openapi.json`: a client that is generated from it alone calls the door, and understands the answers.

use std::fs::File;
use std::process::Command;

use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::http::callback::PATH;
use serde_json::{Value, json};

use super::process::{Process, Program, text};
use crate::support::Database;
use crate::world::{Desk, statement};

promises!(a_generated_client_calls_the_door);

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/callback.openapi.json");

async fn a_generated_client_calls_the_door(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    let answers = called(&desk, &program).await;
    let kinds: Vec<(&Value, &Value)> = answers
        .iter()
        .map(|answer| (&answer["status"], &answer["kind"]))
        .collect();
    assert_eq!(
        kinds,
        [
            (&json!(200), &json!("Accepted")),
            (&json!(200), &json!("Accepted")),
            (&json!(400), &json!("ErrorsResponse")),
        ],
        "{answers:?}"
    );
    assert_eq!(answers[0]["answer"]["responseId"], "generated-1");
    assert_eq!(answers[2]["answer"]["errors"][0]["reasonCode"], "CRYPTOGRAPHY_ERROR");
    let store = desk.database.open().await;
    let kept = store
        .token(&TokenReference::mdes("DM4MMC0001"))
        .await
        .expect("the store answers");
    assert_eq!(
        kept.expect("it is held")
            .token
            .status()
            .map(ToString::to_string)
            .as_deref(),
        Some("ACTIVE")
    );
    store.close().await;
}

async fn called(desk: &Desk, program: &Program) -> Vec<Value> {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run` makes a Python environment with a generator of clients, \
         and `tests/run NAME` runs one test with it",
    );
    let files = &desk.files;
    let task = json!({
        "document": DOCUMENT,
        "folder": desk.path("."),
        "url": format!("https://localhost:{}", program.callback.port()),
        "client_certificate": files.client.certificate,
        "client_key": files.client.private_key,
        "server_roots": files.ca.certificate,
        "encryption_certificate": files.decryption.certificate,
        "content": statement("DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z"),
    });
    let file = desk.path("task.json");
    std::fs::write(&file, task.to_string()).expect("written");
    let mut command = Command::new(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/generated_client.py"
        ))
        .stdin(File::open(text(&file)).expect("it was written"));
    let mut process = Process::of(command);
    let ended = process.ended().await;
    assert!(ended.success(), "{ended}: {}", process.log().join("\n"));
    let lines = process.output();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[test]
fn the_document_has_the_path_that_is_served() {
    let document = std::fs::read_to_string(DOCUMENT).expect("it is there");
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(
        document["paths"].as_object().expect("paths").keys().collect::<Vec<_>>(),
        [PATH]
    );
    assert_eq!(document["openapi"], "3.1.0");
}
