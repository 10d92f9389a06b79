//! A service's own words, as they may be kept and shown: no number in them, and not too many.

use serde_json::{Map, Value};

use crate::domain::masked::{self, mask_value, without_written_numbers};

/// Of a whole answer.
const WORDS_BYTES_MAX: usize = 8 << 10;
/// Of a sentence.
const SENTENCE_BYTES_MAX: usize = 256;

/// An answer that is JSON.
pub(super) fn of_json(answer: &Value) -> Value {
    let mut words = answer.clone();
    without_details(&mut words);
    mask_value(&mut words);
    let text = words.to_string();
    match text.len() {
        0..=WORDS_BYTES_MAX => words,
        _ => Value::String(fit(&text, true, WORDS_BYTES_MAX)),
    }
}

/// An answer that is not.
pub(super) fn of_text(answer: &[u8], is_cut: bool) -> Value {
    Value::String(fit(&String::from_utf8_lossy(answer), is_cut, SENTENCE_BYTES_MAX))
}

/// One sentence of it, on one line.
pub(super) fn sentence(text: &str) -> String {
    fit(text, false, SENTENCE_BYTES_MAX)
}

fn fit(text: &str, is_cut: bool, bytes_max: usize) -> String {
    let masked = without_written_numbers(text, is_cut);
    let mut text: String = masked.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
        text.push('…');
    }
    text
}

/// Takes away what is sealed to somebody, and all of a number but its end.
fn without_details(value: &mut Value) {
    match value {
        Value::Object(fields) => of_fields(fields),
        Value::Array(items) => items.iter_mut().for_each(without_details),
        Value::String(text) => *text = without_written_numbers(text, false),
        _ => {}
    }
}

fn of_fields(fields: &mut Map<String, Value>) {
    fields.retain(|name, _| !is(name, "tokenDetail") && !is(name, "encryptedPayload"));
    for (name, value) in fields {
        match value {
            _ if is(name, "tokenNumber") => *value = Value::String(masked::masked(&value.to_string())),
            _ => without_details(value),
        }
    }
}

fn is(name: &str, known: &str) -> bool {
    name.trim().eq_ignore_ascii_case(known)
}
