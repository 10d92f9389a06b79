//! `/openapi.json`: the document of `/v1`, made of the same list of paths as its router; and `/docs`, the same to be read.

mod page;
mod schemas;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::route::{Field, Route};
use super::v1;
use crate::store::roster::Right;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);
/// Written once: all who ask share the bytes.
static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(DOCUMENT.to_string()));
static PAGE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(page::of(&DOCUMENT)));
const STYLE: &str = include_str!("openapi/style.css");
/// Nothing from elsewhere, and nothing that runs.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /openapi.json`.
pub async fn served() -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.clone()).into_response()
}

/// `GET /docs`.
pub async fn page() -> Response {
    ([(CONTENT_SECURITY_POLICY, POLICY)], Html(PAGE.clone())).into_response()
}

/// `GET /docs/style.css`.
pub async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}

/// OpenAPI 3.1 of everything under `/v1`.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in v1::routes() {
        let path = paths.entry(format!("/v1{}", route.path)).or_insert_with(|| json!({}));
        path[route.method] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "mdes-receiver",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What is known of network tokens, who is told of it, and what is wanted of them",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas::all(),
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": route.name,
        "summary": route.says,
        "description": format!("For who has the role {}.", who(route.right)),
        "x-right": route.right,
        "parameters": route.asks.iter().map(parameter).collect::<Vec<_>>(),
        "responses": responses(route),
    });
    if let Some(schema) = route.takes {
        operation["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(schema) } },
        });
    }
    operation
}

fn who(right: Right) -> &'static str {
    match right {
        Right::Charge => "`charger`, `viewer`, `operator` or `revealer`",
        Right::Look => "`viewer`, `operator` or `revealer`",
        Right::Act => "`operator`",
        Right::Reveal => "`revealer`",
    }
}

fn parameter(field: &Field) -> Value {
    json!({
        "name": field.name,
        "in": field.place,
        "description": field.says,
        "required": field.is_required,
        "schema": field.schema,
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn responses(route: &Route) -> Value {
    let mut responses = Map::new();
    for (status, media, schema) in &route.gives {
        let mut response = json!({ "description": meaning(*status) });
        if !media.is_empty() {
            response["content"] = json!({ *media: { "schema": reference(schema) } });
        }
        responses.insert(status.to_string(), response);
    }
    for status in problems(route) {
        let content = json!({ "application/problem+json": { "schema": reference("Problem") } });
        let response = json!({ "description": meaning(status), "content": content });
        responses.insert(status.to_string(), response);
    }
    Value::Object(responses)
}

/// Its own, and those that every path may give, or every path with a body.
fn problems(route: &Route) -> BTreeSet<u16> {
    let mut problems: BTreeSet<u16> = route.problems.iter().copied().collect();
    problems.extend([400, 401, 403, 421, 500, 503]);
    if !route.asks.is_empty() {
        problems.insert(422);
    }
    if route.method != "get" {
        problems.extend([408, 409, 413, 415, 422]);
    }
    problems
}

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "Done",
        201 => "Made",
        304 => "Nothing has changed since",
        400 => "It cannot be read",
        401 => "No bearer token, or one that is nobody's",
        403 => "The role does not allow it, or a page of another site asked",
        404 => "It is not there",
        408 => "The body did not come in time",
        409 => "As things stand it cannot be done",
        413 => "The body is too large",
        415 => "The body is not `application/json`",
        421 => "Called by a name that is not ours",
        422 => "A field does not fit",
        503 => "Not just now; `Retry-After` says when to try again",
        _ => "A defect of this program",
    }
}
