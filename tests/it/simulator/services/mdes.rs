//! MDES behind Mastercard's gateway: who is believed, what is done, and both forms of an error.

use std::process::{Command, Stdio};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mdes_receiver::simulator::dev_files::{Pair, signing};
use mdes_receiver::simulator::services::tokens::{Act, Cause, NewToken};
use mdes_receiver::simulator::services::{Alternative, Settings, codes};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::{Street, TOKEN};

/// Who may call MDES, and the services.
struct Caller {
    street: Street,
    key: RsaKeyPair,
    pair: Pair,
    _folder: TempDir,
}

/// What a request is made of; a forger changes one of them.
#[derive(Clone)]
struct Parts {
    consumer_key: String,
    nonce: String,
    timestamp: i64,
    method: &'static str,
    version: &'static str,
    hashed: String,
    signed_path: String,
    signed_verb: &'static str,
}

impl Caller {
    async fn known() -> Self {
        Caller::with(Settings::default()).await
    }

    async fn other(alternative: Alternative) -> Self {
        let alternatives = [alternative].into();
        Caller::with(Settings {
            alternatives,
            ..Settings::default()
        })
        .await
    }

    async fn with(settings: Settings) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let (pair, _) = signing(folder.path(), OffsetDateTime::now_utc()).expect("it can be written");
        let der = PrivatePkcs8KeyDer::from_pem_file(&pair.private_key).expect("PKCS#8");
        let certificate = std::fs::read(&pair.certificate).expect("it was made");
        let settings = Settings {
            signing_certificate: Some(certificate),
            ..settings
        };
        Caller {
            street: Street::with(settings).await,
            key: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("an RSA key"),
            pair,
            _folder: folder,
        }
    }

    fn parts(&self, path: &str, body: &str) -> Parts {
        Parts {
            consumer_key: Settings::default().consumer_key,
            nonce: uuid::Uuid::now_v7().simple().to_string(),
            timestamp: OffsetDateTime::now_utc().unix_timestamp(),
            method: "RSA-SHA256",
            version: "1.0",
            hashed: body.to_owned(),
            signed_path: path.to_owned(),
            signed_verb: if body.is_empty() { "GET" } else { "POST" },
        }
    }

    /// Written from Mastercard's description, for URLs without a query.
    fn header(&self, parts: &Parts) -> String {
        let hash = STANDARD.encode(digest(&SHA256, parts.hashed.as_bytes()));
        let pairs = format!(
            "oauth_body_hash={hash}&oauth_consumer_key={}&oauth_nonce={}&oauth_signature_method={}&\
             oauth_timestamp={}&oauth_version={}",
            parts.consumer_key, parts.nonce, parts.method, parts.timestamp, parts.version
        );
        let url = format!("http://{}{}", self.street.services.address(), parts.signed_path);
        let base = format!("{}&{}&{}", parts.signed_verb, encoded(&url), encoded(&pairs));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), base.as_bytes(), &mut signature)
            .expect("a signature");
        let quoted = pairs.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').expect("a pair");
            format!("{name}=\"{value}\"")
        });
        let quoted: Vec<String> = quoted.collect();
        format!(
            "OAuth {},oauth_signature=\"{}\"",
            quoted.join(","),
            encoded(&STANDARD.encode(signature))
        )
    }

    async fn call(&self, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let parts = self.parts(path, &body);
        self.send(path, &self.header(&parts), &body).await
    }

    async fn send(&self, path: &str, header: &str, body: &str) -> (u16, Value) {
        let verb = if body.is_empty() { "GET" } else { "POST" };
        let answer = self.street.send(verb, path, &[("authorization", header)], body).await;
        answer.expect("an answer")
    }

    async fn change(&self, what: &str, by: &str) -> (u16, Value) {
        self.call(&path(what), &change(&[&self.street.unique_reference], by))
            .await
    }
}

fn path(what: &str) -> String {
    format!("/mdes/digitization/static/1/0/{what}")
}

fn change(references: &[&str], by: &str) -> Value {
    json!({
        "requestId": uuid::Uuid::now_v7().to_string(), "tokenUniqueReferences": references,
        "causedBy": by, "reasonCode": "OTHER", "reason": "lost",
    })
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let byte = |b: u8| {
        if plain(b) {
            char::from(b).to_string()
        } else {
            format!("%{b:02X}")
        }
    };
    text.bytes().map(byte).collect()
}

