//! What an answer means: the body first, whatever its HTTP status.
//!
//! MDES has two forms of an error (`errors: […]`, or `Errors: {Error: …}` by its gateway), and lets either come with
//! a 200. Only what names our token and no error is a yes; only an error that says that trying again is no use is a no.

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{trouble, words};
use crate::domain::command::Seen;
use crate::lifecycle::{Looked, Reply, Trouble};
use crate::mdes::detail::DETAIL;
use crate::mdes::message;

/// The token is not in a state for it.
const WRONG_STATE: [&str; 2] = ["INVALID_TOKEN_STATUS", "NO_ACTIVE_TOKENS"];
/// MDES does not know the token, or not as ours.
const NO_SUCH_TOKEN: [&str; 1] = ["INVALID_TOKEN_UNIQUE_REFERENCE"];
/// It refuses the one token that was asked about, and no other.
const OF_ONE_TOKEN: [&str; 8] = [
    "INVALID_TOKEN_UNIQUE_REFERENCE",
    "INVALID_TOKEN_STATUS",
    "NO_ACTIVE_TOKENS",
    "TOKEN_PAN_NOT_FOUND",
    "INVALID_DATA",
    "INVALID_FIELD_FORMAT",
    "INVALID_FIELD_LENGTH",
    "INVALID_FIELD_VALUE",
];
/// It may have happened: it broke down over it, or has had it from us before.
const PERHAPS_DONE: [&str; 2] = ["INTERNAL_SERVICE_FAILURE", "DUPLICATE_REQUEST"];

/// An answer, read once.
pub(super) struct Heard {
    status: StatusCode,
    /// The body, if it is a whole JSON object.
    body: Option<Map<String, Value>>,
    errors: Vec<Fault>,
    words: Value,
}

/// One error of an answer, or of one token in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Fault {
    code: Option<String>,
    description: Option<String>,
    recoverable: Option<bool>,
    by_gateway: bool,
}

impl Heard {
    pub fn of(response: &crate::net::egress::Response) -> Self {
        let whole = (!response.truncated).then_some(&response.body);
        let body = whole.and_then(|body| serde_json::from_slice::<Map<String, Value>>(body).ok());
        Heard {
            status: response.status,
            errors: body.as_ref().map(errors).unwrap_or_default(),
            words: match &body {
                Some(body) => words::of_json(&Value::Object(body.clone())),
                None => words::of_text(&response.body, response.truncated),
            },
            body,
        }
    }

    /// What it says of one of the tokens that a change was asked for.
    pub fn reply(&self, reference: &str, request_id: &str) -> Reply {
        let token = self.tokens().find(|token| is_of(token, reference));
        let of_token = token.map(errors).unwrap_or_default();
        match (self.errors.iter().chain(&of_token).next(), token) {
            (Some(_), Some(token)) if of_token.is_empty() && token.contains_key("status") => {
                Reply::Lost(self.silence("an error, and beside it a token's state"))
            }
            (Some(_), _) => self.refusal(&[of_token, self.errors.clone()].concat()),
            (None, Some(token)) if self.status.is_success() => self.accepted(token, request_id),
            (None, _) => self.without_errors(),
        }
    }

    fn accepted(&self, token: &Map<String, Value>, request_id: &str) -> Reply {
        Reply::Accepted {
            // A state that cannot be read is asked for; the yes stands.
            seen: message::state(token).unwrap_or_default(),
            statement: Some(statement(token, request_id)),
            words: self.words.clone(),
        }
    }

