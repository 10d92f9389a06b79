//! What a request asks: its query, its path, its JSON body; whatever does not fit is a problem that names the field.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderName;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::macros::datetime;
use time::{OffsetDateTime, UtcOffset};

use super::problem::Problem;
use super::v1::{Api, BODY_BYTES_MAX, SharedApi};
use crate::domain::masked::without_numbers;
use crate::http::body::{Collected, collect};
use crate::net::peer::Address;
use crate::store::ledger::Hand;
use crate::store::roster::Operator;
use crate::store::written;

/// How much of a parser's words are passed on: they may quote what was sent.
const SHOWN_CHARS_MAX: usize = 200;
const REASON: HeaderName = HeaderName::from_static("x-reason");
/// Of a value in the query.
pub(super) const TEXT_CHARS_MAX: usize = 256;
/// Of a cursor, or a list.
pub(super) const CURSOR_CHARS_MAX: usize = 4_096;
/// Items of a page, if nobody says how many.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1_000;

/// The query, read.
pub(super) struct Ask<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        fits(parts.uri.query().unwrap_or_default())?;
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(query)) => Ok(Ask(query)),
            Err(error) => Err(Problem::unreadable(said(&error.body_text()))),
        }
    }
}

/// No value is longer than the document says, and none has a NUL in it, which no database compares.
fn fits(query: &str) -> Result<(), Problem> {
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let most = if ["after", "types"].contains(&&*name) {
            CURSOR_CHARS_MAX
        } else {
            TEXT_CHARS_MAX
        };
        if value.contains('\0') || value.chars().count() > most {
            let why = format!("must be a text of at most {most} characters, without NUL");
            return Err(Problem::unfit(without_numbers(&name), why));
        }
    }
    Ok(())
}

/// An instant as the databases take it: those of before the year 1, or after 9999, are all one.
pub(super) fn in_range(at: OffsetDateTime) -> OffsetDateTime {
    const EARLIEST: OffsetDateTime = datetime!(0001-01-01 0:00 UTC);
    const LATEST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);
    let end = if at.year() < 5_000 { EARLIEST } else { LATEST };
    at.checked_to_offset(UtcOffset::UTC)
        .unwrap_or(end)
        .clamp(EARLIEST, LATEST)
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

/// Whose doing a request is: who asks, from where, and why, if a header says so (`X-Reason`).
pub(super) struct Doing {
    pub(super) operator: Operator,
    came_from: String,
    why: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Doing {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Nobody comes here whom `admit` has not let through.
        let operator = parts.extensions.get().cloned().ok_or_else(Problem::defect)?;
        let address: Option<&Address> = parts.extensions.get();
        Ok(Doing {
            operator,
            came_from: address.map_or_else(|| "-".to_owned(), |address| address.0.ip().to_string()),
            why: said_why(parts)?,
        })
    }
}

/// The one `X-Reason`, if there is one.
fn said_why(parts: &Parts) -> Result<Option<String>, Problem> {
    let mut values = parts.headers.get_all(REASON).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let why = std::str::from_utf8(value.as_bytes());
            let why = why.map_err(|_| Problem::unreadable("the header `X-Reason` is not UTF-8"))?;
            Ok(Some(why.to_owned()))
        }
        _ => Err(Problem::unfit("X-Reason", "is given twice")),
    }
}

impl Doing {
    /// In this hand it is done. A reason may be given, in the body or by the header; the body's goes first.
    pub(super) fn may_say(&self, why: Option<&str>) -> Result<Hand, Problem> {
        let given = why.or(self.why.as_deref()).filter(|why| !why.trim().is_empty());
        let why = given.map(|why| reason(Some(why))).transpose()?;
        Ok(self.hand(why))
    }

    /// The same, where nothing is done without a reason.
    pub(super) fn must_say(&self, why: Option<&str>) -> Result<Hand, Problem> {
        let why = reason(why.or(self.why.as_deref()))?;
        Ok(self.hand(Some(why)))
    }

    fn hand(&self, why: Option<&str>) -> Hand {
        Hand {
            who: self.operator.name.clone(),
            role: Some(self.operator.role),
            came_from: self.came_from.clone(),
            why: why.map(str::to_owned),
        }
    }
}

/// Why, in a few words of a person.
fn reason(given: Option<&str>) -> Result<&str, Problem> {
    let reason = written::reason(given.unwrap_or_default());
    reason.map_err(|unfit| Problem::unfit(unfit.field, unfit.why))
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
