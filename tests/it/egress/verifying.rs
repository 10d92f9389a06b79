//! `verify` and `destinations secret`, as a merchant's developer uses them.

use std::process::Output;

use assert_cmd::Command;
use mdes_receiver::delivery::signature::Secrets;
use mdes_receiver::domain::masked::Secret;
use time::OffsetDateTime;

use super::{BODY, SECRET};

fn program(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("mdes-receiver").expect("it is built");
    command.args(args);
    command
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8(text).expect("UTF-8"))
}

/// Asks about a body that was signed by that secret, so many seconds ago.
fn asked(secret: &str, body: &str, ago: i64, more: &[&str]) -> (Option<i32>, String) {
    let at = OffsetDateTime::now_utc() - time::Duration::seconds(ago);
    let signature = Secrets::load(&[Secret::new(secret)], &[])
        .expect("a secret")
        .sign("id", at, BODY.as_bytes());
    let headers = [
        "Webhook-Id: id".to_owned(),
        format!("webhook-timestamp: {}", at.unix_timestamp()),
        format!("webhook-signature: {signature}"),
        "content-type: application/json".to_owned(),
    ];
    let mut command = program(&["verify"]);
    for header in &headers {
        command.args(["--header", header]);
    }
    let output = command
        .args(more)
        .env("MDES_RECEIVER_WEBHOOK_SECRET", SECRET)
        .write_stdin(body)
        .output();
    said(&output.expect("it ran"))
}

#[test]
fn a_good_signature_is_exit_code_0_and_says_whose_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("orders.secret");
    std::fs::write(&file, format!("{SECRET}\n")).expect("written");
    assert_eq!(
        asked(SECRET, BODY, 0, &[]),
        (Some(0), "signed by secret 1 (v1)\n".to_owned())
    );
    let file = file.to_str().expect("UTF-8");
    let (code, text) = asked(SECRET, BODY, 0, &["--secret-file", file]);
    assert_eq!((code, text), (Some(0), format!("signed by {file} (v1)\n")));
    assert_eq!(asked(SECRET, BODY, 900, &["--tolerance-secs", "1000"]).0, Some(0));
}

#[test]
fn a_bad_one_is_exit_code_1_and_says_what_is_wrong() {
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for ((code, text), why) in [
        (asked(SECRET, "{}", 0, &[]), "no signature fits"),
        (asked(other, BODY, 0, &[]), "no signature fits"),
        (asked(SECRET, BODY, 900, &[]), "too old"),
        (asked(SECRET, BODY, -900, &[]), "in the future"),
    ] {
        assert_eq!(code, Some(1));
        assert!(text.contains(why) && !text.contains("MfKQ"), "{text}");
    }
    let missing = program(&["verify", "--secret", SECRET]).write_stdin("{}").output();
    let (code, text) = said(&missing.expect("it ran"));
    assert!(code == Some(2) && text.contains("no webhook-id"), "{text}");
}

#[test]
fn a_new_secret_is_alone_on_standard_output_and_signs() {
    for (args, begins) in [
        (&["destinations", "secret"] as &[&str], "whsec_"),
        (&["destinations", "secret", "--ed25519"], "whsk_"),
    ] {
        let output = program(args).output().expect("it ran");
        let secret = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(secret.starts_with(begins) && secret.lines().count() == 1, "{begins}");
        let secrets = Secrets::load(&[Secret::new(secret.trim())], &[]);
        assert!(secrets.is_ok());
        let told = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(told.contains("whpk_"), begins == "whsk_", "{told}");
    }
}
