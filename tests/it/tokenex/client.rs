//! What we ask TokenEx, and what we make of its answers.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mdes_receiver::clock::SystemClock;
use mdes_receiver::config::settings;
use mdes_receiver::domain::command::{Action, CausedBy, Target};
use mdes_receiver::domain::id::CommandId;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::status::Status;
use mdes_receiver::lifecycle::{Looked, Reply, Request, TokenService, Trouble};
use mdes_receiver::net::egress::Resolver;
use mdes_receiver::tokenex::client::TokenEx;
use mdes_receiver::tokenex::errors::{self, Means};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{REFERENCE_ID, SUSPENDED, TOKEN, target};
use crate::egress::sink::{Says, Sink, answer};

const API_KEY: &str = "hunter2hunter2hunter2hunter2hunter2hunt";

fn settings(url: &str) -> settings::TokenEx {
    settings::TokenEx {
        url: Secret::new(url),
        tokenex_id: "1234567890123456".to_owned(),
        api_key: Secret::new(API_KEY),
        egress: settings::Egress {
            allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
            connect: Duration::from_secs(2),
            total: Duration::from_secs(4),
            ..Default::default()
        },
    }
}

fn tokenex(url: &str) -> TokenEx {
    TokenEx::load(&settings(url), Arc::new(SystemClock)).expect("the settings are good")
}

async fn says(says: Says) -> (Sink, TokenEx) {
    let sink = Sink::plain(says).await;
    let tokenex = tokenex(&format!("http://{}", sink.address));
    (sink, tokenex)
}

async fn answers(status: u16, body: &str) -> (Sink, TokenEx) {
    says(Says::Raw(answer(status, "", body))).await
}

fn request<'a>(target: &'a Target, reason: Option<&'a str>) -> Request<'a> {
    Request {
        command: CommandId(Uuid::from_u128(7)),
        send: 1,
        action: Action::Suspend,
        target,
        caused_by: CausedBy::TokenRequestor,
        reason_code: "OTHER",
        reason,
    }
}

async fn change(tokenex: &TokenEx) -> Reply {
    tokenex.change(&request(&target(), None)).await
}

/// What comes of a suspend that is answered so.
async fn comes_of(status: u16, body: &str) -> Reply {
    let (_sink, tokenex) = answers(status, body).await;
    let reply = change(&tokenex).await;
    assert!(!format!("{reply:?}").contains(TOKEN), "in clear: {reply:?}");
    reply
}

async fn look(status: u16, body: &str) -> Result<Looked, Trouble> {
    let (_sink, tokenex) = answers(status, body).await;
    tokenex.look(&target()).await
}

fn state(state: &str) -> String {
    json!({
        "networkResponse": {"tokenState": state, "messageId": "m", "conversationId": "c", "statusCode": "0000",
                            "statusMessage": null},
        "referenceNumber": "21082510103957444322", "success": true, "error": "",
        "message": "Network Tokenization GetStatus Successful!",
    })
    .to_string()
}

#[tokio::test]
async fn a_change_is_asked_for_in_the_seeds_words() {
    let (sink, tokenex) = answers(200, SUSPENDED).await;
    let several = Target {
        reference_id: Some(REFERENCE_ID.to_owned()),
        ..target()
    };
    tokenex.change(&request(&target(), Some("Wallet LOST"))).await;
    tokenex.change(&request(&several, None)).await;
    let [first, second] = &sink.heard()[..] else {
        panic!("two requests")
    };
    assert!(
        first
            .head
            .starts_with("POST /v2/NetworkToken/LifecycleManagement HTTP/1.1\r\n"),
        "{}",
        first.head
    );
    assert_eq!(first.header("tx-tokenex-id"), Some("1234567890123456"));
    assert_eq!(first.header("tx-apikey"), Some(API_KEY));
    assert_eq!(first.header("content-type"), Some("application/json"));
    assert_eq!(
        String::from_utf8_lossy(&first.body),
        r#"{"token":"4761202544127718","lifecycleManagementAction":"SUSPEND_TOKEN","requestReason":"Wallet LOST"}"#
    );
    assert_eq!(
        String::from_utf8_lossy(&second.body),
        format!(
            r#"{{"token":"4761202544127718","lifecycleManagementAction":"SUSPEND_TOKEN","tokenReferenceId":"{REFERENCE_ID}"}}"#
        )
    );
}

#[tokio::test]
async fn the_seeds_answer_is_a_yes_and_its_words_are_kept() {
    let Reply::Accepted { seen, statement, words } = comes_of(200, SUSPENDED).await else {
        panic!("it is a yes")
    };
    assert_eq!((seen, statement), (None, None));
    assert_eq!(
        words,
        json!({
            "tokenReferenceId": REFERENCE_ID,
            "messageId": "0c859b3b-6414-4e3a-b11b-db481c1107c2",
            "conversationId": "b5a9390f-c232-4ab0-9808-a68168472dec",
            "statusCode": "0000",
            "referenceNumber": "21082510103957444322",
        })
    );
}

