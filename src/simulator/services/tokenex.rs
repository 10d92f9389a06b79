//! TokenEx: six methods under `/v2/NetworkToken/`, and the list of its error codes.
//!
//! Keys are taken in any case, actions by name, number or a string of either; what is answered has the case of the
//! samples. What TokenEx documents nowhere is an [`Alternative`].

use std::sync::Arc;

use hyper::Method;
use hyper::http::request::Parts;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::desk::{Asked, Desk, Done, requestor};
use super::faults::{Call, CallKind};
use super::tokens::{Act, Cause, Rules, is_name};
use super::{Alternative, Answer, Outcome, codes, held};

mod answers;
mod others;

use answers::{Network, Refusal, refused};

const PREFIX: &str = "/v2/NetworkToken/";
const ERROR_CODES: &str = "/v2/home/errorcodes";
const REASON_CHARS_MAX: usize = 1_000;

/// What an action is called.
const ACTIONS: [(&str, Act); 3] = [
    ("DELETE_TOKEN", Act::Delete),
    ("RESUME_TOKEN", Act::Resume),
    ("SUSPEND_TOKEN", Act::Suspend),
];

pub(super) fn is_its(path: &str) -> bool {
    path.starts_with("/v2/")
}

pub(super) async fn answer(desk: &Arc<Desk>, parts: &Parts, body: &[u8]) -> Outcome {
    if let Err(refusal) = authenticate(desk, parts) {
        return refused(desk, &refusal).into();
    }
    let path = parts.uri.path();
    if path.eq_ignore_ascii_case(ERROR_CODES) && parts.method == Method::GET {
        return error_codes().into();
    }
    let method = path
        .get(..PREFIX.len())
        .filter(|start| start.eq_ignore_ascii_case(PREFIX));
    let method = method.map_or("", |_| &path[PREFIX.len()..]);
    if parts.method != Method::POST {
        return Answer::new(
            405,
            json!({"message": "The requested resource does not support this method."}),
        )
        .into();
    }
    let outcome = match method {
        "LifecycleManagement" => lifecycle_management(desk, body).await,
        "GetStatus" => get_status(desk, body).await,
        "Tokenize" => others::tokenize(desk, parts, body).await,
        "GetPaymentBundle" => others::payment_bundle(desk, body).await,
        "GetCardMetadata" => others::card_metadata(desk, body).await,
        "GetAsset" => others::asset(desk, body).await,
        _ => Ok(Answer::new(404, json!({"message": "No HTTP resource was found."})).into()),
    };
    outcome.unwrap_or_else(|refusal| refused(desk, &refusal).into())
}

/// Wrong id, wrong key, wrong address: one answer for all, so that nobody learns which.
fn authenticate(desk: &Desk, parts: &Parts) -> Result<(), Refusal> {
    let header = |name: &str| parts.headers.get(name).map(|value| value.as_bytes());
    let (id, key) = (header("tx-tokenex-id"), header("tx-apikey"));
    if desk.has(Alternative::Headers) {
        match (id, key) {
            (None, _) => return Err(Refusal::Code(2437)),
            (_, None) => return Err(Refusal::Code(2435)),
            (Some(b""), _) => return Err(Refusal::Code(1000)),
            (_, Some(b"")) => return Err(Refusal::Code(1001)),
            _ => {}
        }
    }
    let is_known = id == Some(desk.tokenex_id.as_bytes()) && key == Some(desk.api_key.as_bytes());
    if is_known { Ok(()) } else { Err(Refusal::Code(1003)) }
}

fn error_codes() -> Answer {
    let rows = codes::TOKENEX.iter();
    let rows: Vec<Value> = rows
        .map(|(code, message)| json!({"code": code, "message": message}))
        .collect();
    Answer::new(200, rows)
}

