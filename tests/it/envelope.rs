//! The envelope: known answers made by others, and one failure for everything that does not open.

mod differential;
mod keyring;
mod properties;
mod reading;

use std::collections::BTreeMap;
use std::path::PathBuf;

use mdes_receiver::config::settings::{Envelope, KeyFile, Payload};
use mdes_receiver::domain::notification::Flag;
use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes::{self, Field, Read, Reading, Reason, Unreadable, answer};
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-11-02 09:15:04 UTC);

const RULES: Reading = Reading {
    payload: Payload::Either,
    envelope: Envelope {
        try_all: true,
        legacy_pkcs1_v15: false,
        refuse_expired: false,
    },
};

/// Sealed once by PyCA `cryptography` and by Mastercard's own `mastercard-client-encryption`, never by us.
#[derive(Deserialize)]
struct Fixture {
    plaintext: String,
    keys: BTreeMap<u32, TestKey>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestKey {
    private_key: String,
    certificate: String,
    sha1: String,
    sha256: String,
    spki: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    key: u32,
    opens: bool,
    legacy: bool,
    encrypted_payload: Value,
}

impl Vector {
    fn body(&self) -> Vec<u8> {
        body(self.encrypted_payload.clone())
    }
}

fn body(encrypted_payload: Value) -> Vec<u8> {
    let envelope = json!({
        "responseHost": "site1.mastercard.com",
        "requestId": "7b0f1c1e-2d55-4c37-9b1a-6f2a0f6c9d10",
        "encryptedPayload": encrypted_payload,
    });
    envelope.to_string().into_bytes()
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/envelope.json")).expect("the fixture is of this shape")
}

impl Fixture {
    fn vector(&self, name: &str) -> &Vector {
        let found = self.vectors.iter().find(|vector| vector.name == name);
        found.unwrap_or_else(|| panic!("there is a vector `{name}`"))
    }

    /// A ring of these keys, each with its certificate.
    fn ring(&self, bits: &[u32]) -> KeyRing {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: String, text: &str| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let files: Vec<KeyFile> = bits
            .iter()
            .map(|bits| KeyFile {
                private_key: write(format!("{bits}.key"), &self.keys[bits].private_key),
                password: None,
                certificate: Some(write(format!("{bits}.pem"), &self.keys[bits].certificate)),
                fingerprints: Vec::new(),
            })
            .collect();
        KeyRing::load(&files).expect("the keys are good")
    }
}

fn legacy(rules: Reading, on: bool) -> Reading {
    let mut rules = rules;
    rules.envelope.legacy_pkcs1_v15 = on;
    rules
}

/// What whoever sent it can see of a refusal.
fn outward(unreadable: &Unreadable) -> Vec<u8> {
    answer::refused(
        unreadable.reason,
        400,
        "tokens.merchant.example",
        unreadable.request_id.as_deref(),
    )
    .body
}

#[test]
fn what_others_sealed_opens_to_what_they_sealed() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048, 3072, 4096]);
    for vector in fixture.vectors.iter().filter(|vector| vector.opens) {
        let rules = legacy(RULES, vector.legacy);
        let opened =
            mdes::open(&vector.body(), &ring, &rules).unwrap_or_else(|error| panic!("{}: {error}", vector.name));
        let spaceless = |bytes: &[u8]| -> Value { serde_json::from_slice(bytes).expect("JSON") };
        assert_eq!(
            spaceless(&opened.bytes),
            spaceless(fixture.plaintext.as_bytes()),
            "{}",
            vector.name
        );
        assert_eq!(
            opened.key.spki_sha256(),
            fixture.keys[&vector.key].spki,
            "{}",
            vector.name
        );

        let read = mdes::read(&vector.body(), &ring, &rules, NOW).expect("a notification");
        assert_eq!(read.notification.statements.len(), 1, "{}", vector.name);
        assert_eq!(read.key, fixture.keys[&vector.key].spki, "{}", vector.name);
        assert!(!read.resting.by_us, "{}", vector.name);
        assert_eq!(read.resting.body, vector.body(), "{}", vector.name);
    }
}

