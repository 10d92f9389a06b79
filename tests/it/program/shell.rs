//! The command line as a second way to all that the API can do: the story of a token, acts that are written down, and what
//! a shell and a manual know of it.

use std::collections::BTreeSet;
use std::process::Command;

use clap::CommandFactory;
use mdes_receiver::cli::Cli;
use mdes_receiver::http::admin::openapi;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::commands::{Ran, ran, send};
use super::process::{Program, text};
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, eventually, sealed, statement};

promises!(
    explain_tells_what_was_known_and_who_was_told,
    of_a_past_time_explain_tells_what_was_known_then,
    charge_answers_by_its_exit_code,
    tokens_are_found_by_what_is_known_of_them,
    what_came_and_what_was_told_is_shown,
    each_act_of_the_command_line_is_in_the_audit,
);

const TOKEN: &str = "DM4MMC0001";
const DOCS: &str = include_str!("../../../docs/cli.md");

/// Each command that changes something, and what the audit calls it.
const ACTS: [(&str, &str); 20] = [
    ("token import", "token.register"),
    ("links import", "link.join"),
    ("links add", "link.join"),
    ("links remove", "link.part"),
    ("destinations pause", "destination.pause"),
    ("destinations resume", "destination.resume"),
    ("destinations forget", "destination.forget"),
    ("deliveries retry", "delivery.retry"),
    ("deliveries skip", "delivery.skip"),
    ("deliveries replay", "event.replay"),
    ("quarantine redrive", "quarantine.redrive"),
    ("quarantine resolve", "quarantine.resolve"),
    ("reconcile", "reconcile.begin"),
    ("reconcile stop", "reconcile.stop"),
    ("lifecycle suspend", "command.suspend"),
    ("lifecycle resume", "command.resume"),
    ("lifecycle delete", "command.delete"),
    ("lifecycle withdraw", "command.withdraw"),
    ("operators add", "operator.add"),
    ("operators revoke", "operator.revoke"),
];

/// Mastercard says so of the token.
async fn say(desk: &Desk, program: &Program, status: &str, at: &str) {
    let body = sealed(&desk.sealer(), &format!("{status} {at}"), &statement(TOKEN, status, at));
    let (answered, why) = send(desk, program, body).await;
    assert_eq!(answered, 200, "{why}");
}

async fn json_of(desk: &Desk, args: &[&str]) -> Value {
    let ran = ran(desk, args).await;
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("not JSON: {args:?}: {ran:?}"))
}

