//! What is wrong with a call, as RFC 9457 says it; the only place that knows the status codes of `/v1`.
//!
//! `type` is for programs and stays; `detail` is for people, and says what to do. Neither holds what was sent.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::lifecycle::ordering;
use crate::store;
use crate::store::erasing::counted;
use crate::store::roster::{Right, Role};
use crate::store::written::Unfit;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// When to try again what we could not do just now.
const RETRY_AFTER_SECS: HeaderValue = HeaderValue::from_static("1");

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    kind: &'static str,
    title: &'static str,
    status: StatusCode,
    detail: String,
    field: Option<String>,
    /// Boxed, so that a result that may be a problem stays small.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Problem {
            kind,
            title,
            status,
            detail: detail.into(),
            field: None,
            header: None,
        }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// No bearer token.
    pub fn no_token() -> Self {
        let detail = "send `Authorization: Bearer …`; `mdes-receiver operators add NAME --role viewer` makes a token";
        let challenge = HeaderValue::from_static("Bearer realm=\"mdes-receiver\"");
        Problem::new(StatusCode::UNAUTHORIZED, "no-token", "no bearer token", detail).with(WWW_AUTHENTICATE, challenge)
    }

    /// A bearer token that is nobody's, or nobody's any more.
    pub fn bad_token() -> Self {
        let detail =
            "the bearer token is unknown, expired or revoked; `mdes-receiver operators list` shows whose there are";
        let challenge = HeaderValue::from_static("Bearer realm=\"mdes-receiver\", error=\"invalid_token\"");
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "bad-token",
            "the bearer token is not valid",
            detail,
        )
        .with(WWW_AUTHENTICATE, challenge)
    }

    /// A role that does not allow it.
    pub fn not_your_role(role: Role, right: Right) -> Self {
        let (kind, needed) = match right {
            Right::Charge | Right::Look => ("only-viewers", "of a viewer, an operator or a revealer"),
            Right::Act => ("only-operators", "of an operator"),
            Right::Reveal => ("only-revealers", "of a revealer"),
        };
        let detail = format!("the token's role is `{}`: use the token {needed}", role.as_str());
        let challenge = HeaderValue::from_static("Bearer realm=\"mdes-receiver\", error=\"insufficient_scope\"");
        Problem::new(StatusCode::FORBIDDEN, kind, "the role does not allow it", detail)
            .with(WWW_AUTHENTICATE, challenge)
    }

    /// A page of another site asks through someone's browser.
    pub fn cross_site() -> Self {
        let detail =
            "a page of another site asked for it, by its `Origin` or `Sec-Fetch-Site` header: call from a program";
        Problem::new(StatusCode::FORBIDDEN, "cross-site", "asked from another site", detail)
    }

    /// Called by a name that is not ours.
    pub fn misdirected() -> Self {
        let detail = "the Host header bears no name of this admin listener; if it should, add it to `admin.hosts`";
        Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", "not our name", detail)
    }

    /// No such path.
    pub fn no_such_path() -> Self {
        let detail = "there is no such path: /docs, and /openapi.json, say which there are";
        Problem::new(StatusCode::NOT_FOUND, "no-such-path", "no such path", detail)
    }

    /// The path is there, the method is not; the router adds the `Allow` header.
    pub fn wrong_method() -> Self {
        let detail = "the `Allow` header says which methods this path answers";
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong-method",
            "method not allowed",
            detail,
        )
    }

    /// A write that is not JSON.
    pub fn not_json_type() -> Self {
        let detail = "send the body with `Content-Type: application/json`";
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json-type",
            "unsupported media type",
            detail,
        )
    }

    /// More than fits.
    pub fn too_large(bytes_max: usize) -> Self {
        let detail = format!("a body has at most {bytes_max} bytes: send it in parts");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "body too large", detail)
    }

    /// It did not come in time.
    pub fn too_slow() -> Self {
        let detail = "the body did not come in time: send it again";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "body too slow", detail)
    }

    /// What came is not JSON, or its query is no query.
    pub fn unreadable(detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, "unreadable", "cannot be read", detail)
    }

    /// It reads well and makes no sense; `field` is where.
    pub fn unfit(field: impl Into<String>, why: impl AsRef<str>) -> Self {
        let field = field.into();
        let detail = format!("`{field}` {}", why.as_ref());
        let mut problem = Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unfit",
            "a field does not fit",
            detail,
        );
        problem.field = Some(field);
        problem
    }

    /// Two entries of one list are about the same; `field` is the second.
    pub fn twice(field: impl Into<String>, why: impl AsRef<str>) -> Self {
        let problem = Problem::unfit(field, why);
        Problem {
            kind: "twice",
            title: "the same twice",
            status: StatusCode::CONFLICT,
            ..problem
        }
    }

    /// It fits, and as things stand it cannot be ordered; `field` is why.
    pub fn not_orderable(unfit: Unfit) -> Self {
        Problem {
            kind: "not-orderable",
            title: "cannot be ordered as things stand",
            status: StatusCode::CONFLICT,
            ..unfit.into()
        }
    }

    /// Nobody spoke of that token.
    pub fn unknown_token() -> Self {
        let detail =
            "it was never registered, and nothing was heard of it: `GET /v1/tokens` shows those that are known";
        Problem::new(StatusCode::NOT_FOUND, "unknown-token", "unknown token", detail)
    }

    /// Somebody still needs what is to be erased: how many of what.
    pub fn still_needed(held: &[(String, u64)]) -> Self {
        let detail = format!(
            "nothing was erased, since these are open: {}; let them come to their end, or say `force` (commands are \
             withdrawn, never forced)",
            counted(held)
        );
        Problem::new(StatusCode::CONFLICT, "still-needed", "somebody still needs it", detail)
    }

    /// No asset of that id, or no medium at that place of it.
    pub fn unknown_asset() -> Self {
        let detail = "no token's card art names such an asset, it has no medium at that place, MDES has none, or \
                      `[lifecycle.mdes]` is not there to give it";
        Problem::new(StatusCode::NOT_FOUND, "unknown-asset", "unknown asset", detail)
    }

    /// No destination of that name.
    pub fn unknown_destination() -> Self {
        let detail = "no destination has that name: `GET /v1/destinations` shows those that there are";
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-destination",
            "unknown destination",
            detail,
        )
    }

    /// No command of that id.
    pub fn unknown_command() -> Self {
        let detail = "no command has that id: `GET /v1/commands` shows those that there are";
        Problem::new(StatusCode::NOT_FOUND, "unknown-command", "unknown command", detail)
    }

    /// No reconcile of that id.
    pub fn unknown_reconcile() -> Self {
        let detail = "no reconcile has that id: `GET /v1/reconciles` shows those that there are";
        Problem::new(StatusCode::NOT_FOUND, "unknown-reconcile", "unknown reconcile", detail)
    }

    /// A reconcile that has ended.
    pub fn has_ended() -> Self {
        let detail = "the reconcile has ended: `GET /v1/reconciles/{id}` says what came of it";
        Problem::new(StatusCode::CONFLICT, "has-ended", "nothing to stop", detail)
    }

    /// The names are not joined.
    pub fn unknown_link() -> Self {
        let detail = "these names are not joined: `GET /v1/links` shows those that are";
        Problem::new(StatusCode::NOT_FOUND, "unknown-link", "unknown link", detail)
    }

    /// No notification of that id.
    pub fn unknown_notification() -> Self {
        let detail = "no notification has that id: `GET /v1/notifications` shows those that are kept";
        let title = "unknown notification";
        Problem::new(StatusCode::NOT_FOUND, "unknown-notification", title, detail)
    }

    /// No quarantined entry of that id.
    pub fn unknown_entry() -> Self {
        let detail = "no quarantined entry has that id: `GET /v1/quarantine?open=false` shows those that there are";
        Problem::new(StatusCode::NOT_FOUND, "unknown-entry", "unknown entry", detail)
    }

    /// Nothing to be revealed.
    pub fn no_number() -> Self {
        let detail = "no notification that is kept holds its number, or no key of now opens it: \
                      `GET /v1/tokens/{reference}/story` says what was heard of it";
        Problem::new(StatusCode::NOT_FOUND, "no-number", "no number to reveal", detail)
    }

    /// An entry that was resolved before.
    pub fn not_open() -> Self {
        let detail = "the entry was resolved before: `GET /v1/quarantine/{id}` says how";
        Problem::new(StatusCode::CONFLICT, "not-open", "not open any more", detail)
    }

    /// An `Idempotency-Key` that stands for something else.
    pub fn key_used() -> Self {
        let detail = "this `Idempotency-Key` was used for another command: give each command a key of its own";
        Problem::new(StatusCode::CONFLICT, "key-used", "the key was used before", detail)
    }

    /// Two people are needed.
    pub fn by_the_same() -> Self {
        let detail = "who asked for it cannot approve of it: another operator can";
        Problem::new(StatusCode::FORBIDDEN, "by-the-same", "another must approve", detail)
    }

    /// A command that waits for nobody's approval.
    pub fn not_waiting() -> Self {
        let detail = "the command does not wait for approval: `GET /v1/commands/{id}` says how it stands";
        Problem::new(StatusCode::CONFLICT, "not-waiting", "it waits for nobody", detail)
    }

    /// A cursor that we never gave out.
    pub fn unknown_cursor() -> Self {
        let detail = "this cursor was never given out: begin without one, or with the `next` of an earlier page";
        Problem::new(StatusCode::NOT_FOUND, "unknown-cursor", "unknown cursor", detail)
    }

    /// A cursor after which something is gone.
    pub fn expired_cursor() -> Self {
        let detail = "events after this cursor are no longer kept: read `GET /v1/tokens/export` for how all tokens stand, \
                      then go on from its `x-events-position` header";
        Problem::new(StatusCode::NOT_FOUND, "expired-cursor", "expired cursor", detail)
    }

    /// Enough streams are open.
    pub fn too_many_streams(streams_max: usize) -> Self {
        let detail = format!("{streams_max} streams and exports are open already: close some, or try again later");
        Problem::unavailable("too-many-streams", detail)
    }

    /// Not in time, or no room for it.
    pub fn busy(detail: impl Into<String>) -> Self {
        Problem::unavailable("busy", detail)
    }

    /// A defect of ours.
    pub fn defect() -> Self {
        let detail = "a defect of this program; its log says more";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", "internal error", detail)
    }

    fn unavailable(kind: &'static str, detail: impl Into<String>) -> Self {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, kind, "not just now", detail).with(RETRY_AFTER, RETRY_AFTER_SECS)
    }
}

