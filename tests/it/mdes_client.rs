//! MDES, asked: how a request is signed, and what its answers mean.

mod signing;

use std::path::{Path, PathBuf};

const PASSWORD: &str = "keys and doors";

/// A signing key as Mastercard hands it out: PKCS#12.
fn signing_key(folder: &Path) -> PathBuf {
    let keys: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/keys.json")).expect("the fixture is of this shape");
    let bytes = hex::decode(keys["good"]["openssl3.p12"].as_str().expect("hex")).expect("hex");
    let file = folder.join("signing.p12");
    std::fs::write(&file, bytes).expect("written");
    file
}
