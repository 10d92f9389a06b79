//! The one door by which commands say anything: results to standard output, everything else to standard error.
//!
//! Nothing that strangers wrote speaks to a terminal through it: control characters and marks of direction are shown as
//! what they are. A line of progress that stands on the terminal is taken away before anything else is said.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::color::{CODES, Color};
use super::{speaks, written_without};

/// As the command line says it.
struct Manner {
    color: Color,
    quiet: bool,
}

const AS_IF_NOTHING_WAS_SAID: Manner = Manner {
    color: Color::Auto,
    quiet: false,
};

static MANNER: OnceLock<Manner> = OnceLock::new();
/// A line of progress stands on the terminal, unfinished. Its lock is taken before either stream's, always, and held until
/// all is said, so that two who speak at once never wait for each other in a circle.
static STATUS: Mutex<bool> = Mutex::new(false);

/// How everything is said from now on; the first word holds.
pub(in crate::cli) fn begin(color: Color, quiet: bool) {
    let _ = MANNER.set(Manner { color, quiet }); // a second call would be from a test in the same process
}

fn manner() -> &'static Manner {
    MANNER.get().unwrap_or(&AS_IF_NOTHING_WAS_SAID)
}

/// Results alone, and what is wrong.
pub(in crate::cli) fn is_quiet() -> bool {
    manner().quiet
}

/// Whether results are shown in colours.
pub(super) fn is_colored() -> bool {
    manner().color.is_on(&io::stdout())
}

/// Whether the log is.
pub(in crate::cli) fn is_log_colored() -> bool {
    manner().color.is_on(&io::stderr())
}

/// A result, to standard output. A reader that has gone away (`| head`) is no error.
pub(in crate::cli) fn print(text: &str) {
    let _ = print_whole(text);
}

/// A result that nobody may lose: an error if it did not get out.
pub(in crate::cli) fn print_whole(text: &str) -> io::Result<()> {
    written(&mut io::stdout(), &visible(text, is_colored()))
}

/// What was asked for as it is: byte for byte for programs, and not to a terminal.
pub(in crate::cli) fn print_as_it_is(text: &str) {
    let mut out = io::stdout();
    let _ = match out.is_terminal() {
        true => written(&mut out, &visible(text, false)),
        false => written(&mut out, text),
    };
}

/// A line for whoever sits here, to standard error: what is wrong, and what to do next.
pub(in crate::cli) fn tell(line: impl Display) {
    let line = format!("{line}\n");
    let _ = written(&mut io::stderr(), &visible(&line, false));
}

/// A line that may as well not be said: `--quiet` leaves it out.
pub(in crate::cli) fn note(line: impl Display) {
    if !is_quiet() {
        tell(line);
    }
}

/// Whether somebody sits there who wants to see how far it is.
pub(in crate::cli) fn shows_status() -> bool {
    !is_quiet() && io::stderr().is_terminal()
}

/// How far it is, in place of what stood there; nothing takes it away.
pub(in crate::cli) fn status(line: &str) {
    let mut stands = status_line();
    if !shows_status() || (line.is_empty() && !*stands) {
        return;
    }
    let line = visible(line, false);
    let mut err = io::stderr().lock();
    let _ = write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush()); // progress is not worth an error
    *stands = !line.is_empty();
}

fn written(to: &mut impl Write, text: &str) -> io::Result<()> {
    let mut stands = status_line();
    if std::mem::take(&mut *stands) {
        let _ = io::stderr().write_all(b"\r\x1b[2K");
    }
    to.write_all(text.as_bytes())?;
    to.flush()
}

/// Whoever panicked while saying something left nothing half done in it.
fn status_line() -> MutexGuard<'static, bool> {
    STATUS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// With what would speak to a terminal made visible, but for the ends of lines, tabs and our own colours.
fn visible(text: &str, is_colored: bool) -> Cow<'_, str> {
    if !text.chars().any(|c| speaks(c) && c != '\n' && c != '\t') {
        return Cow::Borrowed(text);
    }
    let plain = |text: &str| {
        written_without(text, |c| match c {
            '\n' | '\t' => c.to_string(),
            _ => c.escape_default().to_string(),
        })
    };
    if !is_colored {
        return Cow::Owned(plain(text));
    }
    let mut shown = String::with_capacity(text.len());
    for (place, part) in text.split('\x1b').enumerate() {
        let sequence = format!("\x1b{part}");
        match CODES.iter().find(|code| sequence.starts_with(**code)) {
            _ if place == 0 => shown += &plain(part),
            Some(code) => shown += &format!("{code}{}", plain(&sequence[code.len()..])),
            None => shown += &plain(&sequence),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_colours_go_through_and_nothing_else_does() {
        let text = "\x1b[31mFAIL\x1b[0m\tkey\x1b]0;owned\x07\u{202e}\n\x1b[2J";
        let colored = visible(text, true);
        assert_eq!(
            colored,
            "\x1b[31mFAIL\x1b[0m\tkey\\u{1b}]0;owned\\u{7}\\u{202e}\n\\u{1b}[2J"
        );
        assert!(!visible(text, false).contains('\x1b'), "and none without colours");
    }

    #[test]
    fn what_says_nothing_to_a_terminal_stays_as_it_is() {
        assert!(matches!(visible("Müller\tжизнь 🙂\n", false), Cow::Borrowed(_)));
    }
}
