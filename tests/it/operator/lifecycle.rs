//! Commands and links, on the command line.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::SystemClock;
use mdes_receiver::config;
use mdes_receiver::domain::command::{Service, Stage};
use mdes_receiver::store::desk::{Desk as _, Progress};
use mdes_receiver::store::{self, Memory, Store as _};
use serde_json::{Value, json};

use super::desk::{Desk, Ran};
use crate::egress::sink::{Says, Sink, answer};
use crate::mdes_client::signing_key;

const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
/// It looks like a card's number, as some do.
const TOKENEX: &str = "5204730000001201";

/// A desk with its store and an MDES at that address.
fn desk_by(url: &str) -> Desk {
    let desk = Desk::new();
    signing_key(desk.folder());
    desk.permit("signing.p12", 0o600);
    desk.configure(&format!(
        "[lifecycle]\nallow_networks = [\"127.0.0.0/8\"]\nthrough = \"mdes\"\n\
         [lifecycle.mdes]\nurl = \"{url}\"\nconsumer_key = \"a!b\"\n\
         signing_key = \"signing.p12\"\nsigning_key_password = \"keys and doors\"\n\
         [lifecycle.tokenex]\nurl = \"http://127.0.0.1:9\"\ntokenex_id = \"1\"\napi_key = \"2\"\n"
    ));
    assert_eq!(desk.run(&["migrate"]).code, 0);
    desk
}

fn desk() -> Desk {
    desk_by("http://127.0.0.1:9/mdes")
}

fn commands(desk: &Desk) -> Vec<Value> {
    let ran = desk.run(&["lifecycle", "commands", "--json"]);
    let Value::Array(all) = serde_json::from_str(&ran.out).expect("JSON") else {
        panic!("{}", ran.out)
    };
    all
}

fn refused(ran: &Ran, code: i32, why: &str) {
    assert!(
        ran.code == code && ran.out.is_empty() && ran.err.contains(why),
        "{}: {}{}",
        ran.code,
        ran.out,
        ran.err
    );
}

