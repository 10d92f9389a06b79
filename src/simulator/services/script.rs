//! `/tokens` and `/faults`: what a test or a person makes happen, and sees.
//!
//! ```text
//! GET    /tokens   every token, its state, how often each call came; what was notified
//! POST   /tokens   {"do": "make", "token": "476120FDallZ7718", "references": 2, "announce": true}
//!                  {"do": "hold", "name": "…", "by": "ISSUER"}, release, delete, activate, card
//! GET    /faults   what is to go wrong
//! POST   /faults   {"faults": ["drop-answer:1", "9004@GetStatus:2"]}
//! DELETE /faults
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Method;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use serde::Deserialize;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::desk::{Desk, requestor};
use super::notices::Said;
use super::tokens::{Act, Cause, NewToken, TokensError};
use super::{Answer, Fault, held};

const REASON_CHARS_MAX: usize = 256;

/// Why a script's wish was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// No such token, or a bad name.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// The token is deactivated, or not in a state for it.
    #[error("the token is not in a state for that")]
    WrongState,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase")]
enum Wish {
    Make(NewToken),
    Hold(Named),
    Release(Named),
    Delete(Named),
    Activate(Named),
    Card(Named),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    by: Option<String>,
    #[serde(default)]
    fraud: bool,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    faults: Vec<String>,
}

pub(super) fn answer(desk: &Arc<Desk>, parts: &Parts, body: &[u8]) -> Answer {
    let is_json = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match (&parts.method, parts.uri.path()) {
        _ if !is_for_this_machine(parts) => complaint(421, "call it by a name of this machine: localhost or 127.0.0.1"),
        (&Method::GET, "/tokens") => Answer::new(200, desk.shown()),
        (&Method::GET, "/faults") => shown_faults(desk),
        (&Method::DELETE, "/faults") => {
            held(&desk.faults).clear();
            shown_faults(desk)
        }
        // A foreign page in a browser cannot send that type without asking first, and nobody answers it.
        (&Method::POST, "/tokens" | "/faults") if !is_json => complaint(415, "send application/json"),
        (&Method::POST, "/tokens") => tokens(desk, body),
        (&Method::POST, "/faults") => faults(desk, body),
        _ => complaint(
            404,
            "nothing is played here; TokenEx is at /v2/NetworkToken/…, MDES at /mdes/…",
        ),
    }
}

/// A foreign page that makes its own name mean this machine is told apart by that name.
fn is_for_this_machine(parts: &Parts) -> bool {
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let name = host.host().trim_matches(['[', ']']);
        name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

fn tokens(desk: &Arc<Desk>, body: &[u8]) -> Answer {
    let wish: Wish = match serde_json::from_slice(body) {
        Ok(wish) => wish,
        Err(error) => return complaint(400, &error.to_string()),
    };
    let now = OffsetDateTime::now_utc();
    let done = match wish {
        Wish::Make(new) => desk.make(&new, now).map_err(NotDone::Tokens),
        Wish::Hold(named) => act(desk, named, Act::Suspend, now),
        Wish::Release(named) => act(desk, named, Act::Resume, now),
        Wish::Delete(named) => act(desk, named, Act::Delete, now),
        Wish::Activate(named) => act(desk, named, Act::Activate, now),
        Wish::Card(named) => new_card(desk, &named),
    };
    match done {
        Ok(tokens) => Answer::new(200, json!({ "tokens": tokens })),
        Err(error @ NotDone::WrongState) => complaint(409, &error.to_string()),
        Err(error) => complaint(400, &error.to_string()),
    }
}

fn act(desk: &Desk, named: Named, act: Act, now: OffsetDateTime) -> Result<Vec<Value>, NotDone> {
    let by = named.by.unwrap_or_else(|| match act {
        Act::Resume => requestor(),
        _ => "ISSUER".to_owned(),
    });
    if !super::tokens::is_name(&by) {
        return Err(TokensError::BadName("by").into());
    }
    let cause = Cause {
        by,
        fraud: named.fraud,
        reason: named.reason.chars().take(REASON_CHARS_MAX).collect(),
    };
    desk.act_by_hand(&named.name, act, &cause, now)
}

/// The card behind a token has another look; its state is as before.
fn new_card(desk: &Desk, named: &Named) -> Result<Vec<Value>, NotDone> {
    let mut tokens = held(&desk.tokens);
    let places = tokens.named(&named.name)?;
    let mut changed = Vec::new();
    for place in places {
        let look = crate::simulator::card::product_config(&mut tokens.dice);
        tokens.at_mut(place).product_config = look;
        changed.push(tokens.at(place).clone());
    }
    drop(tokens);
    let shown = changed.iter().map(|token| token.shown()).collect();
    desk.outbox.notify_soon(Said::card(changed), None);
    Ok(shown)
}

/// All of them are set, or none.
fn faults(desk: &Desk, body: &[u8]) -> Answer {
    let wrong: Wrong = match serde_json::from_slice(body) {
        Ok(wrong) => wrong,
        Err(error) => return complaint(400, &error.to_string()),
    };
    let read: Result<Vec<Fault>, _> = wrong.faults.iter().map(|text| text.parse()).collect();
    match read {
        Err(error) => return complaint(400, &error.to_string()),
        Ok(faults) => {
            let mut set = held(&desk.faults);
            for fault in faults {
                if let Err(error) = set.add(fault) {
                    return complaint(409, &error.to_string());
                }
            }
        }
    }
    shown_faults(desk)
}

fn shown_faults(desk: &Desk) -> Answer {
    Answer::new(200, json!({ "faults": held(&desk.faults).shown() }))
}

fn complaint(status: u16, why: &str) -> Answer {
    Answer::new(status, json!({ "error": why }))
}
