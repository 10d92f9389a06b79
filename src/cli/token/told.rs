//! A token's story as a person reads it.

use serde_json::Value;

use crate::cli::output::{dash, escaped, pairs, table, time};
use crate::domain::status::Status;
use crate::domain::token::{Change, Token};
use crate::store::joined::Joined;
use crate::store::{KeptStatement, KeptToken, Transition};

/// State, data, changes, and everything that was heard.
pub(super) fn story(
    kept: &KeptToken,
    links: &[Joined],
    transitions: &[Transition],
    statements: &[KeptStatement],
) -> String {
    format!(
        "{}{}{}\nchanges, oldest first\n{}\neverything heard, newest first\n{}",
        state(kept),
        joined(links),
        metadata(&kept.token),
        changes(transitions),
        heard(statements),
    )
}

/// One line for each token.
pub(super) fn list(tokens: &[KeptToken], limit: u32) -> String {
    let row = |kept: &KeptToken| {
        let token = &kept.token;
        let provisional = if token.is_provisional() { "provisional" } else { "" };
        [
            token.reference.to_string(),
            status(token.status()),
            suspenders(token),
            time(token.status_at()),
            provisional.to_owned(),
        ]
    };
    let rows: Vec<[String; 5]> = tokens.iter().map(row).collect();
    let mut text = table(["TOKEN", "STATUS", "SUSPENDED BY", "SINCE", ""], &rows);
    if let Some(last) = tokens.last().filter(|_| u64::from(limit) <= tokens.len() as u64) {
        let last = escaped(&last.token.reference.to_string());
        text.push_str(&format!("there may be more: --after {last}\n"));
    }
    text
}

fn state(kept: &KeptToken) -> String {
    let token = &kept.token;
    let mut lines = vec![
        ("token", token.reference.to_string()),
        ("requestor", token.requestor().map_or_else(dash, str::to_owned)),
        ("status", status(token.status())),
        ("suspended by", suspenders(token)),
        ("since", time(token.status_at())),
        ("reason", token.reason_code().map_or_else(dash, str::to_owned)),
        ("sequence", token.sequence.to_string()),
        ("updated", time(Some(kept.updated_at))),
    ];
    lines.extend(
        token
            .doubts()
            .iter()
            .map(|doubt| ("provisional", doubt.sentence().to_owned())),
    );
    if let Some(notification) = token.number_in() {
        lines.push(("number in", format!("notification {notification}, sealed")));
    }
    pairs(&lines)
}

/// What links join to it, beside it.
fn joined(links: &[Joined]) -> String {
    let row = |joined: &Joined| {
        let provisional = if joined.provisional { "provisional" } else { "" };
        let authority = if joined.is_authority { "its word counts" } else { "" };
        [
            joined.other.namespace.as_str().to_owned(),
            joined.other.shown(),
            status(joined.status.as_ref()),
            provisional.to_owned(),
            authority.to_owned(),
        ]
    };
    let rows: Vec<[String; 5]> = links.iter().map(row).collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("\n{}", table(["LINKED", "TOKEN", "STATUS", "", ""], &rows)),
    }
}

fn metadata(token: &Token) -> String {
    let objects = ["tokenInfo", "productConfig"];
    let fields = objects.map(|object| {
        let fields = token.object(object);
        fields
            .into_iter()
            .map(move |(name, value)| [format!("{object}.{name}"), plain(&value)])
    });
    let rows: Vec<[String; 2]> = fields.into_iter().flatten().collect();
    match rows.is_empty() {
        true => String::new(),
        false => format!("\n{}", table(["FIELD", "VALUE"], &rows)),
    }
}

fn changes(transitions: &[Transition]) -> String {
    let row = |transition: &Transition| {
        let what = transition.changes.iter().map(change).collect::<Vec<_>>().join(", ");
        [
            transition.sequence.to_string(),
            time(Some(transition.recorded_at)),
            what,
            transition.reason_code.clone().unwrap_or_else(dash),
            time(transition.status_at),
            transition.notification.to_string(),
        ]
    };
    let rows: Vec<[String; 6]> = transitions.iter().map(row).collect();
    table(
        ["#", "RECORDED", "CHANGE", "REASON", "NETWORK TIME", "NOTIFICATION"],
        &rows,
    )
}

fn heard(statements: &[KeptStatement]) -> String {
    let row = |statement: &KeptStatement| {
        let flags: Vec<&str> = statement.flags.iter().map(|flag| flag.as_str()).collect();
        let again = match statement.repeats {
            0 => String::new(),
            times => format!(" (+{times} repeats)"),
        };
        [
            time(Some(statement.received_at)),
            format!("{}{again}", statement.verdict.as_str()),
            statement.sequence.map_or_else(dash, |sequence| sequence.to_string()),
            status(statement.status.as_ref()),
            time(statement.status_at),
            flags.join(" "),
            statement.notification.to_string(),
        ]
    };
    let rows: Vec<[String; 7]> = statements.iter().map(row).collect();
    table(
        [
            "RECEIVED",
            "VERDICT",
            "#",
            "STATUS",
            "NETWORK TIME",
            "FLAGS",
            "NOTIFICATION",
        ],
        &rows,
    )
}

fn change(change: &Change) -> String {
    let side = |value: &Option<Value>| value.as_ref().map_or_else(dash, plain);
    format!("{} {} → {}", change.field, side(&change.from), side(&change.to))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("+"),
        other => other.to_string(),
    }
}

fn status(status: Option<&Status>) -> String {
    status.map_or_else(dash, Status::to_string)
}

fn suspenders(token: &Token) -> String {
    let names: Vec<&str> = token.suspended_by().collect();
    match names.is_empty() {
        true => dash(),
        false => names.join(" "),
    }
}
