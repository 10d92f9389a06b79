//! What a request to MDES says, checked as the specification has it.

use serde_json::{Map, Value};

use super::errors::Refusal;
use crate::simulator::services::tokens::{Cause, REQUESTOR};

const REFERENCES_MAX: usize = 10;
const REFERENCE_CHARS_MAX: usize = 64;
const REASON_CHARS_MAX: usize = 256;
const FRAUD: &str = "SUSPECTED_FRAUD";

/// A body with a `requestId`.
pub struct Request(Map<String, Value>);

impl Request {
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(Refusal::plain("INVALID_JSON"));
        };
        let request = Request(fields);
        request.required("requestId", REFERENCE_CHARS_MAX)?;
        Ok(request)
    }

    /// `requestId`.
    pub fn id(&self) -> &str {
        self.0.get("requestId").and_then(Value::as_str).unwrap_or_default()
    }

    /// A string, absent or present.
    pub fn text(&self, field: &'static str, chars_max: usize) -> Result<Option<&str>, Refusal> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= chars_max => Ok(Some(text)),
            Some(Value::String(_)) => Err(Refusal::of("INVALID_FIELD_LENGTH", field)),
            Some(_) => Err(Refusal::of("INVALID_FIELD_FORMAT", field)),
        }
    }

    /// A string that must be there.
    pub fn required(&self, field: &'static str, chars_max: usize) -> Result<&str, Refusal> {
        let text = self.text(field, chars_max)?.filter(|text| !text.is_empty());
        text.ok_or(Refusal::of("MISSING_REQUIRED_FIELD", field))
    }

    /// `tokenUniqueReferences`: one to ten.
    pub fn references(&self) -> Result<Vec<&str>, Refusal> {
        const FIELD: &str = "tokenUniqueReferences";
        let references = match self.0.get(FIELD) {
            Some(Value::Array(references)) => references,
            None => return Err(Refusal::of("MISSING_REQUIRED_FIELD", FIELD)),
            Some(_) => return Err(Refusal::of("INVALID_FIELD_FORMAT", FIELD)),
        };
        if !(1..=REFERENCES_MAX).contains(&references.len()) {
            return Err(Refusal::of("INVALID_FIELD_LENGTH", FIELD));
        }
        let texts = references.iter().map(|reference| reference.as_str());
        let texts: Option<Vec<&str>> = texts.collect();
        texts.ok_or(Refusal::of("INVALID_FIELD_FORMAT", FIELD))
    }

    /// `causedBy`, `reasonCode` and `reason`.
    pub fn cause(&self) -> Result<Cause, Refusal> {
        let by = self.required("causedBy", REFERENCE_CHARS_MAX)?;
        if ![REQUESTOR, "CARDHOLDER"].contains(&by) {
            return Err(Refusal::of("INVALID_FIELD_VALUE", "causedBy"));
        }
        let code = self.required("reasonCode", REFERENCE_CHARS_MAX)?;
        if ![FRAUD, "OTHER"].contains(&code) {
            return Err(Refusal::of("INVALID_FIELD_VALUE", "reasonCode"));
        }
        let reason = self.text("reason", REASON_CHARS_MAX)?;
        Ok(Cause {
            by: by.to_owned(),
            fraud: code == FRAUD,
            reason: reason.unwrap_or_default().to_owned(),
        })
    }

    /// `fundingAccountInfo.tokenUniqueReference`: no other way to name the card is played.
    pub fn funding_reference(&self) -> Result<&str, Refusal> {
        let reference = self
            .0
            .get("fundingAccountInfo")
            .map(|info| &info["tokenUniqueReference"]);
        let reference = reference.and_then(Value::as_str);
        reference.ok_or(Refusal::of("MISSING_REQUIRED_FIELD", "tokenUniqueReference"))
    }
}
