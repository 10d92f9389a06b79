//! What a request asks: its query, its path, its JSON body; whatever does not fit is a problem that names the field.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::v1::{Api, BODY_BYTES_MAX, SharedApi};
use crate::domain::masked::without_numbers;
use crate::http::body::{Collected, collect};
use crate::store::roster::Operator;

/// How much of a parser's words are passed on: they may quote what was sent.
const SHOWN_CHARS_MAX: usize = 200;
/// Items of a page, if nobody says how many.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// The query, read.
pub(super) struct Ask<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Ask(query)),
            Err(error) => Err(Problem::unreadable(said(&error.body_text()))),
        }
    }
}

/// The one part of the path that varies, decoded.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Named(name)),
            Err(_) => Err(Problem::unreadable("the path is not UTF-8, percent-encoded")),
        }
    }
}

/// Who asks.
pub(super) struct Asker(pub(super) Operator);

impl<S: Sync> FromRequestParts<S> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Nobody comes here whom `admit` has not let through.
        parts.extensions.get().cloned().map(Asker).ok_or_else(Problem::defect)
    }
}

/// The body, read; none is an object without fields.
pub(super) struct Told<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<SharedApi> for Told<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &SharedApi) -> Result<Self, Problem> {
        let body = whole(request, api).await?;
        let body = if body.is_empty() { b"{}" } else { &body[..] };
        parse(body).map(Told)
    }
}

/// JSON of that shape.
fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(json);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let path = if path == "." { "body".to_owned() } else { path };
            return Problem::unfit(path, format!("does not fit: {}", said(&inner.to_string())));
        }
        Problem::unreadable(format!("the body is not JSON: {}", said(&inner.to_string())))
    })?;
    json.end()
        .map_err(|_| Problem::unreadable("the body goes on after its JSON"))?;
    Ok(parsed)
}

async fn whole(request: Request, api: &Api) -> Result<Bytes, Problem> {
    let (head, body) = request.into_parts();
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let (collected, _taken) = collect(body, announced, &api.limits, &api.room).await;
    match collected {
        Collected::Whole(body) => Ok(body),
        Collected::TooLarge { .. } => Err(Problem::too_large(BODY_BYTES_MAX)),
        Collected::TooSlow(_) => Err(Problem::too_slow()),
        Collected::Malformed(_) | Collected::Broken => Err(Problem::unreadable("the body did not come whole")),
        Collected::NoRoom => Err(Problem::busy("no room for more bodies: try again")),
    }
}

/// Where a page begins and how long it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) after: Option<String>,
    limit: Option<u32>,
}

impl Page {
    pub(super) fn limit(&self) -> Result<u32, Problem> {
        limit(self.limit)
    }
}

/// From 1 to 1,000; 100 if nobody says.
pub(super) fn limit(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(LIMIT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(Problem::unfit("limit", format!("must be from 1 to {LIMIT_MAX}"))),
    }
}

/// A parser's words, cut, without card numbers.
fn said(words: &str) -> String {
    without_numbers(words).chars().take(SHOWN_CHARS_MAX).collect()
}
