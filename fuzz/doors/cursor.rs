//! Cursors: texts that we gave out, and that anybody may send back changed.

use super::ring::RING;

/// - A text that comes off its veil is one that we veiled: veiling it again gives the same.
/// - Whatever is veiled comes off again.
pub fn enter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let key = RING.newest();
    if let Some(under) = key.unveil(text) {
        assert_eq!(key.veil(&under), text, "a veil has one form");
    }
    let veiled = key.veil(text);
    assert!(
        veiled
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    );
    if text.len() < 4_096 {
        assert_eq!(key.unveil(&veiled).as_deref(), Some(text));
    }
}
