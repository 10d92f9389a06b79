//! The four methods that change no token's state: small, but in the right form.

use std::sync::Arc;

use hyper::http::request::Parts;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::answers::{Network, Refusal, done, done_with, network_refused, spoiled};
use super::{Request, wrong_state};
use crate::simulator::services::desk::{Asked, Desk, Done};
use crate::simulator::services::faults::{Call, CallKind};
use crate::simulator::services::tokens::{Brand, NetworkToken, NewToken, State, TokensError};
use crate::simulator::services::{Answer, Outcome, PIXEL, held};

const DATA_CHARS_MAX: usize = 64;
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;

pub(super) async fn tokenize(desk: &Arc<Desk>, parts: &Parts, body: &[u8]) -> Result<Outcome, Refusal> {
    let Some(scheme) = parts.headers.get("tx-token-scheme") else {
        return Err(Refusal::Code(2434));
    };
    if scheme.is_empty() {
        return Err(Refusal::Code(2407));
    }
    let request = Request::read(body)?;
    let data = request.text("data", DATA_CHARS_MAX)?.filter(|data| !data.is_empty());
    let data = data.ok_or(Refusal::Code(2004))?;
    let new = wanted(desk, data)?;
    let asked = Asked {
        call: call("Tokenize", CallKind::Other),
        places: &[],
    };
    let do_it = || {
        let made = held(&desk.tokens).make(&new, OffsetDateTime::now_utc());
        let answer = match made {
            Ok(places) => tokenized(desk, places[0]),
            Err(TokensError::TooManyReferences) => network_refused(desk, Network::of(desk, "9100")),
            Err(_) => super::refused(desk, &Refusal::Code(9999)),
        };
        Done {
            answer,
            said: None,
            applied: true,
        }
    };
    let network = |code| Network::of(desk, code);
    Ok(desk.carry_out(&asked, do_it, |how| spoiled(desk, how, network)).await)
}

/// One more network token of a token that is there, or of a card's number that is forgotten at once.
fn wanted(desk: &Desk, data: &str) -> Result<NewToken, Refusal> {
    if held(&desk.tokens).of_tokenex(data).is_some() {
        return Ok(NewToken {
            token: Some(data.to_owned()),
            ..NewToken::default()
        });
    }
    if !data.bytes().all(|b| b.is_ascii_digit()) || !CARD_DIGITS.contains(&data.len()) {
        return Err(Refusal::Code(2423));
    }
    let between = held(&desk.tokens).dice.hex32()[..4].to_uppercase();
    Ok(NewToken {
        token: Some(format!("{}T{between}X{}", &data[..6], &data[data.len() - 4..])),
        brand: match data.as_bytes()[0] {
            b'4' => Brand::Visa,
            b'3' => Brand::Amex,
            _ => Brand::Mastercard,
        },
        ..NewToken::default()
    })
}

fn tokenized(desk: &Desk, place: usize) -> Answer {
    let token = held(&desk.tokens).at(place).clone();
    let more = fields(json!({
        "tokenizationDecision": "APPROVED",
        "panReferenceId": desk.uuid(),
        "cvv2VerificationCode": "M",
        "encData": {"paymentBundle": bundle(&token, "ECOM_TOKEN", None), "cardData": card_data(&token)},
        "cardMetaData": card_metadata_of(&token),
    }));
    let network = Network {
        token_requestor_id: Some(token.card.requestor.clone()),
        token_reference_id: Some(token.reference_id.clone()),
        token_state: Some(token.state.tokenex()),
        more,
        ..Network::of(desk, "0000")
    };
    let message = "Network Tokenization Get Token Successful!";
    done_with(desk, network, message, Some(token.token))
}

pub(super) async fn payment_bundle(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    let wants = request
        .text("bundlemetadata", DATA_CHARS_MAX)?
        .unwrap_or("Cryptogram")
        .to_owned();
    about(desk, &request, "GetPaymentBundle", |token| {
        if token.state != State::Active {
            return Err(());
        }
        let cryptogram = (!wants.eq_ignore_ascii_case("Token")).then(|| desk.uuid().replace('-', ""));
        let name = if cryptogram.is_some() {
            "ECOM_CRYPTOGRAM"
        } else {
            "ECOM_TOKEN"
        };
        let paid = bundle(token, name, cryptogram.as_deref());
        Ok((
            json!({
                // The same, sealed to the merchant by its own service; nobody holds the key to this one.
                "encData": "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2Iiwia2lkIjoiVEVYLzAxIn0.AA.AA.AA.AA",
                "decodedEncData": {"paymentBundle": paid, "cardData": card_data(token)},
                "paymentBundle": null,
            }),
            "",
        ))
    })
    .await
}

