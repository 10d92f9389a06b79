//! The codes: TokenEx's own (`error`, top level) and the network's (`networkResponse.statusCode`), as its pages list
//! them, as far as they can reach these methods. The two number spaces overlap to the eye and are two tables.

use std::fmt;

/// A code with its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number, as TokenEx lists its own.
    pub code: u16,
    /// Its four digits, as the wire has them.
    pub digits: &'static str,
    /// TokenEx's own words for its own codes; the network's are told by its pages, not by a sample.
    pub message: &'static str,
    /// What it says of a request.
    pub means: Means,
}

/// What a code says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// No, and asking again will not help.
    Refused,
    /// No: there is no such token, or it has no network token.
    NoSuchToken,
    /// No: the token is not in a state for it.
    WrongState,
    /// Nobody knows whether it happened.
    Lost,
}

const fn row(digits: &'static str, message: &'static str, means: Means) -> Row {
    Row {
        code: number(digits.as_bytes()),
        digits,
        message,
        means,
    }
}

const fn number(digits: &[u8]) -> u16 {
    let mut number = 0;
    let mut at = 0;
    while at < digits.len() {
        number = number * 10 + (digits[at] - b'0') as u16;
        at += 1;
    }
    number
}

use Means::{Lost, NoSuchToken, Refused, WrongState};

/// TokenEx's own codes.
pub const TOKENEX: &[Row] = &[
    row("1000", "TokenExID cannot be empty", Refused),
    row("1001", "API Key cannot be empty", Refused),
    row("1003", "Authentication failed", Refused),
    row("1004", "Authentication failed", Refused),
    row("1006", "Authentication failed", Refused),
    row("1007", "Authentication failed", Refused),
    row("1008", "Authentication failed", Refused),
    row("1009", "Authentication failed", Refused),
    row("1010", "Authentication failed", Refused),
    row("1011", "Authentication failed", Refused),
    row("2003", "You must pass a token to this method", Refused),
    row("2004", "You must pass data to this method", Refused),
    row("2005", "You must pass a TokenScheme to this method", Refused),
    row("2404", "Invalid TokenExId", Refused),
    row("2407", "Invalid Token scheme", Refused),
    row("2423", "Invalid Token", Refused),
    row("2434", "Missing Header: tx-token-scheme", Refused),
    row("2435", "Missing Header: tx-apikey", Refused),
    row("2437", "Missing Header: tx-tokenex-id", Refused),
    row("2998", "Encountered model binding errors", Refused),
    row("2999", "Request is malformed", Refused),
    row("3000", "Token does not exist", NoSuchToken),
    row("3024", "No TokenReferenceId associated with token", NoSuchToken),
    row("4018", "Null parameter pass to method", Refused),
    row("5000", "Please contact TokenEx Support", Lost),
    row("5001", "Unable to perform this operation on vaultless tokens", Refused),
    row(
        "9998",
        "Internal error, please contact support via the client portal",
        Lost,
    ),
    row(
        "9999",
        "Internal error, please contact support via the client portal",
        Lost,
    ),
];

/// The network's codes, but for the one that says yes.
pub const NETWORK: &[Row] = &[
    row(
        "9002",
        "The card's data is invalid, or blocked after too many attempts",
        Refused,
    ),
    LATE,
    row("9005", "Unknown error: invalid or missing parameters", Refused),
    row("9006", "The provided token cannot be found", NoSuchToken),
    row("9100", "The card is not eligible", Refused),
    WRONG_STATE,
    row("9130", "The upstream server did not answer in time", Lost),
    row("9131", "The upstream server had an internal error", Lost),
];

/// The network did not answer in time.
pub const LATE: Row = row("9004", "The server gave no response in time", Lost);

/// The token is in no state for what was asked.
pub const WRONG_STATE: Row = row(
    "9104",
    "The token is not currently in a valid state for this request",
    WrongState,
);

/// The code of a trouble of TokenEx's own.
pub const INTERNAL: &str = "9999";

/// The network's yes.
pub const DONE: &str = "0000";

/// The row of TokenEx's own that these four digits name.
pub fn tokenex(code: &str) -> Option<&'static Row> {
    find(TOKENEX, code)
}

/// The row of the network's that these four digits name.
pub fn network(code: &str) -> Option<&'static Row> {
    find(NETWORK, code)
}

fn find(rows: &'static [Row], code: &str) -> Option<&'static Row> {
    rows.iter().find(|row| row.digits == code)
}

impl Row {
    /// It refuses the token that was asked about: of another one it may speak.
    pub fn is_about_one_token(&self) -> bool {
        matches!(self.means, Means::NoSuchToken | Means::WrongState)
            || matches!(self.code, 2423 | 5001 | 9002 | 9005 | 9100)
    }

    /// It refuses who asks, whatever is asked.
    pub fn is_about_credentials(&self) -> bool {
        matches!(self.code, 1000..2000 | 2404 | 2435 | 2437)
    }
}

/// As `error` says it: `3000 : Token does not exist`.
impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} : {}", self.digits, self.message)
    }
}

/// The code and the text of `error`: `^\s*(\d{4})\s*:\s*(.*)$`; `None` if it is of another form.
pub fn parse(error: &str) -> Option<(&str, &str)> {
    let (code, text) = error.split_once(':')?;
    let code = code.trim();
    let is_code = code.len() == 4 && code.bytes().all(|digit| digit.is_ascii_digit());
    let text = text.trim_start().lines().next().unwrap_or_default();
    is_code.then_some((code, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_as_both_pages_write_it() {
        assert_eq!(parse("3003 : Data Not Found"), Some(("3003", "Data Not Found")));
        assert_eq!(parse(" 3003:Data Not Found"), Some(("3003", "Data Not Found")));
        assert_eq!(parse("3003 :"), Some(("3003", "")));
        assert_eq!(parse("3003 : it: 5000 : x"), Some(("3003", "it: 5000 : x")));
        for none in [
            "",
            "Data Not Found",
            "300 : x",
            "30003 : x",
            "٣٠٠٣ : x",
            "a3003 : x",
            "3003",
        ] {
            assert_eq!(parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn every_row_is_found_by_the_code_that_it_says() {
        for row in TOKENEX {
            let said = row.to_string();
            let (code, text) = parse(&said).expect("it is written in the form that is read");
            assert_eq!((tokenex(code), text), (Some(row), row.message));
        }
        for row in NETWORK {
            assert_eq!(network(row.digits), Some(row));
        }
        assert_eq!((tokenex("9104"), network("3000"), network(DONE)), (None, None, None));
    }
}