#[test]
fn whatever_fails_to_open_is_the_same_failure_outward() {
    let fixture = fixture();
    let ring = fixture.ring(&[3072, 2048]);
    let good = fixture.vector("rsa-2048 sha-256 aes-128");
    let wrong_key = mdes::read(&good.body(), &fixture.ring(&[4096]), &RULES, NOW).expect_err("another key");
    let expected = outward(&wrong_key);
    assert_eq!(wrong_key.reason, Reason::Unopened);

    let mut bodies: Vec<(String, Vec<u8>)> = fixture
        .vectors
        .iter()
        .filter(|vector| !vector.opens)
        .map(|vector| (vector.name.clone(), vector.body()))
        .collect();
    for field in ["encryptedKey", "encryptedData", "iv"] {
        for place in [0, 1, 15, -1_i64] {
            bodies.push((
                format!("{field} {place}"),
                body(flipped(&good.encrypted_payload, field, place)),
            ));
        }
    }
    for (field, bytes) in [
        ("encryptedKey", 1),
        ("encryptedKey", 128),
        ("encryptedData", 1),
        ("encryptedData", 16),
    ] {
        let cut = cut(&good.encrypted_payload, field, bytes);
        bodies.push((format!("{field} cut by {bytes}"), body(cut)));
    }
    let mut details = std::collections::BTreeSet::new();
    for (name, body) in bodies {
        let unreadable = mdes::read(&body, &ring, &RULES, NOW).expect_err(&name);
        assert_eq!(outward(&unreadable), expected, "{name}: {}", unreadable.detail);
        assert_eq!(unreadable.keys_tried.as_deref(), Some(ring.id()), "{name}");
        assert_eq!(unreadable.resting.body, body, "{name}");
        details.insert(unreadable.detail);
    }
    assert!(details.len() >= 4, "the log tells the steps apart: {details:?}");
}

/// The high bit of that byte (from the end if negative) turned over: what it decrypts to is then no UTF-8.
fn flipped(payload: &Value, field: &str, place: i64) -> Value {
    changed(payload, field, |bytes| {
        let place = place.rem_euclid(i64::try_from(bytes.len()).expect("short"));
        bytes[usize::try_from(place).expect("not negative")] ^= 0x80;
    })
}

fn cut(payload: &Value, field: &str, by: usize) -> Value {
    changed(payload, field, |bytes| bytes.truncate(bytes.len() - by))
}

fn changed(payload: &Value, field: &str, change: impl FnOnce(&mut Vec<u8>)) -> Value {
    let mut payload = payload.clone();
    let mut bytes = hex::decode(payload[field].as_str().expect("a string")).expect("hex");
    change(&mut bytes);
    payload[field] = hex::encode(bytes).into();
    payload
}

#[test]
fn a_fault_of_the_envelope_names_its_field() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048]);
    let good = &fixture.vector("rsa-2048 sha-256 aes-128").encrypted_payload;
    let with = |field: &str, value: Value| {
        let mut payload = good.clone();
        payload[field] = value;
        mdes::read(&body(payload), &ring, &RULES, NOW).expect_err(field).reason
    };
    assert_eq!(with("encryptedKey", Value::Null), Reason::Missing(Field::EncryptedKey));
    assert_eq!(with("encryptedKey", json!("zz")), Reason::Format(Field::EncryptedKey));
    assert_eq!(
        with("encryptedKey", json!("ab".repeat(513))),
        Reason::Length(Field::EncryptedKey)
    );
    assert_eq!(
        with("encryptedData", json!("abc")),
        Reason::Format(Field::EncryptedData)
    );
    assert_eq!(with("encryptedData", json!("")), Reason::Missing(Field::EncryptedData));
    assert_eq!(with("iv", json!("00")), Reason::Length(Field::Iv));
    assert_eq!(with("iv", json!(7)), Reason::Format(Field::Iv));
    assert_eq!(
        with("oaepHashingAlgorithm", json!("SHA1")),
        Reason::Value(Field::OaepHashingAlgorithm)
    );
    assert_eq!(
        with("oaepHashingAlgorithm", Value::Null),
        Reason::Missing(Field::OaepHashingAlgorithm)
    );

    let refused = |body: &str| mdes::read(body.as_bytes(), &ring, &RULES, NOW).expect_err(body).reason;
    assert_eq!(refused(""), Reason::NotJson);
    assert_eq!(refused("[]"), Reason::NotJson);
    assert_eq!(refused(r#"{"requestId":"1","encryptedPayl"#), Reason::NotJson);
    assert_eq!(
        refused(r#"{"encryptedPayload":null}"#),
        Reason::Missing(Field::EncryptedPayload)
    );
    assert_eq!(
        refused(r#"{"encryptedPayload":"ey"}"#),
        Reason::Format(Field::EncryptedPayload)
    );
}

#[test]
fn pkcs1_v15_opens_nothing_unless_it_is_switched_on() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048]);
    let vector = fixture.vector("pkcs1 v1.5");
    let off = mdes::read(&vector.body(), &ring, &legacy(RULES, false), NOW).expect_err("off");
    assert_eq!(off.reason, Reason::Missing(Field::OaepHashingAlgorithm));

    let on = legacy(RULES, true);
    assert!(mdes::read(&vector.body(), &ring, &on, NOW).is_ok());
    let broken = body(flipped(&vector.encrypted_payload, "encryptedKey", 9));
    assert_eq!(
        mdes::read(&broken, &ring, &on, NOW).expect_err("broken").reason,
        Reason::Unopened
    );
}

