//! Tokens by what a person knows of them, for `GET /v1/tokens`.

use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;

use super::ask::in_range;
use super::house::House;
use super::wire;
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::status::Status;
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
    #[serde(default)]
    provisional: bool,
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
            provisional: self.provisional,
        };
        (sought != Sought::default()).then_some(sought)
    }
}

/// Where a page ended, veiled: a reference may look like a card's number.
pub(in crate::http) fn cursor(house: &dyn House, place: &Place) -> String {
    let token = &place.token;
    let place = json!([place.at.map(wire::rfc3339), token.namespace, token.reference]);
    house.veil(&place.to_string())
}

/// The place that such a text names.
pub(in crate::http) fn of_cursor(house: &dyn House, cursor: &str) -> Option<Place> {
    #[derive(Deserialize)]
    struct Written(
        #[serde(with = "time::serde::rfc3339::option")] Option<OffsetDateTime>,
        Namespace,
        String,
    );
    let written = house.unveil(cursor).and_then(|text| serde_json::from_str(&text).ok());
    let Written(at, namespace, reference) = written?;
    let token = TokenReference { namespace, reference };
    Some(Place { at, token })
}