impl From<Unfit> for Problem {
    fn from(unfit: Unfit) -> Self {
        Problem::unfit(unfit.field, unfit.why)
    }
}

impl From<ordering::Refused> for Problem {
    fn from(refused: ordering::Refused) -> Self {
        match refused {
            ordering::Refused::Unfit(unfit) => unfit.into(),
            ordering::Refused::Store(error) => error.into(),
        }
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Data(_) => {
                let detail = "the store refuses a text in it: leave out NUL and other control characters";
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "refused-by-store",
                    "the store refuses it",
                    detail,
                )
            }
            store::Error::Conflict(_) => {
                let detail = "it met another change of the same: try again";
                let problem = Problem::new(StatusCode::CONFLICT, "conflict", "met another change", detail);
                problem.with(RETRY_AFTER, RETRY_AFTER_SECS)
            }
            store::Error::Corrupt(_) => {
                tracing::error!(%error, "admin API");
                Problem::defect()
            }
            store::Error::Unavailable(_) | store::Error::Schema(_) => {
                Problem::unavailable("store-unavailable", error.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:mdes-receiver:problem:{}", self.kind),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(field) = self.field {
            body["field"] = field.into();
        }
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        if let Some(header) = self.header {
            let (name, value) = *header;
            response.headers_mut().insert(name, value);
        }
        response
    }
}