#[test]
fn a_command_is_asked_for_and_shown() {
    let desk = desk();
    let reason = format!("card {TOKENEX} lost");
    let asked = desk.run(&[
        "lifecycle",
        "suspend",
        TOKEN,
        "--reason",
        &reason,
        "--caused-by",
        "CARDHOLDER",
    ]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let id = asked
        .out
        .trim()
        .strip_prefix("asked for, as ")
        .expect("an id")
        .to_owned();
    let listed = desk.run(&["lifecycle", "commands", "--open"]);
    assert!(
        listed.out.contains(&id) && listed.out.contains("requested"),
        "{}",
        listed.out
    );
    let shown = desk.run(&["lifecycle", "show", &id]);
    assert!(
        shown.out.contains("CARDHOLDER") && shown.out.contains("card ····1201 lost"),
        "{}",
        shown.out
    );
    let one: Value = serde_json::from_str(&desk.run(&["lifecycle", "show", &id, "--json"]).out).expect("JSON");
    assert_eq!((&one["id"], &one["asked_by"]), (&json!(id), &json!("command line")));
    assert_eq!(one["steps"][0]["stage"], "requested");
    let other = desk.run(&["lifecycle", "show", "00000000-0000-0000-0000-000000000000"]);
    refused(&other, 1, "lifecycle commands");
}

#[test]
fn the_same_key_asks_once() {
    let desk = desk();
    let ask = |action: &str| desk.run(&["lifecycle", action, TOKEN, "--idempotency-key", "case-7"]);
    let (first, again) = (ask("suspend"), ask("suspend"));
    assert!(again.out.starts_with("asked for before, as "), "{}", again.out);
    assert_eq!(first.out.split(" as ").last(), again.out.split(" as ").last());
    refused(&ask("resume"), 1, "used for another command");
    assert_eq!(commands(&desk).len(), 1);
}

#[test]
fn a_deletion_wants_a_yes() {
    let desk = desk();
    refused(&desk.run(&["lifecycle", "delete", TOKEN]), 2, "--yes");
    assert_eq!(commands(&desk).len(), 0);
    assert_eq!(desk.run(&["lifecycle", "delete", TOKEN, "--yes"]).code, 0);
    assert_eq!(commands(&desk)[0]["action"], "delete");
}

#[test]
fn a_deletion_that_needs_two_is_not_asked_for_where_one_could_be_both() {
    let desk = desk();
    let two = "lifecycle.delete_needs_two=true";
    let asked = desk.run(&["lifecycle", "delete", TOKEN, "--yes", "--setting", two]);
    refused(&asked, 2, "another operator's approval");
    assert_eq!(commands(&desk).len(), 0);
}

#[test]
fn a_tokenex_token_is_shown_to_people_by_its_end_alone() {
    let desk = desk();
    let of_tokenex = ["--namespace", "tokenex", "--through", "tokenex"];
    let asked = desk.run(&[&["lifecycle", "suspend", TOKENEX], &of_tokenex[..]].concat());
    let id = asked
        .out
        .trim()
        .strip_prefix("asked for, as ")
        .expect("an id")
        .to_owned();
    let file = desk.folder().join("lost.csv");
    std::fs::write(&file, format!("reference\n{TOKENEX}\n")).expect("written");
    let file = file.to_str().expect("temporary folders are UTF-8");
    for args in [
        &["lifecycle", "commands"] as &[&str],
        &["lifecycle", "show", &id],
        &[&["lifecycle", "resume", "--from", file], &of_tokenex[..]].concat(),
    ] {
        let ran = desk.run(args);
        assert!(ran.out.contains("····1201"), "{args:?}: {}{}", ran.out, ran.err);
        assert!(
            !ran.out.contains(TOKENEX) && !ran.err.contains(TOKENEX),
            "{args:?}: {}{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(
        commands(&desk)[0]["token_unique_reference"],
        TOKENEX,
        "programs are given what the API gives"
    );
}

#[test]
fn what_waits_for_nobody_is_not_withdrawn() {
    let desk = desk();
    let nobody = "00000000-0000-0000-0000-000000000000";
    refused(&desk.run(&["lifecycle", "withdraw", nobody]), 1, "waits for approval");
}

#[test]
fn what_does_not_fit_is_named_and_not_quoted() {
    let desk = desk();
    for (args, why) in [
        (vec![TOKENEX, "--through", "visa"], "`through` must be"),
        (vec![TOKENEX, "--namespace", "visa"], "`namespace` must be"),
        (vec![TOKENEX, "--caused-by", "ISSUER"], "`caused_by` must be"),
        (vec![TOKENEX, "--through", "tokenex"], "`links import`"),
    ] {
        let ran = desk.run(&[&["lifecycle", "suspend"], args.as_slice()].concat());
        refused(&ran, 2, why);
        assert!(!ran.err.contains(TOKENEX), "{}", ran.err);
    }
    assert_eq!(commands(&desk).len(), 0);
}

#[test]
fn a_file_says_what_it_would_do_and_does_it_once() {
    let desk = desk();
    desk.write(
        "lost.csv",
        "reference,reason\nDM4MMC1,lost\nDM4MMC2,\n,nobody\nDM4MMC3,\"two\nlines\"\nDM4MMC1,lost\n",
    );
    let file = desk.path("lost.csv").display().to_string();
    let base = ["lifecycle", "suspend", "--from", &file, "--reason", "stolen"];
    let dry = desk.run(&base);
    assert_eq!(dry.code, 1, "two lines are wrong");
    assert!(
        dry.out.starts_with("line 2: would suspend DM4MMC1 through mdes\n"),
        "{}",
        dry.out
    );
    assert!(
        dry.out
            .ends_with("2 lines are wrong and were left out; say --yes to do it\n"),
        "{}",
        dry.out
    );
    assert_eq!(commands(&desk).len(), 0);

    let done = desk.run(&[&base[..], &["--yes"]].concat());
    assert_eq!(
        done.out,
        "2 asked for: suspend; 1 asked for before; 2 lines are wrong and were left out\n"
    );
    let lines: Vec<&str> = done.err.lines().collect();
    assert!(
        lines[0].starts_with("line 4: `reference`") && lines[1].starts_with("line 5: `reason`"),
        "{lines:?}"
    );
    let reasons: Vec<Value> = commands(&desk).iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(reasons, [json!("stolen"), json!("lost")]);

    let again = desk.run(&[&base[..], &["--yes"]].concat());
    assert!(
        again.out.starts_with("0 asked for: suspend; 3 asked for before"),
        "{}",
        again.out
    );
    let anew = desk.run(&[&base[..], &["--yes", "--batch", "monday"]].concat());
    assert!(
        anew.out.starts_with("2 asked for: suspend; 1 asked for before"),
        "{}",
        anew.out
    );
}

#[test]
fn a_file_goes_on_where_it_was_cut_off() {
    let desk = desk();
    let file = desk.path("lost.csv").display().to_string();
    desk.write("lost.csv", "reference\nDM4MMC1\n");
    assert_eq!(desk.run(&["lifecycle", "resume", "--from", &file, "--yes"]).code, 0);
    desk.write("lost.csv", "reference\nDM4MMC1\nDM4MMC2\n");
    let rest = desk.run(&["lifecycle", "resume", "--from", &file, "--yes"]);
    assert_eq!(rest.out, "1 asked for: resume; 1 asked for before\n");
    desk.write("lost.csv", "reference,resaon\nDM4MMC1,x\n");
    refused(
        &desk.run(&["lifecycle", "resume", "--from", &file, "--yes"]),
        1,
        "column `resaon` is not known",
    );
}

async fn memory(desk: &Desk) -> Arc<Memory> {
    let settings = config::load(Some(&desk.path("receiver.toml")), &[], []).expect("the configuration is good");
    store::open(&settings.store, Arc::new(SystemClock))
        .await
        .expect("it opens")
}

/// Carries the next command out, so far that it ends like this.
async fn end(desk: &Desk, stage: Stage) {
    let memory = memory(desk).await;
    let claiming = async {
        loop {
            let claims = memory
                .claim(Service::Mdes, Duration::from_secs(45), 1)
                .await
                .expect("the store answers");
            match claims.claimed.into_iter().next() {
                Some(one) => return one,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let one = tokio::time::timeout(Duration::from_secs(20), claiming)
        .await
        .expect("it was asked for");
    let mut command = one.kept.command;
    (command.stage, command.why) = (stage, format!("it ended as {}", stage.as_str()));
    let progress = Progress {
        command,
        claim: one.claim,
        seen: Vec::new(),
        answer: None,
        due_in: None,
        event: None,
    };
    assert!(memory.progress(&progress).await.expect("the store answers"));
    memory.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_sees_each_step_and_how_it_ended() {
    for (stage, code) in [(Stage::Confirmed, 0), (Stage::Refused, 1), (Stage::Contradicted, 1)] {
        let desk = Arc::new(desk());
        let waiting = desk.clone();
        let ran = tokio::task::spawn_blocking(move || waiting.run(&["lifecycle", "suspend", TOKEN, "--wait"]));
        end(&desk, stage).await;
        let ran = ran.await.expect("it ran");
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("  requested     asked for\n"), "{}", ran.out);
        assert!(
            ran.out.ends_with(&format!("it ended as {}\n", stage.as_str())),
            "{}",
            ran.out
        );
    }
}

#[test]
fn who_waits_in_vain_is_told_what_to_do() {
    let ran = desk().run(&["lifecycle", "suspend", TOKEN, "--wait", "--wait-secs", "1"]);
    assert!(ran.code == 1 && ran.err.contains("lifecycle show"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_is_asked_for_now_and_shown_beside_what_we_hold() {
    let token = json!({ "token": {
        "tokenUniqueReference": TOKEN, "status": "SUSPENDED", "suspendedBy": ["ISSUER"],
        "statusTimestamp": "2026-11-22T10:00:00Z",
    }});
    let sink = Sink::plain(Says::Raw(answer(200, "", &token.to_string()))).await;
    let desk = Arc::new(desk_by(&format!("http://{}/mdes", sink.address)));
    let status = |args: &'static [&'static str]| {
        let desk = desk.clone();
        tokio::task::spawn_blocking(move || desk.run(&[&["lifecycle", "status"], args].concat()))
    };
    let ran = status(&[TOKEN]).await.expect("it ran");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[1].starts_with("mdes says  SUSPENDED  ISSUER"), "{}", ran.out);
    assert!(lines[2].starts_with("we hold    nothing"), "{}", ran.out);
    let ran = status(&[TOKEN, "--json"]).await.expect("it ran");
    let json: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(
        (&json["service"]["status"], &json["held"]),
        (&json!("SUSPENDED"), &json!(null))
    );
    let ran = status(&["DM4MMC-another"]).await.expect("it ran");
    refused(&ran, 1, "another token than the one that was asked for");
    assert_eq!(sink.heard().len(), 3);
}

#[test]
fn links_are_imported_listed_and_removed() {
    let desk = desk();
    desk.write(
        "links.csv",
        "token_unique_reference,tokenex_token,token_reference_id\nDM4MMC1,5204730000001201,id-1\nDM4MMC2,abc,\n,abc,\nDM4MMC3\n",
    );
    let file = desk.path("links.csv").display().to_string();
    let dry = desk.run(&["links", "import", &file, "--dry-run"]);
    assert_eq!(
        (dry.code, dry.out.as_str()),
        (1, "2 would be joined; 2 wrong, left out\n")
    );
    let first = desk.run(&["links", "import", &file]);
    assert_eq!(first.out, "2 joined: 2 new, 0 before; 2 wrong, left out\n");
    let lines: Vec<&str> = first.err.lines().collect();
    assert_eq!(
        lines,
        [
            "line 4: `token_unique_reference` is missing",
            "line 5: does not have as many fields as the header line",
        ]
    );
    assert_eq!(
        desk.run(&["links", "import", &file]).out,
        "2 joined: 0 new, 2 before; 2 wrong, left out\n"
    );
    let listed = desk.run(&["links", "list"]);
    assert_eq!(listed.out, "DM4MMC1  5204730000001201  id-1\nDM4MMC2  abc  -\n");

    let asked = desk.run(&["lifecycle", "suspend", "DM4MMC1", "--through", "tokenex"]);
    assert_eq!(asked.code, 0, "{}", asked.err);
    let remove = [
        "links",
        "remove",
        "--token-unique-reference",
        "DM4MMC2",
        "--tokenex-token",
        "abc",
    ];
    assert_eq!(desk.run(&remove).out, "removed\n");
    refused(&desk.run(&remove), 1, "links list");
}

#[test]
fn every_line_of_the_docs_is_one_that_the_program_knows() {
    use clap::Parser;
    const DOCS: &str = include_str!("../../../docs/lifecycle.md");
    let lines: Vec<&str> = DOCS.lines().filter(|line| line.starts_with("mdes-receiver ")).collect();
    assert!(lines.len() >= 10);
    for line in lines {
        let line = line.split(" #").next().unwrap_or_default();
        // A command's id stands there cut short.
        let line = line.replace("0199…", "00000000-0000-0000-0000-000000000000");
        let words = line.replace("\"lost, says the customer\"", "lost");
        if let Err(error) = mdes_receiver::cli::Cli::try_parse_from(words.split_whitespace()) {
            panic!("{line}\n{error}");
        }
    }
}
