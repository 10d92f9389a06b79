//! TokenEx: its methods, its two tables of errors, its forms.

use mdes_receiver::simulator::services::codes;
use mdes_receiver::simulator::services::tokens::Act;
use mdes_receiver::simulator::services::tokens::{Brand, Cause, NewToken, State};
use mdes_receiver::simulator::services::{Alternative, Settings};
use serde_json::{Value, json};

use super::{ID, KEY, Street, TOKEN, named, request};

const METHODS: [&str; 6] = [
    "Tokenize",
    "GetStatus",
    "LifecycleManagement",
    "GetPaymentBundle",
    "GetCardMetadata",
    "GetAsset",
];

fn code(said: &Value) -> &str {
    said["networkResponse"]["statusCode"].as_str().unwrap_or("none")
}

fn error(said: &Value) -> &str {
    said["error"].as_str().expect("an error is a string, always")
}

#[tokio::test]
async fn a_suspend_is_answered_in_the_form_of_the_sample() {
    let street = Street::quiet().await;
    let (status, mut said) = street.act("SUSPEND_TOKEN").await;
    assert_eq!(status, 200);
    let number = said["referenceNumber"].take();
    let number = number.as_str().expect("a string");
    assert!(
        number.len() == 20 && number.bytes().all(|b| b.is_ascii_digit()),
        "{number}"
    );
    for id in ["messageId", "conversationId"] {
        let made_up = said["networkResponse"][id].take();
        assert_eq!(made_up.as_str().map(str::len), Some(36));
    }
    let expected = json!({
        "networkResponse": {
            "tokenReferenceId": street.reference_id, "lifecycleManagementAction": "SUSPEND_TOKEN",
            "messageId": null, "conversationId": null, "statusCode": "0000", "statusMessage": null,
        },
        "referenceNumber": null, "success": true, "error": "",
        "message": "Network Token LifecycleManagement update successful!",
    });
    assert_eq!(said, expected);
}

#[tokio::test]
async fn keys_are_taken_in_any_case_and_actions_by_name_number_or_string() {
    let street = Street::quiet().await;
    for (key, suspend) in [
        ("Token", json!(3)),
        ("token", json!("3")),
        ("TOKEN", json!("SUSPEND_TOKEN")),
        ("tOkEn", json!("suspend_token")),
    ] {
        let body = json!({key: TOKEN, "lifecyclemanagementACTION": suspend}).to_string();
        let (_, said) = street.tokenex("LifecycleManagement", body).await;
        assert_eq!(said["networkResponse"]["lifecycleManagementAction"], "SUSPEND_TOKEN");
        assert_eq!(street.state().await, "SUSPENDED");
        let body = json!({key: TOKEN, "LifecycleManagementAction": 2}).to_string();
        street.tokenex("LifecycleManagement", body).await;
        assert_eq!(street.state().await, "ACTIVE");
    }
}

#[tokio::test]
async fn each_state_takes_the_actions_of_the_table_and_answers_9104_to_the_others() {
    let table = [
        (State::Active, ["SUSPENDED", "9104", "DELETED"]),
        (State::Suspended, ["9104", "ACTIVE", "DELETED"]),
        (State::Inactive, ["9104", "9104", "DELETED"]),
        (State::Deactivated, ["9104", "9104", "9104"]),
    ];
    let street = Street::quiet().await;
    for (state, outcomes) in table {
        for (action, outcome) in ["SUSPEND_TOKEN", "RESUME_TOKEN", "DELETE_TOKEN"].iter().zip(outcomes) {
            let new = NewToken {
                state,
                ..NewToken::default()
            };
            let made = street.services.make(&new).expect("one more");
            let token = made[0]["token"].as_str().expect("its name");
            let body = json!({"token": token, "lifecycleManagementAction": action}).to_string();
            let (status, said) = street.tokenex("LifecycleManagement", body).await;
            let (_, after) = street.tokenex("GetStatus", json!({ "token": token }).to_string()).await;
            let is_done = code(&said) == "0000";
            assert_eq!((status, said["success"] == true), (200, is_done), "{state:?} {action}");
            let came_of_it = if is_done {
                &after["networkResponse"]["tokenState"]
            } else {
                &said["networkResponse"]["statusCode"]
            };
            assert_eq!(came_of_it, outcome, "{state:?} {action}");
        }
    }
}

