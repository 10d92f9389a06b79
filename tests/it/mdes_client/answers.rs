//! What an answer means: each form of an error, with each status that it may come with.

use std::collections::BTreeSet;

use mdes_receiver::domain::command::Seen;
use mdes_receiver::domain::status::Status;
use mdes_receiver::lifecycle::{Reply, TokenService as _, Trouble};
use serde_json::{Value, json};
use time::macros::datetime;

use super::{Scene, TOKEN, target};
use crate::egress::sink::{Says, answer};

const NUMBER: &str = "5204730000001201";

/// As the specification has it, as its sandbox answers, as its gateway does, and as it stands in one token.
fn forms(code: &str, recoverable: bool) -> Vec<Value> {
    let fault = json!({
        "source": "MDES", "reasonCode": code, "errorCode": code, "description": "it is so", "recoverable": recoverable,
    });
    vec![
        json!({ "errorCode": code, "errorDescription": "it is so", "responseId": "1" }),
        json!({ "errorCode": code, "errorDescription": "it is so", "errors": [fault], "responseId": "1" }),
        json!({ "errors": [fault] }),
        json!({ "Errors": fault }),
        json!({ "Errors": { "Error": [{ "Source": "MDES", "ReasonCode": code, "Description": "it is so",
                                        "Recoverable": recoverable, "Details": null }] } }),
        json!({ "Errors": { "Error": { "Source": "MDES", "ReasonCode": code, "Recoverable": recoverable.to_string() } } }),
        json!({ "tokens": [{ "tokenUniqueReference": TOKEN, "errorCode": code, "errorDescription": "it is so" }] }),
        json!({ "tokens": [{ "tokenUniqueReference": TOKEN, "errors": [fault] }] }),
    ]
}

async fn replies(status: u16, body: &Value) -> Reply {
    Scene::answers(status, &body.to_string()).await.suspended().await
}

#[tokio::test]
async fn an_error_is_an_error_in_every_form_and_with_every_status() {
    for status in [200, 400, 500] {
        for body in forms("INVALID_TOKEN_STATUS", false) {
            let reply = replies(status, &body).await;
            let Reply::Refused {
                code, wrong_state, why, ..
            } = &reply
            else {
                panic!("{status} {body}: {reply:?}")
            };
            assert_eq!(
                (code.as_deref(), *wrong_state),
                (Some("INVALID_TOKEN_STATUS"), true),
                "{body}"
            );
            assert!(
                why.starts_with(&format!("MDES answered {status}: INVALID_TOKEN_STATUS")),
                "{why}"
            );
        }
    }
}

