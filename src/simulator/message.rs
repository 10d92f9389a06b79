//! From what is to be said to the bytes of a request body, in every form that a scenario asks for.

use serde_json::{Value, json};

use super::scenario::Form;
use super::seal::{SealError, Sealer};
use super::set::Edit;
use super::story::Message;

/// What the sender calls itself in `responseHost`.
const RESPONSE_HOST: &str = "site1.mastercard.com";

/// A little over the 1 MiB that a receiver should take.
const OVERSIZE_BYTES: usize = (1 << 20) + (64 << 10);

impl Message {
    /// The body of the request, in that form.
    pub fn body(&self, form: Form, sealer: &Sealer, edits: &[Edit]) -> Result<Vec<u8>, SealError> {
        let mut body = match form {
            Form::NotJson => return Ok(b"<notifyTokenUpdated>this is not JSON</notifyTokenUpdated>".to_vec()),
            Form::Unsealed => self.unsealed(),
            Form::SealedToALostKey => self.sealed(&sealer.to_a_lost_key()?)?,
            Form::Sealed | Form::CutShort | Form::DataCutShort | Form::Oversize => self.sealed(sealer)?,
        };
        match form {
            Form::DataCutShort => cut_data_short(&mut body),
            Form::Oversize => body["filling"] = Value::from("x".repeat(OVERSIZE_BYTES)),
            _ => {}
        }
        Edit::apply_to_envelope(edits, &mut body);
        let mut bytes = body.to_string().into_bytes();
        if form == Form::CutShort {
            bytes.truncate(bytes.len() / 2);
        }
        Ok(bytes)
    }

    fn sealed(&self, sealer: &Sealer) -> Result<Value, SealError> {
        envelope(&self.request_id, self.content.to_string().as_bytes(), sealer)
    }

    /// The plaintext form: the content's fields at the top level.
    fn unsealed(&self) -> Value {
        let mut body = self.content.clone();
        if let Value::Object(fields) = &mut body {
            fields.insert("responseHost".to_owned(), json!(RESPONSE_HOST));
            fields.insert("requestId".to_owned(), json!(self.request_id));
        }
        body
    }
}

/// The body that seals these bytes, whatever they are.
pub fn envelope(request_id: &str, plaintext: &[u8], sealer: &Sealer) -> Result<Value, SealError> {
    Ok(json!({
        "responseHost": RESPONSE_HOST,
        "requestId": request_id,
        "encryptedPayload": sealer.seal(plaintext)?,
    }))
}

/// Takes one byte, two hex digits: what is left is no whole number of blocks.
fn cut_data_short(body: &mut Value) {
    if let Some(Value::String(data)) = body.pointer_mut("/encryptedPayload/encryptedData") {
        data.truncate(data.len().saturating_sub(2));
    }
}
