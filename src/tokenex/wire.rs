//! The bodies: requests as they are written, and what came, read without regard to the case of its keys.
//!
//! TokenEx's own samples mix `Token` and `token`, and one has a blank in a key: what is read is known by its trimmed
//! key in lower case. A body that says a key twice says nothing, since nobody knows which one the other side believes.

mod fields;
mod reply;

use serde::Serialize;

pub use self::fields::Fields;
pub use self::reply::{Answer, Kept};
use crate::domain::command::Action;
use crate::domain::status::Status;

/// The path of the method that changes a token.
pub const LIFECYCLE_MANAGEMENT: &str = "/v2/NetworkToken/LifecycleManagement";
/// The path of the method that says its state.
pub const GET_STATUS: &str = "/v2/NetworkToken/GetStatus";
/// The path of the list of TokenEx's own codes.
pub const ERROR_CODES: &str = "/v2/home/errorcodes";
/// The header that says who asks.
pub const ID: &str = "tx-tokenex-id";
/// The header that proves it.
pub const KEY: &str = "tx-apikey";

/// A request to change a token, as we write it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change<'a> {
    /// TokenEx's token.
    pub token: &'a str,
    /// The action's name, never its number.
    pub lifecycle_management_action: &'static str,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<&'a str>,
    /// Which of its network tokens, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reference_id: Option<&'a str>,
}

/// A request for a token's state, as we write it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Look<'a> {
    /// TokenEx's token.
    pub token: &'a str,
    /// Which of its network tokens, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reference_id: Option<&'a str>,
}

/// TokenEx's name of an action.
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::Delete => "DELETE_TOKEN",
        Action::Resume => "RESUME_TOKEN",
        Action::Suspend => "SUSPEND_TOKEN",
    }
}

/// The action of a name or a number (1, 2, 3), in whatever case.
pub fn action(word: &str) -> Option<Action> {
    let named = |action: &Action| action_name(*action).eq_ignore_ascii_case(word);
    match word {
        "1" => Some(Action::Delete),
        "2" => Some(Action::Resume),
        "3" => Some(Action::Suspend),
        _ => [Action::Delete, Action::Resume, Action::Suspend]
            .into_iter()
            .find(named),
    }
}

/// MDES's word for a `tokenState`; one that we do not know stays as it is.
pub fn status(state: &str) -> Status {
    let word = state.trim().to_ascii_uppercase();
    match word.as_str() {
        "DELETED" | "DEACTIVATED" => Status::Deactivated,
        "INACTIVE" | "ACTIVE" | "SUSPENDED" => Status::from(word),
        _ => Status::Unknown(state.trim().to_owned()),
    }
}

/// TokenEx's word for a status.
pub fn state(status: &Status) -> &str {
    match status {
        Status::Deactivated => "DELETED",
        other => other.as_str(),
    }
}

/// What may be a token, or a `tokenReferenceId`: nothing is known of their form but that they are short and visible.
pub fn is_name(text: &str) -> bool {
    const CHARS_MAX: usize = 128;
    (1..=CHARS_MAX).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic())
}
