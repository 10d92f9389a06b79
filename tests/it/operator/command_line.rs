//! The command line: help for a tired person, exit codes that a script can trust, tables that cannot speak
//! to a terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mdes_receiver::clock::SystemClock;
use mdes_receiver::config::settings;
use mdes_receiver::domain::id::{ContentHash, NotificationId, QuarantineId, TokenReference};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::notification::{Statement, UnreadableToken, Windows};
use mdes_receiver::domain::peer::Peer;
use mdes_receiver::domain::status::{Instant, Status};
use mdes_receiver::domain::token::Manner;
use mdes_receiver::store::{self, NewQuarantine, Recording, SealedBy, SharedStore, Store as _};
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::desk::{Desk, run};

const RECEIVED: OffsetDateTime = datetime!(2026-11-22 10:00 UTC);

#[test]
fn help_shows_every_command_and_where_to_look_first() {
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    for word in [
        "serve",
        "migrate",
        "check",
        "token",
        "quarantine",
        "three in the morning",
        "--config <FILE>",
    ] {
        assert!(help.out.contains(word), "{word}: {}", help.out);
    }
    for command in ["check", "token", "quarantine"] {
        let help = run(&[command, "--help"]);
        assert!(
            help.code == 0 && help.out.contains("Examples:\n"),
            "{command}: {}",
            help.out
        );
    }
    assert!(run(&["--version"]).out.starts_with("mdes-receiver "));
}

#[test]
fn misuse_is_exit_code_2() {
    for args in [
        &["no-such-command"] as &[&str],
        &[],
        &["quarantine", "redrive"],
        &["quarantine", "resolve", "0198c2a0-0000-7000-8000-000000000000"],
        &["token", "list", "--limit", "0"],
        &["--setting", "no-equals-sign", "check"],
        &["--config", "/nowhere.toml", "migrate"],
        &["--config", "/nowhere.toml", "serve"],
        &["deliveries", "retry"],
        &["deliveries", "skip", "--destination", "orders", "--reason", " "],
        &["destinations", "pause", "orders", "--reason", ""],
        &["token", "erase", "DWSPMC-1", "--reason", "x"],
        &["token", "export", "DWSPMC-1", "--reason", "two\nlines"],
        &["lifecycle", "delete", "DWSPMC-1"],
        &["operators", "add", "two words", "--role", "viewer"],
        &["explain", "DWSPMC-1", "--after", "x"],
        &["reconcile", "--detach"],
        &["links", "add", "--token-unique-reference", "", "--tokenex-token", "x"],
        &["endpoint", "--listen", "0.0.0.0:3000"],
        &["listen"],
        &["listen", "--url", "http://example.com", "--token-file", "/dev/null"],
        &["simulate", "no-such-scenario", "--unsealed"],
        &["verify", "--body", "/dev/null"],
        &["completions", "csh"],
        &["check", "--color", "sometimes"],
    ] {
        assert_eq!(run(args).code, 2, "{args:?}");
    }
    let ran = run(&["migrate", "--config", "/nowhere.toml"]);
    assert_eq!(
        ran.err,
        "mdes-receiver: configuration file /nowhere.toml: No such file or directory (os error 2)\n"
    );
}

#[test]
fn migrate_says_what_it_did_and_the_second_time_that_there_was_nothing_to_do() {
    let desk = Desk::new();
    let first = desk.run(&["migrate"]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.out.contains("applied"), "{}", first.out);
    let second = desk.run(&["migrate"]);
    assert!(second.out.ends_with(": was up to date\n"), "{}", second.out);
}