pub(super) async fn card_metadata(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    about(desk, &request, "GetCardMetadata", |token| {
        Ok((
            json!({
                "encData": {"cardData": card_data(token)},
                "cardMetadata": card_metadata_of(token),
                "tokenMetadata": {
                    "tokenSuffix": last_four(&token.card.number),
                    "tokenExpDate": year_first(&token.card.number_expiry),
                },
            }),
            "Network Tokenization Get Card Metadata Successful!",
        ))
    })
    .await
}

pub(super) async fn asset(desk: &Arc<Desk>, body: &[u8]) -> Result<Outcome, Refusal> {
    let request = Request::read(body)?;
    request.text("assetguid", DATA_CHARS_MAX)?.ok_or(Refusal::Code(4018))?;
    about(desk, &request, "GetAsset", |_| {
        let image = json!({
            "contentType": "CARD_ART",
            "contentMimes": [{"type": "image/png", "assetObject": PIXEL}],
        });
        Ok((image, ""))
    })
    .await
}

/// A method that tells something of one token, or refuses it for its state.
async fn about(
    desk: &Arc<Desk>,
    request: &Request,
    name: &'static str,
    tell: impl FnOnce(&NetworkToken) -> Result<(Value, &'static str), ()>,
) -> Result<Outcome, Refusal> {
    let place = request.place(desk, request.token()?)?;
    let asked = Asked {
        call: call(name, CallKind::Other),
        places: &[place],
    };
    let do_it = || {
        let token = held(&desk.tokens).at(place).clone();
        let (answer, applied) = match tell(&token) {
            Ok((more, message)) => {
                let network = Network {
                    token_requestor_id: Some(token.card.requestor.clone()),
                    token_reference_id: Some(token.reference_id.clone()),
                    more: fields(more),
                    ..Network::of(desk, "0000")
                };
                (done(desk, network, message), true)
            }
            Err(()) => (
                network_refused(desk, Network::of(desk, wrong_state(desk, place))),
                false,
            ),
        };
        Done {
            answer,
            said: None,
            applied,
        }
    };
    let network = |code| Network::of(desk, code);
    Ok(desk.carry_out(&asked, do_it, |how| spoiled(desk, how, network)).await)
}

fn call(name: &'static str, kind: CallKind) -> Call<'static> {
    Call {
        name,
        kind,
        is_tokenex: true,
    }
}

fn bundle(token: &NetworkToken, name: &str, cryptogram: Option<&str>) -> Value {
    let element = |kind: &str, value: &str| json!({"type": kind, "value": value});
    let mut elements = vec![
        element("TOKEN", &token.card.number),
        element("TOKEN_EXP", &year_first(&token.card.number_expiry)),
    ];
    elements.extend(cryptogram.map(|cryptogram| element("ECOM_CRYPTOGRAM", cryptogram)));
    json!({"bundleMetadata": name, "bundleElements": elements})
}

fn card_data(token: &NetworkToken) -> Value {
    json!({"cardSuffix": token.card.account_suffix, "panExpDate": year_first(&token.card.account_expiry)})
}

fn card_metadata_of(token: &NetworkToken) -> Value {
    json!({
        "shortDescription": token.product_config["shortDescription"],
        "cardAssets": [{
            "guid": token.product_config["cardBackgroundCombinedAssetId"],
            "assetType": "CARD_ART", "mimeType": "image/png", "pixelHeight": "1", "pixelWidth": "1",
        }],
    })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn last_four(number: &str) -> &str {
    &number[number.len() - 4..]
}

/// MDES writes MMYY, TokenEx YYMM.
fn year_first(expiry: &str) -> String {
    format!("{}{}", &expiry[2..], &expiry[..2])
}
