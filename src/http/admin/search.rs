//! Tokens by what a person knows of them, for `GET /v1/tokens`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::ask::in_range;
use super::problem::Problem;
use super::wire;
use crate::domain::status::Status;
use crate::store::outbox::Standing;
use crate::store::search::{Place, Sought};

/// What a query may say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    suffix: Option<String>,
    status: Option<String>,
    token_requestor_id: Option<String>,
    merchant_reference: Option<String>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    until: Option<OffsetDateTime>,
    pub(super) after: Option<String>,
    pub(super) limit: Option<u32>,
}

impl Asked {
    /// What narrows; `None` if nothing does.
    pub(super) fn sought(&self) -> Option<Sought> {
        let sought = Sought {
            suffix: self.suffix.clone(),
            status: self.status.clone().map(Status::from),
            requestor: self.token_requestor_id.clone(),
            merchant_reference: self.merchant_reference.clone(),
            since: self.since.map(in_range),
            until: self.until.map(in_range),
        };
        (sought != Sought::default()).then_some(sought)
    }
}

/// Where a page ended. A reference may look like a card's number: it does not stand in it to be read.
pub(super) fn cursor(last: &Standing) -> String {
    let place = json!([
        last.token.status_at().map(wire::rfc3339),
        wire::token_cursor(&last.token.reference)
    ]);
    URL_SAFE_NO_PAD.encode(place.to_string())
}

/// The place that such a text names.
pub(super) fn of_cursor(cursor: &str) -> Result<Place, Problem> {
    #[derive(Deserialize)]
    struct Written(
        #[serde(with = "time::serde::rfc3339::option")] Option<OffsetDateTime>,
        String,
    );
    let json = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Problem::unknown_cursor())?;
    let Written(at, token) = serde_json::from_slice(&json).map_err(|_| Problem::unknown_cursor())?;
    let token = wire::token_of_cursor(&token).ok_or_else(Problem::unknown_cursor)?;
    Ok(Place { at, token })
}