#[tokio::test]
async fn a_token_is_shown_with_how_it_came_to_be() {
    let desk = Desk::new();
    record(&store_of(&desk).await, &[suspended("DWSPMC-1")]).await;
    let ran = desk.run(&["token", "show", "DWSPMC-1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for words in [
        "token         DWSPMC-1\n",
        "status        SUSPENDED\n",
        "suspended by  ISSUER TOKEN_REQUESTOR\n",
        "since         2026-11-22T09:59:00Z\n",
        "status - → SUSPENDED, suspendedBy - → ISSUER+TOKEN_REQUESTOR",
        "advanced",
    ] {
        assert!(ran.out.contains(words), "{words:?}:\n{}", ran.out);
    }
    let json = desk.run(&["token", "show", "DWSPMC-1", "--json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["status"], "SUSPENDED");
    assert_eq!(json["transitions"][0]["sequence"], 1);
    assert_eq!(json["statements"][0]["verdict"], "advanced");
}

#[tokio::test]
async fn tokens_are_listed_a_page_at_a_time() {
    let desk = Desk::new();
    record(
        &store_of(&desk).await,
        &[suspended("A"), suspended("B"), suspended("C")],
    )
    .await;
    let first = desk.run(&["token", "list", "--limit", "2"]).out;
    assert!(first.ends_with("there may be more: --after B\n"), "{first}");
    let second = desk.run(&["token", "list", "--after", "B"]).out;
    let lines: Vec<&str> = second.lines().collect();
    assert_eq!(lines.len(), 2, "{second}");
    assert!(lines[1].starts_with("C "), "{second}");
    let json = desk.run(&["token", "list", "--json"]).out;
    let json: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json.len(), 3);
}

#[tokio::test]
async fn what_is_old_goes_by_the_policy_and_a_dry_run_says_what_would() {
    let desk = Desk::new();
    let store = store_of(&desk).await;
    record(&store, &[suspended("A")]).await;
    drop(store);
    desk.configure("[retention]\nnotifications = \"1d\"\nstatements = \"never\"");
    let shown = |args: &[&str]| {
        let ran = desk.run(args);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
        json["kinds"].as_array().expect("kinds").clone()
    };
    let dry = shown(&["retention", "--dry-run", "--json"]);
    let tables: Vec<&str> = dry.iter().filter_map(|kind| kind["table"].as_str()).collect();
    assert!(!tables.contains(&"token_statements"), "never: {tables:?}");
    assert_eq!(shown(&["retention", "--json"])[1]["rows"], dry[1]["rows"]);
    assert_eq!(shown(&["retention", "--json"])[1]["rows"], 0);
    let table = desk.run(&["retention", "--dry-run"]).out;
    assert!(table.starts_with("TABLE"), "{table}");
    desk.configure("[retention]\nevents = \"12h\"");
    let wrong = desk.run(&["retention", "--dry-run"]);
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("`retention.events`") && wrong.err.contains("`never`"),
        "{}",
        wrong.err
    );
}

#[tokio::test]
async fn a_token_is_handed_over_and_erased_and_the_audit_tells_of_both() {
    let desk = Desk::new();
    let store = store_of(&desk).await;
    record(&store, &[suspended("A")]).await;
    drop(store);
    let export = ["token", "export", "A", "--reason", "case 812"];
    let exported = desk.run(&export);
    assert_eq!(exported.code, 0, "{}", exported.err);
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    let lines: Vec<serde_json::Value> = exported.out.lines().map(read).collect();
    let has = |record: &str| {
        lines
            .iter()
            .any(|line| line["record"] == record && line["token"] == "A")
    };
    assert!(has("token") && has("story") && has("audit"), "{}", exported.out);

    assert_eq!(
        desk.run(&["token", "erase", "A", "--reason", "case 812"]).code,
        2,
        "no --yes"
    );
    assert_eq!(desk.run(&["token", "erase", "A", "--yes"]).code, 2, "no --reason");
    assert_eq!(desk.run(&["token", "erase", "Z", "--dry-run"]).code, 1, "nobody");
    for of_tokenex in [
        &["token", "erase", "--dry-run"] as &[&str],
        &["token", "export", "--reason", "why"],
        &["token", "show"],
    ] {
        let nobody = desk.run(&[of_tokenex, &["--namespace", "tokenex", "4761202544127718"]].concat());
        assert_eq!(nobody.code, 1, "{}", nobody.err);
        assert!(!nobody.err.contains("4761202544"), "{}", nobody.err);
    }
    let dry = desk.run(&["token", "erase", "A", "--dry-run"]);
    assert!(dry.code == 0 && dry.out.contains("WOULD GO"), "{}{}", dry.out, dry.err);
    let erased = desk.run(&["token", "erase", "A", "--yes", "--reason", "case 812"]);
    assert_eq!(erased.code, 0, "{}", erased.err);
    assert_eq!(erased.out, dry.out.replace("WOULD GO", "GONE"));
    assert_eq!(desk.run(&export).code, 1, "there is nothing to hand over");
    let audit = desk.run(&["audit", "--json"]).out;
    assert!(
        audit.contains("token.export") && audit.contains("token.erase"),
        "{audit}"
    );
    assert!(audit.contains("case 812"), "{audit}");
}

#[tokio::test]
async fn what_still_needs_which_key_is_said() {
    let desk = Desk::new();
    drop(store_of(&desk).await);
    let ran = desk.run(&["keys", "needed", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(
        json["keys"][0]["which"]
            .as_str()
            .map(|which| which.starts_with("newest")),
        Some(true)
    );
    let moved = desk.run(&["keys", "reseal"]);
    assert_eq!(
        (moved.code, moved.out.as_str()),
        (
            0,
            "0 notifications and 0 entries of quarantine are moved to the newest key\n"
        )
    );
    assert!(desk.run(&["keys"]).out.contains("SPKI SHA-256"));
}

#[tokio::test]
async fn what_is_not_there_is_exit_code_1() {
    let desk = Desk::new();
    drop(store_of(&desk).await);
    let id = Uuid::nil().to_string();
    for args in [
        &["token", "show", "NOBODY"] as &[&str],
        &["quarantine", "show", &id],
        &["quarantine", "resolve", &id, "--reason", "x"],
    ] {
        let ran = desk.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(" list"), "it says where to look: {}", ran.err);
    }
}

#[tokio::test]
async fn what_a_stranger_wrote_cannot_speak_to_the_terminal() {
    let desk = Desk::new();
    record(&store_of(&desk).await, &[suspended("A\u{1b}[31mred\nB")]).await;
    let ran = desk.run(&["token", "list"]);
    assert!(ran.out.contains("A\\u{1b}[31mred\\nB"), "{}", ran.out);
}

#[tokio::test]
async fn quarantine_is_listed_shown_and_resolved_once() {
    let desk = Desk::new();
    let store = store_of(&desk).await;
    let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    quarantine(&store, id, "CRYPTOGRAPHY_ERROR").await;
    quarantine(&store, other, "INVALID_JSON").await;

    let list = desk.run(&["quarantine", "list", "--reason", "CRYPTOGRAPHY_ERROR"]).out;
    assert!(
        list.contains(&id.to_string()) && !list.contains(&other.to_string()),
        "{list}"
    );
    assert!(list.contains("no key opens it"), "{list}");

    let show = desk.run(&["quarantine", "show", &id.to_string()]).out;
    assert!(show.contains("ws.mastercard.com from 192.0.2.1:5000"), "{show}");
    assert!(!show.contains("sealed bytes"), "a body is not shown: {show}");

    let resolve = ["quarantine", "resolve", &id.to_string(), "--reason", "a probe of ours"];
    assert_eq!(desk.run(&resolve).code, 0);
    let again = desk.run(&resolve);
    assert!(
        again.code == 1 && again.err.contains("was resolved before"),
        "{}",
        again.err
    );

    assert!(!desk.run(&["quarantine", "list"]).out.contains(&id.to_string()));
    assert!(desk.run(&["quarantine", "list", "--all"]).out.contains(&id.to_string()));
    assert!(
        desk.run(&["quarantine", "show", &id.to_string()])
            .out
            .contains("a probe of ours")
    );
}

/// The desk's store, migrated.
async fn store_of(desk: &Desk) -> SharedStore {
    let settings = settings::Store {
        urls: vec![Secret::new(format!(
            "sqlite://{}/data/receiver.db",
            desk.folder().display()
        ))],
        migrate_on_start: true,
        connections_max: 2,
        deadline: std::time::Duration::from_secs(5),
    };
    let store = store::open(&settings, Arc::new(SystemClock))
        .await
        .expect("SQLite opens");
    store.migrate().await.expect("a new file takes the schema");
    store
}

async fn record(store: &SharedStore, statements: &[Statement]) {
    let recordings: Vec<Recording> = statements
        .iter()
        .enumerate()
        .map(|(index, statement)| Recording {
            id: NotificationId(Uuid::from_u128(index as u128 + 1)),
            again: None,
            request_id: format!("request-{index}"),
            content: ContentHash([index as u8; 32]),
            received_at: RECEIVED,
            peer: mastercard(),
            sealed_body: b"sealed bytes".to_vec(),
            sealed_by: SealedBy::Sender,
            key: "00".repeat(32),
            statements: vec![statement.clone()],
            unreadable: Vec::<(QuarantineId, UnreadableToken)>::new(),
            flags: BTreeSet::new(),
            manner: Manner::Told,
        })
        .collect();
    store
        .record(&recordings, &Windows::default())
        .await
        .expect("SQLite records");
}

async fn quarantine(store: &SharedStore, id: Uuid, reason: &str) {
    let entry = NewQuarantine {
        id: QuarantineId(id),
        received_at: RECEIVED,
        peer: mastercard(),
        body: b"sealed bytes".to_vec(),
        sealed_by: SealedBy::Sender,
        body_bytes: 12,
        reason: reason.to_owned(),
        detail: "no key opens it".to_owned(),
        keys_tried: "ring".to_owned(),
    };
    store.quarantine(&entry).await.expect("SQLite keeps it");
}

fn suspended(reference: &str) -> Statement {
    Statement {
        token: TokenReference::mdes(reference),
        index: 0,
        hash: ContentHash([7; 32]),
        status: Some(Status::Suspended),
        suspended_by: ["ISSUER".to_owned(), "TOKEN_REQUESTOR".to_owned()].into(),
        reason_code: Some("SUSPECTED_FRAUD".to_owned()),
        instant: Some(Instant::new(datetime!(2026-11-22 9:59 UTC), false)),
        metadata: BTreeMap::new(),
        unrecognized: serde_json::Map::new(),
        flags: BTreeSet::new(),
    }
}

fn mastercard() -> Peer {
    Peer {
        name: "ws.mastercard.com".to_owned(),
        organization: None,
        address: "192.0.2.1:5000".parse().expect("an address"),
        certificate_sha256: "00".repeat(32),
    }
}