#[tokio::test]
async fn a_yes_is_read_in_any_case_and_under_any_status() {
    let shouted = SUSPENDED
        .replace("networkResponse", " NetworkResponse ")
        .replace("statusCode", "StatusCode");
    for body in [&shouted, &SUSPENDED.replace("true", r#""True""#)] {
        assert!(matches!(comes_of(200, body).await, Reply::Accepted { .. }), "{body}");
    }
    for status in [201, 400, 500, 503] {
        assert!(
            matches!(comes_of(status, SUSPENDED).await, Reply::Accepted { .. }),
            "{status}"
        );
    }
}

#[tokio::test]
async fn one_of_the_three_signs_of_success_is_not_enough() {
    let without_network = r#"{"networkResponse":null,"success":true,"error":"","message":""}"#;
    for body in [
        &SUSPENDED.replace("true", "false"),
        without_network,
        &SUSPENDED.replace(r#""statusCode": "0000""#, r#""statusCode": null"#),
        &SUSPENDED.replace(r#""statusCode": "0000""#, r#""statusCode": 0"#),
    ] {
        let reply = comes_of(200, body).await;
        assert!(!matches!(reply, Reply::Accepted { .. }), "{body}: {reply:?}");
    }
    // What half says that it happened has perhaps happened.
    assert!(matches!(comes_of(200, without_network).await, Reply::Lost(_)));
}

#[tokio::test]
async fn every_code_of_tokenex_means_what_its_row_says() {
    for row in errors::TOKENEX {
        let body = json!({"networkResponse": null, "referenceNumber": "", "success": false, "error": row.to_string()});
        for status in [200, 400, 500] {
            let reply = comes_of(status, &body.to_string()).await;
            means(&reply, row.means, row.digits);
        }
        let trouble = look(200, &body.to_string()).await.expect_err("it says no");
        assert_eq!(trouble.no_such_token, row.means == Means::NoSuchToken, "{row}");
        assert!(trouble.why.contains(row.message), "{trouble}");
    }
}

#[tokio::test]
async fn every_code_of_the_network_means_what_its_row_says() {
    for row in errors::NETWORK {
        for success in [true, false] {
            let body = json!({
                "networkResponse": {"statusCode": row.digits, "statusMessage": null},
                "referenceNumber": "21082510103957444322", "success": success, "error": "",
            });
            let reply = comes_of(200, &body.to_string()).await;
            means(&reply, row.means, row.digits);
            let trouble = look(200, &body.to_string()).await.expect_err("it says no");
            assert_eq!(trouble.no_such_token, row.means == Means::NoSuchToken, "{row}");
            assert_eq!(trouble.code, Some(row.digits.to_owned()));
        }
    }
}

fn means(reply: &Reply, means: Means, code: &str) {
    let said = match reply {
        Reply::Refused { code, wrong_state, .. } => (code.as_deref(), false, *wrong_state),
        Reply::Lost(trouble) => (trouble.code.as_deref(), true, false),
        other => panic!("{code}: {other:?}"),
    };
    assert_eq!(
        said,
        (Some(code), means == Means::Lost, means == Means::WrongState),
        "{reply:?}"
    );
}

#[tokio::test]
async fn a_code_that_nobody_listed_is_a_no_unless_the_server_broke_down() {
    let body = r#"{"networkResponse":null,"success":false,"error":"2014 : Something new"}"#;
    assert!(matches!(comes_of(200, body).await, Reply::Refused { code: Some(code), .. } if code == "2014"));
    assert!(matches!(comes_of(500, body).await, Reply::Lost(trouble) if trouble.code.as_deref() == Some("2014")));
}

#[tokio::test]
async fn what_is_no_answer_of_tokenexs_is_judged_by_its_status() {
    for body in [
        "",
        "<html>busy</html>",
        "[]",
        "{}",
        r#"{"success":true,"Success":true}"#,
        "\u{0}",
    ] {
        for status in [200, 408, 500, 502, 503] {
            assert!(
                matches!(comes_of(status, body).await, Reply::Lost(_)),
                "{status} {body}"
            );
        }
        for status in [301, 400, 401, 403, 404, 405] {
            assert!(
                matches!(comes_of(status, body).await, Reply::Refused { .. }),
                "{status} {body}"
            );
        }
        assert!(matches!(comes_of(429, body).await, Reply::Unsent(_)), "{body}");
        look(200, body).await.expect_err("it says no state");
    }
    let deep = format!("{}{}", "[".repeat(20_000), "]".repeat(20_000));
    let deep = format!(r#"{{"success":true,"networkResponse":{{"statusCode":"0000","x":{deep}}}}}"#);
    assert!(matches!(comes_of(200, &deep).await, Reply::Lost(_)));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_lost() {
    let cut = format!("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{}", &SUSPENDED[..40]);
    let (_sink, tokenex) = says(Says::Once(cut)).await;
    assert!(matches!(change(&tokenex).await, Reply::Lost(_)));
    let (_sink, tokenex) = says(Says::Once(String::new())).await;
    assert!(matches!(change(&tokenex).await, Reply::Lost(_)));
    let (_sink, endless) = says(Says::Endless).await;
    assert!(matches!(change(&endless).await, Reply::Lost(_)));
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_lost() {
    let sink = Sink::plain(Says::Nothing).await;
    let mut settings = settings(&format!("http://{}", sink.address));
    settings.egress.total = Duration::from_millis(200);
    let tokenex = TokenEx::load(&settings, Arc::new(SystemClock)).expect("the settings are good");
    let Reply::Lost(trouble) = change(&tokenex).await else {
        panic!("it may have arrived")
    };
    assert!(trouble.why.contains("no answer within 0.2 s"), "{trouble}");
    assert_eq!(sink.heard().len(), 1, "it is not sent again");
}

#[tokio::test]
async fn what_never_left_is_unsent() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("loopback")
        .local_addr()
        .expect("an address");
    let nobody = tokenex(&format!("http://{closed}"));
    assert!(matches!(change(&nobody).await, Reply::Unsent(_)));

    let inward = settings("https://api.tokenex.example");
    let inward = TokenEx::with_resolver(&inward, Arc::new(SystemClock), Arc::new(To("10.0.0.7")));
    let Reply::Unsent(trouble) = change(&inward.expect("a name is judged when it is resolved")).await else {
        panic!("the guard let it through")
    };
    assert!(trouble.why.contains("private"), "{trouble}");
    let refused = TokenEx::load(&settings("https://10.0.0.7"), Arc::new(SystemClock));
    let refused = refused.err().expect("an address is judged at once").to_string();
    assert!(
        refused.starts_with("key `lifecycle.tokenex.url`: 10.0.0.7 is private"),
        "{refused}"
    );
}

/// Leads every name there.
struct To(&'static str);

#[async_trait]
impl Resolver for To {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(vec![self.0.parse().expect("an address")])
    }
}

#[tokio::test]
async fn a_state_is_seen_in_mdess_words_and_is_a_statement() {
    for (said, status) in [
        ("INACTIVE", Status::Inactive),
        ("ACTIVE", Status::Active),
        ("SUSPENDED", Status::Suspended),
        ("DELETED", Status::Deactivated),
        (" suspended", Status::Suspended),
        ("CONSUMED", Status::Unknown("CONSUMED".to_owned())),
    ] {
        let looked = look(200, &state(said)).await.expect("it says a state");
        assert_eq!(
            (&looked.seen.status, &looked.seen.suspended_by, looked.seen.at),
            (&status, &None, None)
        );
        let statement: Value = serde_json::from_slice(&looked.statement.expect("a statement")).expect("JSON");
        assert_eq!(
            statement,
            json!({"tokens": [{"tokenUniqueReference": TOKEN, "status": status.as_str()}]})
        );
        assert!(!looked.words.to_string().contains(TOKEN));
    }
    let none = look(200, &state("x").replace(r#","tokenState":"x""#, ""))
        .await
        .expect_err("no state");
    assert!(none.why.contains("no state"), "{none}");
}

#[tokio::test]
async fn a_question_goes_to_get_status_with_the_reference_only_where_there_is_one() {
    let (sink, tokenex) = answers(200, &state("ACTIVE")).await;
    tokenex.look(&target()).await.expect("a state");
    assert!(
        sink.heard()[0]
            .head
            .starts_with("POST /v2/NetworkToken/GetStatus HTTP/1.1\r\n")
    );
    assert_eq!(sink.heard()[0].body, br#"{"token":"4761202544127718"}"#);
}

#[tokio::test]
async fn the_token_and_numbers_in_its_words_are_masked() {
    let error = format!("3000 : Token {TOKEN} of card 5204 7300 0000 1201 does not exist");
    let body =
        json!({"networkResponse": null, "success": false, "error": error, "referenceNumber": "5204730000001201"});
    let Reply::Refused { why, words, .. } = comes_of(200, &body.to_string()).await else {
        panic!("it is a no")
    };
    for text in [why, words.to_string()] {
        assert!(
            !text.contains("520473") && !text.contains("5204 7300") && text.contains("····"),
            "{text}"
        );
    }
}
