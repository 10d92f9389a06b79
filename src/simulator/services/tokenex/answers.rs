//! What TokenEx answers: one envelope, two layers of errors, and the HTTP status of each kind.

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::simulator::services::desk::Desk;
use crate::simulator::services::faults::How;
use crate::simulator::services::{Alternative, Answer, codes, held};

const TO_THE_SECOND: &[BorrowedFormatItem<'_>] =
    format_description!("[year repr:last_two][month][day][hour][minute][second]");

/// Why TokenEx itself refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// That row of its own table.
    Code(u16),
}

/// Every answer's form, in the order of the samples.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    network_response: Option<Network>,
    reference_number: String,
    success: bool,
    error: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// What the network said; each method has its own fields before the four that all have.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Our number as the token's requestor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_requestor_id: Option<String>,
    /// Which network token it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reference_id: Option<String>,
    /// The action's name, however it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle_management_action: Option<&'static str>,
    /// The state, where it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_state: Option<&'static str>,
    /// What else a method says.
    #[serde(flatten)]
    pub more: Map<String, Value>,
    /// Made up.
    pub message_id: String,
    /// Made up.
    pub conversation_id: String,
    /// `0000`, or a row of the network's table.
    pub status_code: &'static str,
    /// That row's words.
    pub status_message: Option<&'static str>,
}

impl Network {
    /// With this code: `0000`, or a row of the network's table.
    pub fn of(desk: &Desk, code: &'static str) -> Self {
        Network {
            message_id: desk.uuid(),
            conversation_id: desk.uuid(),
            status_code: code,
            status_message: codes::words_of(codes::NETWORK, code),
            ..Network::default()
        }
    }
}

/// Opaque to everybody else: the second, and eight digits.
pub fn reference_number(desk: &Desk) -> String {
    let now = OffsetDateTime::now_utc();
    let second = now
        .format(TO_THE_SECOND)
        .expect("the format names only what every moment has");
    second + &held(&desk.tokens).dice.digits(8)
}

/// It was done.
pub fn done(desk: &Desk, network: Network, message: &str) -> Answer {
    done_with(desk, network, message, None)
}

/// It was done, and this is TokenEx's token.
pub fn done_with(desk: &Desk, network: Network, message: &str, token: Option<String>) -> Answer {
    let envelope = Envelope {
        network_response: Some(network),
        reference_number: reference_number(desk),
        success: true,
        error: String::new(),
        message,
        token,
    };
    Answer::new(200, envelope)
}

/// The network said no, or nothing.
pub fn network_refused(desk: &Desk, network: Network) -> Answer {
    let is_timeout = matches!(network.status_code, "9004" | "9130" | "9131");
    if is_timeout && desk.has(Alternative::NetworkTimeout) {
        return refused(desk, &Refusal::Code(5000));
    }
    let envelope = Envelope {
        network_response: Some(network),
        reference_number: reference_number(desk),
        success: !is_timeout && desk.has(Alternative::NetworkRefused),
        error: String::new(),
        message: "",
        token: None,
    };
    Answer::new(200, envelope)
}

/// TokenEx itself said no.
pub fn refused(desk: &Desk, refusal: &Refusal) -> Answer {
    let Refusal::Code(code) = *refusal;
    let text = code.to_string();
    let envelope = Envelope {
        network_response: None,
        reference_number: reference_number(desk),
        success: false,
        error: format!("{text} : {}", codes::message_of(&text).unwrap_or_default()),
        message: "",
        token: None,
    };
    Answer::new(status_of(desk, code), envelope)
}

fn status_of(desk: &Desk, code: u16) -> u16 {
    match code {
        1000 | 1001 | 2435 | 2437 if desk.has(Alternative::Headers) => 400,
        1000..=1999 | 2404 | 2435 | 2437 => 401,
        3000 | 3024 if desk.has(Alternative::UnknownToken) => 400,
        3000 | 3024 => 200,
        5000 | 9998 | 9999 => 500,
        _ if desk.has(Alternative::Malformed) => 200,
        _ => 400,
    }
}

/// The answer that a fault asks for.
pub fn spoiled(desk: &Desk, how: &How, network: impl Fn(&'static str) -> Network) -> Option<Answer> {
    match how {
        How::Http500 => Some(refused(desk, &Refusal::Code(9999))),
        How::Code(code) => {
            let of_network = codes::NETWORK.iter().find(|(row, _)| row == code);
            match (of_network, code.parse()) {
                (Some((row, _)), _) => Some(network_refused(desk, network(row))),
                (None, Ok(code)) => Some(refused(desk, &Refusal::Code(code))),
                _ => None,
            }
        }
        How::Drop | How::Hang => None,
    }
}