    fn refusal(&self, faults: &[Fault]) -> Reply {
        let told = self.trouble_of(faults);
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            return Reply::Unsent(told);
        }
        if faults.iter().any(|fault| fault.is_open(self.status)) {
            return Reply::Lost(told);
        }
        Reply::Refused {
            wrong_state: faults.iter().any(|fault| fault.is(&WRONG_STATE)),
            code: told.code,
            why: told.why,
            words: self.words.clone(),
        }
    }

    /// Neither our token nor an error: the HTTP status is all there is.
    fn without_errors(&self) -> Reply {
        let refused = |why: &str| Reply::Refused {
            code: None,
            why: self.why(why),
            wrong_state: false,
            words: self.words.clone(),
        };
        match self.status {
            StatusCode::TOO_MANY_REQUESTS => Reply::Unsent(self.silence("it wants fewer calls a second")),
            StatusCode::REQUEST_TIMEOUT => Reply::Lost(self.silence("it did not hear all of the request")),
            status if status.is_redirection() => {
                refused("a redirect, which is not followed: correct `lifecycle.mdes.url`")
            }
            StatusCode::NOT_FOUND => refused("there is no such path: correct `lifecycle.mdes.url`"),
            status if status.is_client_error() => refused("and says no more about it"),
            _ => Reply::Lost(self.silence("nothing of the token")),
        }
    }

    /// What getToken says of a token.
    pub fn looked(&self, reference: &str, request_id: &str) -> Result<Looked, Trouble> {
        if !self.errors.is_empty() {
            return Err(self.trouble_of(&self.errors));
        }
        let token = self.field("token").and_then(Value::as_object);
        let Some(token) = token.filter(|_| self.status.is_success()) else {
            return Err(self.silence("nothing of the token"));
        };
        let faults = errors(token);
        if !faults.is_empty() {
            return Err(Trouble {
                of_this_token: faults.iter().all(|fault| !fault.is_open(self.status)),
                ..self.trouble_of(&faults)
            });
        }
        let mut token = token.clone();
        token.entry("tokenUniqueReference").or_insert_with(|| json!(reference));
        if !is_of(&token, reference) {
            return Err(self.silence_of_token("another token than the one that was asked for"));
        }
        match message::state(&token) {
            Ok(Some(seen)) => Ok(Looked {
                seen,
                statement: Some(self.statement_with_detail(&token, request_id)),
                words: self.words.clone(),
            }),
            _ => Err(self.silence_of_token("no state that can be read")),
        }
    }

    /// What is sealed to us stays sealed until the inbox opens it.
    fn statement_with_detail(&self, token: &Map<String, Value>, request_id: &str) -> Bytes {
        match self.field(DETAIL).filter(|detail| detail.is_object()) {
            Some(detail) => json!({ "requestId": request_id, "tokens": [token], DETAIL: detail })
                .to_string()
                .into(),
            None => statement(token, request_id),
        }
    }

    /// What searchTokens found; of one whose state cannot be read, the name alone.
    pub fn found(&self) -> Result<Vec<(String, Option<Seen>)>, Trouble> {
        if !self.errors.is_empty() {
            return Err(self.trouble_of(&self.errors));
        }
        if !self.status.is_success() || !self.field("tokens").is_some_and(Value::is_array) {
            return Err(self.silence("no list of tokens"));
        }
        let named = self.tokens().filter_map(|token| {
            let reference = token.get("tokenUniqueReference")?.as_str()?;
            Some((reference.to_owned(), message::state(token).unwrap_or_default()))
        });
        Ok(named.collect())
    }

    fn field(&self, name: &str) -> Option<&Value> {
        self.body.as_ref()?.get(name)
    }

    fn tokens(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let tokens = self.field("tokens").and_then(Value::as_array);
        tokens.into_iter().flatten().filter_map(Value::as_object)
    }

    fn silence(&self, why: &str) -> Trouble {
        Trouble {
            words: Some(self.words.clone()),
            ..trouble(self.why(why))
        }
    }

    fn silence_of_token(&self, why: &str) -> Trouble {
        Trouble {
            of_this_token: true,
            ..self.silence(why)
        }
    }

    fn trouble_of(&self, faults: &[Fault]) -> Trouble {
        let told = faults.iter().map(Fault::told).collect::<Vec<_>>().join("; ");
        let hint = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "; are `lifecycle.mdes.consumer_key` and `signing_key` of this environment?"
            }
            _ => "",
        };
        Trouble {
            code: faults.iter().find_map(|fault| fault.code.clone()),
            why: self.why(&format!("{}{hint}", words::sentence(&told))),
            no_such_token: faults.iter().any(|fault| fault.is(&NO_SUCH_TOKEN)),
            of_this_token: !faults.is_empty() && faults.iter().all(|fault| fault.is(&OF_ONE_TOKEN)),
            unasked: false,
            words: Some(self.words.clone()),
        }
    }

    fn why(&self, why: &str) -> String {
        format!("MDES answered {}: {why}", self.status.as_u16())
    }
}