async fn registered(desk: &Desk) {
    std::fs::write(
        desk.path("tokens.csv"),
        format!("reference,merchant_reference\n{TOKEN},card-1\n"),
    )
    .expect("written");
    let done = ran(desk, &["tokens", "import", text(&desk.path("tokens.csv"))]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
}

async fn explain_tells_what_was_known_and_who_was_told(database: Database) {
    let merchant = Merchant::who(|_| Reaction::Status(204)).await;
    let desk = Desk::over(database).and(&merchant.destination("orders", ""));
    let program = Program::serve(&desk).await;
    registered(&desk).await;
    say(&desk, &program, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    say(&desk, &program, "ACTIVE", "2026-11-20T10:00:00Z").await;
    eventually("the story has its delivery", || async {
        ran(&desk, &["explain", "card-1"])
            .await
            .out
            .contains("orders: delivered ")
    })
    .await;
    let told = ran(&desk, &["explain", "card-1"]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    for words in [
        "DM4MMC0001 of mdes",
        "SUSPENDED",
        "nothing speaks against it",
        "no: the network says SUSPENDED",
        "ACTIVE since 2026-11-20T10:00:00Z: stale: older than what we hold",
        "nothing → SUSPENDED (change 1)",
        "token.suspended was told",
        "answered 204, 1 try",
        "  notification ",
    ] {
        assert!(told.out.contains(words), "{words}: {}", told.out);
    }
    let story = json_of(&desk, &["explain", TOKEN, "--json", "--oldest-first"]).await;
    let kinds: Vec<&Value> = story["story"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|scene| &scene["kind"])
        .collect();
    assert_eq!(kinds.last(), Some(&&json!("heard")), "{story}");
    let page = json_of(&desk, &["explain", TOKEN, "--json", "--limit", "1"]).await;
    let next = page["next"].as_str().expect("a cursor");
    let rest = json_of(&desk, &["explain", TOKEN, "--json", "--after", next]).await;
    assert_eq!(rest["story"].as_array().map(Vec::len), Some(kinds.len() - 1), "{rest}");
    let nobody = ran(&desk, &["explain", "NOBODY"]).await;
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(1), ""));
    assert_eq!(ran(&desk, &["explain", TOKEN, "--after", "x"]).await.code, Some(2));
}

async fn of_a_past_time_explain_tells_what_was_known_then(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    let instant = || OffsetDateTime::now_utc().format(&Rfc3339).expect("a time");
    let before = instant();
    say(&desk, &program, "ACTIVE", "2026-11-20T10:00:00Z").await;
    let between = instant();
    say(&desk, &program, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    for (at, status, charge, scenes) in [
        (before, Value::Null, "confirm", false),
        (between, json!("ACTIVE"), "yes", true),
        (instant(), json!("SUSPENDED"), "no", true),
    ] {
        let then = json_of(&desk, &["explain", TOKEN, "--at", &at, "--json"]).await;
        assert_eq!(then["as_of"]["status"], status, "{then}");
        assert_eq!(then["as_of"]["charge"], charge, "{then}");
        assert_eq!(then["story"] != json!([]), scenes, "{then}");
    }
}

async fn charge_answers_by_its_exit_code(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    assert_eq!(ran(&desk, &["charge", "card-1"]).await.code, Some(1));
    registered(&desk).await;
    assert_eq!(ran(&desk, &["charge", "card-1"]).await.code, Some(4));
    say(&desk, &program, "ACTIVE", "2026-11-20T10:00:00Z").await;
    let yes = ran(&desk, &["charge", "card-1"]).await;
    assert_eq!(yes.code, Some(0), "{yes:?}");
    assert!(yes.out.starts_with("yes: the network says ACTIVE\n"), "{yes:?}");
    say(&desk, &program, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    let no = ran(&desk, &["charge", TOKEN, "--json"]).await;
    assert_eq!(no.code, Some(3), "{no:?}");
    assert!(no.out.contains("\"charge\": \"no\""), "{no:?}");
    assert_eq!(ran(&desk, &["charge"]).await.code, Some(2));
    for code in 0..=4 {
        assert!(DOCS.contains(&format!("| {code} | ")), "{code} is not in the docs");
    }
}

async fn tokens_are_found_by_what_is_known_of_them(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    registered(&desk).await;
    say(&desk, &program, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    for (args, found) in [
        (&["--merchant-reference", "card-1"] as &[&str], 1),
        (&["--status", "SUSPENDED"], 1),
        (&["--status", "ACTIVE"], 0),
        (&["--since", "2026-11-20T11:00:00Z"], 1),
        (&["--until", "2026-11-20T11:00:00Z"], 0),
        (&["--suffix", "9999"], 0),
        (&["--status", "SUSPENDED", "--after", TOKEN], 0),
    ] {
        let listed = json_of(&desk, &[&["token", "list", "--json"], args].concat()).await;
        assert_eq!(listed.as_array().map(Vec::len), Some(found), "{args:?}: {listed}");
    }
    let gone = ran(&desk, &["token", "list", "--status", "ACTIVE", "--after", "NOBODY"]).await;
    assert_eq!(gone.code, Some(1), "{gone:?}");
}

async fn what_came_and_what_was_told_is_shown(database: Database) {
    let desk = Desk::over(database);
    let program = Program::serve(&desk).await;
    say(&desk, &program, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    let list = json_of(&desk, &["notifications", "list", "--json"]).await;
    let id = list[0]["id"].as_str().expect("an id");
    let shown = ran(&desk, &["notifications", "show", id]).await;
    assert!(
        shown.out.contains(TOKEN) && shown.out.contains("applied: it changed the token"),
        "{shown:?}"
    );
    let events = ran(&desk, &["events", "list", "--types", "token.*", "--json"]).await;
    let told: Vec<Value> = events
        .out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert!(
        told.iter().any(|event| event["type"] == "token.suspended"),
        "{events:?}"
    );
    let none = ran(&desk, &["events", "list", "--types", "card.*"]).await;
    assert!(none.ends_with(0, "none"), "{none:?}");
    let certificates = json_of(&desk, &["certificates", "--json"]).await;
    assert!(certificates[0]["days_left"].is_i64(), "{certificates}");
    let asset = ran(&desk, &["assets", "get", "nobody-names-it", "--out", "art.png"]).await;
    assert_eq!(asset.code, Some(1), "{asset:?}");
}

async fn each_act_of_the_command_line_is_in_the_audit(database: Database) {
    let merchant = Merchant::who(|_| Reaction::Status(500)).await;
    let desk = crate::api::commands::out_of_reach(Desk::over(database), "");
    let desk = desk.and(&merchant.destination("orders", "retry_schedule = []"));
    let program = Program::serve(&desk).await;
    send(&desk, &program, bytes::Bytes::from_static(b"{}")).await;
    say(&desk, &program, "ACTIVE", "2026-11-20T10:00:00Z").await;
    eventually("the destination is met", || async {
        ran(&desk, &["destinations", "list", "--json"])
            .await
            .out
            .contains("\"position\"")
    })
    .await;
    let entry = json_of(&desk, &["quarantine", "list", "--json"]).await[0]["id"]
        .as_str()
        .expect("one")
        .to_owned();
    registered(&desk).await;
    std::fs::write(
        desk.path("links.csv"),
        format!("token_unique_reference,tokenex_token\n{TOKEN},AAA\n"),
    )
    .expect("written");
    let link = ["--token-unique-reference", TOKEN, "--tokenex-token", "BBB"];
    let nil = "00000000-0000-7000-8000-000000000000";
    for args in [
        &["links", "import", "links.csv"] as &[&str],
        &[&["links", "add"], &link[..]].concat(),
        &[&["links", "remove"], &link[..]].concat(),
        &["destinations", "pause", "orders", "--reason", "they deploy"],
        &["destinations", "resume", "orders"],
        &["deliveries", "retry", "--destination", "orders"],
        &["deliveries", "skip", "--destination", "orders", "--reason", "gone"],
        &["deliveries", "replay", "--destination", "orders", "--token", TOKEN],
        &[
            "--setting",
            "destinations=[]",
            "destinations",
            "forget",
            "orders",
            "--yes",
            "--reason",
            "they closed",
        ],
        &["quarantine", "redrive", &entry],
        &["quarantine", "resolve", &entry, "--reason", "a probe"],
        &["reconcile", "--detach"],
        &["reconcile", "stop", nil],
        &["lifecycle", "suspend", TOKEN],
        &["lifecycle", "resume", TOKEN],
        &["lifecycle", "delete", TOKEN, "--yes"],
        &["lifecycle", "withdraw", nil],
        &["operators", "add", "ana", "--role", "viewer"],
        &["operators", "revoke", "ana"],
    ] {
        let done = ran(&desk, args).await;
        // What is not there any more is written down all the same.
        let may_fail = ["redrive", "stop", "withdraw"].iter().any(|one| args.contains(one));
        assert!(
            done.code == Some(0) || may_fail && done.code == Some(1),
            "{args:?}: {done:?}"
        );
    }
    let entries = json_of(&desk, &["audit", "--who", "command line", "--json"]).await;
    let entries = entries.as_array().expect("a list");
    for (command, what) in ACTS {
        let entry = entries.iter().find(|entry| entry["what"] == what);
        let entry = entry.unwrap_or_else(|| panic!("{command}: no {what} in {entries:?}"));
        assert!(
            entry["came_from"].as_str().is_some_and(|from| from.contains("user")),
            "{entry}"
        );
    }
    let only = json_of(&desk, &["audit", "--what", "link.part", "--json"]).await;
    assert_eq!(only.as_array().map(Vec::len), Some(1), "{only}");
}

/// Every command, by its words.
fn commands() -> BTreeSet<String> {
    fn below(command: &clap::Command, words: &str, all: &mut BTreeSet<String>) {
        for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
            let words = format!("{words} {}", one.get_name()).trim().to_owned();
            below(one, &words, all);
            all.insert(words);
        }
    }
    let mut all = BTreeSet::new();
    below(&Cli::command(), "", &mut all);
    all
}

#[test]
fn all_that_the_api_can_do_has_a_row_in_the_docs_and_a_command() {
    let rows: Vec<(&str, &str)> = DOCS
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    let document = openapi::document();
    let mut paths = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            paths.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let told: BTreeSet<String> = rows.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(told, paths);
    let known = commands();
    for (path, command) in rows {
        let command = command.trim_matches('`').replace("tokens ", "token ");
        assert!(
            known.contains(&command) || command.starts_with("none: "),
            "{path}: {command}"
        );
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let folder = folder.path().join("man1");
    let ran = program(&["man", "--out", text(&folder)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let commands = commands();
    assert!(commands.len() > 50, "{commands:?}");
    for command in commands {
        let page = folder.join(format!("mdes-receiver-{}.1", command.replace(' ', "-")));
        let page = std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{command}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{command}: {page}");
    }
}

#[test]
fn bash_completes_what_is_typed() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let script = folder.path().join("completions");
    let made = program(&["completions", "bash"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    std::fs::write(&script, made.out).expect("written");
    let typed = format!(
        "bash -n {0} && source {0} && COMP_WORDS=(mdes-receiver quarantine re) COMP_CWORD=2 && \
         $(complete -p mdes-receiver | grep -o '_[a-z_]*receiver') mdes-receiver re quarantine && echo \"${{COMPREPLY[@]}}\"",
        text(&script)
    );
    let output = Command::new("bash")
        .args(["--norc", "-c", &typed])
        .output()
        .expect("a bash");
    let words = String::from_utf8_lossy(&output.stdout);
    let words: BTreeSet<&str> = words.split_whitespace().collect();
    assert_eq!(words, BTreeSet::from(["redrive", "resolve"]), "{output:?}");
    for shell in ["zsh", "fish"] {
        assert!(program(&["completions", shell]).out.contains("quarantine"), "{shell}");
    }
}

/// Runs the program without any configuration.
fn program(args: &[&str]) -> Ran {
    let output = Command::new(super::process::BINARY)
        .args(args)
        .output()
        .expect("it runs");
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}