async fn lifecycle_management(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    let token = request.token()?;
    let (name, act) = request.action()?;
    let reason = request.text("requestreason", REASON_CHARS_MAX)?;
    let place = request.place(desk, token)?;
    let asked = Asked {
        call: Call {
            name,
            kind: CallKind::Change,
            is_tokenex: true,
        },
        places: &[place],
    };
    let cause = Cause {
        reason: reason.unwrap_or_default().to_owned(),
        ..Cause::by(&requestor())
    };
    let reference_id = held(&desk.tokens).at(place).reference_id.clone();
    let network = |code| Network {
        token_reference_id: Some(reference_id.clone()),
        lifecycle_management_action: Some(name),
        ..Network::of(desk, code)
    };
    let do_it = || {
        let rules = Rules::TokenEx {
            idempotent_suspend: desk.idempotent_suspend,
        };
        match desk.act(&[place], act, &cause, rules, OffsetDateTime::now_utc()) {
            Ok(said) => Done {
                answer: answers::done(
                    desk,
                    network("0000"),
                    "Network Token LifecycleManagement update successful!",
                ),
                said,
                applied: true,
            },
            Err(_) => Done {
                answer: answers::network_refused(desk, network(wrong_state(desk, place))),
                said: None,
                applied: false,
            },
        }
    };
    Ok(desk
        .carry_out(&asked, do_it, |how| answers::spoiled(desk, how, network))
        .await)
}

async fn get_status(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    let place = request.place(desk, request.token()?)?;
    let asked = Asked {
        call: Call {
            name: "GetStatus",
            kind: CallKind::Look,
            is_tokenex: true,
        },
        places: &[place],
    };
    let do_it = || {
        let state = held(&desk.tokens).at(place).state;
        let network = Network {
            token_state: Some(state.tokenex()),
            ..Network::of(desk, "0000")
        };
        Done {
            answer: answers::done(desk, network, "Network Tokenization GetStatus Successful!"),
            said: None,
            applied: true,
        }
    };
    let network = |code| Network::of(desk, code);
    Ok(desk
        .carry_out(&asked, do_it, |how| answers::spoiled(desk, how, network))
        .await)
}

/// The code for a token that is in no state for this: Visa's table has none of its own.
fn wrong_state(desk: &Desk, place: usize) -> &'static str {
    match held(&desk.tokens).at(place).brand {
        super::tokens::Brand::Visa => "9005",
        _ => "9104",
    }
}

/// A body, its keys in lower case.
struct Request(Map<String, Value>);

impl Request {
    fn read(body: &[u8]) -> Result<Self, Refusal> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(Refusal::Code(2999));
        };
        let fields = fields
            .into_iter()
            .map(|(key, value)| (key.trim().to_lowercase(), value));
        Ok(Request(fields.collect()))
    }

    /// A string; null and absent are the same.
    fn text(&self, key: &str, chars_max: usize) -> Result<Option<&str>, Refusal> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= chars_max => Ok(Some(text)),
            Some(_) => Err(Refusal::Code(2998)),
        }
    }

    fn token(&self) -> Result<&str, Refusal> {
        match self.text("token", REASON_CHARS_MAX)? {
            None | Some("") => Err(Refusal::Code(2003)),
            Some(token) if !is_name(token) => Err(Refusal::Code(2423)),
            Some(token) => Ok(token),
        }
    }

    /// By name, by number, or by a string of either.
    fn action(&self) -> Result<(&'static str, Act), Refusal> {
        let text = match self.0.get("lifecyclemanagementaction") {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(Refusal::Code(2998)),
        };
        let numbered = (1..).zip(ACTIONS);
        let mut known = numbered.filter(|(n, (name, _))| text.eq_ignore_ascii_case(name) || text == n.to_string());
        known.next().map(|(_, action)| action).ok_or(Refusal::Code(2998))
    }

    /// The network token that is meant: the one of the selector, else the oldest.
    fn place(&self, desk: &Desk, token: &str) -> Result<usize, Refusal> {
        let selector = self.text("tokenreferenceid", REASON_CHARS_MAX)?;
        let tokens = held(&desk.tokens);
        let places = tokens.of_tokenex(token).ok_or(Refusal::Code(3000))?;
        let place = match selector.filter(|selector| !selector.is_empty()) {
            Some(selector) => places
                .iter()
                .find(|place| tokens.at(**place).reference_id.eq_ignore_ascii_case(selector)),
            None if places.len() > 1 && desk.has(Alternative::Selector) => None,
            None => places.first(),
        };
        place.copied().ok_or(Refusal::Code(3024))
    }
}
