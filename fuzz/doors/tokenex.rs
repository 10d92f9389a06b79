//! TokenEx's bodies: what is asked of us in its words, what it answers, and what it says without being asked.

use mdes_receiver::domain::id::ContentHash;
use mdes_receiver::domain::masked;
use mdes_receiver::tokenex::notice;
use mdes_receiver::tokenex::wire::{self, Answer, Fields};
use serde_json::{Map, Value};

use super::masking::assert_masked;

/// The token that requests and answers are about.
const TOKEN: &str = "4761202544127718";

/// - Keys are trimmed and in lower case, each once, at every depth that is read.
/// - An action and a name are what they are said to be.
pub fn request(data: &[u8]) {
    let Ok(fields) = Fields::read(data) else {
        return;
    };
    for key in fields.besides(&[]).keys() {
        assert_eq!(key, &key.trim().to_ascii_lowercase(), "keys are as they are looked up");
        assert!(fields.says(key), "a key that is there is found");
    }
    if let Some(action) = fields
        .word("lifecyclemanagementaction")
        .and_then(|word| wire::action(&word))
    {
        assert_eq!(wire::action(wire::action_name(action)), Some(action));
    }
    if let Some(token) = fields.text("token").filter(|token| wire::is_name(token)) {
        assert!(token.len() <= 128 && token.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}

/// What is kept of an answer is short and holds neither the token nor another number.
pub fn reply(data: &[u8]) {
    let (why, kept) = match Answer::read(data, TOKEN) {
        Answer::Yes(kept) => (String::new(), kept),
        Answer::No { why, kept, .. } => (why, kept),
        Answer::Unreadable => return,
    };
    let texts = [why.as_str(), kept.state.as_deref().unwrap_or_default()];
    let words = kept
        .words
        .as_object()
        .into_iter()
        .flat_map(Map::values)
        .filter_map(Value::as_str);
    for text in texts.into_iter().chain(words) {
        assert!(text.chars().count() < 1_024, "what is kept is short");
        assert!(!text.contains(TOKEN), "the token is in nothing that is kept");
        assert!(
            !text.chars().any(char::is_control),
            "one line, and nothing that a terminal obeys"
        );
    }
}

/// A notice that is read says something about one token, and bears no card number but in the token's own name.
pub fn notice(data: &[u8]) {
    let hash = |bytes: &[u8]| {
        ContentHash(std::array::from_fn(|place| {
            bytes.get(place).copied().unwrap_or_default()
        }))
    };
    let Ok(notification) = notice::read(data, &hash) else {
        return;
    };
    assert!(!notification.statements.is_empty(), "who says nothing is refused");
    let token = &notification.statements[0].token;
    for statement in &notification.statements {
        assert_eq!(&statement.token, token, "one notice speaks of one token");
        assert_masked(statement);
        assert!(!masked::masked(&token.shown()).is_empty());
    }
}
