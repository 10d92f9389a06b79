//! An operator's day, by the commands of the program itself beside a running receiver.

use bytes::Bytes;
use mdes_receiver::simulator::pki;
use mdes_receiver::simulator::seal::{Sealer, Style};
use serde_json::json;

use super::process::{Process, Program, config_file, text};
use crate::support::Database;
use crate::world::{Desk, body, sealed, statement};

promises!(
    a_merchant_tries_a_receiver_from_the_command_line,
    what_was_sealed_to_another_key_is_found_opened_and_settled,
    a_sealed_body_is_opened_or_the_step_that_failed_is_named,
);

const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
const NUMBER: &str = "5204730000001202";

async fn a_merchant_tries_a_receiver_from_the_command_line(database: Database) {
    let desk = Desk::over(database);
    let migrated = ran(&desk, &["migrate"]).await;
    assert!(migrated.ends_with(0, ": was up to date"), "{migrated:?}");
    let program = Program::serve(&desk).await;
    let files = &desk.files;
    let to = format!("https://{}", program.callback);
    let play = |scenarios: &'static [&'static str]| {
        let mut args = vec!["simulate", "--to", &to];
        for (flag, file) in [
            ("--client-certificate", &files.client.certificate),
            ("--client-key", &files.client.private_key),
            ("--server-roots", &files.ca.certificate),
            ("--encryption-certificate", &files.decryption.certificate),
            ("--client-ca", &files.client_ca.certificate),
            ("--client-ca-key", &files.client_ca.private_key),
        ] {
            args.extend([flag, text(file)]);
        }
        args.extend(scenarios);
        args.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for scenarios in [&["life"] as &[&str], &["all"]] {
        let args = play(scenarios);
        let played = ran(&desk, &args.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert!(played.ends_with(0, " answers as expected"), "{played:?}");
    }

    let here = |key: &str, address| format!("{key}.listen={address}");
    let (callback, admin) = (here("callback", program.callback), here("admin", program.admin));
    let settings = ["--setting", &callback, "--setting", &admin];
    let health = ran(&desk, &[&settings[..], &["check", "--health"]].concat()).await;
    assert!(health.ends_with(0, "ready"), "{health:?}");
    let check = ran(&desk, &[&settings[..], &["check"]].concat()).await;
    assert_eq!(check.code, Some(0), "{check:?}");
    let ours = format!("{} is taken by a running mdes-receiver", program.callback);
    assert!(check.out.contains(&ours), "{check:?}");

    let list = ran(&desk, &["simulate", "--list"]).await;
    for name in ["active", "two-suspenders", "wrong-key"] {
        assert!(list.code == Some(0) && list.out.contains(name), "{name}: {list:?}");
    }
}

async fn what_was_sealed_to_another_key_is_found_opened_and_settled(database: Database) {
    let desk = Desk::over(database);
    let other = pki::decryption_key(2048, "the other key");
    std::fs::write(desk.path("other.key"), &other.private_key_pem).expect("written");
    let sealer = Sealer::new(other.certificate_pem.as_bytes(), Style::default()).expect("a sealer");
    let program = Program::serve(&desk).await;
    let content = statement(TOKEN, "SUSPENDED", "2025-11-02T09:15:03Z");
    let lost = send(&desk, &program, sealed(&sealer, "r-1", &content)).await;
    assert_eq!(lost, (400, json!("CRYPTOGRAPHY_ERROR")));
    let garbage = send(&desk, &program, Bytes::from_static(b"{}")).await;
    assert_eq!(garbage.0, 400);

    let list = ran(&desk, &["quarantine", "list", "--json"]).await;
    let entries: Vec<serde_json::Value> = serde_json::from_str(&list.out).expect("JSON");
    let id_of = |reason: &str| {
        let entry = entries.iter().find(|entry| entry["reason"] == reason);
        let id = entry.and_then(|entry| entry["id"].as_str());
        id.unwrap_or_else(|| panic!("no {reason}: {list:?}")).to_owned()
    };
    let (lost, garbage) = (id_of("CRYPTOGRAPHY_ERROR"), id_of("MISSING_REQUIRED_FIELD"));
    let show = ran(&desk, &["quarantine", "show", &lost]).await;
    assert!(
        show.code == Some(0) && show.out.contains("ws.mastercard.com"),
        "{show:?}"
    );

    let in_vain = ran(&desk, &["quarantine", "redrive", "--all"]).await;
    assert!(
        in_vain.code == Some(1) && in_vain.out.contains("still cannot be read"),
        "{in_vain:?}"
    );
    let keys = ["decrypt.key", "other.key"].map(|name| format!("{{ private_key = {:?} }}", desk.path(name)));
    let keys = format!("keys=[{}]", keys.join(","));
    let redrive = ["--setting", &keys, "quarantine", "redrive", &lost];
    let redriven = ran(&desk, &redrive).await;
    assert!(
        redriven.code == Some(0) && redriven.out.contains("recorded as notification"),
        "{redriven:?}"
    );
    let again = ran(&desk, &redrive).await;
    assert!(again.ends_with(0, "was resolved before"), "{again:?}");
    let because = ["quarantine", "resolve", &garbage, "--reason", "a probe of ours"];
    assert_eq!(ran(&desk, &because).await.code, Some(0));
    let list = ran(&desk, &["quarantine", "list"]).await;
    assert!(!list.out.contains(&lost) && !list.out.contains(&garbage), "{list:?}");

    let token = ran(&desk, &["token", "show", TOKEN]).await;
    assert!(token.out.contains("status        SUSPENDED"), "{token:?}");
    let tokens = ran(&desk, &["token", "list"]).await;
    assert!(tokens.out.contains(TOKEN), "{tokens:?}");
}

async fn a_sealed_body_is_opened_or_the_step_that_failed_is_named(database: Database) {
    let desk = Desk::over(database);
    let content = json!({"tokens": [{"tokenUniqueReference": TOKEN, "tokenInfo": {"tokenNumber": NUMBER}}]});
    let body = sealed(&desk.sealer(), "r-1", &content);
    let file = desk.path("body.json");
    std::fs::write(&file, &body).expect("written");
    let masked = ran(&desk, &["inspect", text(&file)]).await;
    assert_eq!(masked.code, Some(0), "{masked:?}");
    assert!(
        masked.out.contains("····1202") && !masked.out.contains(NUMBER),
        "{masked:?}"
    );
    let revealed = ran(&desk, &["inspect", "--reveal", text(&file)]).await;
    assert!(
        revealed.code == Some(0) && revealed.out.contains(NUMBER),
        "{revealed:?}"
    );

    let other = pki::decryption_key(2048, "the other key");
    std::fs::write(desk.path("other.key"), &other.private_key_pem).expect("written");
    let failed = ran(&desk, &["inspect", text(&file), "--key", text(&desk.path("other.key"))]).await;
    assert_eq!((failed.code, failed.out.as_str()), (Some(1), ""), "{failed:?}");
    assert!(failed.err.starts_with("cannot be opened: "), "{failed:?}");
    assert!(failed.err.contains("encryptedKey"), "it names the step: {failed:?}");
    std::fs::write(&file, "not JSON").expect("written");
    let failed = ran(&desk, &["inspect", text(&file)]).await;
    assert!(failed.code == Some(1) && failed.err.contains("JSON"), "{failed:?}");

    let keys = ran(&desk, &["keys"]).await;
    for label in ["certificate SHA-1", "certificate SHA-256", "SPKI SHA-256"] {
        assert!(keys.code == Some(0) && keys.out.contains(label), "{label}: {keys:?}");
    }
}

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn ends_with(&self, code: i32, words: &str) -> bool {
        self.code == Some(code) && self.out.ends_with(words)
    }
}

/// Runs the program to its end on this desk's configuration.
pub async fn ran(desk: &Desk, args: &[&str]) -> Ran {
    let config = config_file(desk);
    let mut process = Process::start(&desk.path(""), &[&["--config", text(&config)], args].concat());
    let code = process.ended().await.code();
    Ran {
        code,
        out: process.output(),
        err: process.log().join("\n"),
    }
}

/// The status and the error code of the answer to this body.
pub async fn send(desk: &Desk, program: &Program, sent: Bytes) -> (u16, serde_json::Value) {
    let answer = desk.sender(program.callback).send(sent).await.expect("an answer");
    (answer.status, body(&answer)["errorCode"].clone())
}
