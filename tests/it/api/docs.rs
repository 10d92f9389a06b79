//! `docs/api.md`: its lines run as they stand there, and it tells of everything that there is.

use std::collections::BTreeSet;
use std::process::{Command, Output};

use bytes::Bytes;
use clap::Parser;
use mdes_receiver::cli::Cli;
use mdes_receiver::http::admin::openapi;
use mdes_receiver::store::Outbox as _;
use mdes_receiver::store::outbox::Start;
use mdes_receiver::store::roster::Role;
use serde_json::{Value, json};

use super::caller::{Caller, bearer};
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, World, eventually};

const DOCS: &str = include_str!("../../../docs/api.md");
const PROBLEMS: &str = include_str!("../../../src/http/admin/problem.rs");

promises!(each_line_of_the_docs_does_what_they_say);

/// A receiver whose one destination refuses, and has one delivery parked.
pub async fn in_need(database: Database) -> World {
    let merchant = Merchant::who(|_| Reaction::Status(500)).await;
    let desk = super::commands::out_of_reach(Desk::over(database), "delete_needs_two = true");
    let desk = desk.and(&merchant.destination("orders", "retry_schedule = []"));
    let world = desk.open().await;
    world.ready().await;
    let viewer = Caller::viewer(&world).await;
    let numbered = json!({"tokens": [{
        "tokenUniqueReference": "DM4MMC0001", "status": "ACTIVE", "statusTimestamp": "2026-11-20T10:00:00Z",
        "tokenInfo": {"tokenNumber": "5204730000001209", "tokenPanSuffix": "1209"},
    }]});
    // It was in the configuration once.
    let memory = super::caller::memory(&world).await;
    memory
        .enrol("old-shop", Start::Beginning)
        .await
        .expect("the store answers");
    world.told("with a number", &numbered).await;
    eventually("it is parked", || async {
        viewer.get("/v1/deliveries?state=parked").await.json()["items"][0].is_object()
    })
    .await;
    world
}

async fn each_line_of_the_docs_does_what_they_say(database: Database) {
    let world = in_need(database).await;
    world.sender().send(Bytes::from("nonsense")).await.expect("an answer");
    for (name, role) in [
        ("alice", Role::Operator),
        ("bob", Role::Operator),
        ("rita", Role::Revealer),
    ] {
        let token = bearer(&world, name, role, time::Duration::HOUR).await;
        std::fs::write(world.desk.path(&format!("{name}.token")), token.expose()).expect("a file is written");
    }
    let (mut exports, mut asked) = (String::new(), 0);
    for line in lines() {
        match line.split_whitespace().next() {
            Some("mdes-receiver") => known(line),
            Some("export") if line.contains("http://127.0.0.1:9443/v1") => {
                exports += &format!(
                    "{}\n",
                    line.replace("127.0.0.1:9443", &world.service.admin_address.to_string())
                );
            }
            Some("export") => exports += &format!("{line}\n"),
            Some("curl") => {
                heard(&world, line, &typed(&world, &format!("{exports}{line}"), line));
                asked += 1;
            }
            _ => panic!("nobody tries this line of the docs: {line}"),
        }
    }
    assert!(asked >= 15, "only {asked} lines ask anything");
    world.service.stop().await;
}

/// Each line of its shell blocks.
fn lines() -> impl Iterator<Item = &'static str> {
    let blocks = DOCS.split("```").skip(1).step_by(2);
    let shell = blocks.filter_map(|block| block.strip_prefix("sh\n"));
    shell.flat_map(str::lines)
}

fn known(line: &str) {
    let words = line.split('>').next().unwrap_or_default().split_whitespace();
    if let Err(error) = Cli::try_parse_from(words) {
        panic!("{line}\n{error}");
    }
}

/// Runs it by a shell; a stream is read for a moment. What curl does besides stands in its file of settings.
fn typed(world: &World, script: &str, line: &str) -> Output {
    let secs = if line.contains("/stream") { 4 } else { 20 };
    let settings = format!("silent\nshow-error\nfail-with-body\nmax-time = {secs}\n");
    std::fs::write(world.desk.path(".curlrc"), settings).expect("a file is written");
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("CURL_HOME", world.desk.path("."));
    command.current_dir(world.desk.path("."));
    tokio::task::block_in_place(|| command.output()).expect("a shell")
}

