//! `GET /v1/charge/{reference}`: may this token be charged? For a shop's own checkout: one read, one word.

use aws_lc_rs::digest;
use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::ask::{Ask, Named};
use super::problem::Problem;
use super::route::{Route, get, header, namespace, path};
use super::tokens::Whose;
use super::v1::SharedApi;
use crate::store::roster::Right;
use crate::store::shown::charged;

/// Its path.
pub(super) fn routes() -> Vec<Route> {
    let tag = json!({ "type": "string", "maxLength": 256, "pattern": "^[ -~]*$" });
    vec![
        get("/charge/{reference}", "mayICharge", ask)
            .says("May this token be charged: `yes`, `no` or `confirm`; of several tokens of one merchant reference the most careful answer")
            .right(Right::Charge)
            .asks([
                path("reference", "The token's reference, or the merchant's own"),
                namespace(),
                header("If-None-Match", "The `ETag` of an earlier answer", tag),
            ])
            .gives(200, "Charge")
            .streams(304, "", "")
            .problems(&[404]),
    ]
}

/// The token of that reference, or else those that the merchant registered under it; of several the most careful answer
/// is given, with all of them. 304 if nothing of it has changed since the `ETag` that is shown.
pub(super) async fn ask(
    State(api): State<SharedApi>,
    Named(reference): Named,
    Ask(whose): Ask<Whose>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = api.state.search.called(whose.namespace, &reference).await?;
    let (_, answer) = charged(&found).ok_or_else(Problem::unknown_token)?;
    let text = answer.to_string();
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let tag = format!("\"{}\"", hex::encode(&hash.as_ref()[..16]));
    let value = HeaderValue::from_str(&tag).map_err(|_| Problem::defect())?;
    let shown = headers.get_all(IF_NONE_MATCH).iter();
    let is_same = shown
        .filter_map(|shown| shown.to_str().ok())
        .any(|shown| knows(shown, &tag));
    Ok(match is_same {
        true => (StatusCode::NOT_MODIFIED, [(ETAG, value)]).into_response(),
        false => ([(ETAG, value)], Json(answer)).into_response(),
    })
}

/// One of the tags that are shown is this one, or any would be (RFC 9110, 13.1.2).
fn knows(shown: &str, tag: &str) -> bool {
    let tags = shown.split(',').map(str::trim);
    tags.map(|one| one.trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}
