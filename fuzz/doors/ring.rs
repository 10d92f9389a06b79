//! A decryption key that everybody knows: what others sealed to it stands in the fixture beside it.

use std::path::PathBuf;
use std::sync::LazyLock;

use mdes_receiver::config::settings::{Envelope, KeyFile, Payload};
use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes::Reading;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::datetime;

pub const NOW: OffsetDateTime = datetime!(2026-11-02 09:15:04 UTC);

/// The most that a reader may be asked to take.
pub const RULES: Reading = Reading {
    payload: Payload::Either,
    envelope: Envelope {
        try_all: true,
        legacy_pkcs1_v15: true,
        refuse_expired: false,
    },
};

static FIXTURE: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../tests/it/fixtures/envelope.json")).expect("the fixture is JSON")
});

pub static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("mdes-receiver-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    let key = &FIXTURE["keys"]["2048"];
    let write = |name: &str, part: &str| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, key[part].as_str().expect("PEM")).expect("written");
        path
    };
    let file = KeyFile {
        private_key: write("key.pem", "privateKey"),
        password: None,
        certificate: Some(write("certificate.pem", "certificate")),
        fingerprints: Vec::new(),
    };
    let ring = KeyRing::load(&[file]).expect("the key is good");
    std::fs::remove_dir_all(&folder).expect("removed");
    ring
});

/// What others sealed to the key: `encryptedPayload`, many times over.
pub static SEALED: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let vectors = FIXTURE["vectors"].as_array().expect("a list");
    let of_key = vectors.iter().filter(|vector| vector["key"] == 2048);
    of_key.map(|vector| vector["encryptedPayload"].clone()).collect()
});
