//! What holds for any input at all.

use std::sync::LazyLock;

use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{NOW, RULES, fixture};

static RING: LazyLock<KeyRing> = LazyLock::new(|| fixture().ring(&[2048]));

/// Names that the reader looks for, and others.
fn name() -> impl Strategy<Value = String> {
    let known = vec![
        "tokens",
        "requestId",
        "responseHost",
        "encryptedPayload",
        "encryptedKey",
        "encryptedData",
        "iv",
        "oaepHashingAlgorithm",
        "publicKeyFingerprint",
        "dataValidUntilTimestamp",
        "tokenUniqueReference",
        "status",
        "suspendedBy",
        "eventReasonCode",
        "statusTimestamp",
        "tokenRequestorId",
        "tokenInfo",
        "productConfig",
        "tokenNumber",
        "tokenExpiry",
        "isCoBranded",
        "cardBackgroundAssetId",
        "foregroundColor",
        "issuerMobileApp",
    ];
    prop_oneof![3 => prop::sample::select(known).prop_map(str::to_owned), 1 => any::<String>()]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[0-9a-f]{0,64}".prop_map(Value::from),
        "[0-9T:.+Z-]{10,30}".prop_map(Value::from),
        Just(json!("2026-11-07T00:00:00Z")),
        Just(json!("SHA256")),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..8).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Sixteen digits that pass the Luhn check.
fn card_number() -> impl Strategy<Value = String> {
    prop::collection::vec(0..10_u32, 14).prop_map(|rest| {
        let mut digits = vec![5];
        digits.extend(rest);
        let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
        let sum: u32 = digits
            .iter()
            .enumerate()
            .map(|(place, digit)| if place % 2 == 0 { doubled(*digit) } else { *digit })
            .sum();
        digits.push((10 - sum % 10) % 10);
        digits.iter().map(u32::to_string).collect()
    })
}

/// Any way to write that number into JSON.
fn written(number: String) -> impl Strategy<Value = Value> {
    let as_number: Value = number.parse::<u64>().expect("sixteen digits").into();
    let as_float: Value = number.parse::<f64>().expect("sixteen digits").into();
    prop_oneof![
        Just(Value::from(number.clone())),
        Just(as_number),
        Just(as_float),
        "[ -/:-~]{0,8}".prop_map({
            let number = number.clone();
            move |around| Value::from(format!("{around}{number}{around}"))
        }),
        Just(json!([{ "a": number.clone() }])),
        Just(Value::Object(Map::from_iter([(number, Value::Null)]))),
    ]
}

/// A place for it: everywhere but where MDES's own identifiers, addresses and phone numbers stand.
fn place() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/status",
        "/eventReasonCode",
        "/suspendedBy",
        "/statusTimestamp",
        "/tokenRequestorId",
        "/unknown",
        "/tokenInfo",
        "/tokenInfo/tokenNumber",
        "/tokenInfo/tokenPanSuffix",
        "/tokenInfo/accountPanPrefix",
        "/tokenInfo/accountPanSuffix",
        "/tokenInfo/tokenExpiry",
        "/tokenInfo/accountPanExpiry",
        "/tokenInfo/dsrpCapable",
        "/tokenInfo/tokenAssuranceLevel",
        "/tokenInfo/productCategory",
        "/tokenInfo/unknown",
        "/productConfig",
        "/productConfig/isCoBranded",
        "/productConfig/coBrandName",
        "/productConfig/issuerName",
        "/productConfig/shortDescription",
        "/productConfig/longDescription",
        "/productConfig/foregroundColor",
        "/productConfig/issuerMobileApp",
        "/productConfig/issuerProductConfigCode",
        "/productConfig/unknown",
    ])
}

fn token_with(value: Value, place: &str) -> Value {
    let mut token = json!({"tokenUniqueReference": "DM4MMC1"});
    match place[1..].split_once('/') {
        Some((object, field)) => token[object][field] = value,
        None => token[&place[1..]] = value,
    }
    token
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_body_panics(body in any_json()) {
        let _ = mdes::read(body.to_string().as_bytes(), &RING, &RULES, NOW);
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(mdes::read(&body, &RING, &RULES, NOW).is_err());
    }

    #[test]
    fn no_token_panics_and_each_is_read_or_set_aside(tokens in prop::collection::vec(any_json(), 1..4)) {
        let body = json!({"tokens": tokens}).to_string();
        match mdes::read(body.as_bytes(), &RING, &RULES, NOW) {
            Ok(read) => {
                let of = &read.notification;
                prop_assert_eq!(of.statements.len() + of.unreadable.len(), tokens.len());
                // Without the backslashes that someone wrote: before a 0 they are no NUL.
                let shown = format!("{of:?}").replace("\\\\", "");
                prop_assert!(!shown.contains("\\0"), "a NUL character that no database takes");
            }
            Err(unreadable) => prop_assert!(unreadable.resting.by_us),
        }
    }

    #[test]
    fn no_card_number_is_left_in_a_statement(
        (number, value) in card_number().prop_flat_map(|number| (Just(number.clone()), written(number))),
        place in place(),
    ) {
        let body = json!({"tokens": [token_with(value, place)]}).to_string();
        match mdes::read(body.as_bytes(), &RING, &RULES, NOW) {
            Ok(read) => {
                let shown = format!("{:?}", read.notification).replace(['.', 'e'], "");
                prop_assert!(!shown.contains(&number), "{place}: {shown}");
                let at_rest = String::from_utf8_lossy(&read.resting.body).contains(&number);
                prop_assert!(!at_rest);
            }
            Err(unreadable) => {
                let shown = format!("{unreadable} {unreadable:?}");
                prop_assert!(!shown.contains(&number), "{place}: {shown}");
            }
        }
    }
}
