//! `/openapi.json` and `/docs`: what they say is so, and a program that knows nothing else finds no fault.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use bytes::Bytes;
use mdes_receiver::http::admin::openapi;
use mdes_receiver::store::roster::Role;
use serde_json::{Value, json};

use super::caller::{Caller, bearer, say, two_tokens};
use super::docs::in_need;
use crate::support::Database;
use crate::world::World;

promises!(
    the_document_and_its_page_are_open,
    schemathesis_finds_no_fault_with_the_document,
);

/// Cases for each path and phase: a whole run is well under a minute.
const EXAMPLES_MAX: &str = "6";

async fn the_document_and_its_page_are_open(database: Database) {
    let world = World::over(database).await;
    let stranger = Caller::stranger(&world);
    let document = stranger.get("/openapi.json").await;
    assert_eq!((document.status, &document.json()), (200, &openapi::document()));

    let page = stranger.get("/docs").await;
    let text = String::from_utf8(page.body.to_vec()).expect("UTF-8");
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'self';")
    );
    for foreign in ["<script", "http://", "https://", "style=", "onclick"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    for told in [
        "GET /v1/charge/{reference}",
        "id=\"schema-Charge\"",
        "href=\"/openapi.json\"",
    ] {
        assert!(text.contains(told), "{told}");
    }
    assert!(
        stranger
            .get("/docs/style.css")
            .await
            .header("content-type")
            .starts_with("text/css")
    );
    assert_eq!(stranger.get("/v1/tokens").await.problem(), "401 no-token");
}

/// A receiver in which there is something of everything, asked by a program that has the document alone.
async fn schemathesis_finds_no_fault_with_the_document(database: Database) {
    let world = in_need(database).await;
    let operator = Caller::operator(&world).await;
    operator.post("/v1/tokens", &two_tokens()).await;
    say(&world, "DM4MMC0002", "SUSPENDED", "2026-11-20T10:00:00Z").await;
    world.sender().send(Bytes::from("nonsense")).await.expect("an answer");
    for (role, paths) in [(Role::Operator, ""), (Role::Revealer, "reveal$")] {
        let token = bearer(&world, role.as_str(), role, time::Duration::HOUR).await;
        let output = tried(&world, token.expose(), paths);
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:\n{said}{complaint}", role.as_str());
        assert!(said.contains("No issues found"), "{said}");
    }
    world.service.stop().await;
}

fn tried(world: &World, token: &str, paths: &str) -> std::process::Output {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run` makes a Python environment with schemathesis, and names it so",
    );
    let url = format!("http://{}/openapi.json", world.service.admin_address);
    let mut command = Command::new(python);
    command.args([
        "-m",
        "schemathesis.cli",
        "run",
        &url,
        "--workers",
        "1",
        "--no-color",
        "--seed",
        "7",
    ]);
    command.args(["--phases", "examples,fuzzing", "--max-examples", EXAMPLES_MAX]);
    command.args([
        "--generation-database",
        "none",
        "--request-timeout",
        "20",
        "--warnings",
        "off",
    ]);
    // A stream has no end.
    command.args(["--exclude-path", "/v1/events/stream"]);
    if !paths.is_empty() {
        command.args(["--include-path-regex", paths]);
    }
    command.args(["--header", &format!("Authorization: Bearer {token}")]);
    command.current_dir(world.desk.path(".")).stdin(Stdio::null());
    tokio::task::block_in_place(|| command.output()).expect("Python runs")
}

#[test]
fn every_shape_that_is_named_is_there_and_no_other() {
    let document = openapi::document();
    let text = document.to_string();
    let named: BTreeSet<&str> = text
        .split("#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let schemas = document["components"]["schemas"].as_object().expect("shapes");
    assert_eq!(named, schemas.keys().map(String::as_str).collect());
}

#[test]
fn every_path_says_what_it_is_for_and_has_a_name_of_its_own() {
    let document = openapi::document();
    let paths = document["paths"].as_object().expect("paths").values();
    let all: Vec<&Value> = paths
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .collect();
    let names: BTreeSet<&str> = all.iter().filter_map(|one| one["operationId"].as_str()).collect();
    assert_eq!(names.len(), all.len());
    for one in all {
        assert!(one["summary"].as_str().is_some_and(|says| !says.is_empty()), "{one}");
        assert_ne!(one["responses"]["401"], json!(null), "{one}");
    }
}