#[tokio::test]
async fn a_suspend_of_a_suspended_token_succeeds_if_that_is_asked_for() {
    let settings = Settings {
        idempotent_suspend: true,
        ..Settings::default()
    };
    let street = Street::with(settings).await;
    for _ in 0..2 {
        assert_eq!(code(&street.act("SUSPEND_TOKEN").await.1), "0000");
    }
}

#[tokio::test]
async fn visas_table_has_no_9104() {
    let street = Street::quiet().await;
    let new = NewToken {
        brand: Brand::Visa,
        ..named("4111Visa1111")
    };
    street.services.make(&new).expect("one more");
    let body = json!({"token": "4111Visa1111", "lifecycleManagementAction": "RESUME_TOKEN"}).to_string();
    assert_eq!(code(&street.tokenex("LifecycleManagement", body).await.1), "9005");
}

#[tokio::test]
async fn an_issuers_hold_outlives_our_resume() {
    let street = Street::quiet().await;
    street.act("SUSPEND_TOKEN").await;
    let held = street
        .services
        .act(TOKEN, Act::Suspend, &Cause::by("ISSUER"))
        .expect("held");
    assert_eq!(held[0]["suspended_by"], json!(["ISSUER", "TOKEN_REQUESTOR"]));
    assert_eq!(code(&street.act("RESUME_TOKEN").await.1), "0000");
    assert_eq!(street.state().await, "SUSPENDED");
    street
        .services
        .act(TOKEN, Act::Resume, &Cause::by("ISSUER"))
        .expect("let go");
    assert_eq!(street.state().await, "ACTIVE");
}

#[tokio::test]
async fn a_reference_id_chooses_among_several_network_tokens() {
    let street = Street::quiet().await;
    let second = street.services.make(&named(TOKEN)).expect("a second one");
    let second = second[0]["token_reference_id"].as_str().expect("its name").to_owned();
    let mut body = request("SUSPEND_TOKEN");
    body["tokenReferenceId"] = json!(second);
    let (_, said) = street.tokenex("LifecycleManagement", body.to_string()).await;
    assert_eq!(said["networkResponse"]["tokenReferenceId"], second);
    let states: Vec<Value> = street.services.shown()["tokens"]
        .as_array()
        .expect("tokens")
        .iter()
        .map(|token| token["state"].clone())
        .collect();
    assert_eq!(states, ["ACTIVE", "SUSPENDED"]);
    body["tokenReferenceId"] = json!("749f4d0d-4005-443e-9a66-0ea2d317b8f6");
    let (_, said) = street.tokenex("LifecycleManagement", body.to_string()).await;
    assert_eq!(error(&said), "3024 : No TokenReferenceId associated with token");
}

#[tokio::test]
async fn of_several_the_oldest_is_meant_or_none_if_that_is_asked_for() {
    for (street, expected) in [
        (Street::quiet().await, ""),
        (
            Street::other(Alternative::Selector).await,
            "3024 : No TokenReferenceId associated with token",
        ),
    ] {
        street.services.make(&named(TOKEN)).expect("a second one");
        let (_, said) = street.act("SUSPEND_TOKEN").await;
        assert_eq!(error(&said), expected);
    }
}

