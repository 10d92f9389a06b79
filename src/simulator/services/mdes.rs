//! MDES: suspend, unsuspend, delete, getToken, searchTokens and getAsset, behind Mastercard's gateway.
//!
//! The gateway believes an OAuth signature and nothing else. An application's error comes in MDES's own form, and with
//! HTTP 200, as it was seen; the gateway's in another.

use std::sync::Arc;

use hyper::Method;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::http::request::Parts;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::desk::{Asked, Desk, Done};
use super::faults::{Call, CallKind, How};
use super::tokens::{Act, Cause, NetworkToken, Rules, State};
use super::{Alternative, Answer, Outcome, PIXEL, codes, held};

mod errors;
pub mod oauth;
mod request;

use errors::{Refusal, refused};
use oauth::{Forged, Signed};
use request::Request;

/// A base URL may have this in front, as Mastercard's has.
const BASE: &str = "/mdes";
const DIGITIZATION: &str = "/digitization/static/1/0/";
const ASSETS: &str = "/assets/static/1/0/asset/";
const RESPONSE_HOST: &str = "site1.mastercard.com";

pub(super) fn is_its(path: &str) -> bool {
    let path = path.strip_prefix(BASE).unwrap_or(path);
    path.starts_with(DIGITIZATION) || path.starts_with(ASSETS)
}

pub(super) async fn answer(desk: &Arc<Desk>, parts: &Parts, body: &[u8]) -> Outcome {
    if let Err(forged) = verify(desk, parts, body) {
        return errors::gateway(forged.reason_code(), &forged.to_string()).into();
    }
    let path = parts.uri.path();
    let path = path.strip_prefix(BASE).unwrap_or(path);
    let outcome = match (
        &parts.method,
        path.strip_prefix(DIGITIZATION),
        path.strip_prefix(ASSETS),
    ) {
        (&Method::POST, Some("suspend"), _) => change(desk, "suspend", Act::Suspend, body).await,
        (&Method::POST, Some("unsuspend"), _) => change(desk, "unsuspend", Act::Resume, body).await,
        (&Method::POST, Some("delete"), _) => change(desk, "delete", Act::Delete, body).await,
        (&Method::POST, Some("getToken"), _) => get_token(desk, body).await,
        (&Method::POST, Some("searchTokens"), _) => search_tokens(desk, body).await,
        (&Method::GET, _, Some(id)) => get_asset(desk, id).await,
        _ => Err(Refusal::plain("INVALID_METHOD")),
    };
    outcome.unwrap_or_else(|refusal| refused(desk, &refusal).into())
}

fn verify(desk: &Desk, parts: &Parts, body: &[u8]) -> Result<(), Forged> {
    let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let (header, host) = (text(AUTHORIZATION), text(HOST));
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let signed = Signed {
        method: parts.method.as_str(),
        url: &format!("http://{}{path}", host.ok_or(Forged::Header)?),
        body,
        header: header.ok_or(Forged::Header)?,
    };
    desk.verifier.verify(&signed, OffsetDateTime::now_utc())
}

async fn change(desk: &Arc<Desk>, name: &'static str, act: Act, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    let references = request.references()?;
    let cause = request.cause()?;
    let places = places(desk, &references)?;
    let asked = Asked {
        call: call(name, CallKind::Change),
        places: &places,
    };
    let do_it = || {
        if !held(&desk.requests).insert(request.id().to_owned()) {
            return not_done(desk, "DUPLICATE_REQUEST");
        }
        let said = match is_refused_twice(desk, act, &places, &cause) {
            true => Err(()),
            false => desk
                .act(&places, act, &cause, Rules::Mdes, OffsetDateTime::now_utc())
                .map_err(|_| ()),
        };
        match said {
            Ok(said) => Done {
                answer: statuses(desk, &places),
                said,
                applied: true,
            },
            Err(()) => not_done(desk, "INVALID_TOKEN_STATUS"),
        }
    };
    Ok(desk.carry_out(&asked, do_it, |how| spoiled(desk, how)).await)
}

fn not_done(desk: &Desk, code: &'static str) -> Done {
    Done {
        answer: refused(desk, &Refusal::plain(code)),
        said: None,
        applied: false,
    }
}

fn is_refused_twice(desk: &Desk, act: Act, places: &[usize], cause: &Cause) -> bool {
    let tokens = held(&desk.tokens);
    act == Act::Suspend
        && desk.has(Alternative::MdesSuspendedTwice)
        && places
            .iter()
            .any(|&place| tokens.at(place).suspended_by.contains(&cause.by))
}

fn places(desk: &Desk, references: &[&str]) -> Result<Vec<usize>, Refusal> {
    let tokens = held(&desk.tokens);
    let mut places = Vec::with_capacity(references.len());
    for reference in references {
        let place = tokens.of_mdes(reference);
        let place = place.ok_or(Refusal::plain("INVALID_TOKEN_UNIQUE_REFERENCE"))?;
        if !places.contains(&place) {
            places.push(place);
        }
    }
    Ok(places)
}

