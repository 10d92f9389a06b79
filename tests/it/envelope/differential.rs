//! Our reading of envelopes beside that of Mastercard's own library, on envelopes that others sealed and dice changed.
//!
//! `MDES_RECEIVER_TEST_ENVELOPES` says how many (`tests/full`: a hundred thousand).

use std::fs::File;
use std::process::{Command, Stdio};

use mdes_receiver::mdes;
use serde_json::Value;

use super::{RULES, body, fixture};
use crate::support::Dice;

const ENVELOPES: usize = 2_000;
const HEX_FIELDS: [&str; 3] = ["encryptedKey", "encryptedData", "iv"];
const ALGORITHMS: [&str; 6] = ["SHA256", "SHA-256", "sha512", "SHA512", "SHA-512", "MD5"];

/// A content key of 24 bytes and an absent `iv` are what the two of us read otherwise, and on purpose: MDES knows no
/// AES-192, and says that an absent `iv` is zero. They have tests of their own.
const READ_OTHERWISE: [&str; 2] = ["aes-192", "absent iv is zero"];

#[test]
fn what_mastercards_library_opens_we_open_to_the_same_and_nothing_else() {
    let fixture = fixture();
    let ring = fixture.ring(&[2048]);
    let wanted = std::env::var("MDES_RECEIVER_TEST_ENVELOPES");
    let wanted = wanted.map_or(ENVELOPES, |text| text.parse().expect("a number of envelopes"));
    let seeds: Vec<Value> = fixture
        .vectors
        .iter()
        .filter(|vector| vector.key == 2048 && !vector.legacy && !READ_OTHERWISE.contains(&vector.name.as_str()))
        .map(|vector| vector.encrypted_payload.clone())
        .collect();
    let mut dice = Dice::seeded(wanted as u64);
    let envelopes: Vec<Value> = (0..wanted).map(|_| changed(&seeds, &mut dice)).collect();

    let theirs = opened_by_mastercards_library(&fixture.keys[&2048].private_key, &envelopes);
    let mut both = 0;
    for (envelope, theirs) in envelopes.iter().zip(&theirs) {
        let ours = mdes::open(&body(envelope.clone()), &ring, &RULES);
        let ours = ours.ok().map(|opened| opened.bytes);
        // The library takes what it opens for a text, and fails where it is none.
        let ours = ours.filter(|bytes| std::str::from_utf8(bytes).is_ok());
        let ours = ours.map(hex::encode);
        assert_eq!(&ours, theirs, "{envelope}");
        both += usize::from(ours.is_some());
    }
    println!("{wanted} envelopes, {both} of them opened by both");
    assert_eq!(theirs.len(), wanted);
    assert!(
        both > wanted / 20 && both < wanted,
        "both answers were heard: {both} of {wanted} opened"
    );
}

/// One of the seeds with up to two changes; sometimes none.
fn changed(seeds: &[Value], dice: &mut Dice) -> Value {
    let mut envelope = dice.one_of(seeds).clone();
    for _ in 0..dice.below(3) {
        change(&mut envelope, dice.one_of(seeds), dice);
    }
    envelope
}

fn change(envelope: &mut Value, other: &Value, dice: &mut Dice) {
    let field = dice.one_of(&HEX_FIELDS);
    match dice.below(7) {
        0 => envelope["oaepHashingAlgorithm"] = (*dice.one_of(&ALGORITHMS)).into(),
        1 => envelope[field] = other[field].clone(),
        2 => turn(envelope, field, dice),
        // What decides how much of the text is lost, and what stands at its end.
        3 => turn(envelope, "iv", dice),
        4 => cut(envelope, field, dice),
        5 => envelope[field] = text(envelope, field).to_uppercase().into(),
        _ => envelope["publicKeyFingerprint"] = format!("{:016x}", dice.below(u64::MAX)).into(),
    }
}

fn turn(envelope: &mut Value, field: &str, dice: &mut Dice) {
    let mut bytes = hex::decode(text(envelope, field)).unwrap_or_default();
    if let Some(place) = (!bytes.is_empty()).then(|| dice.below(bytes.len() as u64) as usize) {
        bytes[place] ^= 1 << dice.below(8);
        envelope[field] = hex::encode(bytes).into();
    }
}

/// Whole blocks, single bytes, or half of one.
fn cut(envelope: &mut Value, field: &str, dice: &mut Dice) {
    let digits = *dice.one_of(&[32, 64, 2, 1]);
    let text = text(envelope, field);
    let left = text.len().saturating_sub(digits);
    envelope[field] = text[..left].into();
}

fn text(envelope: &Value, field: &str) -> String {
    envelope[field].as_str().unwrap_or_default().to_owned()
}

/// What is in each, in hex, if it opens.
fn opened_by_mastercards_library(private_key: &str, envelopes: &[Value]) -> Vec<Option<String>> {
    let python = std::env::var_os("MDES_RECEIVER_TEST_PYTHON").expect(
        "no MDES_RECEIVER_TEST_PYTHON: `tests/run` makes a Python environment with Mastercard's package, \
         and `tests/run NAME` runs one test with it",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str, content: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("written");
        path
    };
    let key = file("key.pem", private_key.to_owned());
    let lines: String = envelopes.iter().map(|envelope| format!("{envelope}\n")).collect();
    let output = Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/open.py"))
        .arg(key)
        .stdin(File::open(file("envelopes", lines)).expect("it was written"))
        .stderr(Stdio::inherit())
        .output()
        .expect("the Python that tests/run prepared");
    assert!(
        output.status.success(),
        "Mastercard's library is not there; tests/run installs it"
    );
    let lines = String::from_utf8(output.stdout).expect("hex");
    lines
        .lines()
        .map(|line| (line != "-").then(|| line.to_owned()))
        .collect()
}
