//! Whether a body is what a schema says: as much of JSON Schema as the schemas in `docs/events/` use, and no less.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// What is wrong with `value`, and where; empty if it is as `root` says.
pub fn faults(root: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(root, root, value, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    // `true`: whatever it is.
    let Some(schema) = schema.as_object() else {
        return;
    };
    for (keyword, says) in schema {
        let holds = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                check(root, resolve(root, says), value, at, faults);
                true
            }
            "const" => says == value,
            "type" => is_type(says, value),
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= says.as_f64()),
            "format" => value.as_str().is_none_or(|text| has_format(says, text)),
            "oneOf" => holding(root, says, value) == 1,
            "anyOf" => holding(root, says, value) >= 1,
            "required" => list(says).all(|name| value.get(name.as_str().expect("a name")).is_some()),
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, says, item, &format!("{at}/{place}"), faults);
                }
                true
            }
            "properties" => {
                for (name, says) in says.as_object().expect("by name") {
                    if let Some(value) = value.get(name) {
                        check(root, says, value, &format!("{at}/{name}"), faults);
                    }
                }
                true
            }
            other => panic!("what does `{other}` say?"),
        };
        if !holds {
            faults.push(format!("{at}: {keyword} {says}, not {value}"));
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn resolve<'a>(root: &'a Value, reference: &Value) -> &'a Value {
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#'));
    let found = pointer.and_then(|pointer| root.pointer(pointer));
    found.unwrap_or_else(|| panic!("nothing at {reference}"))
}

fn holding(root: &Value, schemas: &Value, value: &Value) -> usize {
    let holds = |schema: &&Value| {
        let mut faults = Vec::new();
        check(root, schema, value, "", &mut faults);
        faults.is_empty()
    };
    list(schemas).filter(holds).count()
}

fn is_type(says: &Value, value: &Value) -> bool {
    let is = |word: &Value| match word.as_str().expect("a word") {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        other => panic!("what is `{other}`?"),
    };
    match says {
        Value::Array(words) => words.iter().any(is),
        word => is(word),
    }
}

fn has_format(says: &Value, text: &str) -> bool {
    match says.as_str().expect("a word") {
        "date-time" => OffsetDateTime::parse(text, &Rfc3339).is_ok(),
        "uuid" => Uuid::parse_str(text).is_ok(),
        other => panic!("what is `{other}`?"),
    }
}
