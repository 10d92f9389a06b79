//! Colours: on a terminal alone, unless somebody says otherwise.

use std::io::IsTerminal;

use clap::ValueEnum;

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, ValueEnum)]
pub(in crate::cli) enum Color {
    /// On a terminal, unless NO_COLOR is set; CLICOLOR_FORCE sets it on elsewhere.
    #[default]
    Auto,
    Always,
    Never,
}

/// What is said by a colour, and by a word beside it: nobody has to see the colour.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Tone {
    Good,
    Careful,
    Bad,
    Heading,
}

const PLAIN: &str = "\x1b[0m";
/// All that we ever say to a terminal about colours: the door lets these through, and nothing else.
pub(super) const CODES: [&str; 5] = [
    Tone::Good.code(),
    Tone::Careful.code(),
    Tone::Bad.code(),
    Tone::Heading.code(),
    PLAIN,
];

const GOOD: [&str; 8] = [
    "ok",
    "yes",
    "active",
    "delivered",
    "confirmed",
    "recorded",
    "advanced",
    "new",
];
const CAREFUL: [&str; 8] = [
    "warn",
    "confirm",
    "suspended",
    "due",
    "leased",
    "stale",
    "overdue",
    "skipped",
];
const BAD: [&str; 7] = ["fail", "no", "deactivated", "parked", "failed", "open", "expired"];

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Tone::Good => "\x1b[32m",
            Tone::Careful => "\x1b[33m",
            Tone::Bad => "\x1b[31m",
            Tone::Heading => "\x1b[1m",
        }
    }

    /// Of the words by which commands say how something stands.
    fn of(word: &str) -> Option<Tone> {
        let is_in = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        match () {
            () if is_in(&GOOD) => Some(Tone::Good),
            () if is_in(&CAREFUL) => Some(Tone::Careful),
            () if is_in(&BAD) => Some(Tone::Bad),
            () => None,
        }
    }
}

impl Color {
    /// Whether this stream is shown in colours.
    pub(super) fn is_on(self, stream: &impl IsTerminal) -> bool {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if is_set("NO_COLOR") => false,
            Color::Auto
                if std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") =>
            {
                true
            }
            Color::Auto => stream.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// In that tone, if colours are on.
pub(super) fn painted(text: &str, tone: Tone, is_on: bool) -> String {
    match is_on && !text.is_empty() {
        true => format!("{}{text}{PLAIN}", tone.code()),
        false => text.to_owned(),
    }
}

/// In its own tone, if it is a word that has one.
pub(super) fn word(text: &str, is_on: bool) -> String {
    match Tone::of(text.trim()) {
        Some(tone) => painted(text, tone, is_on),
        None => text.to_owned(),
    }
}