fn reason(said: &Value) -> &str {
    said["errors"][0]["reasonCode"].as_str().unwrap_or("none")
}

#[tokio::test]
async fn a_change_is_answered_with_the_state_the_suspenders_and_the_moment() {
    let caller = Caller::known().await;
    let (status, said) = caller.change("suspend", "CARDHOLDER").await;
    let token = &said["tokens"][0];
    assert_eq!(
        (status, &token["status"], &token["suspendedBy"]),
        (200, &json!("SUSPENDED"), &json!(["CARDHOLDER"]))
    );
    assert_eq!(token["tokenUniqueReference"], caller.street.unique_reference);
    assert!(said["responseId"].is_string() && token["statusTimestamp"].is_string());
    let (_, said) = caller.change("suspend", "TOKEN_REQUESTOR").await;
    assert_eq!(
        said["tokens"][0]["suspendedBy"],
        json!(["CARDHOLDER", "TOKEN_REQUESTOR"])
    );
    let (_, said) = caller.change("unsuspend", "CARDHOLDER").await;
    assert_eq!(said["tokens"][0]["status"], "SUSPENDED");
    let (_, said) = caller.change("unsuspend", "TOKEN_REQUESTOR").await;
    assert_eq!(said["tokens"][0]["status"], "ACTIVE");
    let (_, said) = caller.change("delete", "TOKEN_REQUESTOR").await;
    assert_eq!(said["tokens"][0]["status"], "DEACTIVATED");
    assert_eq!(
        caller.street.state().await,
        "DELETED",
        "both services know the same token"
    );
}

#[tokio::test]
async fn nobody_lets_go_for_another_and_a_deactivated_token_stays_so() {
    let caller = Caller::known().await;
    assert_eq!(
        reason(&caller.change("unsuspend", "TOKEN_REQUESTOR").await.1),
        "INVALID_TOKEN_STATUS"
    );
    caller
        .street
        .services
        .act(TOKEN, Act::Suspend, &Cause::by("ISSUER"))
        .expect("held");
    let (status, said) = caller.change("unsuspend", "TOKEN_REQUESTOR").await;
    assert_eq!(
        (status, reason(&said), &said["errorCode"]),
        (200, "INVALID_TOKEN_STATUS", &json!("INVALID_TOKEN_STATUS"))
    );
    caller.change("delete", "TOKEN_REQUESTOR").await;
    assert_eq!(
        reason(&caller.change("suspend", "TOKEN_REQUESTOR").await.1),
        "INVALID_TOKEN_STATUS"
    );
}