fn heard(world: &World, line: &str, output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if line.contains("/stream") {
        assert_eq!(
            output.status.code(),
            Some(28),
            "it goes on until its time is over: {line}\n{complaint}"
        );
        assert!(text.starts_with("retry: 1000\nid: "), "{line}\n{text}");
        assert_eq!(
            text.contains("event: token.activated"),
            line.contains("Last-Event-ID: 1"),
            "{line}\n{text}"
        );
        return;
    }
    assert!(output.status.success(), "{line}\n{text}{complaint}");
    if line.contains("/export") {
        let read = |name: &str| std::fs::read_to_string(world.desk.path(name)).expect("it was written");
        let head = read("head.txt");
        let position = head.lines().find_map(|line| line.strip_prefix("x-events-position: "));
        // What needs a person is told, too, behind what was said of the tokens.
        assert!(position.expect("it is there").parse::<u64>().expect("a number") >= 3);
        assert_eq!(read("tokens.ndjson").lines().count(), 3);
        return;
    }
    let answer: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{line}\n{text}"));
    let list = |name: &str| answer[name].as_array().map(Vec::len);
    let is_well = match line
        .split("$API/")
        .nth(1)
        .and_then(|rest| rest.split(['"', '?']).next())
    {
        Some("tokens") if line.contains("suffix=") || line.contains("status=") => list("items") == Some(1),
        Some("charge/DM4MMC0001") => answer["charge"] == "yes",
        Some("tokens/DM4MMC0001/story") => list("items").is_some_and(|scenes| scenes >= 5),
        Some("tokens/DM4MMC0001/reveal") => answer["token_number"] == "5204730000001209",
        Some("tokens/DM4MMC0001/erase") => answer["dry_run"] == true && answer["rows"]["tokens"] == 1,
        Some("notifications") => list("items") == Some(1),
        Some("notifications/$NOTIFICATION") => list("statements") == Some(1),
        Some("quarantine") => list("items") == Some(1),
        Some("quarantine/$ENTRY") => answer["resolved_at"].is_null(),
        Some("quarantine/$ENTRY/redrive") => answer["outcome"] == "still_unreadable",
        Some("quarantine/$ENTRY/resolve") => answer["resolution"] == "set aside: a probe of our own monitoring",
        Some("certificates") => answer["items"][0]["purpose"] == "callback",
        Some("keys") => answer["items"][0]["is_newest"] == true,
        Some("audit") => answer["items"][0]["who"].is_string(),
        Some("tokens") => {
            answer["registered"] == "known" || list("items") == Some(if line.contains("after=") { 1 } else { 2 })
        }
        Some("tokens/DM4MMC0001/commands" | "tokens/DM4MMC0002/commands") => {
            answer["asked_by"] == "alice" && answer["why"].is_string()
        }
        Some("commands") => list("items") == Some(1),
        Some("commands/$COMMAND") => answer["action"] == "delete" && answer["waits_for_approval"] == true,
        Some("commands/$COMMAND/approve") => answer["approved_by"] == "bob",
        Some("links") if line.contains("DELETE") => answer["removed"] == true,
        Some("links") => answer["new"] == 1 || list("items") == Some(1),
        Some("tokens/DM4MMC0001") => answer["merchant_reference"] == "card-1" && answer["status"] == "ACTIVE",
        Some("events") if line.contains("types=") => list("items") == Some(0) && answer["next"] == "3",
        Some("events") if line.contains("after=1") => list("items") == Some(2) && answer["more"] == false,
        Some("events") => list("items") == Some(2),
        Some("events/replay") => answer["events"] == 3,
        Some("destinations") => answer["items"][1]["name"] == "orders" && answer["items"][1]["parked"] == 1,
        Some("destinations/old-shop/forget") => answer["set_aside"] == 0,
        Some("destinations/orders/pause" | "destinations/orders/resume") => answer["changed"] == true,
        Some("deliveries") => answer["items"][0]["state"] == "parked",
        Some("deliveries/retry") => answer["deliveries"] == 1,
        Some("deliveries/skip") => answer["deliveries"] == 3,
        _ => false,
    };
    assert!(is_well, "{line}\n{text}");
}

#[test]
fn every_path_stands_in_the_docs_and_no_other() {
    let rows = DOCS
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let told: BTreeSet<String> = rows.filter(|row| row.contains(" /v1/")).map(str::to_owned).collect();
    let document = openapi::document();
    let paths = document["paths"].as_object().expect("paths");
    let mut there = BTreeSet::new();
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            there.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    assert!(there.len() >= 30, "{there:?}");
    assert_eq!(told, there);
}

#[test]
fn every_problem_stands_in_the_docs_and_no_other() {
    let (_, table) = DOCS.split_once("last word of `type`").expect("a table of problems");
    let told = table.split('`').skip(1).step_by(2);
    let told: BTreeSet<&str> = told.filter(|word| !["Retry-After", "field"].contains(word)).collect();
    for word in &told {
        assert!(
            PROBLEMS.contains(&format!("\"{word}\"")),
            "{word} is no problem of ours"
        );
    }
    let is_word =
        |text: &&str| text.contains('-') && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
    let there: BTreeSet<&str> = PROBLEMS.split('"').skip(1).step_by(2).filter(is_word).collect();
    assert!(there.len() >= 12, "{there:?}");
    assert_eq!(there.difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new());
}
