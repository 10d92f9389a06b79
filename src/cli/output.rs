//! What the commands print: tables for people, JSON for programs.
//!
//! What strangers wrote (references, reasons, names) is escaped, so that it cannot speak to the terminal.

mod color;
mod stream;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) use self::color::Color;
use self::color::Tone;
pub(super) use self::stream::{
    begin, is_log_colored, is_quiet, note, print, print_as_it_is, print_whole, shows_status, status, tell,
};

/// One JSON value, indented.
pub(super) fn print_json(value: &Value) {
    let indented = format!("{value:#}");
    let lines: Vec<String> = indented.lines().map(json_text).collect();
    print(&format!("{}\n", lines.join("\n")));
}

/// One JSON value on a line of its own.
pub(super) fn json_line(value: &Value) -> String {
    format!("{}\n", json_text(&value.to_string()))
}

/// A line of JSON that says the same to a program and nothing to a terminal: serde_json leaves U+007F to U+009F as they
/// are, and some terminals take them for commands; marks of direction would show it in another order.
pub(super) fn json_text(json: &str) -> String {
    written_without(json, |c| format!("\\u{:04x}", u32::from(c)))
}

/// It speaks to a terminal, changes the direction of what follows, or is not seen.
fn speaks(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn written_without(text: &str, escape: impl Fn(char) -> String) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match speaks(c) {
            true => written.push_str(&escape(c)),
            false => written.push(c),
        }
    }
    written
}

/// Rows under a header, each column as wide as its widest cell; nothing but `none` if there are no rows.
pub(super) fn table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return "none\n".to_owned();
    }
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| escaped(cell)))
        .collect();
    let mut widths = header.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let is_colored = stream::is_colored();
    let heading = |cell: &str| color::painted(cell, Tone::Heading, is_colored);
    let head = row(&header, &widths, heading);
    let body = rows.iter().map(|cells| {
        let cells = cells.each_ref().map(String::as_str);
        row(&cells, &widths, |cell| color::word(cell, is_colored))
    });
    std::iter::once(head).chain(body).collect()
}

/// Each cell as wide as its column, but for what would only be blank at the end.
fn row(cells: &[&str], widths: &[usize], painted: impl Fn(&str) -> String) -> String {
    let last = cells.iter().rposition(|cell| !cell.is_empty());
    let mut line = String::new();
    for (place, (cell, width)) in cells.iter().zip(widths).enumerate() {
        line += &painted(cell);
        if last.is_some_and(|last| place < last) {
            line += &" ".repeat(width - cell.chars().count() + 2);
        }
    }
    format!("{line}\n")
}

/// How something stands, in its colour where there are colours.
pub(super) fn word(text: &str) -> String {
    color::word(text, stream::is_colored())
}

/// Names and values, one a line, the values in one column.
pub(super) fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:width$}  {}\n", escaped(value));
    pairs.iter().map(line).collect()
}

/// `text` with what would move a cursor, ring a bell or start a line made visible.
pub(super) fn escaped(text: &str) -> String {
    written_without(text, |c| c.escape_default().to_string())
}

/// To the millisecond, in UTC; a dash where there is no time.
pub(super) fn time(at: Option<OffsetDateTime>) -> String {
    at.map_or_else(dash, |at| {
        let at = at.to_offset(time::UtcOffset::UTC);
        let millis = at.nanosecond() / 1_000_000 * 1_000_000;
        rfc3339(at.replace_nanosecond(millis).unwrap_or(at))
    })
}

/// In full, for programs.
pub(super) fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// A dash where there is nothing.
pub(super) fn dash() -> String {
    "-".to_owned()
}

/// A time as it is written on the command line.
pub(super) fn instant(text: &str) -> Result<OffsetDateTime, String> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| "must be a time such as 2026-11-22T10:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_cannot_speak_to_a_terminal_nor_turn_a_line() {
        let text = "a\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}b";
        for shown in [
            escaped(text),
            json_text(&serde_json::json!({ "status": text }).to_string()),
        ] {
            assert!(!shown.contains(speaks), "{shown:?}");
        }
        let read: Value = serde_json::from_str(&json_text(&serde_json::json!(text).to_string())).expect("JSON");
        assert_eq!(read, text, "a program reads what was written");
    }
}
