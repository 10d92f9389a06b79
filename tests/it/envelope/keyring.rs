//! The key ring: every container, every name, and a reload that cannot do harm.

use std::collections::BTreeMap;
use std::path::Path;

use mdes_receiver::config::settings::KeyFile;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::keys::{KeyRing, Keys, Reloaded};
use serde::Deserialize;

use super::{Fixture, fixture};

#[derive(Deserialize)]
struct Containers {
    good: BTreeMap<String, String>,
    bad: BTreeMap<String, String>,
}

fn containers() -> Containers {
    serde_json::from_str(include_str!("../fixtures/keys.json")).expect("the fixture is of this shape")
}

fn file(path: &Path) -> KeyFile {
    KeyFile {
        private_key: path.to_owned(),
        password: None,
        certificate: None,
        fingerprints: Vec::new(),
    }
}

fn written(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> KeyFile {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("written");
    file(&path)
}

fn pem(fixture: &Fixture, bits: u32) -> &str {
    &fixture.keys[&bits].private_key
}

#[test]
fn a_key_is_the_same_key_in_every_container() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let test_key = &fixture().keys[&2048];
    let mut hashes = std::collections::BTreeSet::new();
    for (name, bytes) in containers().good {
        // The name says nothing on purpose.
        let mut entry = written(folder.path(), "key", hex::decode(bytes).expect("hex"));
        let is_pkcs12 = name.ends_with(".p12");
        entry.password = is_pkcs12.then(|| Secret::new("keys and doors"));
        let ring = KeyRing::load(&[entry]).unwrap_or_else(|error| panic!("{name}: {error}"));
        let key = ring.newest();
        assert_eq!(key.spki_sha256(), test_key.spki, "{name}");
        assert_eq!(key.bits(), 2048);
        // PKCS#12 carries the certificate, so that it names itself.
        assert_eq!(ring.named(&test_key.sha1).count(), usize::from(is_pkcs12), "{name}");
        hashes.insert(key.hash(b"content"));
    }
    assert_eq!(
        hashes.len(),
        1,
        "the hashing secret comes from the key, not from its file"
    );
}

#[test]
fn a_key_answers_to_all_its_names_in_any_case() {
    let fixture = fixture();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let test_key = &fixture.keys[&2048];
    let mut entry = written(folder.path(), "key", pem(&fixture, 2048));
    let certificate = folder.path().join("certificate");
    std::fs::write(&certificate, &test_key.certificate).expect("written");
    entry.certificate = Some(certificate);
    entry.fingerprints = vec!["24:3E:69:92".to_owned()];
    let ring = KeyRing::load(&[entry]).expect("good");
    for name in [&test_key.sha1, &test_key.sha256, &test_key.spki] {
        assert_eq!(ring.named(name).count(), 1);
        assert_eq!(ring.named(&name.to_uppercase()).count(), 1);
    }
    assert_eq!(ring.named("243e6992").count(), 1);
    assert_eq!(ring.named("8fc1").count(), 0);
}

#[test]
fn a_bad_file_is_named_with_its_setting_and_what_to_do() {
    let fixture = fixture();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = written(folder.path(), "good.key", pem(&fixture, 2048));
    let refusal = |bad: KeyFile| {
        let error = KeyRing::load(&[good.clone(), bad]).expect_err("a bad file").to_string();
        assert!(error.starts_with("key `keys[1]."), "{error}");
        assert!(!error.contains("BEGIN"), "{error}");
        error
    };
    for (name, bytes) in containers().bad {
        let error = refusal(written(folder.path(), &name, hex::decode(bytes).expect("hex")));
        let because = match name.as_str() {
            "encrypted.pem" => "is encrypted",
            "ec.pem" => "no RSA private key",
            _ => "fewer than 2048 bits",
        };
        assert!(error.contains(because) && error.contains(&name), "{error}");
    }
    assert!(refusal(file(&folder.path().join("absent"))).contains("file not found"));
    assert!(refusal(written(folder.path(), "empty", "")).contains("is empty"));
    assert!(refusal(written(folder.path(), "text", "a note")).contains("is no private key"));
    let two = format!("{}{}", pem(&fixture, 2048), pem(&fixture, 3072));
    assert!(refusal(written(folder.path(), "two", two)).contains("2 private keys"));
    let p12 = hex::decode(&containers().good["openssl3.p12"]).expect("hex");
    assert!(refusal(written(folder.path(), "p12", p12)).contains("is `password` right?"));

    let mut other = written(folder.path(), "other.key", pem(&fixture, 3072));
    let certificate = folder.path().join("2048.pem");
    std::fs::write(&certificate, &fixture.keys[&2048].certificate).expect("written");
    other.certificate = Some(certificate);
    let error = refusal(other);
    assert!(
        error.contains("keys[1].certificate") && error.contains("is of another key"),
        "{error}"
    );
    assert!(KeyRing::load(&[]).expect_err("no key").to_string().contains("[[keys]]"));
}

#[test]
fn a_key_given_twice_is_one_key_with_both_names() {
    let fixture = fixture();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut first = written(folder.path(), "first", pem(&fixture, 2048));
    first.fingerprints = vec!["one".to_owned()];
    let mut again = first.clone();
    again.fingerprints = vec!["two".to_owned()];
    let other = written(folder.path(), "other", pem(&fixture, 3072));
    let ring = KeyRing::load(&[first, other, again]).expect("good");
    assert_eq!(ring.keys().len(), 2);
    assert_eq!(ring.newest().spki_sha256(), fixture.keys[&2048].spki);
    assert_eq!(ring.named("ONE").count() + ring.named("TWO").count(), 2);
}

#[test]
fn several_keys_may_share_a_name() {
    let fixture = fixture();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut old = written(folder.path(), "old", pem(&fixture, 2048));
    let mut new = written(folder.path(), "new", pem(&fixture, 3072));
    old.fingerprints = vec!["shared".to_owned()];
    new.fingerprints = vec!["shared".to_owned()];
    let ring = KeyRing::load(&[old, new]).expect("good");
    assert_eq!(ring.named("shared").count(), 2);
}

#[test]
fn a_reload_counts_what_changed_and_keeps_the_old_if_a_file_is_bad() {
    let fixture = fixture();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let entry = written(folder.path(), "key", pem(&fixture, 2048));
    let path = entry.private_key.clone();
    let files = vec![entry];
    let keys = Keys::load(files.clone()).expect("good");
    let before = keys.current();

    assert_eq!(
        keys.reload(files.clone()).expect("the same"),
        Reloaded { added: 0, removed: 0 }
    );
    assert_eq!(keys.current().id(), before.id());
    std::fs::write(&path, "half a fi").expect("written");
    keys.reload(files.clone()).expect_err("a bad file");
    assert_eq!(keys.current().id(), before.id());
    std::fs::write(&path, pem(&fixture, 3072)).expect("written");
    assert_eq!(
        keys.reload(files.clone()).expect("good again"),
        Reloaded { added: 1, removed: 1 }
    );
    assert_ne!(keys.current().id(), before.id());
    assert_eq!(keys.files(), [path]);
}

#[test]
fn debug_shows_fingerprints_and_nothing_else() {
    let ring = fixture().ring(&[2048]);
    let shown = format!("{ring:?}");
    assert!(shown.contains(ring.newest().spki_sha256()));
    assert!(!shown.contains("BEGIN") && !shown.contains("oaep"), "{shown}");
}
