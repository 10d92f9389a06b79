//! What bodies and answers look like, by name. A new shape is one entry in [`all`].

mod answers;
mod asked;
mod bodies;

use serde_json::{Map, Value, json};

/// Every shape.
pub(super) fn all() -> Value {
    let shapes = answers::all().into_iter().chain(asked::all()).chain(bodies::all());
    Value::Object(shapes.map(|(name, shape)| (name.to_owned(), shape)).collect())
}

type Shape = (&'static str, Value);

/// An answer: all of its fields are there.
fn object(says: &str, fields: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "description": says,
        "properties": properties(fields),
        "required": names,
    })
}

/// A body: what is not in `required` may be left out, and nothing else may be there.
fn body(says: &str, required: &[&str], fields: &[(&str, Value)]) -> Value {
    json!({
        "type": "object",
        "description": says,
        "properties": properties(fields),
        "required": required,
        "additionalProperties": false,
    })
}

fn properties(fields: &[(&str, Value)]) -> Map<String, Value> {
    fields
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), shape.clone()))
        .collect()
}

fn page(item: &str) -> Value {
    object(
        "A page",
        &[
            ("items", list(of(item))),
            (
                "next",
                says("`after` of the next page; null after the last", or_null("string")),
            ),
        ],
    )
}

fn of(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn whole() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn yes_or_no() -> Value {
    json!({ "type": "boolean" })
}

fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn id_or_null() -> Value {
    json!({ "type": ["string", "null"], "format": "uuid" })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn time_or_null() -> Value {
    json!({ "type": ["string", "null"], "format": "date-time" })
}

fn says(says: &str, mut shape: Value) -> Value {
    shape["description"] = json!(says);
    shape
}