impl Fault {
    /// Keys are read whatever their case: MDES writes `reasonCode`, its gateway `ReasonCode`.
    fn read(fields: &Map<String, Value>) -> Option<Self> {
        let field = |name: &str| {
            let (_, value) = fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
            Some(value).filter(|value| !value.is_null())
        };
        let text = |name: &str| match field(name)? {
            Value::String(text) if !text.is_empty() => Some(words::sentence(text)),
            Value::Number(number) => Some(words::sentence(&number.to_string())),
            _ => None,
        };
        let fault = Fault {
            code: text("reasonCode").or_else(|| text("errorCode")),
            description: text("description").or_else(|| text("errorDescription")),
            recoverable: match field("recoverable") {
                Some(Value::Bool(is)) => Some(*is),
                Some(Value::String(word)) => word.to_ascii_lowercase().parse().ok(),
                _ => None,
            },
            by_gateway: text("source").is_some_and(|source| source.eq_ignore_ascii_case("gateway")),
        };
        (fault.code.is_some() || fault.description.is_some()).then_some(fault)
    }

    fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Nobody knows whether the change happened.
    fn is_open(&self, status: StatusCode) -> bool {
        if self.is(&WRONG_STATE) || self.is(&NO_SUCH_TOKEN) {
            return false;
        }
        let broke = status.is_server_error() && (self.by_gateway || self.recoverable != Some(false));
        broke || self.is(&PERHAPS_DONE) || self.recoverable == Some(true)
    }

    fn told(&self) -> String {
        match (&self.code, &self.description) {
            (Some(code), Some(description)) => format!("{code}, {description}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "an error".to_owned(),
        }
    }
}

/// All errors that an object bears: `errors` or `Errors`, a list, one, or one list deeper in `Error`; else its own `errorCode`.
fn errors(fields: &Map<String, Value>) -> Vec<Fault> {
    let listed = fields
        .iter()
        .filter(|(key, _)| ["errors", "error"].iter().any(|name| key.eq_ignore_ascii_case(name)))
        .flat_map(|(_, value)| listed(value));
    let listed: Vec<Fault> = listed.collect();
    let own = || {
        ["errorCode", "errorDescription"]
            .iter()
            .any(|name| fields.contains_key(*name))
    };
    match listed.is_empty() && own() {
        true => Fault::read(fields).into_iter().collect(),
        false => listed,
    }
}

fn listed(value: &Value) -> Vec<Fault> {
    match value {
        Value::Array(items) => items.iter().flat_map(listed).collect(),
        Value::Object(fields) => Fault::read(fields).map_or_else(|| errors(fields), |fault| vec![fault]),
        Value::String(text) if !text.is_empty() => vec![Fault {
            description: Some(words::sentence(text)),
            ..Fault::default()
        }],
        _ => Vec::new(),
    }
}

fn is_of(token: &Map<String, Value>, reference: &str) -> bool {
    token.get("tokenUniqueReference").and_then(Value::as_str) == Some(reference)
}

/// What the inbox reads: the form of a notification that came unsealed.
fn statement(token: &Map<String, Value>, request_id: &str) -> Bytes {
    json!({ "requestId": request_id, "tokens": [token] }).to_string().into()
}
