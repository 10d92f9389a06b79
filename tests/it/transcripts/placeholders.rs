//! What is another in each run stands in a transcript under a name of its own.

use std::path::Path;

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// What was printed by now, each under its placeholder.
pub struct Placeholders {
    folder: String,
    began: OffsetDateTime,
    ids: Vec<String>,
}

impl Placeholders {
    pub fn new(folder: &Path) -> Self {
        Placeholders {
            folder: folder.display().to_string(),
            began: OffsetDateTime::now_utc(),
            ids: Vec::new(),
        }
    }

    /// With a placeholder for each id, time, address, secret and fingerprint in it.
    pub fn of(&mut self, printed: &str) -> String {
        let printed = printed.replace(&self.folder, "<folder>");
        let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
        let mut shown = String::new();
        let mut rest = printed.as_str();
        while let Some(begin) = rest.find(is_word) {
            let length = rest[begin..].find(|c| !is_word(c)).unwrap_or(rest.len() - begin);
            let (before, word) = (&rest[..begin], &rest[begin..begin + length]);
            rest = &rest[begin + length..];
            let bare = word.trim_end_matches(['.', ':']);
            let placeholder = self.placeholder(bare);
            shown += before;
            shown += &placeholder;
            shown += &word[bare.len()..];
            if rest.starts_with("  ") {
                // It stands in a column.
                shown += &" ".repeat(bare.len().saturating_sub(placeholder.len()));
            }
        }
        shown + rest
    }

    fn placeholder(&mut self, word: &str) -> String {
        if word.len() == 36 && Uuid::parse_str(word).is_ok() {
            let known = self.ids.iter().position(|id| id == word);
            let place = known.unwrap_or_else(|| {
                self.ids.push(word.to_owned());
                self.ids.len() - 1
            });
            return format!("<id {}>", place + 1);
        }
        if let Ok(at) = OffsetDateTime::parse(word, &Rfc3339)
            && (at - self.began).abs() < Duration::days(2)
        {
            return "<time>".to_owned();
        }
        let is_hex = word.len() >= 40 && word.chars().all(|c| c.is_ascii_hexdigit());
        match word {
            _ if is_hex => "<fingerprint>".to_owned(),
            _ if word.starts_with("mdr_") => "<bearer>".to_owned(),
            _ if word.starts_with("whsec_") => "<secret>".to_owned(),
            _ if word.starts_with("127.0.0.1:") => "<address>".to_owned(),
            _ => word.to_owned(),
        }
    }

    /// A command with the ids that its placeholders stand for.
    pub fn filled(&self, command: &str) -> String {
        let mut filled = command.to_owned();
        for (place, id) in self.ids.iter().enumerate() {
            filled = filled.replace(&format!("<id {}>", place + 1), id);
        }
        filled
    }
}

/// Without the blanks that make columns: how wide these are depends on what the placeholders stand for.
pub fn plain(text: &str) -> Vec<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(words).collect()
}
