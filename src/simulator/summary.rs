//! What was sent, in lines for people; numbers are masked.

use serde_json::{Map, Value};

use crate::domain::masked::{mask_value, masked};

/// Fields go on in another line after so much of one.
const LINE_BYTES_MAX: usize = 100;

/// One or more lines for each token.
pub fn lines(content: &Value) -> Vec<String> {
    let tokens = content.get("tokens").and_then(Value::as_array);
    tokens.into_iter().flatten().flat_map(token_lines).collect()
}

/// The references of the tokens that it is about.
pub fn references(content: &Value) -> Vec<String> {
    let tokens = content.get("tokens").and_then(Value::as_array);
    tokens
        .into_iter()
        .flatten()
        .filter_map(|token| token.get("tokenUniqueReference")?.as_str())
        .map(str::to_owned)
        .collect()
}

/// A token number is masked wherever it passes the check, and in its own field always.
fn without_numbers(token: &Value) -> Value {
    let mut token = token.clone();
    if let Some(number) = token.pointer_mut("/tokenInfo/tokenNumber") {
        *number = Value::from(masked(&plain(number)));
    }
    mask_value(&mut token);
    token
}

fn token_lines(token: &Value) -> Vec<String> {
    // A reference is no number, even where its digits would pass for one.
    let reference = token.get("tokenUniqueReference").map(plain).unwrap_or_default();
    let token = without_numbers(token);
    let mut says = token.get("status").map(plain).unwrap_or_default();
    for (before, field, after) in [
        (" by ", "suspendedBy", ""),
        (" (", "eventReasonCode", ")"),
        (" at ", "statusTimestamp", ""),
    ] {
        let value = token.get(field).map(plain).filter(|value| !value.is_empty());
        says.extend(value.map(|value| format!("{before}{value}{after}")));
    }
    let mut lines = vec![reference, format!("  {says}")];
    for name in ["tokenInfo", "productConfig"] {
        if let Some(object) = token.get(name).and_then(Value::as_object) {
            lines.extend(wrapped(name, object));
        }
    }
    lines
}

/// The fields that are set, in lines of a readable width.
fn wrapped(name: &str, object: &Map<String, Value>) -> Vec<String> {
    let mut lines = vec![format!("  {name}:")];
    let set = object.iter().map(|(field, value)| (field, plain(value)));
    for (field, value) in set.filter(|(_, value)| !value.is_empty()) {
        let word = format!(" {field} {value},");
        match lines.last_mut() {
            Some(line) if line.len() + word.len() <= LINE_BYTES_MAX => line.push_str(&word),
            _ => lines.push(format!("   {word}")),
        }
    }
    if let Some(last) = lines.last_mut()
        && last.ends_with(',')
    {
        last.pop();
    }
    lines
}

/// Without quotation marks and brackets; null is nothing.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(map) if map.is_empty() => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_token_number_shows_its_last_four() {
        let said = json!({"tokens": [{"status": "ACTIVE", "tokenInfo": {"tokenNumber": "5204730000001201"}}]});
        assert_eq!(lines(&said)[2], "  tokenInfo: tokenNumber ····1201");
    }

    #[test]
    fn a_token_number_is_masked_even_where_it_fails_the_check() {
        let said = json!({"tokens": [{"status": "ACTIVE", "tokenInfo": {"tokenNumber": "5204730000001202"}}]});
        assert_eq!(lines(&said), ["", "  ACTIVE", "  tokenInfo: tokenNumber ····1202"]);
    }

    #[test]
    fn long_objects_go_on_in_further_lines() {
        let long = "x".repeat(40);
        let said = json!({"tokens": [{"productConfig": {"a": long, "b": long, "c": long, "d": null}}]});
        let lines = lines(&said);
        assert_eq!(
            lines[2..],
            [format!("  productConfig: a {long},"), format!("    b {long}, c {long}")]
        );
    }

    #[test]
    fn status_suspenders_reason_and_time_stand_in_one_line() {
        let said = json!({"tokens": [{
            "tokenUniqueReference": "DM4MMC1", "status": "SUSPENDED", "suspendedBy": ["ISSUER", "X"],
            "eventReasonCode": "OTHER", "statusTimestamp": "2026-11-03T11:56:23Z",
        }]});
        assert_eq!(
            lines(&said),
            ["DM4MMC1", "  SUSPENDED by ISSUER, X (OTHER) at 2026-11-03T11:56:23Z"]
        );
    }
}
