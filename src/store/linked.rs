//! A link as a merchant writes it, in JSON or in a line of CSV, and what of it cannot be taken.

use serde::Deserialize;

use super::desk::Link;
use super::written::{Unfit, given, unfit};

/// What is written of one token's names. An empty text says as little as none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// MDES's name for it.
    pub token_unique_reference: String,
    /// TokenEx's.
    pub tokenex_token: String,
    /// Which network token of TokenEx's token.
    pub token_reference_id: Option<String>,
}

impl Written {
    /// The link, if all of it can be taken.
    pub fn checked(self) -> Result<Link, Unfit> {
        let name = |field, text| given(field, Some(text))?.ok_or_else(|| unfit(field, "is missing"));
        Ok(Link {
            token_unique_reference: name("token_unique_reference", self.token_unique_reference)?,
            tokenex_token: name("tokenex_token", self.tokenex_token)?,
            token_reference_id: given("token_reference_id", self.token_reference_id)?,
        })
    }

    /// Nothing is written.
    pub fn is_empty(&self) -> bool {
        let id = self.token_reference_id.as_deref().unwrap_or_default();
        [self.token_unique_reference.as_str(), &self.tokenex_token, id]
            .iter()
            .all(|text| text.is_empty())
    }
}