#[tokio::test]
async fn up_to_ten_tokens_are_changed_together_or_none_of_them() {
    let caller = Caller::known().await;
    let made = caller.street.services.make(&NewToken {
        references: Some(10),
        ..NewToken::default()
    });
    let made = made.expect("ten more");
    let names: Vec<&str> = made
        .iter()
        .map(|token| token["token_unique_reference"].as_str().expect("a name"))
        .collect();
    let eleven: Vec<&str> = names
        .iter()
        .copied()
        .chain([caller.street.unique_reference.as_str()])
        .collect();
    let (_, said) = caller.call(&path("suspend"), &change(&eleven, "TOKEN_REQUESTOR")).await;
    assert_eq!(reason(&said), "INVALID_FIELD_LENGTH");
    caller
        .street
        .services
        .act(names[9], Act::Delete, &Cause::by("ISSUER"))
        .expect("gone");
    let (_, said) = caller.call(&path("suspend"), &change(&names, "TOKEN_REQUESTOR")).await;
    assert_eq!(reason(&said), "INVALID_TOKEN_STATUS");
    let shown = caller.street.services.shown();
    let touched = shown["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .filter(|token| token["state"] == "SUSPENDED");
    assert_eq!(touched.count(), 0);
    let (_, said) = caller
        .call(&path("suspend"), &change(&names[..9], "TOKEN_REQUESTOR"))
        .await;
    assert_eq!(said["tokens"].as_array().map(Vec::len), Some(9));
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_in_mdess_form() {
    let caller = Caller::known().await;
    let good = change(&[&caller.street.unique_reference], "TOKEN_REQUESTOR");
    let cases = [
        ("requestId", Value::Null, "MISSING_REQUIRED_FIELD"),
        ("causedBy", json!("ISSUER"), "INVALID_FIELD_VALUE"),
        ("causedBy", Value::Null, "MISSING_REQUIRED_FIELD"),
        ("reasonCode", json!("BORED"), "INVALID_FIELD_VALUE"),
        ("reason", json!("x".repeat(257)), "INVALID_FIELD_LENGTH"),
        ("reason", json!(7), "INVALID_FIELD_FORMAT"),
        ("tokenUniqueReferences", json!([]), "INVALID_FIELD_LENGTH"),
        (
            "tokenUniqueReferences",
            json!(["nobody"]),
            "INVALID_TOKEN_UNIQUE_REFERENCE",
        ),
        (
            "tokenUniqueReferences",
            json!([caller.street.reference_id]),
            "INVALID_TOKEN_UNIQUE_REFERENCE",
        ),
    ];
    for (field, value, expected) in cases {
        let mut body = good.clone();
        body[field] = value;
        let (status, said) = caller.call(&path("suspend"), &body).await;
        assert_eq!((status, reason(&said)), (200, expected), "{body}");
    }
    assert_eq!(caller.street.state().await, "ACTIVE");
    caller.call(&path("suspend"), &good).await;
    assert_eq!(
        reason(&caller.call(&path("suspend"), &good).await.1),
        "DUPLICATE_REQUEST"
    );
    assert_eq!(reason(&caller.call(&path("nothing"), &good).await.1), "INVALID_METHOD");
}

#[tokio::test]
async fn the_other_forms_of_an_error_are_one_setting_away() {
    let caller = Caller::other(Alternative::Mdes500).await;
    assert_eq!(caller.change("unsuspend", "TOKEN_REQUESTOR").await.0, 500);
    let caller = Caller::other(Alternative::MdesErrorObject).await;
    let (_, said) = caller.change("unsuspend", "TOKEN_REQUESTOR").await;
    assert_eq!(said["Errors"]["Error"]["reasonCode"], "INVALID_TOKEN_STATUS");
}

#[tokio::test]
async fn every_row_of_mdess_tables_can_be_provoked() {
    let caller = Caller::known().await;
    for (row, _) in codes::MDES {
        caller.street.fault(&format!("{row}:1"));
        assert_eq!(reason(&caller.change("suspend", "TOKEN_REQUESTOR").await.1), *row);
    }
    for (row, _) in codes::GATEWAY {
        caller.street.fault(&format!("{row}:1"));
        let (status, said) = caller.change("suspend", "TOKEN_REQUESTOR").await;
        let error = &said["Errors"]["Error"][0];
        assert_eq!(
            (status, &error["ReasonCode"], &error["Source"]),
            (401, &json!(row), &json!("Gateway"))
        );
    }
    assert_eq!(caller.street.state().await, "ACTIVE");
}

#[tokio::test]
async fn a_token_is_looked_at_searched_for_and_its_art_fetched() {
    let caller = Caller::known().await;
    let name = &caller.street.unique_reference;
    let (_, said) = caller
        .call(
            &path("getToken"),
            &json!({"requestId": "1", "tokenUniqueReference": name}),
        )
        .await;
    assert_eq!(
        (&said["token"]["status"], &said["token"]["tokenUniqueReference"]),
        (&json!("ACTIVE"), &json!(name))
    );
    assert!(said["token"]["tokenInfo"]["tokenPanSuffix"].is_string());
    let asset = said["token"]["productConfig"]["issuerLogoAssetId"]
        .as_str()
        .expect("an id");
    let (_, art) = caller
        .call(&format!("/mdes/assets/static/1/0/asset/{asset}"), &Value::Null)
        .await;
    assert_eq!(art["mediaContents"][0]["type"], "image/png");
    let search = json!({"requestId": "2", "fundingAccountInfo": {"tokenUniqueReference": name}});
    assert_eq!(
        caller.call(&path("searchTokens"), &search).await.1["tokens"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    caller.change("delete", "TOKEN_REQUESTOR").await;
    assert_eq!(caller.call(&path("searchTokens"), &search).await.1["tokens"], json!([]));
}

#[tokio::test]
async fn each_kind_of_forgery_is_refused_and_changes_nothing() {
    let caller = Caller::known().await;
    let there = path("suspend");
    let body = change(&[&caller.street.unique_reference], "TOKEN_REQUESTOR").to_string();
    let good = caller.parts(&there, &body);
    let with = |meddle: &dyn Fn(&mut Parts)| {
        let mut parts = good.clone();
        meddle(&mut parts);
        caller.header(&parts)
    };
    let forged = [
        (String::new(), "AUTHENTICATION_FAILED"),
        ("Bearer x".to_owned(), "AUTHENTICATION_FAILED"),
        (
            with(&|parts| parts.consumer_key = "somebody!else".to_owned()),
            "INVALID_CLIENT_ID",
        ),
        (with(&|parts| parts.hashed.push(' ')), "INVALID_BODY_HASH"),
        (with(&|parts| parts.timestamp -= 400), "AUTHENTICATION_FAILED"),
        (with(&|parts| parts.timestamp += 400), "AUTHENTICATION_FAILED"),
        (with(&|parts| parts.method = "HMAC-SHA1"), "AUTHENTICATION_FAILED"),
        (with(&|parts| parts.version = "2.0"), "AUTHENTICATION_FAILED"),
        (
            with(&|parts| parts.signed_path = path("delete")),
            "AUTHENTICATION_FAILED",
        ),
        (with(&|parts| parts.signed_verb = "PUT"), "AUTHENTICATION_FAILED"),
        (with(&|_| ()).replace(&good.nonce, "another"), "AUTHENTICATION_FAILED"),
        (
            with(&|_| ()).replace("oauth_version=\"1.0\",", ""),
            "AUTHENTICATION_FAILED",
        ),
    ];
    for (header, expected) in forged {
        let (status, said) = caller.send(&there, &header, &body).await;
        assert_eq!(
            (status, &said["Errors"]["Error"][0]["ReasonCode"]),
            (401, &json!(expected)),
            "{header}"
        );
    }
    assert_eq!(caller.street.state().await, "ACTIVE");
    assert_eq!(
        caller.street.seen()["calls"],
        json!({"GetStatus": {"came": 1, "applied": 1}})
    );
    let header = caller.header(&good);
    assert_eq!(caller.send(&there, &header, &body).await.0, 200);
    assert_eq!(caller.send(&there, &header, &body).await.0, 401, "a nonce is used once");
}

#[tokio::test]
async fn another_key_is_not_believed_and_without_a_certificate_nobody_is() {
    let (known, stranger) = (Caller::known().await, Caller::known().await);
    let body = change(&[&known.street.unique_reference], "TOKEN_REQUESTOR").to_string();
    let there = path("suspend");
    let swapped = Caller {
        street: known.street,
        ..stranger
    };
    let parts = swapped.parts(&there, &body);
    assert_eq!(swapped.send(&there, &swapped.header(&parts), &body).await.0, 401);
    let nobody = Caller {
        street: Street::quiet().await,
        ..swapped
    };
    let parts = nobody.parts(&there, &body);
    assert_eq!(nobody.send(&there, &nobody.header(&parts), &body).await.0, 401);
}

const SIGN: &str = r#"
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from oauth1.oauth import OAuth
task = json.load(sys.stdin)
key = load_pem_private_key(open(task["key"], "rb").read(), None)
for url in task["urls"]:
    print(OAuth.get_authorization_header(url, "POST", task["body"], task["consumer_key"], key))
"#;

#[tokio::test]
async fn what_mastercards_own_package_signs_is_believed() {
    let caller = Caller::known().await;
    let body = change(&[&caller.street.unique_reference], "TOKEN_REQUESTOR").to_string();
    let paths = [
        "suspend",
        "suspend?b=2&a=1",
        "suspend?a=x%20y&a=%7E%2B",
        "suspend?a=b+c",
    ]
    .map(path);
    let address = caller.street.services.address();
    let task = json!({
        "key": caller.pair.private_key, "consumer_key": Settings::default().consumer_key, "body": body,
        "urls": paths.each_ref().map(|path| format!("http://{address}{path}")),
    });
    let headers = signed(&task);
    assert_eq!(headers.len(), paths.len());
    for (path, header) in paths.iter().zip(&headers) {
        assert_eq!(caller.send(path, header, &body).await.0, 200, "{path}");
    }
}

fn signed(task: &Value) -> Vec<String> {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run` makes a Python environment with Mastercard's package, \
         and `tests/run NAME` runs one test with it",
    );
    let mut child = Command::new(python)
        .args(["-c", SIGN])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Python that tests/run prepared");
    serde_json::to_writer(child.stdin.take().expect("it was asked for"), task).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "it has no mastercard-oauth1-signer; tests/run prepares it"
    );
    String::from_utf8(output.stdout)
        .expect("text")
        .lines()
        .map(str::to_owned)
        .collect()
}