#[test]
fn an_unknown_fingerprint_is_refused_only_where_the_operator_says_so() {
    let fixture = fixture();
    let ring = fixture.ring(&[3072, 2048]);
    let vector = fixture.vector("fingerprint of another certificate");
    assert!(mdes::read(&vector.body(), &ring, &RULES, NOW).is_ok());

    let mut strict = RULES;
    strict.envelope.try_all = false;
    let refused = mdes::read(&vector.body(), &ring, &strict, NOW).expect_err("an unknown name");
    assert_eq!(refused.reason, Reason::Unopened);
    assert!(refused.detail.contains("names no key"), "{}", refused.detail);
    let known = fixture.vector("rsa-2048 sha-512 aes-256");
    assert!(mdes::read(&known.body(), &ring, &strict, NOW).is_ok());
}

#[test]
fn the_wrong_form_of_body_is_refused_and_rests_sealed() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048]);
    let plain = br#"{"requestId":"req-1","tokens":[{"tokenUniqueReference":"DM4MMC1","tokenInfo":{"tokenNumber":"5204730000001201"}}]}"#;
    let mut sealed_only = RULES;
    sealed_only.payload = Payload::Encrypted;

    let refused = mdes::read(plain, &ring, &sealed_only, NOW).expect_err("unsealed");
    assert_eq!(refused.reason, Reason::Missing(Field::EncryptedPayload));
    assert_eq!(refused.request_id.as_deref(), Some("req-1"));
    assert!(refused.resting.by_us);
    assert!(!String::from_utf8_lossy(&refused.resting.body).contains("DM4MMC1"));
    let came = mdes::open_resting(&refused.resting.body, true, &ring).expect("our own seal");
    assert_eq!(came.as_slice(), plain);

    let mut plain_only = RULES;
    plain_only.payload = Payload::Plain;
    let Read {
        notification, resting, ..
    } = mdes::read(plain, &ring, &plain_only, NOW).expect("wanted");
    assert!(notification.flags.contains(&Flag::Unsealed));
    assert!(resting.by_us);
    let sealed = fixture.vector("rsa-2048 sha-256 aes-128").body();
    assert_eq!(
        mdes::read(&sealed, &ring, &plain_only, NOW).expect_err("sealed").reason,
        Reason::Missing(Field::Tokens)
    );
}

#[test]
fn a_body_rests_as_it_came_only_if_there_is_no_room_for_plaintext() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048]);
    let payload = fixture.vector("rsa-2048 sha-256 aes-128").encrypted_payload.to_string();
    let rests_as_it_came = |body: String| {
        let read = mdes::read(body.as_bytes(), &ring, &RULES, NOW).expect("it opens");
        let came = mdes::open_resting(&read.resting.body, read.resting.by_us, &ring).expect("it rests");
        assert_eq!(came.as_slice(), body.as_bytes());
        !read.resting.by_us
    };
    assert!(rests_as_it_came(format!(
        r#" {{"encryptedPayload": {payload}, "requestId": 123456}}"#
    )));
    for beside in [
        r#""tokens":[]"#,
        r#""paymentAppInstanceId":"x""#,
        r#""encryptedPayload":{"tokens":"5204730000001201"}"#,
        r#""responseHost":"5204730000001201""#,
    ] {
        assert!(
            !rests_as_it_came(format!(r#"{{{beside},"encryptedPayload":{payload}}}"#)),
            "{beside}"
        );
    }
    let within = payload.replacen('{', r#"{"accountNumber":"5204730000001201","#, 1);
    assert!(!rests_as_it_came(format!(r#"{{"encryptedPayload":{within}}}"#)));
}

#[test]
fn what_we_seal_any_reader_of_envelopes_opens() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048, 4096]);
    for length in [0, 1, 15, 16, 17, 5_000] {
        let bytes = vec![b'x'; length];
        let sealed = mdes::seal(&bytes, ring.newest());
        let opened = mdes::open(&sealed, &ring, &RULES).expect("ours");
        assert_eq!(*opened.bytes, bytes);
        assert!(opened.named);
        assert_eq!(opened.key.spki_sha256(), fixture.keys[&4096].spki);
        assert_ne!(sealed, mdes::seal(&bytes, ring.newest()));
    }
}
