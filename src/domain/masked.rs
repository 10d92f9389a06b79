//! Card and token numbers, masked before they rest or leave.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::{Zeroize, ZeroizeOnDrop};

const RUN_MIN: usize = 12;
const RUN_MAX: usize = 19;

/// What a number shows of itself: `····1234`. Fewer than nine digits show nothing.
pub fn masked(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    match digits.len() {
        0..=8 => "····".to_owned(),
        n => format!("····{}", digits[n - 4..].iter().collect::<String>()),
    }
}

/// `text` with every run of 12 to 19 digits that passes the Luhn check masked.
///
/// A longer run is masked whole if any such window of it passes, since a number may stand inside other digits.
pub fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        if !run.is_empty() {
            out.push_str(&masked_run(&run));
            run.clear();
        }
        out.push(c);
    }
    out.pop(); // the sentinel
    out
}

/// The same for a JSON value at any depth: strings, keys, and numbers that are such a run.
/// Says whether anything was masked.
pub fn mask_value(value: &mut Value) -> bool {
    match value {
        Value::String(text) => mask_text(text),
        Value::Number(number) => {
            let text = number.to_string();
            let clean = if number.is_f64() {
                without_floats(&text)
            } else {
                without_numbers(&text)
            };
            let found = clean != text;
            if found {
                *value = Value::String(clean);
            }
            found
        }
        Value::Array(items) => items.iter_mut().fold(false, |found, item| mask_value(item) | found),
        Value::Object(map) => mask_map(map),
        Value::Null | Value::Bool(_) => false,
    }
}

/// A point hides a number's run; an exponent may hide its end.
fn without_floats(text: &str) -> String {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let cut = text.contains('e') && digits.len() >= RUN_MIN;
    if cut || without_numbers(&digits) != digits {
        return masked(text);
    }
    text.to_owned()
}

/// [`mask_value`] for an object's keys and values.
pub fn mask_map(map: &mut Map<String, Value>) -> bool {
    let mut found = false;
    for (mut key, mut value) in std::mem::take(map) {
        found |= mask_text(&mut key) | mask_value(&mut value);
        map.insert(key, value);
    }
    found
}

fn mask_text(text: &mut String) -> bool {
    let clean = without_numbers(text);
    let found = clean != *text;
    *text = clean;
    found
}

fn masked_run(run: &str) -> String {
    let digits = run.as_bytes();
    let holds_number = match digits.len() {
        0..RUN_MIN => false,
        RUN_MIN..=RUN_MAX => passes_luhn(digits),
        _ => (RUN_MIN..=RUN_MAX).any(|n| digits.windows(n).any(passes_luhn)),
    };
    if holds_number { masked(run) } else { run.to_owned() }
}

fn passes_luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let d = u32::from(digit - b'0');
            if place % 2 == 1 {
                if d > 4 { 2 * d - 9 } else { 2 * d }
            } else {
                d
            }
        })
        .sum();
    sum.is_multiple_of(10) && digits.iter().any(|d| *d != b'0')
}

/// A value from the configuration that must not be shown: Debug and Display print `····`, and it is wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes it in.
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    /// The value itself, for the one place that uses it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("····")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("····")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_number_in_free_text_shows_its_last_four_only() {
        assert_eq!(without_numbers("card 5204730000001201."), "card ····1201.");
    }

    #[test]
    fn a_number_inside_a_longer_run_is_found() {
        assert!(!without_numbers("995204730000001201770000").contains("520473"));
    }

    #[test]
    fn short_runs_and_runs_that_fail_the_check_stay() {
        assert_eq!(
            without_numbers("555-555-0100 and 5204730000001202"),
            "555-555-0100 and 5204730000001202"
        );
    }

    #[test]
    fn a_point_or_an_exponent_hides_no_number() {
        for mut value in [
            json!(5204.730000001201),
            json!(5.204730000001201e15),
            json!(5.2047300000012e29),
        ] {
            assert!(mask_value(&mut value), "{value}");
            assert!(!value.to_string().contains("473"), "{value}");
        }
        assert!(!mask_value(&mut json!(0.25)));
    }

    #[test]
    fn numbers_hide_at_any_depth_as_key_string_or_number() {
        let mut value = json!({"a": [{"5204730000001201": 5204730000001201_u64}], "b": "5204730000001201"});
        assert!(mask_value(&mut value));
        assert!(!value.to_string().contains("520473"));
    }
}
