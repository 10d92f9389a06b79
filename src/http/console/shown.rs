//! How things look, wherever they stand.

use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use super::Console;
use crate::domain::event::Advice;
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::status::Status;
use crate::store::outbox::Standing;

/// When, in UTC, with how long ago that is.
pub(super) fn at(at: OffsetDateTime, now: OffsetDateTime) -> Markup {
    let second = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let utc = at
        .to_offset(UtcOffset::UTC)
        .format(second)
        .unwrap_or_else(|_| at.to_string());
    html! { time datetime=(format!("{}Z", utc.replace(' ', "T"))) title=(ago(at, now)) { (utc) } }
}

/// The same, or a dash.
pub(super) fn maybe_at(when: Option<OffsetDateTime>, now: OffsetDateTime) -> Markup {
    when.map_or_else(dash, |when| at(when, now))
}

/// In words: `3 min ago`, `in 2 h`.
pub(super) fn ago(at: OffsetDateTime, now: OffsetDateTime) -> String {
    let apart = now - at;
    let words = long(apart.abs());
    match apart {
        apart if apart.abs() < Duration::seconds(1) => "just now".to_owned(),
        apart if apart.is_negative() => format!("in {words}"),
        _ => format!("{words} ago"),
    }
}

/// A length of time by its largest unit.
pub(super) fn long(time: Duration) -> String {
    match time.whole_seconds() {
        0..=119 => format!("{} s", time.whole_seconds()),
        120..=7_199 => format!("{} min", time.whole_minutes()),
        7_200..=172_799 => format!("{} h", time.whole_hours()),
        _ => format!("{} d", time.whole_days()),
    }
}

pub(super) fn dash() -> Markup {
    html! { span.muted { "–" } }
}

pub(super) fn or_dash(text: Option<&str>) -> Markup {
    text.filter(|text| !text.is_empty())
        .map_or_else(dash, |text| html! { (text) })
}

/// A token's status: a word in a colour, never a colour alone.
pub(super) fn status(status: Option<&Status>) -> Markup {
    html! { span class=(format!("badge {}", status_class(status))) { (status.map_or("unheard", Status::as_str)) } }
}

/// How a token's status is coloured.
pub(super) fn status_class(status: Option<&Status>) -> &'static str {
    match status {
        None => "none",
        Some(Status::Active) => "good",
        Some(Status::Inactive) => "idle",
        Some(Status::Suspended) => "warn",
        Some(Status::Deactivated) => "dead",
        Some(Status::Unknown(_)) => "odd",
    }
}

/// Any other word of a state.
pub(super) fn badge(word: &str, class: &str) -> Markup {
    html! { span class=(format!("badge {class}")) { (word.replace('_', " ")) } }
}

/// What a merchant does about a token of that status.
pub(super) fn advice(status: Option<&Status>) -> &'static str {
    match (Advice::on(status), status) {
        (_, None) => "Nothing was heard of it yet.",
        (Advice::ResumeCharging, _) => "It may be charged.",
        (Advice::StopCharging, _) => "Do not charge it until it is resumed.",
        (Advice::RequestNewToken, _) => "Do not charge it, ever: ask for another token.",
        (Advice::Confirm, _) => "Do not charge it before someone has found out what its status means.",
        _ => "It cannot be charged yet.",
    }
}

/// How a token stands, or that nobody can read it.
pub(super) fn standing(standing: &Standing) -> Markup {
    match standing.unreadable {
        Some(_) => badge("unreadable", "odd"),
        None => status(standing.token.status()),
    }
}

/// A token, as a way to its page.
pub(super) fn token(console: &Console, token: &TokenReference) -> Markup {
    html! {
        a.token href=(token_path(console, token)) { (token.shown()) }
        @if token.namespace == Namespace::TokenEx { " " span.muted { "TokenEx" } }
    }
}

/// Where its page is. TokenEx's token may look like a card's number: its address has a veil over it.
pub(super) fn token_path(console: &Console, token: &TokenReference) -> String {
    let name = match token.namespace {
        Namespace::Mdes => token.reference.clone(),
        Namespace::TokenEx => console.state.house.veil(&token.reference),
    };
    let name = utf8_percent_encode(&name, NON_ALPHANUMERIC);
    format!("/console/tokens/{}/{name}", token.namespace.as_str())
}

/// The word that a form's act sends its page back with.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    said: Option<String>,
}

impl Said {
    pub(super) fn shown(&self) -> Markup {
        said(self.said.as_deref(), None)
    }
}

/// What a form's act did, by the word that its redirect carries.
pub(super) fn said(word: Option<&str>, count: Option<u64>) -> Markup {
    let many = |one: &str, more: &str| match count {
        Some(1) => one.to_owned(),
        count => format!("{} {more}", count.unwrap_or_default()),
    };
    let text = match word {
        Some("retried") => many("One delivery is due now.", "deliveries are due now."),
        Some("skipped") => many("One delivery is set aside.", "deliveries are set aside."),
        Some("paused") => "It is paused: nothing is sent to it until it is resumed.".to_owned(),
        Some("resumed") => "It is resumed.".to_owned(),
        Some("ordered") => "The command is on disk; it is being carried out.".to_owned(),
        Some("approved") => "It is approved, and due now.".to_owned(),
        Some("begun") => "It is on disk; it begins when a receiver takes it up.".to_owned(),
        Some("redriven") => "It was read, and is recorded now.".to_owned(),
        Some("unreadable") => "It still cannot be read: the reason is below.".to_owned(),
        Some("resolved") => "It is set aside, and kept.".to_owned(),
        Some("stopped") => "It ends after the page that it is at.".to_owned(),
        _ => return html! {},
    };
    html! { p.said role="status" { (text) } }
}
