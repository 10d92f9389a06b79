//! What is answered, in TokenEx's casing and order of fields; the only place that knows the contract's status codes.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::config::settings::Contract;
use crate::domain::command::{Action, Target};
use crate::lifecycle::{Looked, Trouble};
use crate::store::desk::KeptCommand;
use crate::tokenex::errors::{self, Means, Row};
use crate::tokenex::wire;

const CHANGED: &str = "Network Token LifecycleManagement update successful!";
const SHOWN: &str = "Network Tokenization GetStatus Successful!";

/// An answer.
pub(super) struct Answer {
    id: Uuid,
    about: About,
    outcome: Result<(), No>,
    /// The service's own words, for the ids in them.
    words: Value,
    reference_id: Option<String>,
}

enum About {
    /// Nobody got so far as to ask a service.
    Nothing,
    Change(Action),
    State(Option<String>),
}

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum No {
    /// Of TokenEx's own.
    TokenEx(&'static Row),
    /// Of the network's.
    Network(&'static Row),
    /// Of the network's, and new to us: its code.
    Unlisted(String),
}

impl No {
    /// The network did not answer in time.
    pub(super) const LATE: No = No::Network(&errors::LATE);
    /// The token is in no state for it.
    pub(super) const WRONG_STATE: No = No::Network(&errors::WRONG_STATE);

    /// That row of TokenEx's own table.
    pub(super) fn of(code: &str) -> Self {
        let row = errors::tokenex(code).or_else(|| errors::tokenex(errors::INTERNAL));
        No::TokenEx(row.expect("the row of an internal error stands in the table"))
    }

    /// What a service's code is in TokenEx's words. That TokenEx refuses *our* credentials is our trouble, and none of
    /// who calls us; MDES's codes have their nearest kin.
    pub(super) fn said(code: &str) -> Self {
        if let Some(row) = errors::network(code) {
            return No::Network(row);
        }
        if let Some(row) = errors::tokenex(code) {
            return match row.is_about_credentials() {
                true => No::of(errors::INTERNAL),
                false => No::TokenEx(row),
            };
        }
        match code {
            "INVALID_TOKEN_STATUS" | "NO_ACTIVE_TOKENS" => No::WRONG_STATE,
            "INVALID_TOKEN_UNIQUE_REFERENCE" => No::network("9006"),
            _ if code.len() == 4 && code.bytes().all(|digit| digit.is_ascii_digit()) => No::Unlisted(code.to_owned()),
            _ => No::network("9005"),
        }
    }

    fn network(code: &str) -> Self {
        errors::network(code).map_or(No::WRONG_STATE, No::Network)
    }

    fn status(&self, contract: &Contract) -> u16 {
        match self {
            No::Network(row) if row.means == Means::Lost => contract.network_timeout,
            No::Network(_) | No::Unlisted(_) => contract.network_refused,
            No::TokenEx(row) if row.is_about_credentials() => contract.unauthorized,
            No::TokenEx(row) => match row.code {
                3000..4000 => contract.unknown_token,
                5000.. => contract.internal,
                _ => contract.malformed,
            },
        }
    }
}

/// TokenEx's envelope.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    network_response: Option<NetworkResponse>,
    reference_number: String,
    success: bool,
    error: String,
    message: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NetworkResponse {
    #[serde(rename_all = "camelCase")]
    Changed {
        token_reference_id: Option<String>,
        lifecycle_management_action: &'static str,
        #[serde(flatten)]
        said: Said,
    },
    #[serde(rename_all = "camelCase")]
    Shown {
        token_state: Option<String>,
        #[serde(flatten)]
        said: Said,
    },
    Bare(Said),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    message_id: String,
    conversation_id: String,
    status_code: String,
    status_message: Option<&'static str>,
}

impl Answer {
    /// No, for that reason.
    pub(super) fn no(id: Uuid, no: No) -> Self {
        Answer {
            id,
            about: About::Nothing,
            outcome: Err(no),
            words: Value::Null,
            reference_id: None,
        }
    }

    /// The command was carried out.
    pub(super) fn done(id: Uuid, kept: &KeptCommand) -> Self {
        Answer {
            outcome: Ok(()),
            words: kept.answer.clone().unwrap_or_default(),
            ..Answer::no(id, No::LATE)
        }
    }

    /// The service showed the token.
    pub(super) fn state(id: Uuid, looked: &Looked) -> Self {
        Answer {
            about: About::State(Some(wire::state(&looked.seen.status).to_owned())),
            outcome: Ok(()),
            words: looked.words.clone(),
            ..Answer::no(id, No::LATE)
        }
    }

    /// The service did not show it.
    pub(super) fn unseen(id: Uuid, trouble: &Trouble) -> Self {
        let no = match (&trouble.code, trouble.no_such_token) {
            (Some(code), _) => No::said(code),
            (None, true) => No::of("3000"),
            (None, false) => No::LATE,
        };
        Answer {
            words: trouble.words.clone().unwrap_or_default(),
            ..Answer::no(id, no).about_a_state()
        }
    }

    pub(super) fn about_a_state(mut self) -> Self {
        self.about = About::State(None);
        self
    }

    pub(super) fn about_a_change(mut self, action: Action) -> Self {
        self.about = About::Change(action);
        self
    }

    /// As who asked named it, if the service says nothing else.
    pub(super) fn of_reference(mut self, asked: &Target) -> Self {
        self.reference_id.clone_from(&asked.reference_id);
        self
    }

    pub(super) fn respond(self, contract: &Contract) -> Response {
        let status = self.outcome.as_ref().err().map_or(200, |no| no.status(contract));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.envelope())).into_response()
    }

    fn envelope(self) -> Envelope {
        let reference_number = self
            .word("referenceNumber")
            .unwrap_or_else(|| reference_number(self.id));
        let (code, message) = match &self.outcome {
            Ok(()) => (errors::DONE, None),
            Err(No::Network(row)) => (row.digits, Some(row.message)),
            Err(No::Unlisted(code)) => (code.as_str(), None),
            // Nobody got so far as the network.
            Err(No::TokenEx(row)) => {
                return Envelope {
                    network_response: None,
                    reference_number,
                    success: false,
                    error: row.to_string(),
                    message: "",
                };
            }
        };
        let said = self.said(code, message);
        let success = self.outcome.is_ok();
        Envelope {
            message: match self.about {
                About::Change(_) if success => CHANGED,
                About::State(_) if success => SHOWN,
                _ => "",
            },
            network_response: Some(self.network_response(said)),
            reference_number,
            success,
            error: String::new(),
        }
    }

    fn network_response(self, said: Said) -> NetworkResponse {
        let token_reference_id = self.word("tokenReferenceId").or(self.reference_id);
        match self.about {
            About::Change(action) => NetworkResponse::Changed {
                token_reference_id,
                lifecycle_management_action: wire::action_name(action),
                said,
            },
            About::State(token_state) => NetworkResponse::Shown { token_state, said },
            About::Nothing => NetworkResponse::Bare(said),
        }
    }

    /// The ids that the service gave; without any, our own: a command is a conversation of one message.
    fn said(&self, code: &str, message: Option<&'static str>) -> Said {
        let own = || self.id.to_string();
        Said {
            message_id: self.word("messageId").unwrap_or_else(own),
            conversation_id: self.word("conversationId").unwrap_or_else(own),
            status_code: code.to_owned(),
            status_message: message,
        }
    }

    fn word(&self, key: &str) -> Option<String> {
        let word = self.words.get(key)?.as_str()?;
        Some(word.to_owned()).filter(|word| !word.is_empty())
    }
}

/// `yyMMddHHmmss` of an id's instant, and eight digits of its chance.
fn reference_number(id: Uuid) -> String {
    let (seconds, _) = id.get_timestamp().map_or((0, 0), |at| at.to_unix());
    let seconds = i64::try_from(seconds).unwrap_or(0);
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:02}{:02}{:02}{:02}{:02}{:02}{:08}",
        at.year() % 100,
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        id.as_u128() % 100_000_000
    )
}

/// What a defect of ours says.
pub(super) fn defect(status: u16) -> Response {
    let contract = Contract {
        internal: status,
        ..Contract::default()
    };
    Answer::no(Uuid::nil(), No::of(errors::INTERNAL)).respond(&contract)
}
