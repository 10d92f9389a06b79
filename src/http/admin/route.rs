//! A path under `/v1`: who answers it, who may ask it, and what the document says of it.
//!
//! The router and `/openapi.json` are made from one list of these (`v1::routes`), so that they cannot differ.
//! A new path is one entry there.

use axum::Router;
use axum::handler::Handler;
use axum::middleware;
use axum::routing::{MethodRouter, on};
use serde_json::{Value, json};

use super::admit::{Door, allow};
use super::ask::{CURSOR_CHARS_MAX, TEXT_CHARS_MAX};
use super::v1::SharedApi;
use crate::store::roster::Right;
use crate::store::written::REASON_CHARS_MAX;

pub(super) use axum::routing::MethodFilter;

const NO_NUL: &str = r"^[^\u0000]*$";
/// No control character, and no space at either end.
pub(super) const NAME: &str =
    r"^[^\u0000-\u001f\u007f-\u009f\s]([^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u001f\u007f-\u009f\s])?$";

/// One method of one path.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    pub(super) right: Right,
    handler: MethodRouter<SharedApi>,
    /// Its name in the document, and in a client that is generated from it.
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) asks: Vec<Field>,
    /// The schema of its body.
    pub(super) takes: Option<&'static str>,
    /// Its answers when all is well: status, media type, schema.
    pub(super) gives: Vec<(u16, &'static str, &'static str)>,
    /// Problems of its own, by status; those that every path may give are not among them.
    pub(super) problems: Vec<u16>,
}

impl Route {
    fn new<H, T>(method: &'static str, path: &'static str, name: &'static str, handler: H) -> Self
    where
        H: Handler<T, SharedApi>,
        T: 'static,
    {
        let (filter, right) = match method {
            "get" => (MethodFilter::GET, Right::Look),
            "delete" => (MethodFilter::DELETE, Right::Act),
            _ => (MethodFilter::POST, Right::Act),
        };
        Route {
            path,
            method,
            right,
            handler: on(filter, handler),
            name,
            says: "",
            asks: Vec::new(),
            takes: None,
            gives: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// What it is for, in one sentence.
    pub(super) fn says(mut self, says: &'static str) -> Self {
        self.says = says;
        self
    }

    /// Who may, if the method does not say it already: GET is for who looks, the others for who acts.
    pub(super) fn right(mut self, right: Right) -> Self {
        self.right = right;
        self
    }

    /// What its path, query and headers may say.
    pub(super) fn asks(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.asks.extend(fields);
        self
    }

    /// What its body is, by the name of its schema.
    pub(super) fn takes(mut self, schema: &'static str) -> Self {
        self.takes = Some(schema);
        self
    }

    /// What it answers in JSON, by the name of its schema; the last answer of each status holds.
    pub(super) fn gives(self, status: u16, schema: &'static str) -> Self {
        self.streams(status, "application/json", schema)
    }

    /// What it answers in another type than JSON.
    pub(super) fn streams(mut self, status: u16, media: &'static str, schema: &'static str) -> Self {
        self.gives.push((status, media, schema));
        self
    }

    /// Which problems it has of its own.
    pub(super) fn problems(mut self, statuses: &[u16]) -> Self {
        self.problems.extend(statuses);
        self
    }

    /// Into the router, behind the door that knows what each role may.
    pub(super) fn onto(self, router: Router<SharedApi>, door: &std::sync::Arc<Door>) -> Router<SharedApi> {
        let guard = middleware::from_fn_with_state((door.clone(), self.right, self.path), allow);
        router.route(self.path, self.handler.route_layer(guard))
    }
}

/// Reads.
pub(super) fn get<H: Handler<T, SharedApi>, T: 'static>(path: &'static str, name: &'static str, handler: H) -> Route {
    Route::new("get", path, name, handler)
}

/// Changes something.
pub(super) fn post<H: Handler<T, SharedApi>, T: 'static>(path: &'static str, name: &'static str, handler: H) -> Route {
    Route::new("post", path, name, handler)
}

/// Takes something away.
pub(super) fn delete<H: Handler<T, SharedApi>, T: 'static>(
    path: &'static str,
    name: &'static str,
    handler: H,
) -> Route {
    Route::new("delete", path, name, handler)
}

/// One parameter.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) place: &'static str,
    pub(super) name: &'static str,
    pub(super) says: &'static str,
    pub(super) is_required: bool,
    pub(super) schema: Value,
}

impl Field {
    fn query(name: &'static str, says: &'static str, schema: Value) -> Self {
        Field {
            place: "query",
            name,
            says,
            is_required: false,
            schema,
        }
    }
}

/// A text in the query.
pub(super) fn text(name: &'static str, says: &'static str) -> Field {
    let schema = json!({ "type": "string", "maxLength": TEXT_CHARS_MAX, "pattern": NO_NUL });
    Field::query(name, says, schema)
}

/// One of some words in the query.
pub(super) fn word(name: &'static str, says: &'static str, words: &[&str]) -> Field {
    Field::query(name, says, json!({ "type": "string", "enum": words }))
}

/// Yes or no in the query.
pub(super) fn flag(name: &'static str, says: &'static str) -> Field {
    Field::query(name, says, json!({ "type": "boolean" }))
}

/// Something else in the query, by its schema.
pub(super) fn value(name: &'static str, says: &'static str, schema: Value) -> Field {
    Field::query(name, says, schema)
}

/// Where a page begins, and how long it is.
pub(super) fn paged() -> [Field; 2] {
    let after = json!({ "type": "string", "maxLength": CURSOR_CHARS_MAX, "pattern": NO_NUL });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 });
    [
        Field::query("after", "The `next` of an earlier page: begin after that", after),
        Field::query("limit", "How many at most", limit),
    ]
}

/// The part of the path that varies.
pub(super) fn path(name: &'static str, says: &'static str) -> Field {
    Field {
        place: "path",
        name,
        says,
        is_required: true,
        schema: json!({ "type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX, "pattern": NAME }),
    }
}

/// Whose reference it is.
pub(super) fn namespace() -> Field {
    let schema = json!({ "type": "string", "enum": ["mdes", "tokenex"], "default": "mdes" });
    Field::query("namespace", "Whose reference it is", schema)
}

/// An instant in the query.
pub(super) fn instant(name: &'static str, says: &'static str) -> Field {
    Field::query(name, says, json!({ "type": "string", "format": "date-time" }))
}

/// Why it is done, where it need not stand in the body. Where it must, it may stand in this header too; the document
/// does not say so, since it could not say that one of the two is enough.
pub(super) fn reason() -> Field {
    let schema = json!({ "type": "string", "maxLength": REASON_CHARS_MAX, "pattern": "^[ -~]*$" });
    header("X-Reason", "Why, for the audit; the body's `reason` goes first", schema)
}

/// A header.
pub(super) fn header(name: &'static str, says: &'static str, schema: Value) -> Field {
    Field {
        place: "header",
        name,
        says,
        is_required: false,
        schema,
    }
}
