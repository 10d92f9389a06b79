//! What MDES is asked, in its words.

use serde_json::{Map, Value, json};

use crate::domain::command::{Action, CausedBy};
use crate::lifecycle::Request;

pub(super) const GET_TOKEN: &str = "/digitization/static/1/0/getToken";
pub(super) const SEARCH: &str = "/digitization/static/1/0/searchTokens";

/// A change of one token or several.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Of this one call; MDES refuses it a second time.
    pub request_id: String,
    /// What is wanted.
    pub action: Action,
    /// `causedBy`.
    pub caused_by: CausedBy,
    /// `reasonCode`.
    pub reason_code: &'a str,
    /// For people; at most 256 characters.
    pub reason: Option<&'a str>,
}

impl<'a> Wish<'a> {
    /// A command's: another id each time that it is sent (36 characters, a hyphen and a number; MDES takes 64).
    pub fn of(request: &Request<'a>) -> Self {
        Wish {
            request_id: format!("{}-{}", request.command, request.send),
            action: request.action,
            caused_by: request.caused_by,
            reason_code: request.reason_code,
            reason: request.reason,
        }
    }
}

/// Which tokens are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// Whose; MDES wants it where one consumer speaks for several.
    pub token_requestor_id: Option<&'a str>,
    /// By what.
    pub by: SearchBy<'a>,
}

/// What is known of the card.
#[derive(Clone, Copy, Debug)]
pub enum SearchBy<'a> {
    /// Those of the card that this token is of.
    Token(&'a str),
    /// Those of the card of that `panUniqueReference`.
    Card(&'a str),
}

pub(super) fn path(action: Action) -> &'static str {
    match action {
        Action::Suspend => "/digitization/static/1/0/suspend",
        Action::Resume => "/digitization/static/1/0/unsuspend",
        Action::Delete => "/digitization/static/1/0/delete",
    }
}

pub(super) fn change(wish: &Wish<'_>, references: &[&str], host: Option<&str>) -> Value {
    let mut body = head(&wish.request_id, host);
    body.insert("tokenUniqueReferences".to_owned(), json!(references));
    body.insert("causedBy".to_owned(), json!(wish.caused_by.as_str()));
    body.insert("reasonCode".to_owned(), json!(wish.reason_code));
    if let Some(reason) = wish.reason {
        body.insert("reason".to_owned(), json!(reason));
    }
    Value::Object(body)
}

/// Without the token's number, unless it is what is asked for: nobody needs it for a look.
pub(super) fn get_token(reference: &str, request_id: &str, host: Option<&str>, with_number: bool) -> Value {
    let mut body = head(request_id, host);
    body.insert("tokenUniqueReference".to_owned(), json!(reference));
    body.insert("includeTokenDetail".to_owned(), json!(with_number.to_string()));
    Value::Object(body)
}

pub(super) fn search(search: &Search<'_>, request_id: &str, host: Option<&str>) -> Value {
    let mut body = head(request_id, host);
    let by = match search.by {
        SearchBy::Token(reference) => json!({ "tokenUniqueReference": reference }),
        SearchBy::Card(reference) => json!({ "panUniqueReference": reference }),
    };
    body.insert("fundingAccountInfo".to_owned(), by);
    if let Some(id) = search.token_requestor_id {
        body.insert("tokenRequestorId".to_owned(), json!(id));
    }
    Value::Object(body)
}

fn head(request_id: &str, host: Option<&str>) -> Map<String, Value> {
    let mut head = Map::new();
    if let Some(host) = host {
        head.insert("responseHost".to_owned(), json!(host));
    }
    head.insert("requestId".to_owned(), json!(request_id));
    head
}
