//! No card number stands in what was read.

use mdes_receiver::domain::masked;
use mdes_receiver::domain::notification::{CARD_METADATA, Statement, TOKEN_REFERENCE_ID};
use serde_json::Value;

/// What is kept as it came, whatever digits are in it: identifiers, addresses and telephone numbers; and a hash of ours.
const VERBATIM: [&str; 6] = [
    "AssetId",
    "Url",
    "Email",
    "PhoneNumber",
    TOKEN_REFERENCE_ID,
    CARD_METADATA,
];

/// Nothing that would have to be masked is left in what a statement says.
pub fn assert_masked(statement: &Statement) {
    let is_verbatim = |name: &str| VERBATIM.iter().any(|end| name.ends_with(end));
    let texts = statement.metadata.iter().filter(|(name, _)| !is_verbatim(name));
    for value in texts.filter_map(|(_, value)| value.as_ref()) {
        assert!(
            !masked::mask_value(&mut value.clone()),
            "a number stands in the metadata"
        );
    }
    let mut unrecognized = Value::Object(statement.unrecognized.clone());
    assert!(
        !masked::mask_value(&mut unrecognized),
        "a number stands in what is unknown"
    );
}
