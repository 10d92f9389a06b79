//! A registration as a merchant writes it, in JSON or in a line of CSV, and what of it cannot be taken.

use serde::Deserialize;

use super::outbox::NewRegistration;
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::masked;
use crate::domain::status::Status;

/// MDES's references have at most 64 characters; others' may be longer.
const TEXT_CHARS_MAX: usize = 256;

/// What is written of a token that the merchant made. An empty text says as little as none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// `mdes` (if nothing is written) or `tokenex`.
    pub namespace: Option<String>,
    /// MDES's tokenUniqueReference, or the token service's name for the token.
    pub reference: String,
    /// The token requestor (TRID).
    pub token_requestor_id: Option<String>,
    /// The merchant's own reference for the card or customer.
    pub merchant_reference: Option<String>,
    /// The status that the merchant knows of.
    pub status: Option<String>,
}

/// Which field cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {why}")]
pub struct Unfit {
    /// By its name.
    pub field: &'static str,
    /// In words that do not hold its value.
    pub why: String,
}

/// Why something is done: at most so many characters.
pub const REASON_CHARS_MAX: usize = 500;

/// Why, in a few words of a person: one line.
pub fn reason(given: &str) -> Result<&str, Unfit> {
    let reason = given.trim();
    if reason.is_empty() {
        return Err(unfit(
            "reason",
            "is missing: say why, for whoever looks at it next year",
        ));
    }
    if reason.chars().count() > REASON_CHARS_MAX || reason.chars().any(char::is_control) {
        let why = format!("must be one line of at most {REASON_CHARS_MAX} characters");
        return Err(unfit("reason", &why));
    }
    Ok(reason)
}

impl Written {
    /// The registration, if all of it can be taken.
    pub fn checked(self) -> Result<NewRegistration, Unfit> {
        let namespace = given("namespace", self.namespace)?;
        let namespace = namespace.map_or(Some(Namespace::Mdes), |word| Namespace::parse(&word));
        let reference = given("reference", Some(self.reference))?;
        let status = given("status", self.status)?.map(Status::from);
        if let Some(Status::Unknown(_)) = status {
            let why = "must be INACTIVE, ACTIVE, SUSPENDED or DEACTIVATED";
            return Err(unfit("status", why));
        }
        Ok(NewRegistration {
            token: TokenReference {
                namespace: namespace.ok_or_else(|| unfit("namespace", "must be mdes or tokenex"))?,
                reference: reference.ok_or_else(|| unfit("reference", "is missing"))?,
            },
            requestor: no_card("token_requestor_id", self.token_requestor_id)?,
            merchant_reference: no_card("merchant_reference", self.merchant_reference)?,
            status,
        })
    }
}

pub(super) fn given(field: &'static str, text: Option<String>) -> Result<Option<String>, Unfit> {
    let text = text.filter(|text| !text.is_empty());
    match &text {
        Some(text) if text.chars().count() > TEXT_CHARS_MAX => {
            Err(unfit(field, &format!("is longer than {TEXT_CHARS_MAX} characters")))
        }
        Some(text) if text.chars().any(char::is_control) => Err(unfit(field, "has a control character in it")),
        Some(text) if text.trim() != text => Err(unfit(field, "begins or ends with a space")),
        _ => Ok(text),
    }
}

/// The same, of what rests in clear and is told to everybody: whoever has nothing but a card's number at hand is told so.
fn no_card(field: &'static str, text: Option<String>) -> Result<Option<String>, Unfit> {
    let text = given(field, text)?;
    match text
        .as_deref()
        .is_some_and(|text| masked::without_written_numbers(text, false) != text)
    {
        true => Err(unfit(
            field,
            "holds what may be a card's number, which must not rest here: give a reference of your own",
        )),
        false => Ok(text),
    }
}

pub(super) fn unfit(field: &'static str, why: &str) -> Unfit {
    Unfit {
        field,
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> Result<NewRegistration, Unfit> {
        serde_json::from_str::<Written>(json).expect("it reads").checked()
    }

    #[test]
    fn a_reference_is_enough_and_is_mdes_s() {
        let taken = written(r#"{"reference": "DM4MMC1"}"#).expect("it is taken");
        assert_eq!(taken.token, TokenReference::mdes("DM4MMC1"));
        assert_eq!(
            (taken.requestor, taken.merchant_reference, taken.status),
            (None, None, None)
        );
    }

    #[test]
    fn a_card_s_number_is_no_reference_however_it_is_written() {
        for number in ["5204730000001201", "5204 7300 0000 1201", "card-5204-7300-0000-1201"] {
            for field in ["merchant_reference", "token_requestor_id"] {
                let unfit =
                    written(&format!(r#"{{"reference": "DM4MMC1", "{field}": "{number}"}}"#)).expect_err(number);
                assert_eq!(unfit.field, field);
                assert!(!unfit.to_string().contains("1201"), "{unfit}");
            }
        }
        assert!(written(r#"{"reference": "DM4MMC1", "merchant_reference": "5204730000001202"}"#).is_ok());
    }

    #[test]
    fn an_empty_text_says_nothing() {
        let taken = written(r#"{"reference": "DM4MMC1", "namespace": "", "status": "", "merchant_reference": ""}"#);
        assert_eq!(taken.expect("it is taken").merchant_reference, None);
    }

    #[test]
    fn what_cannot_be_taken_is_named_and_not_quoted() {
        for (json, said) in [
            ("{}", "`reference` is missing"),
            (
                r#"{"reference": "x", "namespace": "visa"}"#,
                "`namespace` must be mdes or tokenex",
            ),
            (
                r#"{"reference": "x", "status": "active"}"#,
                "`status` must be INACTIVE, ACTIVE, SUSPENDED or DEACTIVATED",
            ),
            (
                r#"{"reference": "x\u0000"}"#,
                "`reference` has a control character in it",
            ),
            (r#"{"reference": " x"}"#, "`reference` begins or ends with a space"),
        ] {
            assert_eq!(written(json).expect_err("it is not taken").to_string(), said);
        }
        let long = format!(r#"{{"reference": "{}"}}"#, "x".repeat(257));
        assert_eq!(written(&long).expect_err("too long").field, "reference");
    }
}
