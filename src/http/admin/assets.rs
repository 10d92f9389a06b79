//! `/v1/assets`: card art and texts, as bytes that a browser may show and must not run.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::ask::{Ask, Named};
use super::problem::Problem;
use super::route::{Route, get, path, value};
use super::v1::SharedApi;
use crate::lifecycle::art::NoArt;
use crate::store::assets::Medium;

/// What a browser is shown as what it is; all else it may only save.
const SHOWN: [&str; 4] = ["image/png", "image/jpeg", "text/plain", "application/pdf"];
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");
const INERT: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// Its path.
pub(super) fn routes() -> Vec<Route> {
    let place = serde_json::json!({ "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32, "default": 0 });
    vec![
        get("/assets/{id}", "showAsset", show)
            .says("Card art, a logo or a text that some token's card art names")
            .asks([path("id", "Its id"), value("place", "Which of its media", place)])
            .streams(200, "application/octet-stream", "Bytes")
            .streams(304, "", "Bytes")
            .problems(&[404]),
    ]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    place: u32,
}

/// `GET /v1/assets/{id}?place=`: one medium of an asset that some token's card art names; fetched when it is first
/// asked for. What an id names never changes.
pub(super) async fn show(
    State(api): State<SharedApi>,
    Named(id): Named,
    Ask(which): Ask<Which>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let medium = api.state.art.medium(&id, which.place).await.map_err(problem)?;
    // The id has letters, digits, `-` and `_` only, or there would be no medium.
    let tag = format!("\"{id}.{}\"", which.place);
    let is_there = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let tag = HeaderValue::from_str(&tag).map_err(|_| Problem::defect())?;
    let mut response = match is_there {
        true => Response::new(Body::empty()),
        false => shown(medium),
    };
    if is_there {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    headers.insert(ETAG, tag);
    headers.insert(CACHE_CONTROL, FOR_EVER);
    headers.insert(CONTENT_SECURITY_POLICY, INERT);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn shown(medium: Medium) -> Response {
    let kind = medium.content_type.to_ascii_lowercase();
    let known = SHOWN.into_iter().find(|known| *known == kind);
    let mut response = Response::new(Body::from(medium.body));
    let headers = response.headers_mut();
    let kind = match known {
        Some("text/plain") => "text/plain; charset=utf-8",
        Some(known) => known,
        None => "application/octet-stream",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if known.is_none() {
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    response
}

fn problem(why: NoArt) -> Problem {
    match why {
        NoArt::Unknown | NoArt::NobodyToAsk => Problem::unknown_asset(),
        NoArt::Store(error) => error.into(),
        NoArt::Busy | NoArt::Failed(_) => Problem::busy(why.to_string()),
    }
}
