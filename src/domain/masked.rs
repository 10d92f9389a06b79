//! Card and token numbers, masked before they rest or leave.

use std::fmt;

use serde_json::{Map, Value};
use zeroize::{Zeroize, ZeroizeOnDrop};

const RUN_MIN: usize = 12;
const RUN_MAX: usize = 19;
/// The first six digits say whose card it is; so many of a broken-off number are no longer harmless.
const BROKEN_RUN_MIN: usize = 6;

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

/// The same in words of someone else's, who may write a number in groups: single blanks and hyphens between digits do
/// not end a run. `cut` says that the words break off, so that a number may break off with them: then a run of six
/// digits or more at the very end is masked whatever it is.
pub fn without_written_numbers(text: &str, cut: bool) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = written_run(&chars, at);
        let digits: String = chars[at..end].iter().filter(|c| c.is_ascii_digit()).collect();
        let breaks_off = cut && end == chars.len() && digits.len() >= BROKEN_RUN_MIN;
        let clean = if breaks_off {
            "····".to_owned()
        } else {
            masked_run(&digits)
        };
        match clean == digits {
            true => out.extend(&chars[at..end.max(at + 1)]),
            false => out.push_str(&clean),
        }
        at = end.max(at + 1);
    }
    out
}

/// Where the run of digits that begins here ends; here, if none does.
fn written_run(chars: &[char], from: usize) -> usize {
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut end = from;
    while is_digit(end) || (end > from && matches!(chars.get(end), Some(' ' | '-')) && is_digit(end + 1)) {
        end += 1;
    }
    end
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

/// A point splits a number's run and an exponent drops its end, so that as many digits are enough to mask.
fn without_floats(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits < RUN_MIN {
        text.to_owned()
    } else {
        masked(text)
    }
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
            let came = value.to_string();
            assert!(mask_value(&mut value), "{came}");
            assert!(!value.to_string().contains("473"), "{came}");
        }
        assert!(!mask_value(&mut json!(0.25)));
    }

    #[test]
    fn a_number_in_groups_is_found_in_others_words() {
        for text in [
            "card 5204 7300 0000 1201 lost",
            "card 5204-7300-0000-1201 lost",
            "card 5204730000001201 lost",
        ] {
            assert_eq!(without_written_numbers(text, false), "card ····1201 lost");
        }
        let plain = "room 12-34, 3 of 7, 2026-11-22 12:00";
        assert_eq!(without_written_numbers(plain, false), plain);
    }

    #[test]
    fn a_number_that_breaks_off_is_not_shown() {
        assert_eq!(without_written_numbers("card 5204 7300 00", true), "card ····");
        assert_eq!(without_written_numbers("status 404", true), "status 404");
    }

    #[test]
    fn numbers_hide_at_any_depth_as_key_string_or_number() {
        let mut value = json!({"a": [{"5204730000001201": 5204730000001201_u64}], "b": "5204730000001201"});
        assert!(mask_value(&mut value));
        assert!(!value.to_string().contains("520473"));
    }
}
