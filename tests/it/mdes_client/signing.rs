//! Signatures, beside those of Mastercard's own package.

use std::path::Path;
use std::process::{Command, Stdio};

use mdes_receiver::domain::masked::Secret;
use mdes_receiver::mdes::oauth1::{Signed, Signer};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use time::OffsetDateTime;
use url::Url;

use super::{PASSWORD, signing_key};

/// As Mastercard gives them out: with a `!` in it, and capitals.
const CONSUMER_KEY: &str =
    "gAXbr_K4Y2k6o7p-DsQ1CtV~x8bKQ2ZKJPo3IXnd5f1b6c2a!f4b2d4c1a0d94f1e8f4a1b2c3d4e5f60000000000000000";
const AT: i64 = 1_795_428_000;

#[test]
fn every_signature_is_byte_for_byte_that_of_mastercards_own_package() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = signing_key(folder.path());
    let signer = Signer::load(CONSUMER_KEY, &file, Some(&Secret::new(PASSWORD))).expect("a good key");
    let requests = requests();
    let theirs = signed_by_their_package(&file, &requests);
    assert_eq!(theirs.len(), requests.len());
    for ((method, url, body, nonce), theirs) in requests.iter().zip(&theirs) {
        let request = Signed {
            method,
            url,
            body: body.as_bytes(),
            nonce,
            at: OffsetDateTime::from_unix_timestamp(AT).expect("an instant"),
        };
        assert_eq!(
            theirs["base_string"],
            signer.base_string(&request),
            "{method} {url} {body}"
        );
        let ours = signer.authorization(&request).expect("it signs");
        assert_eq!(theirs["authorization"], ours, "{method} {url} {body}");
    }
}

#[test]
fn a_key_that_cannot_be_used_is_named_with_its_setting() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = signing_key(folder.path());
    let wrong = Secret::new("open sesame");
    for (file, password, why) in [
        (file.as_path(), Some(&wrong), "is `password` right?"),
        (&folder.path().join("absent.p12"), None, "file not found"),
    ] {
        let error = Signer::load(CONSUMER_KEY, file, password)
            .expect_err("a bad key")
            .to_string();
        assert!(
            error.starts_with("key `lifecycle.mdes.signing_key`: ") && error.contains(why) && !error.contains("sesame"),
            "{error}"
        );
    }
}

#[test]
fn a_signer_shows_no_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let signer = Signer::load(CONSUMER_KEY, &signing_key(folder.path()), Some(&Secret::new(PASSWORD)));
    let shown = format!("{:?}", signer.expect("a good key"));
    assert_eq!(shown, "Signer(····)");
}

type Request = (&'static str, Url, String, String);

/// What one might ask, and what chance adds to it.
fn requests() -> Vec<Request> {
    let body = r#"{"requestId":"1","reason":"verloren – löst sich auf 🃏","tokenUniqueReferences":["DM4MMC+/="]}"#;
    let chosen = [
        (
            "POST",
            "https://sandbox.api.mastercard.com/mdes/digitization/static/1/0/suspend",
            body,
        ),
        (
            "POST",
            "https://api.mastercard.com:443/mdes/digitization/static/1/0/getToken",
            "{}",
        ),
        (
            "POST",
            "http://localhost:8080/mdes/digitization/static/1/0/delete",
            body,
        ),
        ("POST", "http://127.0.0.1:80/", "a+b=c&d"),
        ("POST", "https://API.Mastercard.com", ""),
        (
            "GET",
            "https://api.mastercard.com/mdes/assets/static/1/0/asset/739d27e5-629d-11e3",
            "",
        ),
        (
            "GET",
            "https://api.mastercard.com/a%20path/with%2Fescapes/and/ünïcode",
            "",
        ),
        ("GET", "https://api.mastercard.com/x?b=2&a=1&a=0&=&c&&d=", ""),
        ("GET", "https://api.mastercard.com/x?b=2&a=ü&c=a+b&d=%E2%82%AC", ""),
        (
            "GET",
            "https://api.mastercard.com/x?uri=https%3A%2F%2Fa.b%2F%3Fc%3Dd&plain=yes",
            "",
        ),
        (
            "GET",
            "https://api.mastercard.com/x?time=2026-11-22T12:00:00+01:00&oauth_z=~._-!*'()",
            "",
        ),
        ("GET", "https://api.mastercard.com/x?bad=%zz%ff%", ""),
    ];
    let mut requests: Vec<Request> = chosen
        .into_iter()
        .enumerate()
        .map(|(place, (method, url, body))| {
            let url = Url::parse(url).expect("a URL");
            (method, url, body.to_owned(), format!("nonce{place}"))
        })
        .collect();
    let mut runner = TestRunner::deterministic();
    let drawn = ("[a-z%+&=:/ 0-9A-Fü!*~]{0,40}", "\\PC{0,60}", "[0-9a-zA-Z]{16}");
    for _ in 0..100 {
        let (query, body, nonce) = drawn.new_tree(&mut runner).expect("a value").current();
        let mut url =
            Url::parse("https://api.mastercard.com/mdes/digitization/static/1/0/searchTokens").expect("a URL");
        url.set_query(Some(&query));
        requests.push(("POST", url, body, nonce));
    }
    requests
}

fn signed_by_their_package(file: &Path, requests: &[Request]) -> Vec<Value> {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run` makes a Python environment with Mastercard's packages, \
         and `tests/run NAME` runs one test with it",
    );
    let requests: Vec<Value> = requests
        .iter()
        .map(|(method, url, body, nonce)| {
            json!({ "method": method, "url": url.as_str(), "body": body, "nonce": nonce, "timestamp": AT })
        })
        .collect();
    let task = json!({
        "signing_key": file, "password": PASSWORD, "consumer_key": CONSUMER_KEY, "requests": requests,
    });
    let input = file.with_extension("task");
    std::fs::write(&input, task.to_string()).expect("written");
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/sign.py"))
        .stdin(std::fs::File::open(&input).expect("it was written"))
        .stderr(Stdio::inherit())
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", output.status);
    let lines = String::from_utf8(output.stdout).expect("UTF-8");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}
