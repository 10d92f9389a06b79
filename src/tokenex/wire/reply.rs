//! What TokenEx answered, body first, whatever the HTTP status.

use serde_json::{Map, Value};
use time::Month;

use super::Fields;
use crate::domain::masked::{masked, without_written_numbers};
use crate::tokenex::errors::{self, Means};

/// How much of a text is kept.
const KEPT_CHARS_MAX: usize = 512;

/// What an answer says.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// All three: `success`, a `networkResponse`, and `0000` in it.
    Yes(Kept),
    /// No, for this reason.
    No {
        /// The code, if there is one: the network's before TokenEx's own.
        code: Option<String>,
        /// For people; masked.
        why: String,
        /// What it says of the request.
        means: Means,
        /// Its words.
        kept: Kept,
    },
    /// It cannot be read as an answer of TokenEx's.
    Unreadable,
}

/// What is kept of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// `networkResponse.tokenState`.
    pub state: Option<String>,
    /// The words that support will ask for, masked.
    pub words: Value,
}

impl Answer {
    /// Reads an answer about that token, which stands in none of what is kept.
    pub fn read(body: &[u8], about: &str) -> Self {
        let Ok(reply) = Fields::read(body) else {
            return Answer::Unreadable;
        };
        if !["success", "error", "networkresponse"]
            .iter()
            .any(|key| reply.says(key))
        {
            return Answer::Unreadable;
        }
        let network = reply.object("networkresponse");
        let kept = Kept {
            state: network
                .and_then(|network| network.text("tokenstate"))
                .map(|state| shown(state, about)),
            words: words(&reply, network, about),
        };
        let status = network.and_then(|network| network.word("statuscode"));
        let success = reply.flag("success") == Some(true);
        let error = reply.text("error").unwrap_or_default();
        let (code, means) = match (status.as_deref(), errors::parse(error)) {
            (Some(errors::DONE), _) if success => return Answer::Yes(kept),
            // The network did it, and TokenEx says that it was not done; or the other way round.
            (Some(errors::DONE), _) => (None, Means::Lost),
            (Some(code), _) => (Some(code).filter(|code| is_code(code)), means(errors::network(code))),
            (None, Some((code, _))) => (Some(code), means(errors::tokenex(code))),
            (None, None) if success => (None, Means::Lost),
            (None, None) => (None, Means::Refused),
        };
        Answer::No {
            code: code.map(str::to_owned),
            why: why(code, error, network, about),
            means,
            kept,
        }
    }
}

/// Four digits by all that is known; a word as short may come.
fn is_code(code: &str) -> bool {
    (1..=8).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn means(row: Option<&'static errors::Row>) -> Means {
    row.map_or(Means::Refused, |row| row.means)
}

fn why(code: Option<&str>, error: &str, network: Option<&Fields>, about: &str) -> String {
    let said = network
        .and_then(|network| network.text("statusmessage"))
        .unwrap_or_default();
    let known = code.and_then(|code| errors::network(code).or_else(|| errors::tokenex(code)));
    let text = [error.trim(), said.trim()].into_iter().find(|text| !text.is_empty());
    let text = text
        .or_else(|| known.map(|row| row.message))
        .unwrap_or("gave no reason");
    match code {
        Some(code) if !text.contains(code) => format!("TokenEx: {}", shown(&format!("{code}: {text}"), about)),
        _ => format!("TokenEx: {}", shown(text, about)),
    }
}

fn words(reply: &Fields, network: Option<&Fields>, about: &str) -> Value {
    const NETWORK: [(&str, &str); 5] = [
        ("tokenReferenceId", "tokenreferenceid"),
        ("messageId", "messageid"),
        ("conversationId", "conversationid"),
        ("statusCode", "statuscode"),
        ("statusMessage", "statusmessage"),
    ];
    let of_network = NETWORK
        .into_iter()
        .filter_map(|(name, key)| Some((name, network?.word(key)?)))
        .map(|(name, text)| (name, shown(&text, about)));
    let reference = reply.word("referencenumber").map(|number| match is_stamped(&number) {
        true => number,
        false => shown(&number, about),
    });
    let error = reply.text("error").filter(|error| !error.is_empty());
    let of_reply = [
        ("referenceNumber", reference),
        ("error", error.map(|error| shown(error, about))),
    ];
    let of_reply = of_reply.into_iter().filter_map(|(name, text)| Some((name, text?)));
    let words: Map<String, Value> = of_network
        .chain(of_reply)
        .map(|(name, text)| (name.to_owned(), Value::String(text)))
        .collect();
    Value::Object(words)
}

/// Without numbers, without the token, and not long.
fn shown(text: &str, about: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = if about.is_empty() {
        text
    } else {
        text.replace(about, &masked(about))
    };
    let text = without_written_numbers(&text, false);
    text.chars().take(KEPT_CHARS_MAX).collect()
}

/// `yyMMddHHmmss` and some digits more, 19 to 21 in all, the first of them perhaps a nought: no card number, though a
/// part of it may pass for one.
fn is_stamped(number: &str) -> bool {
    let is_digits = (19..=21).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    let begins = |from: usize| {
        let part = |at: usize| number.get(from + at..from + at + 2)?.parse::<u8>().ok();
        let day = || {
            let month = Month::try_from(part(2)?).ok()?;
            time::Date::from_calendar_date(2000 + i32::from(part(0)?), month, part(4)?).ok()
        };
        let hour = || time::Time::from_hms(part(6)?, part(8)?, part(10)?).ok();
        day().is_some_and(|day| day.year() < 2050) && hour().is_some()
    };
    is_digits && (begins(0) || (number.starts_with('0') && begins(1)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_that_is_none_is_in_nothing_that_is_kept() {
        for code in ["5204730000001201", "line\nbreak", &"9".repeat(60_000)] {
            let network = json!({"statusCode": code, "statusMessage": "no"});
            let body = json!({"networkResponse": network, "success": false, "error": ""}).to_string();
            let Answer::No { code: None, why, .. } = Answer::read(body.as_bytes(), "4761202544127718") else {
                panic!("it is a no without a code")
            };
            assert!(!why.contains(code) && why.len() < 1_000, "{why}");
        }
    }

    #[test]
    fn a_reference_number_is_kept_though_a_part_of_it_may_pass_for_a_card() {
        assert!(is_stamped("21082510103957444322") && is_stamped("021082510103957444322"));
        for other in [
            "5204730000001201770",
            "21132510103957444322",
            "2108251010395744",
            "21082510103957x44322",
        ] {
            assert!(!is_stamped(other), "{other}");
        }
    }
}
