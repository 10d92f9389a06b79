//! What narrows the list of tokens: the fields of a form, and the address that they make.

use maud::{Markup, html};
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use url::form_urlencoded::Serializer;

use super::page::Failure;
use crate::domain::masked::without_written_numbers;
use crate::domain::status::Status;
use crate::store::search::Sought;

/// The last digits: more of a number than these is nobody's business in an address.
const SUFFIX_CHARS_MAX: usize = 6;
const TEXT_CHARS_MAX: usize = 256;
/// The statuses that are offered; others are written in an address.
const STATUSES: [&str; 4] = ["ACTIVE", "SUSPENDED", "DEACTIVATED", "INACTIVE"];

/// As the address has it; an empty text narrows nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Narrow {
    suffix: String,
    status: String,
    requestor: String,
    merchant_reference: String,
    since: String,
    until: String,
    provisional: String,
    after: String,
}

impl Narrow {
    /// Where the page begins.
    pub(super) fn after(&self) -> Option<&str> {
        Some(self.after.as_str()).filter(|after| !after.is_empty())
    }

    /// What narrows; `None` if nothing does.
    pub(super) fn sought(&self) -> Result<Option<Sought>, Failure> {
        if self.suffix.trim().chars().count() > SUFFIX_CHARS_MAX {
            return Err(Failure::unfit("Of a number the last four or five digits are enough."));
        }
        let sought = Sought {
            suffix: text(&self.suffix)?,
            status: text(&self.status)?.map(Status::from),
            requestor: text(&self.requestor)?,
            merchant_reference: text(&self.merchant_reference)?,
            since: instant(&self.since)?,
            until: instant(&self.until)?,
            provisional: !self.provisional.is_empty(),
        };
        Ok((sought != Sought::default()).then_some(sought))
    }

    /// The same, from that place on.
    pub(super) fn address(&self, after: &str) -> String {
        let mut query = Serializer::new(String::new());
        let fields = self.fields().into_iter().chain([("after", after)]);
        query.extend_pairs(fields.filter(|(_, value)| !value.is_empty()));
        format!("/console/tokens?{}", query.finish())
    }

    fn fields(&self) -> [(&'static str, &str); 7] {
        [
            ("suffix", &self.suffix),
            ("status", &self.status),
            ("requestor", &self.requestor),
            ("merchant_reference", &self.merchant_reference),
            ("since", &self.since),
            ("until", &self.until),
            ("provisional", &self.provisional),
        ]
    }

    fn is_open(&self) -> bool {
        self.fields().iter().any(|(_, value)| !value.is_empty())
    }

    /// The form that makes it.
    pub(super) fn form(&self) -> Markup {
        html! {
            details.narrow open[self.is_open()] {
                summary { "By what else you know" }
                form.search method="get" action="/console/tokens" aria-label="By what else you know" {
                    (field("suffix", "Last digits", &self.suffix, SUFFIX_CHARS_MAX))
                    span.pair {
                        label for="status" { "Status" }
                        select id="status" name="status" {
                            option value="" { "any" }
                            @for status in STATUSES { option value=(status) selected[status == self.status] { (status) } }
                        }
                    }
                    (field("requestor", "Requestor", &self.requestor, TEXT_CHARS_MAX))
                    (field("merchant_reference", "Your reference", &self.merchant_reference, TEXT_CHARS_MAX))
                    (time("since", "So since (UTC)", &self.since))
                    (time("until", "Until (UTC)", &self.until))
                    label.inline { input type="checkbox" name="provisional" value="yes" checked[!self.provisional.is_empty()]; " provisional only" }
                    button type="submit" { "Show" }
                    @if self.is_open() { a href="/console/tokens" { "All of them" } }
                }
            }
        }
    }
}

fn field(name: &str, says: &str, value: &str, most: usize) -> Markup {
    html! {
        span.pair {
            label for=(name) { (says) }
            input id=(name) name=(name) value=(value) maxlength=(most) spellcheck="false" autocomplete="off";
        }
    }
}

fn time(name: &str, says: &str, value: &str) -> Markup {
    html! {
        span.pair {
            label for=(name) { (says) }
            input id=(name) name=(name) value=(value) maxlength="40" placeholder="2026-11-20 10:00" autocomplete="off";
        }
    }
}

/// A name of what is no number: an address is kept by browsers and proxies.
fn text(given: &str) -> Result<Option<String>, Failure> {
    let given = given.trim();
    if given.chars().count() > TEXT_CHARS_MAX || given.chars().any(char::is_control) {
        return Err(Failure::unfit("Write one line of at most 256 characters."));
    }
    if without_written_numbers(given, false) != given {
        let why = "This looks like a card's number, which must not stand in an address. Write it where a reference is \
                   looked for: what stands there goes into none.";
        return Err(Failure::unfit(why));
    }
    Ok(Some(given.to_owned()).filter(|given| !given.is_empty()))
}

/// In full, or as a person writes it; in UTC if nothing else is said.
fn instant(given: &str) -> Result<Option<OffsetDateTime>, Failure> {
    let given = given.trim();
    if given.is_empty() {
        return Ok(None);
    }
    let seconds = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let written = given.replacen('T', " ", 1);
    let whole = match written.len() {
        10 => format!("{written} 00:00:00"),
        16 => format!("{written}:00"),
        _ => written,
    };
    let plain = PrimitiveDateTime::parse(&whole, seconds).map(PrimitiveDateTime::assume_utc);
    let instant = OffsetDateTime::parse(given, &Rfc3339).or(plain);
    let instant = instant.ok().filter(|at| (1..=9_999).contains(&at.year()));
    match instant {
        Some(at) => Ok(Some(at)),
        None => Err(Failure::unfit(
            "Write a time such as 2026-11-20 10:00 or 2026-11-20T10:00:00Z.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_read_as_a_person_writes_it() {
        for written in ["2026-11-20 10:00", " 2026-11-20T10:00:00 ", "2026-11-20T11:00:00+01:00"] {
            let at = instant(written).expect("it is one");
            assert_eq!(at, Some(datetime!(2026-11-20 10:00 UTC)), "{written}");
        }
        assert_eq!(
            instant("2026-11-20").expect("it is one"),
            Some(datetime!(2026-11-20 0:00 UTC))
        );
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn what_looks_like_a_cards_number_narrows_nothing() {
        for given in ["4761202544127718", "4761 2025 4412 7718", "card-4761202544127718"] {
            assert!(text(given).is_err(), "{given}");
        }
        assert_eq!(text(" card-1 ").expect("it is none").as_deref(), Some("card-1"));
    }
}
