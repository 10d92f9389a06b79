//! What `check` found, in the order in which it looked.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::cli::output::{escaped, word};

const WARN_BEFORE: Duration = Duration::days(30);

#[derive(Clone, Copy, PartialEq, Serialize)]
enum Level {
    #[serde(rename = "ok")]
    Ok,
    #[serde(rename = "warn")]
    Warn,
    #[serde(rename = "FAIL")]
    Fail,
}

struct Finding {
    level: Level,
    /// The setting that it is about, or a word.
    subject: String,
    text: String,
    /// What to do next.
    hint: Option<String>,
}

/// Findings, in order.
#[derive(Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Looked at, and well.
    pub(super) fn ok(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.add(Level::Ok, subject.into(), text.into(), None);
    }

    /// It works, but someone should see to it.
    pub(super) fn warn(&mut self, subject: impl Into<String>, text: impl Into<String>, hint: impl Into<String>) {
        self.add(Level::Warn, subject.into(), text.into(), Some(hint.into()));
    }

    /// It does not work.
    pub(super) fn fail(&mut self, subject: impl Into<String>, text: impl Into<String>, hint: impl Into<String>) {
        self.add(Level::Fail, subject.into(), text.into(), Some(hint.into()));
    }

    fn add(&mut self, level: Level, subject: String, text: String, hint: Option<String>) {
        self.0.push(Finding {
            level,
            subject,
            text,
            hint,
        });
    }

    /// The file's bytes; if it cannot be read, that is a finding.
    pub(super) fn read(&mut self, subject: &str, file: &Path) -> Option<Vec<u8>> {
        match std::fs::read(file) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let hint = "put the file there, readable by the user that runs the receiver, or correct the setting";
                self.fail(subject, format!("{}: {error}", file.display()), hint);
                None
            }
        }
    }

    /// A private key or a store that everyone on the machine may read is worth a word.
    pub(super) fn private(&mut self, subject: &str, file: &Path) {
        use std::os::unix::fs::PermissionsExt;
        let Ok(metadata) = std::fs::metadata(file) else {
            return;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o007 != 0 {
            let text = format!("{}: open to every user of this machine (mode {mode:o})", file.display());
            self.warn(subject, text, format!("chmod 600 {}", file.display()));
        }
    }

    /// From when to when something holds: outside it a failure, shortly before its end a warning. True if it holds now.
    pub(super) fn valid(
        &mut self,
        subject: &str,
        what: &str,
        (from, until): (OffsetDateTime, OffsetDateTime),
        now: OffsetDateTime,
    ) -> bool {
        let renew = "renew it; it is reloaded without a restart";
        if now < from {
            self.fail(
                subject,
                format!("{what} is not valid before {}", from.date()),
                "check this machine's clock",
            );
        } else if until < now {
            self.fail(subject, format!("{what} expired on {}", until.date()), renew);
        } else if until - now < WARN_BEFORE {
            let days = (until - now).whole_days();
            self.warn(
                subject,
                format!("{what} expires on {}, in {days} days", until.date()),
                renew,
            );
        }
        (from..=until).contains(&now)
    }

    pub(super) fn failed(&self) -> bool {
        self.0.iter().any(|finding| finding.level == Level::Fail)
    }

    /// One line each.
    pub(super) fn text(&self) -> String {
        self.0.iter().map(Finding::line).collect()
    }

    pub(super) fn json(&self) -> Value {
        let entry = |finding: &Finding| {
            json!({
                "level": finding.level,
                "subject": finding.subject,
                "text": finding.text,
                "hint": finding.hint,
            })
        };
        self.0.iter().map(entry).collect()
    }
}

impl Finding {
    fn line(&self) -> String {
        let level = match self.level {
            Level::Ok => word("ok") + "  ",
            Level::Warn => word("warn"),
            Level::Fail => word("FAIL"),
        };
        let hint = self.hint.as_ref().map(|hint| format!(" → {hint}")).unwrap_or_default();
        format!(
            "{level}  {}: {}\n",
            self.subject,
            escaped(&format!("{}{hint}", self.text))
        )
    }
}
