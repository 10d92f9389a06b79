//! Standard Webhooks: a secret's text, and the three headers of a request.

use std::sync::LazyLock;
use std::time::Duration;

use mdes_receiver::delivery::signature::{Key, Signed, new_secret, verify};

use super::ring::NOW;

/// Known to nobody outside of here, so that no input can bear a signature of it.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let secret = |ed25519| new_secret(ed25519).expect("the machine has chance").secret;
    let key = |ed25519| Key::parse(secret(ed25519).expose()).expect("it is ours");
    vec![key(true), key(false)]
});

/// - Any text is a key or is none; why not is said in a few words, whatever it was.
/// - What no key of ours signed is not believed.
pub fn enter(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(problem) = Key::parse(&text) {
        let told = problem.to_string();
        assert!(
            text.len() < 24 || !told.contains(text.as_ref()),
            "an error shows no secret"
        );
    }
    let mut parts = text.splitn(4, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (id, timestamp, signature) = (part(), part(), part());
    let signed = Signed {
        id,
        timestamp,
        signature,
        body: part().as_bytes(),
    };
    assert!(
        verify(&signed, &KEYS, NOW, Duration::from_secs(300)).is_err(),
        "a forgery was believed"
    );
}