#[tokio::test]
async fn who_is_not_known_learns_nothing_of_why() {
    let street = Street::quiet().await;
    let wrong: [&[(&str, &str)]; 5] = [
        &[],
        &[("tx-tokenex-id", ID)],
        &[("tx-apikey", KEY)],
        &[("tx-tokenex-id", ID), ("tx-apikey", "wrong")],
        &[("tx-tokenex-id", "wrong"), ("tx-apikey", KEY)],
    ];
    for headers in wrong {
        for method in METHODS {
            let path = format!("/v2/NetworkToken/{method}");
            let (status, said) = street.post(&path, headers, "{}").await.expect("an answer");
            assert_eq!(
                (status, error(&said)),
                (401, "1003 : Authentication failed"),
                "{method}"
            );
            assert_eq!(
                (&said["success"], &said["networkResponse"]),
                (&json!(false), &Value::Null)
            );
        }
    }
    assert_eq!(street.seen()["calls"], json!({}));
}

#[tokio::test]
async fn what_is_missing_may_be_named_if_that_is_asked_for() {
    let street = Street::other(Alternative::Headers).await;
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[("tx-apikey", KEY)], "2437 : Missing Header: tx-tokenex-id"),
        (&[("tx-tokenex-id", ID)], "2435 : Missing Header: tx-apikey"),
        (
            &[("tx-tokenex-id", ""), ("tx-apikey", KEY)],
            "1000 : TokenExID cannot be empty",
        ),
        (
            &[("tx-tokenex-id", ID), ("tx-apikey", "")],
            "1001 : API Key cannot be empty",
        ),
    ];
    for (headers, expected) in cases {
        let answer = street.post("/v2/NetworkToken/GetStatus", headers, "{}").await;
        let (status, said) = answer.expect("an answer");
        assert_eq!((status, error(&said)), (400, expected));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_its_code_and_changes_nothing() {
    let street = Street::quiet().await;
    let cases = [
        ("no json", "2999 : Request is malformed"),
        ("[]", "2999 : Request is malformed"),
        ("{}", "2003 : You must pass a token to this method"),
        (r#"{"token":""}"#, "2003 : You must pass a token to this method"),
        (r#"{"token":7}"#, "2998 : Encountered model binding errors"),
        (r#"{"token":"a b"}"#, "2423 : Invalid Token"),
        (
            r#"{"token":"476120FDallZ7718"}"#,
            "2998 : Encountered model binding errors",
        ),
        (
            r#"{"token":"476120FDallZ7718","lifecycleManagementAction":4}"#,
            "2998 : Encountered model binding errors",
        ),
        (
            r#"{"token":"476120FDallZ7718","lifecycleManagementAction":"FREEZE"}"#,
            "2998 : Encountered model binding errors",
        ),
    ];
    for (body, expected) in cases {
        let (status, said) = street.tokenex("LifecycleManagement", body).await;
        assert_eq!((status, error(&said)), (400, expected), "{body}");
        assert_eq!(said["networkResponse"], Value::Null);
    }
    assert_eq!(street.state().await, "ACTIVE");
    let street = Street::other(Alternative::Malformed).await;
    assert_eq!(street.tokenex("LifecycleManagement", "no json").await.0, 200);
}

#[tokio::test]
async fn a_token_that_is_not_there_and_one_without_a_network_token_are_told_apart() {
    for (street, expected) in [
        (Street::quiet().await, 200),
        (Street::other(Alternative::UnknownToken).await, 400),
    ] {
        let bare = NewToken {
            references: Some(0),
            ..named("bare0001")
        };
        street.services.make(&bare).expect("one more");
        for (token, code) in [
            ("nobody", "3000 : Token does not exist"),
            ("bare0001", "3024 : No TokenReferenceId associated with token"),
        ] {
            let (status, said) = street.tokenex("GetStatus", json!({ "token": token }).to_string()).await;
            assert_eq!((status, error(&said)), (expected, code));
        }
    }
}

#[tokio::test]
async fn the_list_of_codes_is_the_table() {
    let street = Street::quiet().await;
    let headers = [("tx-tokenex-id", ID), ("tx-apikey", KEY)];
    let (status, said) = street
        .send("GET", "/v2/home/errorcodes", &headers, "")
        .await
        .expect("an answer");
    assert_eq!(status, 200);
    assert_eq!(said.as_array().map(Vec::len), Some(codes::TOKENEX.len()));
    assert_eq!(said[0], json!({"code": 1000, "message": "TokenExID cannot be empty"}));
    let stranger = street.send("GET", "/v2/home/errorcodes", &[], "").await;
    assert_eq!(stranger.expect("an answer").0, 401);
}

#[tokio::test]
async fn every_row_of_both_tables_can_be_provoked() {
    let street = Street::quiet().await;
    for (row, message) in codes::TOKENEX {
        street.fault(&format!("{row}:1"));
        let (_, said) = street.act("SUSPEND_TOKEN").await;
        assert_eq!(error(&said), format!("{row} : {message}"));
        assert_eq!(
            (&said["success"], &said["networkResponse"]),
            (&json!(false), &Value::Null)
        );
    }
    for (row, words) in codes::NETWORK {
        street.fault(&format!("{row}:1"));
        let (status, said) = street.act("SUSPEND_TOKEN").await;
        assert_eq!((status, code(&said), &said["success"]), (200, *row, &json!(false)));
        assert_eq!(said["networkResponse"]["statusMessage"], *words);
    }
    assert_eq!(street.state().await, "ACTIVE");
}

#[tokio::test]
async fn a_refusal_of_the_networks_may_come_as_success() {
    let street = Street::other(Alternative::NetworkRefused).await;
    let (_, said) = street.act("RESUME_TOKEN").await;
    assert_eq!((&said["success"], code(&said)), (&json!(true), "9104"));
}

#[tokio::test]
async fn a_network_that_did_not_answer_may_come_as_500() {
    let street = Street::other(Alternative::NetworkTimeout).await;
    for row in ["9004", "9130", "9131"] {
        street.fault(&format!("{row}:1"));
        let (status, said) = street.act("SUSPEND_TOKEN").await;
        assert_eq!((status, error(&said)), (500, "5000 : Please contact TokenEx Support"));
    }
}

#[tokio::test]
async fn the_certification_of_nine_cases_passes() {
    let street = Street::quiet().await;
    let scheme = [("tx-tokenex-id", ID), ("tx-apikey", KEY), ("tx-token-scheme", "PCI")];
    let body = json!({"Data": "5555555555554444", "PanSource": "ONFILE", "DeviceData": {"locale": "en"}}).to_string();
    let (_, said) = street
        .post("/v2/NetworkToken/Tokenize", &scheme, body)
        .await
        .expect("an answer");
    assert_eq!(said["message"], "Network Tokenization Get Token Successful!");
    let token = said["token"].as_str().expect("a token").to_owned();
    assert!(token.starts_with("555555") && token.ends_with("4444") && !said.to_string().contains("5555555555554444"));
    let act = |action: &str| json!({"token": token, "lifecycleManagementAction": action}).to_string();
    let only = json!({ "token": token }).to_string();
    let steps = [
        ("LifecycleManagement", act("SUSPEND_TOKEN"), "0000"),
        ("GetPaymentBundle", only.clone(), "9104"),
        ("LifecycleManagement", act("RESUME_TOKEN"), "0000"),
        ("GetPaymentBundle", only.clone(), "0000"),
        ("GetCardMetadata", only.clone(), "0000"),
        (
            "GetAsset",
            json!({"Token": token, "AssetGuid": "a"}).to_string(),
            "0000",
        ),
        ("LifecycleManagement", act("DELETE_TOKEN"), "0000"),
    ];
    for (method, body, expected) in steps {
        let (_, said) = street.tokenex(method, body).await;
        assert_eq!(code(&said), expected, "{method}: {said}");
    }
    let (_, said) = street.tokenex("GetStatus", only).await;
    assert_eq!(said["networkResponse"]["tokenState"], "DELETED");
}
