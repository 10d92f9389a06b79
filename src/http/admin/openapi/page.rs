//! The document as a page: no script, nothing from elsewhere.

use serde_json::Value;

/// The whole page.
pub(super) fn of(document: &Value) -> String {
    let operations: String = operations(document)
        .map(|(path, method, one)| section(path, method, one))
        .collect();
    let index: String = operations_index(document);
    let schemas: String = entries(&document["components"]["schemas"])
        .map(|(name, one)| schema(name, one))
        .collect();
    let (version, summary) = (text(&document["info"]["version"]), text(&document["info"]["summary"]));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>mdes-receiver: the admin API</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n\
         <header><h1>The admin API</h1>\n<p>{summary}. Version {version}; \
         for programs: <a href=\"/openapi.json\">openapi.json</a>.</p></header>\n\
         <nav aria-label=\"Paths\"><ul>\n{index}</ul></nav>\n<main>\n<h2>Paths</h2>\n{operations}\
         <h2>Shapes</h2>\n{schemas}</main>\n</body>\n</html>\n"
    )
}

fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    entries(&document["paths"])
        .flat_map(|(path, methods)| entries(methods).map(move |(method, one)| (path, method, one)))
}

fn operations_index(document: &Value) -> String {
    let line = |(path, method, one): (&str, &str, &Value)| {
        let (id, method) = (text(&one["operationId"]), method.to_uppercase());
        format!(
            "<li><a href=\"#{id}\"><code>{method} {}</code></a></li>\n",
            escaped(path)
        )
    };
    operations(document).map(line).collect()
}

fn section(path: &str, method: &str, one: &Value) -> String {
    let (id, method) = (text(&one["operationId"]), method.to_uppercase());
    let says = in_code(&text(&one["summary"]));
    let who = in_code(&text(&one["description"]));
    let body = &one["requestBody"]["content"]["application/json"]["schema"];
    let takes = match body.is_null() {
        true => String::new(),
        false => format!("<p>Takes {}.</p>\n", linked(body)),
    };
    format!(
        "<section id=\"{id}\">\n<h3><code>{method} {}</code></h3>\n<p>{says}. {who}</p>\n{}{takes}{}</section>\n",
        escaped(path),
        parameters(&one["parameters"]),
        responses(&one["responses"]),
    )
}

fn parameters(parameters: &Value) -> String {
    let all = parameters.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return String::new();
    }
    let row = |one: &Value| {
        format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            text(&one["name"]),
            text(&one["in"]),
            shape(&one["schema"]),
            in_code(&text(&one["description"])),
        )
    };
    let rows: String = all.iter().map(row).collect();
    format!(
        "<table>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">In</th><th scope=\"col\">Shape</th><th scope=\"col\">What it says</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn responses(responses: &Value) -> String {
    let row = |(status, one): (&str, &Value)| {
        let content = entries(&one["content"])
            .next()
            .map(|(_, content)| linked(&content["schema"]));
        format!(
            "<tr><td>{status}</td><td>{}</td><td>{}</td></tr>\n",
            in_code(&text(&one["description"])),
            content.unwrap_or_default()
        )
    };
    let rows: String = entries(responses).map(row).collect();
    format!(
        "<table>\n<thead><tr><th scope=\"col\">Status</th><th scope=\"col\">Meaning</th><th scope=\"col\">Shape</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

fn schema(name: &str, one: &Value) -> String {
    let row = |(field, one): (&str, &Value)| {
        let says = in_code(&text(&one["description"]));
        format!(
            "<tr><td><code>{}</code></td><td>{}</td><td>{says}</td></tr>\n",
            escaped(field),
            shape(one)
        )
    };
    let rows: String = entries(&one["properties"]).map(row).collect();
    let says = in_code(&text(&one["description"]));
    let table = match rows.is_empty() {
        true => format!("<p>{}</p>\n", shape(one)),
        false => format!(
            "<table>\n<thead><tr><th scope=\"col\">Field</th><th scope=\"col\">Shape</th><th scope=\"col\">What it says</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
        ),
    };
    let name = escaped(name);
    format!("<section id=\"schema-{name}\">\n<h3>{name}</h3>\n<p>{says}</p>\n{table}</section>\n")
}

/// What a value looks like, in a few words.
fn shape(schema: &Value) -> String {
    if !schema["$ref"].is_null() {
        return linked(schema);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("<code>{}</code>", escaped(&word.to_string())))
            .collect::<Vec<_>>()
            .join(" ");
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(all) = schema[choice].as_array() {
            return all.iter().map(shape).collect::<Vec<_>>().join(" or ");
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().map(text).collect::<Vec<_>>().join(" or "),
        kind => text(kind),
    };
    match (schema["items"].is_null(), &schema["format"]) {
        (false, _) => format!("list of {}", shape(&schema["items"])),
        (true, Value::String(format)) => format!("{kind} ({})", escaped(format)),
        _ => kind,
    }
}

fn linked(schema: &Value) -> String {
    match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        Some(name) => format!("<a href=\"#schema-{0}\">{0}</a>", escaped(name)),
        None => shape(schema),
    }
}

fn entries(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value))
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

/// What stands between back quotes is code.
fn in_code(escaped: &str) -> String {
    let mut out = String::new();
    for (place, part) in escaped.split('`').enumerate() {
        match place % 2 {
            0 => out.push_str(part),
            _ => out.push_str(&format!("<code>{part}</code>")),
        }
    }
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
