//! MDES's two forms of an error: the application's, and the gateway's in front of it.

use serde_json::{Value, json};

use super::RESPONSE_HOST;
use crate::simulator::services::desk::Desk;
use crate::simulator::services::{Alternative, Answer, codes};

/// Why the application refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    code: &'static str,
    field: Option<&'static str>,
}

impl Refusal {
    /// A row of the table.
    pub fn plain(code: &'static str) -> Self {
        Refusal { code, field: None }
    }

    /// A row of the table, about that field.
    pub fn of(code: &'static str, field: &'static str) -> Self {
        Refusal {
            code,
            field: Some(field),
        }
    }
}

/// In MDES's own form: the `errors` array that is seen, or the `Errors` object that the specification has.
pub fn refused(desk: &Desk, refusal: &Refusal) -> Answer {
    let words = codes::words_of(codes::MDES, refusal.code).unwrap_or_default();
    let description = match refusal.field {
        Some(field) => format!("{words} - {field}"),
        None => words.to_owned(),
    };
    let is_mdes = refusal.code == "INTERNAL_SERVICE_FAILURE";
    let error = json!({
        "source": if is_mdes { "MDES" } else { "INPUT" },
        "errorCode": refusal.code,
        "reasonCode": refusal.code,
        "description": description,
        "recoverable": is_mdes,
    });
    let body = match desk.has(Alternative::MdesErrorObject) {
        true => json!({
            "responseHost": RESPONSE_HOST,
            "responseId": desk.uuid(),
            "Errors": {"Error": error},
        }),
        false => json!({
            "responseHost": RESPONSE_HOST,
            "responseId": desk.uuid(),
            "errorCode": refusal.code,
            "errorDescription": words,
            "errors": [error],
        }),
    };
    Answer::new(if desk.has(Alternative::Mdes500) { 500 } else { 200 }, body)
}

/// In the gateway's form, with 401.
pub fn gateway(reason_code: &str, description: &str) -> Answer {
    let error = json!({
        "Source": "Gateway",
        "ReasonCode": reason_code,
        "Description": description,
        "Recoverable": false,
        "Details": Value::Null,
    });
    Answer::new(401, json!({"Errors": {"Error": [error]}}))
}
