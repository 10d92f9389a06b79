//! The metadata fields that MDES documents (v1.3.0 and the notes up to August 2026), each with its type.
//!
//! One table, so that what is known stands in one place; what a kind means is [`Kind::read`].

use std::collections::BTreeSet;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::domain::masked;
use crate::domain::notification::Flag;

/// A documented field.
pub(super) struct Field {
    /// MDES's name, within its object.
    pub name: &'static str,
    /// How it is read, and as what it is kept.
    kind: Kind,
    /// The longest that the specification allows; longer is flagged.
    chars_max: usize,
}

/// How a field is read, and as what it is kept.
#[derive(Clone, Copy)]
enum Kind {
    /// Text of people; a card number in it is masked.
    Text,
    /// An asset id, an address, a phone number: text that may look like a number and stays as it came.
    Verbatim,
    /// `MMYY`; fewer digits had a zero in front.
    Expiry,
    /// The last digits of a number, typically four; a JSON number has lost the zeros in front.
    Suffix,
    /// Six hex digits; a JSON number has lost the zeros in front.
    Colour,
    /// `true` or `false`, also as a string.
    Bool,
    /// A whole number, also as a string.
    Number,
    /// An object, kept whole.
    Object,
    /// A token's full number. Only its masked form is kept.
    TokenNumber,
}

const fn field(name: &'static str, kind: Kind, chars_max: usize) -> Field {
    Field { name, kind, chars_max }
}

/// `tokenInfo`.
pub(super) const TOKEN_INFO: &[Field] = &[
    field("tokenPanSuffix", Kind::Suffix, 8),
    field("accountPanPrefix", Kind::Text, 11),
    field("accountPanSuffix", Kind::Suffix, 8),
    field("tokenExpiry", Kind::Expiry, 4),
    field("accountPanExpiry", Kind::Expiry, 4),
    field("dsrpCapable", Kind::Bool, 5),
    field("tokenAssuranceLevel", Kind::Number, 2),
    field("productCategory", Kind::Text, 32),
    field("tokenNumber", Kind::TokenNumber, 19),
];

/// `productConfig`.
pub(super) const PRODUCT_CONFIG: &[Field] = &[
    field("brandLogoAssetId", Kind::Verbatim, 64),
    field("issuerLogoAssetId", Kind::Verbatim, 64),
    field("isCoBranded", Kind::Bool, 5),
    field("coBrandName", Kind::Text, 128),
    field("coBrandLogoAssetId", Kind::Verbatim, 64),
    field("cardBackgroundCombinedAssetId", Kind::Verbatim, 64),
    field("cardBackgroundAssetId", Kind::Verbatim, 64),
    field("iconAssetId", Kind::Verbatim, 64),
    field("foregroundColor", Kind::Colour, 6),
    field("issuerName", Kind::Text, 64),
    field("shortDescription", Kind::Text, 128),
    field("longDescription", Kind::Text, 256),
    field("customerServiceUrl", Kind::Verbatim, 128),
    field("customerServiceEmail", Kind::Verbatim, 64),
    field("customerServicePhoneNumber", Kind::Verbatim, 64),
    field("issuerMobileApp", Kind::Object, usize::MAX),
    field("onlineBankingLoginUrl", Kind::Verbatim, 128),
    field("termsAndConditionsUrl", Kind::Verbatim, 128),
    field("privacyPolicyUrl", Kind::Verbatim, 128),
    field("issuerProductConfigCode", Kind::Text, 128),
];

/// `tokenRequestorId`, which stands beside the objects.
pub(super) const REQUESTOR: Field = field("tokenRequestorId", Kind::Text, 11);

impl Field {
    /// The value as it is kept, and what was odd about it. A value of another type is read for what it means,
    /// and where it means nothing it is kept as it came, masked.
    pub fn read(&self, value: &Value, flags: &mut BTreeSet<Flag>) -> Value {
        if let Some(read) = self.kind.read(value) {
            let odd =
                self.kind.is_odd(value) || read.as_str().is_some_and(|text| text.chars().count() > self.chars_max);
            if odd {
                flags.insert(Flag::OddField);
            }
            return match self.kind {
                Kind::Verbatim | Kind::TokenNumber => read,
                _ => mask(read, flags),
            };
        }
        flags.insert(Flag::OddField);
        match self.kind {
            // Whatever it is, nothing of it may be seen.
            Kind::TokenNumber => Value::from(masked::masked("")),
            _ => mask(value.clone(), flags),
        }
    }
}

impl Kind {
    fn read(self, value: &Value) -> Option<Value> {
        let number = value.is_number();
        match self {
            Kind::Text | Kind::Verbatim => text(value).map(Value::from),
            Kind::Expiry => text(value).map(|text| Value::from(padded(text, 4))),
            Kind::Suffix => text(value).map(|text| Value::from(if number { padded(text, 4) } else { text })),
            Kind::Colour => text(value).map(|text| Value::from(if number { padded(text, 6) } else { text })),
            Kind::Bool => truth(value).map(Value::from),
            Kind::Number => match value {
                Value::Number(number) => number.as_u64().map(Value::from),
                Value::String(text) => text.trim().parse::<u64>().ok().map(Value::from),
                _ => None,
            },
            Kind::Object => value.is_object().then(|| value.clone()),
            Kind::TokenNumber => match value {
                Value::String(text) => Some(Value::from(masked::masked(text))),
                Value::Number(number) => Some(Value::from(masked::masked(&Zeroizing::new(number.to_string())))),
                _ => None,
            },
        }
    }

    /// It could be read, though it is of another JSON type than the documented one.
    /// A boolean has been documented as a string too, and comes as both.
    fn is_odd(self, value: &Value) -> bool {
        match self {
            Kind::Bool => !(value.is_boolean() || value.is_string()),
            Kind::Number => !value.is_number(),
            Kind::Object => !value.is_object(),
            _ => !value.is_string(),
        }
    }
}

/// A string, or what another scalar would be as one.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // A fraction or an exponent hides a card number from whoever masks the text.
        Value::Number(number) if number.is_f64() => {
            let mut value = value.clone();
            masked::mask_value(&mut value);
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

/// Digits with zeros in front, up to this length; what is no number stays.
fn padded(text: String, length: usize) -> String {
    match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => format!("{text:0>length$}"),
        false => text,
    }
}

/// The value without card numbers, flagged if there was one.
pub(super) fn mask(mut value: Value, flags: &mut BTreeSet<Flag>) -> Value {
    if masked::mask_value(&mut value) {
        flags.insert(Flag::MaskedNumber);
    }
    value
}