/// The tokens as they are after it.
fn statuses(desk: &Desk, places: &[usize]) -> Answer {
    let tokens = held(&desk.tokens);
    let said: Vec<Value> = places.iter().map(|&place| status(desk, tokens.at(place))).collect();
    drop(tokens);
    with_head(desk, json!({ "tokens": said }))
}

fn status(desk: &Desk, token: &NetworkToken) -> Value {
    json!({
        "tokenUniqueReference": token.card.reference,
        "status": token.state.mdes(),
        "suspendedBy": token.suspended_by,
        "statusTimestamp": token.state_at_written(desk.has(Alternative::WholeSeconds)),
    })
}

/// As a notification's token, less the reason.
fn whole(desk: &Desk, token: &NetworkToken) -> Value {
    let mut said = status(desk, token);
    said["tokenRequestorId"] = json!(token.card.requestor);
    said["tokenInfo"] = token.card.info();
    said["productConfig"] = token.product_config.clone();
    said
}

async fn get_token(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    let place = places(desk, &[request.required("tokenUniqueReference", 64)?])?[0];
    let wants_detail = request.text("includeTokenDetail", 5)? == Some("true");
    let asked = Asked {
        call: call("getToken", CallKind::Look),
        places: &[place],
    };
    let do_it = || {
        let token = held(&desk.tokens).at(place).clone();
        let mut said = json!({ "token": whole(desk, &token) });
        if let Some(detail) = wants_detail.then(|| detail(desk, &token)).flatten() {
            said["tokenDetail"] = detail;
        }
        Done {
            answer: with_head(desk, said),
            said: None,
            applied: true,
        }
    };
    Ok(desk.carry_out(&asked, do_it, |how| spoiled(desk, how)).await)
}

/// The number, sealed as a notification is; nothing if nobody said to which key.
fn detail(desk: &Desk, token: &NetworkToken) -> Option<Value> {
    let (month, year) = token.card.number_expiry.split_at(2);
    let detail = json!({"tokenNumber": token.card.number, "expiryMonth": month, "expiryYear": year});
    desk.outbox.sealed(detail.to_string().as_bytes())
}

async fn search_tokens(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    let reference = request.funding_reference()?;
    let place = places(desk, &[reference])?[0];
    let asked = Asked {
        call: call("searchTokens", CallKind::Look),
        places: &[place],
    };
    let do_it = || {
        let tokens = held(&desk.tokens);
        let card = &tokens.at(place).token;
        let of_card = tokens
            .of_tokenex(card)
            .unwrap_or_default()
            .iter()
            .map(|&place| tokens.at(place));
        let alive = of_card.filter(|token| token.state != State::Deactivated);
        let said: Vec<Value> = alive.map(|token| whole(desk, token)).collect();
        drop(tokens);
        Done {
            answer: with_head(desk, json!({ "tokens": said })),
            said: None,
            applied: true,
        }
    };
    Ok(desk.carry_out(&asked, do_it, |how| spoiled(desk, how)).await)
}

/// An asset never changes under its id.
async fn get_asset(desk: &Arc<Desk>, id: &str) -> Result<Outcome, Refusal> {
    let is_there = held(&desk.tokens).all().iter().any(|token| {
        let looks = token.product_config.as_object();
        looks.is_some_and(|looks| looks.iter().any(|(key, value)| key.ends_with("AssetId") && value == id))
    });
    if !is_there {
        return Err(Refusal::plain("INVALID_FIELD_VALUE"));
    }
    let asked = Asked {
        call: call("asset", CallKind::Other),
        places: &[],
    };
    let do_it = || {
        let content = json!({"type": "image/png", "data": PIXEL, "height": "1", "width": "1"});
        Done {
            answer: Answer::new(200, json!({ "mediaContents": [content] })),
            said: None,
            applied: true,
        }
    };
    Ok(desk.carry_out(&asked, do_it, |how| spoiled(desk, how)).await)
}

fn with_head(desk: &Desk, mut body: Value) -> Answer {
    body["responseHost"] = json!(RESPONSE_HOST);
    body["responseId"] = json!(desk.uuid());
    Answer::new(200, body)
}

fn call(name: &'static str, kind: CallKind) -> Call<'static> {
    Call {
        name,
        kind,
        is_tokenex: false,
    }
}

/// The answer that a fault asks for.
fn spoiled(desk: &Desk, how: &How) -> Option<Answer> {
    match how {
        How::Http500 => Some(Answer {
            status: 500,
            ..refused(desk, &Refusal::plain("INTERNAL_SERVICE_FAILURE"))
        }),
        How::Code(code) => match codes::words_of(codes::GATEWAY, code) {
            Some(words) => Some(errors::gateway(code, words)),
            None => {
                let (row, _) = codes::MDES.iter().find(|(row, _)| row == code)?;
                Some(refused(desk, &Refusal::plain(row)))
            }
        },
        How::Drop | How::Hang => None,
    }
}
