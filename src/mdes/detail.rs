//! getToken's `tokenDetail`: a token's own number, sealed as a notification is.

use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::Reading;
use super::envelope::{self, open_message};
use super::message::{self, Plaintext};
use super::reason::{Fault, Field, Reason};
use crate::keys::KeyRing;

/// Its name in an answer.
pub(super) const DETAIL: &str = "tokenDetail";
const NUMBER: &str = "tokenNumber";

/// An answer of getToken's, as the inbox reads it.
pub struct Answered {
    /// A notification that came unsealed, with the number where a notification has it. To be sealed before it rests.
    pub body: Zeroizing<Vec<u8>>,
    /// Why the number in it could not be opened. The rest is good without it.
    pub unopened: Option<String>,
}

/// Opens what of an answer is sealed to us, by the keys and the rules of any envelope, and puts the number in its place.
/// An answer without it is as it came.
pub fn with_number(body: &[u8], ring: &KeyRing, rules: &Reading, received_at: OffsetDateTime) -> Answered {
    let as_it_came = || Answered {
        body: Zeroizing::new(body.to_vec()),
        unopened: None,
    };
    let Some(mut answer) = Plaintext::parse(body) else {
        return as_it_came();
    };
    let Some(sealed) = answer.fields_mut().remove(DETAIL) else {
        return as_it_came();
    };
    let opened = opened(sealed.to_string().as_bytes(), ring, rules, received_at);
    let put = opened.and_then(|detail| put_number(&mut answer, &detail));
    Answered {
        body: message::canonical(answer.value()),
        unopened: put.err().map(|fault| fault.detail),
    }
}

fn opened(sealed: &[u8], ring: &KeyRing, rules: &Reading, received_at: OffsetDateTime) -> Result<Plaintext, Fault> {
    let sealed = envelope::sealed(sealed, rules)?;
    let (detail, _) = open_message(&sealed, ring, rules.envelope.try_all)?;
    message::check_valid_until(&detail, rules, received_at)?;
    Ok(detail)
}

/// An answer speaks of one token.
fn put_number(answer: &mut Plaintext, detail: &Plaintext) -> Result<(), Fault> {
    let number = detail
        .fields()
        .get(NUMBER)
        .filter(|number| number.is_string() || number.is_number());
    let number = number.ok_or_else(|| Fault::new(Reason::Missing(Field::Tokens), "tokenDetail has no tokenNumber"))?;
    let token = answer
        .fields_mut()
        .get_mut("tokens")
        .and_then(|tokens| tokens.get_mut(0));
    let token = token.and_then(|token| token.as_object_mut());
    let token = token.ok_or_else(|| Fault::new(Reason::Missing(Field::Tokens), "no token is beside tokenDetail"))?;
    let info = token.entry("tokenInfo").or_insert_with(|| serde_json::json!({}));
    if !info.is_object() {
        *info = serde_json::json!({});
    }
    info[NUMBER] = number.clone();
    Ok(())
}