#[tokio::test]
async fn each_code_is_a_no_an_open_question_or_a_wrong_state() {
    let refused = [
        "INVALID_TOKEN_UNIQUE_REFERENCE",
        "MISSING_REQUIRED_FIELD",
        "INVALID_FIELD_VALUE",
        "AUTHORIZATION_FAILED",
        "SOMETHING_NEW",
    ];
    for code in refused {
        let reply = replies(200, &forms(code, false)[1]).await;
        assert!(
            matches!(&reply, Reply::Refused { wrong_state: false, .. }),
            "{code}: {reply:?}"
        );
    }
    for code in ["INVALID_TOKEN_STATUS", "NO_ACTIVE_TOKENS"] {
        let reply = replies(500, &forms(code, false)[0]).await;
        assert!(
            matches!(&reply, Reply::Refused { wrong_state: true, .. }),
            "{code}: {reply:?}"
        );
    }
    for (status, code, recoverable) in [
        (200, "INTERNAL_SERVICE_FAILURE", false),
        (200, "DUPLICATE_REQUEST", false),
        (200, "SOMETHING_NEW", true),
        (500, "SOMETHING_NEW", true),
    ] {
        let reply = replies(status, &forms(code, recoverable)[1]).await;
        assert!(
            matches!(&reply, Reply::Lost(why) if why.code.as_deref() == Some(code)),
            "{code}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn what_the_gateway_says_is_told_with_what_to_do() {
    let gateway = |code: &str, recoverable: bool| {
        json!({ "Errors": { "Error": [{ "Source": "Gateway", "ReasonCode": code, "Description": "no",
                                        "Recoverable": recoverable, "Details": null }] } })
    };
    for code in ["AUTHENTICATION_FAILED", "INVALID_BODY_HASH", "INVALID_CLIENT_ID"] {
        let reply = replies(401, &gateway(code, false)).await;
        let Reply::Refused { code: told, why, .. } = &reply else {
            panic!("{reply:?}")
        };
        assert!(told.as_deref() == Some(code) && why.contains("consumer_key"), "{why}");
    }
    let behind_it = replies(503, &gateway("SYSTEM_ERROR", false)).await;
    assert!(matches!(&behind_it, Reply::Lost(_)), "{behind_it:?}");
    let too_fast = replies(429, &gateway("LIMIT_EXCEEDED", true)).await;
    assert!(matches!(&too_fast, Reply::Unsent(_)), "{too_fast:?}");
}

#[tokio::test]
async fn without_a_word_the_status_decides_and_doubt_is_lost() {
    for (status, body) in [
        (200, "{}"),
        (200, ""),
        (200, "<html>fine</html>"),
        (200, "[1]"),
        (200, r#"{"tokens":[]}"#),
        (
            200,
            r#"{"tokens":[{"tokenUniqueReference":"another","status":"SUSPENDED"}]}"#,
        ),
        (204, ""),
        (408, ""),
        (500, ""),
        (502, "<html>bad gateway</html>"),
        (503, "{}"),
    ] {
        let reply = Scene::answers(status, body).await.suspended().await;
        assert!(matches!(&reply, Reply::Lost(_)), "{status} {body}: {reply:?}");
    }
    for status in [302, 400, 401, 403, 404, 413] {
        let reply = Scene::answers(status, "").await.suspended().await;
        assert!(
            matches!(&reply, Reply::Refused { code: None, .. }),
            "{status}: {reply:?}"
        );
    }
    let whole = json!({ "tokens": [{ "tokenUniqueReference": TOKEN, "status": "SUSPENDED" }] }).to_string();
    let cut = answer(200, "", &whole).replace("content-length: ", "content-length: 9");
    let reply = Scene::that(Says::Once(cut)).await.suspended().await;
    assert!(matches!(&reply, Reply::Lost(_)), "it broke off: {reply:?}");
}

#[tokio::test]
async fn an_error_beside_a_state_is_neither_a_yes_nor_a_no() {
    let both = json!({
        "errorCode": "INVALID_FIELD_VALUE",
        "tokens": [{ "tokenUniqueReference": TOKEN, "status": "SUSPENDED", "suspendedBy": ["TOKEN_REQUESTOR"] }],
    });
    let reply = replies(200, &both).await;
    assert!(matches!(&reply, Reply::Lost(_)), "{reply:?}");
}

#[tokio::test]
async fn a_yes_says_the_state_and_is_a_statement() {
    let token = json!({
        "tokenUniqueReference": TOKEN, "status": "SUSPENDED", "suspendedBy": ["ISSUER", "TOKEN_REQUESTOR"],
        "statusTimestamp": "2026-11-22T13:00:00.5+01:00", "error": null,
    });
    let other = json!({ "tokenUniqueReference": "another", "status": "ACTIVE" });
    let reply = replies(200, &json!({ "responseId": "9", "tokens": [other, token] })).await;
    let Reply::Accepted {
        seen: Some(seen),
        statement: Some(statement),
        words,
    } = reply
    else {
        panic!("{reply:?}")
    };
    assert_eq!(
        seen,
        Seen {
            status: Status::Suspended,
            suspended_by: Some(BTreeSet::from(["ISSUER".to_owned(), "TOKEN_REQUESTOR".to_owned()])),
            at: Some(datetime!(2026-11-22 12:00:00.5 UTC)),
        }
    );
    let statement: Value = serde_json::from_slice(&statement).expect("JSON");
    assert_eq!(
        statement,
        json!({ "requestId": "00000000-0000-0000-0000-000000000007-2", "tokens": [token] })
    );
    assert_eq!(words["responseId"], "9");
}

#[tokio::test]
async fn suspended_by_nobody_is_by_nobody_knows_whom() {
    for (token, suspenders) in [
        (json!({ "status": "SUSPENDED" }), None),
        (json!({ "status": "SUSPENDED", "suspendedBy": [] }), None),
        (json!({ "status": "ACTIVE", "suspendedBy": null }), Some(0)),
        (json!({ "status": "SUSPENDED", "suspendedBy": "ISSUER" }), Some(1)),
    ] {
        let scene = Scene::answers(200, &json!({ "token": token }).to_string()).await;
        let looked = scene.client.look(&target()).await.expect("it answers");
        assert_eq!(looked.seen.suspended_by.map(|names| names.len()), suspenders, "{token}");
        assert_eq!(looked.seen.at, None);
    }
}

#[tokio::test]
async fn a_look_shows_no_number_and_hands_on_a_detail_as_it_came() {
    let answered = json!({
        "responseId": "9",
        "token": {
            "tokenUniqueReference": TOKEN, "status": "ACTIVE", "statusTimestamp": "2026-11-22T12:00:00Z",
            "tokenInfo": { "tokenPanSuffix": "1201", "tokenNumber": NUMBER, "note": format!("was {NUMBER}") },
        },
        "tokenDetail": { "encryptedData": "c0ffee" },
    });
    let scene = Scene::answers(200, &answered.to_string()).await;
    let looked = scene.client.look(&target()).await.expect("it answers");
    let words = looked.words.to_string();
    assert!(!words.contains("520473") && !words.contains("c0ffee"), "{words}");
    assert_eq!(looked.words["token"]["tokenInfo"]["tokenNumber"], "····1201");
    let statement: Value = serde_json::from_slice(&looked.statement.expect("one")).expect("JSON");
    assert_eq!(statement["tokens"], json!([answered["token"]]));
    assert_eq!(statement["tokenDetail"], answered["tokenDetail"]);
}

#[tokio::test]
async fn a_look_that_fails_says_why() {
    let looked = |status: u16, body: Value| async move {
        let scene = Scene::answers(status, &body.to_string()).await;
        scene.client.look(&target()).await.expect_err("no state")
    };
    let unknown = looked(200, forms("INVALID_TOKEN_UNIQUE_REFERENCE", false).remove(1)).await;
    assert!(unknown.no_such_token && unknown.code.as_deref() == Some("INVALID_TOKEN_UNIQUE_REFERENCE"));
    let other = json!({ "token": { "tokenUniqueReference": "another", "status": "ACTIVE" } });
    let stateless = json!({ "token": { "tokenUniqueReference": TOKEN } });
    let own = json!({ "token": { "tokenUniqueReference": TOKEN, "errorCode": "SOMETHING_NEW" } });
    for (status, body, why) in [
        (200, other, "another token"),
        (200, stateless.clone(), "no state that can be read"),
        (200, own, "SOMETHING_NEW"),
        (200, json!({}), "nothing of the token"),
        (503, stateless, "nothing of the token"),
    ] {
        let trouble = looked(status, body).await;
        assert!(trouble.why.contains(why) && !trouble.no_such_token, "{trouble:?}");
    }
}

#[tokio::test]
async fn a_number_in_their_words_is_masked_and_the_words_are_bounded() {
    let long = "x".repeat(10_000);
    let said = json!({
        "errorCode": "INVALID_FIELD_VALUE",
        "errorDescription": format!("no card 5204 7300 0000 1201\n\u{1b}[2J{long}"),
    });
    let Reply::Refused { why, words, .. } = replies(200, &said).await else {
        panic!("it is an error")
    };
    assert!(
        why.contains("····1201") && why.len() < 400 && !why.contains('\u{1b}'),
        "{why}"
    );
    assert!(
        words.to_string().len() < 9_000 && !words.to_string().contains("7300"),
        "{words}"
    );
    let page = format!("<html>card {NUMBER} {long}</html>");
    let Reply::Lost(Trouble { words: Some(words), .. }) = Scene::answers(500, &page).await.suspended().await else {
        panic!("nobody knows")
    };
    assert!(
        words.to_string().len() < 400 && !words.to_string().contains("520473"),
        "{words}"
    );
}
