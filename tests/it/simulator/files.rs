//! The files of `dev`: made, reused, repaired.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mdes_receiver::simulator::dev_files::ensure;
use tempfile::TempDir;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

const ALL: [&str; 14] = [
    "ca.key",
    "ca.pem",
    "decrypt.key",
    "decrypt.pem",
    "mastercard-client-ca.key",
    "mastercard-client-ca.pem",
    "mastercard-client.key",
    "mastercard-client.pem",
    "probe-ca.key",
    "probe-ca.pem",
    "probe.key",
    "probe.pem",
    "server.key",
    "server.pem",
];

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("it can be listed").path())
        .map(|path| {
            let name = path
                .file_name()
                .expect("a file has a name")
                .to_string_lossy()
                .into_owned();
            (name, fs::read(&path).expect("it can be read"))
        })
        .collect()
}

/// Makes the files, does this to them, and says which are other ones after the next start.
fn remade_after(meddle: impl FnOnce(&Path), later: Duration) -> Vec<String> {
    let folder = TempDir::new().expect("a temporary folder");
    ensure(folder.path(), NOW).expect("it can be written");
    let before = contents(folder.path());
    meddle(folder.path());
    let mut made = ensure(folder.path(), NOW + later).expect("it can be written").made;
    let after = contents(folder.path());
    assert!(after.keys().eq(ALL), "{:?}", after.keys());
    let changed: Vec<String> = ALL
        .iter()
        .filter(|name| before[**name] != after[**name])
        .map(|s| s.to_string())
        .collect();
    made.sort();
    assert_eq!(made, changed);
    changed
}

#[test]
fn the_first_start_makes_all_and_private_keys_are_the_owners_alone() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut made = ensure(&folder.path().join("certs/dev"), NOW)
        .expect("it can be written")
        .made;
    made.sort();
    assert_eq!(made, ALL);
    for name in ALL.iter().filter(|name| name.ends_with(".key")) {
        let meta = fs::metadata(folder.path().join("certs/dev").join(name)).expect("it was made");
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_next_start_changes_nothing() {
    assert!(remade_after(|_| {}, Duration::DAY).is_empty());
}

#[test]
fn a_missing_half_is_made_again_with_its_other_half() {
    let lost = |folder: &Path| fs::remove_file(folder.join("server.key")).expect("it was made");
    assert_eq!(remade_after(lost, Duration::ZERO), ["server.key", "server.pem"]);
}

#[test]
fn an_unreadable_file_is_made_again() {
    let spoilt = |folder: &Path| fs::write(folder.join("decrypt.key"), "no key").expect("it can be written");
    assert_eq!(remade_after(spoilt, Duration::ZERO), ["decrypt.key", "decrypt.pem"]);
}

#[test]
fn what_expired_is_made_again_and_what_did_not_stays() {
    let leaves = [
        "mastercard-client.key",
        "mastercard-client.pem",
        "probe.key",
        "probe.pem",
        "server.key",
        "server.pem",
    ];
    assert_eq!(remade_after(|_| {}, Duration::days(365)), leaves);
}

#[test]
fn a_ca_that_is_made_again_takes_its_certificates_along() {
    let lost = |folder: &Path| fs::remove_file(folder.join("mastercard-client-ca.pem")).expect("it was made");
    let clients = [
        "mastercard-client-ca.key",
        "mastercard-client-ca.pem",
        "mastercard-client.key",
        "mastercard-client.pem",
    ];
    assert_eq!(remade_after(lost, Duration::ZERO), clients);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("it can be written");
    let error = ensure(&file.join("dev"), NOW)
        .expect_err("a file is no folder")
        .to_string();
    assert!(error.contains("file/dev"), "{error}");
}
