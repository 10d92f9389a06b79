//! Code that was written for TokenEx points at us, and notices nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use mdes_receiver::clock::{Clock, SystemClock};
use mdes_receiver::config::settings::{self, Contract, LifecycleClient};
use mdes_receiver::domain::command::{Action, Service, Stage, Target};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::domain::status::Status;
use mdes_receiver::http::tokenex::{self, InHand, Served};
use mdes_receiver::lifecycle::TokenService;
use mdes_receiver::store::desk::Link;
use mdes_receiver::telemetry::Metrics;
use mdes_receiver::tokenex::client::TokenEx;
use mdes_receiver::tokenex::errors::{self, Means};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::desk::{Carries, Mood, Plays};
use super::{REFERENCE_ID, SUSPENDED, TOKEN};
use crate::egress::sink::{Says, Sink, answer};

pub const ID: &str = "1234567890123456";
pub const KEY: &str = "hunter2hunter2hunter2hunter2hunter2hunt";
pub const CHANGE: &str = "/v2/NetworkToken/LifecycleManagement";
pub const STATUS: &str = "/v2/NetworkToken/GetStatus";

/// The contract as it is served, over a desk and a service.
struct Stand {
    pages: Router,
    desk: Arc<Carries>,
}

pub fn client(key: &str, actions: &[Action]) -> LifecycleClient {
    let hash = digest::digest(&digest::SHA256, key.as_bytes());
    LifecycleClient {
        tokenex_id: ID.to_owned(),
        api_key_sha256: hash.as_ref().try_into().expect("32 bytes"),
        actions: actions.to_vec(),
    }
}

/// A desk that writes nothing down.
fn in_hand(desk: Arc<Carries>) -> InHand {
    Arc::new(move |_| desk.clone())
}

impl Stand {
    fn over(service: Arc<dyn TokenService>) -> Self {
        Stand::with(service, Vec::new(), Contract::default())
    }

    fn with(service: Arc<dyn TokenService>, links: Vec<Link>, contract: Contract) -> Self {
        let through = service.service();
        let mut desk = Carries::by(service.clone());
        desk.links = links;
        let desk = Arc::new(desk);
        let served = Served {
            desk: desk.clone(),
            in_hand: in_hand(desk.clone()),
            looks: Arc::new(vec![service]),
            through,
            clients: vec![
                client(KEY, &[Action::Suspend, Action::Resume, Action::Delete]),
                client("careful", &[Action::Suspend]),
            ],
            contract: Contract {
                wait: Duration::from_millis(200),
                ..contract
            },
            limits: crate::door::limits(),
            clock: Arc::new(SystemClock),
            metrics: Metrics::new(),
            stopping: CancellationToken::new(),
        };
        Stand {
            pages: Router::new().nest("/v2", tokenex::router(served)),
            desk,
        }
    }

    async fn send(&self, request: Request<Body>) -> (u16, String) {
        let response: Response<Body> = self.pages.clone().oneshot(request).await.expect("a router answers");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> (u16, Value) {
        let (status, text) = self.send(post(path, ID, KEY, body)).await;
        let body = serde_json::from_str(&text).unwrap_or_else(|_| panic!("JSON: {text}"));
        (status, body)
    }

    async fn act(&self, action: &str) -> (u16, Value) {
        let body = json!({"Token": TOKEN, "LifecycleManagementAction": action});
        self.post(CHANGE, body.to_string()).await
    }

    async fn state(&self) -> (u16, Value) {
        self.post(STATUS, json!({"token": TOKEN}).to_string()).await
    }
}

pub fn post(path: &str, id: &str, key: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.header("tx-tokenex-id", id).header("tx-apikey", key);
    request.body(body.into()).expect("a request")
}

fn active() -> Arc<Plays> {
    Plays::new(Service::TokenEx).with(TOKEN, Status::Active)
}

fn code(answer: &(u16, Value)) -> &str {
    let network = &answer.1["networkResponse"]["statusCode"];
    network
        .as_str()
        .unwrap_or_else(|| answer.1["error"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn the_seeds_request_is_answered_as_the_seed_answers_it() {
    let sink = Sink::plain(Says::Raw(answer(200, "", SUSPENDED))).await;
    let settings = settings::TokenEx {
        url: Secret::new(format!("http://{}", sink.address)),
        tokenex_id: ID.to_owned(),
        api_key: Secret::new("another"),
        egress: settings::Egress {
            allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
            connect: Duration::from_secs(2),
            total: Duration::from_secs(4),
            ..Default::default()
        },
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let stand = Stand::over(Arc::new(TokenEx::load(&settings, clock).expect("good settings")));
    let seed = "{\n\"Token\": \"4761202544127718\",\n\"LifecycleManagementAction\": \"SUSPEND_TOKEN\",\n\"RequestReason\": \"Wallet LOST\"\n}";
    let (status, body) = stand.send(post(CHANGE, ID, KEY, seed)).await;
    let bytes = SUSPENDED.replace('\n', "").replace("\": ", "\":");
    assert_eq!((status, body), (200, bytes));
    let [kept] = &stand.desk.all()[..] else {
        panic!("one command")
    };
    assert_eq!(kept.asked_by, format!("tokenex:{ID}"));
    assert_eq!(kept.command.order.reason.as_deref(), Some("Wallet LOST"));
    assert!(!kept.command.order.forced);
}

#[tokio::test]
async fn the_certification_cases_of_these_methods_pass() {
    let stand = Stand::over(active());
    for (action, state) in [
        ("SUSPEND_TOKEN", "SUSPENDED"),
        ("RESUME_TOKEN", "ACTIVE"),
        ("DELETE_TOKEN", "DELETED"),
    ] {
        let (status, body) = stand.act(action).await;
        assert_eq!((status, &body["success"]), (200, &json!(true)), "{body}");
        assert_eq!(body["networkResponse"]["statusCode"], "0000");
        assert_eq!(body["networkResponse"]["lifecycleManagementAction"], action);
        assert!(
            body["referenceNumber"]
                .as_str()
                .is_some_and(|number| number.len() == 20)
        );
        let (status, body) = stand.state().await;
        assert_eq!(
            (status, &body["networkResponse"]["tokenState"]),
            (200, &json!(state)),
            "{body}"
        );
        assert_eq!(body["networkResponse"]["statusCode"], "0000");
    }
}

#[tokio::test]
async fn a_state_is_answered_in_the_samples_order() {
    let (_, body) = Stand::over(active())
        .send(post(STATUS, ID, KEY, format!("{{\"token\":\"{TOKEN}\"}}")))
        .await;
    assert_eq!(
        body,
        r#"{"networkResponse":{"tokenState":"ACTIVE","messageId":"m-1","conversationId":"c-1","statusCode":"0000","statusMessage":null},"referenceNumber":"21082510103957444322","success":true,"error":"","message":"Network Tokenization GetStatus Successful!"}"#
    );
}

#[tokio::test]
async fn keys_come_in_any_case_and_actions_by_name_or_number() {
    for action in [
        json!("SUSPEND_TOKEN"),
        json!("suspend_token"),
        json!(3),
        json!("3"),
        json!(" 3 "),
    ] {
        for key in [
            "LifecycleManagementAction",
            "lifecycleManagementAction",
            " LIFECYCLEMANAGEMENTACTION",
        ] {
            let body = json!({"tOKEN": TOKEN, key: action, "requestreason": null, "tokenReferenceId": ""});
            let answer = Stand::over(active()).post(CHANGE, body.to_string()).await;
            assert_eq!(code(&answer), "0000", "{body}");
            assert_eq!(
                answer.1["networkResponse"]["lifecycleManagementAction"],
                "SUSPEND_TOKEN"
            );
        }
    }
}

#[tokio::test]
async fn whoever_is_no_client_is_told_one_thing() {
    let stand = Stand::over(active());
    let mut answers = Vec::new();
    for (id, key) in [
        (ID, "wrong"),
        ("1111111111111111", KEY),
        ("", ""),
        (ID, ""),
        ("", KEY),
        (KEY, ID),
    ] {
        answers.push(stand.send(post(CHANGE, id, key, "not JSON")).await);
        answers.push(stand.send(post(STATUS, id, key, "not JSON")).await);
    }
    for headers in [
        &["tx-apikey"][..],
        &["tx-tokenex-id"],
        &[],
        &["tx-tokenex-id", "tx-apikey", "tx-apikey"],
    ] {
        let request = headers.iter().fold(Request::post(CHANGE), |request, name| {
            request.header(*name, if *name == "tx-apikey" { KEY } else { ID })
        });
        answers.push(stand.send(request.body(Body::empty()).expect("a request")).await);
    }
    for (status, body) in answers {
        let mut body: Value = serde_json::from_str(&body).expect("JSON");
        body["referenceNumber"] = json!("");
        assert_eq!(
            (status, body),
            (
                401,
                json!({"networkResponse": null, "referenceNumber": "", "success": false,
                       "error": "1003 : Authentication failed", "message": ""})
            )
        );
    }
    assert!(stand.desk.all().is_empty());
}

#[tokio::test]
async fn an_action_that_a_client_was_not_given_is_refused_as_its_key_would_be() {
    let stand = Stand::over(active());
    let body = json!({"token": TOKEN, "lifecycleManagementAction": 1}).to_string();
    let (status, text) = stand.send(post(CHANGE, ID, "careful", body)).await;
    assert!(status == 401 && text.contains("1003 : Authentication failed"), "{text}");
    assert!(stand.desk.all().is_empty());
    let body = json!({"token": TOKEN, "lifecycleManagementAction": 3}).to_string();
    assert_eq!(stand.send(post(CHANGE, ID, "careful", body)).await.0, 200);
}

#[tokio::test]
async fn the_list_of_codes_is_for_clients() {
    let stand = Stand::over(active());
    let get = |key: &str| {
        let request = Request::get("/v2/home/errorcodes").header("tx-tokenex-id", ID);
        request.header("tx-apikey", key).body(Body::empty()).expect("a request")
    };
    let (status, text) = stand.send(get(KEY)).await;
    let list: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (status, &list[0]),
        (200, &json!({"code": 1000, "message": "TokenExID cannot be empty"}))
    );
    assert_eq!(list.as_array().map(Vec::len), Some(errors::TOKENEX.len()));
    assert_eq!(stand.send(get("wrong")).await.0, 401);
}

/// The HTTP status of each kind, all different.
const TOLD_APART: Contract = Contract {
    unauthorized: 461,
    malformed: 462,
    unknown_token: 463,
    network_refused: 464,
    network_timeout: 465,
    internal: 566,
    wait: Duration::from_millis(200),
    open_max: 1_000,
};

#[tokio::test]
async fn every_code_of_tokenex_is_passed_on_but_for_what_it_says_of_our_own_credentials() {
    for row in errors::TOKENEX {
        let service = active();
        service.is(Mood::Says(row.digits));
        let stand = Stand::with(service, Vec::new(), TOLD_APART);
        let (status, body) = stand.state().await;
        let ours = row.is_about_credentials();
        let said = if ours {
            errors::tokenex("9999").expect("a row")
        } else {
            row
        };
        assert_eq!(body["error"], said.to_string());
        assert_eq!(
            (&body["networkResponse"], &body["success"]),
            (&Value::Null, &json!(false))
        );
        let expected = match said.code {
            3000..4000 => 463,
            5000.. => 566,
            _ => 462,
        };
        assert_eq!(status, expected, "{row}");
        let (status, body) = stand.act("SUSPEND_TOKEN").await;
        assert_eq!((status, &body["error"]), (expected, &json!(said.to_string())));
    }
}

#[tokio::test]
async fn every_code_of_the_network_is_passed_on() {
    for row in errors::NETWORK {
        let service = active();
        service.is(Mood::Says(row.digits));
        let stand = Stand::with(service, Vec::new(), TOLD_APART);
        let expected = if row.means == Means::Lost { 465 } else { 464 };
        let (status, body) = stand.state().await;
        let network = &body["networkResponse"];
        assert_eq!(
            (status, &network["statusCode"]),
            (expected, &json!(row.digits)),
            "{body}"
        );
        assert_eq!(
            (&network["statusMessage"], &network["tokenState"]),
            (&json!(row.message), &Value::Null)
        );
        assert_eq!((&body["success"], &body["error"]), (&json!(false), &json!("")));
        let (status, body) = stand.act("SUSPEND_TOKEN").await;
        assert_eq!(
            (status, code(&(status, body.clone()))),
            (expected, row.digits),
            "{body}"
        );
        assert_eq!(body["networkResponse"]["lifecycleManagementAction"], "SUSPEND_TOKEN");
    }
}

#[tokio::test]
async fn what_cannot_work_is_a_wrong_state() {
    let deleted = Plays::new(Service::TokenEx).with(TOKEN, Status::Deactivated);
    let stand = Stand::over(deleted);
    let answer = stand.act("RESUME_TOKEN").await;
    assert_eq!((answer.0, code(&answer)), (200, "9104"), "{}", answer.1);
    assert_eq!(answer.1["success"], false);
    assert_eq!(stand.desk.all()[0].command.sends, 0, "our own look said so");
}

#[tokio::test]
async fn a_lost_answer_is_a_yes_once_the_state_is_seen_and_9004_if_it_is_not() {
    let service = active();
    service.is(Mood::LosesTheAnswer);
    assert_eq!(code(&Stand::over(service).act("SUSPEND_TOKEN").await), "0000");
    let service = active();
    service.is(Mood::LosesTheRequest);
    let stand = Stand::over(service);
    let answer = stand.act("SUSPEND_TOKEN").await;
    assert_eq!((answer.0, code(&answer)), (200, "9004"), "{}", answer.1);
    let kept = &stand.desk.all()[0].command;
    assert!(
        !kept.stage.is_final() && kept.stage == Stage::Unknown,
        "it goes on: {kept:?}"
    );
}

#[tokio::test]
async fn a_client_with_too_many_open_commands_is_refused_and_nothing_is_kept() {
    let contract = Contract {
        open_max: 2,
        ..Contract::default()
    };
    let stand = Stand::with(active(), Vec::new(), contract);
    for action in ["SUSPEND_TOKEN", "RESUME_TOKEN"] {
        assert_eq!(code(&stand.act(action).await), "0000");
    }
    let (status, refused) = stand.act("SUSPEND_TOKEN").await;
    assert_eq!(status, 500);
    assert!(
        refused["error"]
            .as_str()
            .is_some_and(|error| error.starts_with("9999 : ")),
        "{refused}"
    );
    assert_eq!(stand.desk.all().len(), 2);
    assert_eq!(code(&stand.state().await), "0000", "it may ask all the same");
}

#[tokio::test]
async fn however_slow_the_store_is_there_is_an_answer() {
    let stand = Stand::over(active());
    stand.desk.hangs.store(true, Ordering::SeqCst);
    let answer = tokio::time::timeout(Duration::from_secs(5), stand.act("SUSPEND_TOKEN")).await;
    assert_eq!(code(&answer.expect("in time")), "9004");
}

#[tokio::test]
async fn a_token_without_a_link_is_passed_on_to_tokenex_as_it_came() {
    let service = active();
    let stand = Stand::over(service.clone());
    let body = json!({"token": TOKEN, "lifecycleManagementAction": 3, "tokenReferenceId": REFERENCE_ID});
    let answer = stand.post(CHANGE, body.to_string()).await;
    assert_eq!(code(&answer), "0000");
    assert_eq!(answer.1["networkResponse"]["tokenReferenceId"], REFERENCE_ID);
    let target = Target {
        token: TOKEN.to_owned(),
        reference_id: Some(REFERENCE_ID.to_owned()),
    };
    assert!(service.asked.lock().expect("no panic").contains(&target));
}

#[tokio::test]
async fn through_mdes_a_link_says_which_token_is_meant() {
    let link = |token: &str, reference_id: &str| Link {
        token_unique_reference: token.to_owned(),
        tokenex_token: TOKEN.to_owned(),
        token_reference_id: Some(reference_id.to_owned()),
    };
    let mdes = || {
        Plays::new(Service::Mdes)
            .with("TUR-1", Status::Active)
            .with("TUR-2", Status::Active)
    };
    let both = vec![link("TUR-1", "a"), link("TUR-2", "b")];

    let alone = Stand::with(mdes(), both[..1].to_vec(), TOLD_APART);
    assert_eq!(code(&alone.act("SUSPEND_TOKEN").await), "0000");
    assert_eq!(alone.desk.all()[0].command.order.target.token, "TUR-1");
    assert_eq!(alone.desk.all()[0].command.order.token.reference, TOKEN);

    for links in [Vec::new(), both.clone()] {
        let stand = Stand::with(mdes(), links, TOLD_APART);
        let answer = stand.act("SUSPEND_TOKEN").await;
        let error = "3024 : No TokenReferenceId associated with token";
        assert_eq!((answer.0, code(&answer)), (463, error));
        assert_eq!(code(&stand.state().await), error);
        assert!(stand.desk.all().is_empty());
    }

    let several = Stand::with(mdes(), both, TOLD_APART);
    let body = json!({"token": TOKEN, "lifecycleManagementAction": 3, "tokenReferenceId": "b"});
    assert_eq!(code(&several.post(CHANGE, body.to_string()).await), "0000");
    assert_eq!(several.desk.all()[0].command.order.target.token, "TUR-2");
}

#[tokio::test]
async fn mdess_codes_have_their_nearest_kin_among_the_networks() {
    for (said, told) in [
        ("INVALID_TOKEN_STATUS", "9104"),
        ("INVALID_TOKEN_UNIQUE_REFERENCE", "9006"),
        ("INVALID_FIELD_FORMAT", "9005"),
        ("9777", "9777"),
    ] {
        let service = active();
        service.is(Mood::Says(said));
        assert_eq!(code(&Stand::over(service).act("SUSPEND_TOKEN").await), told);
    }
}

#[tokio::test]
async fn a_bad_value_has_its_code() {
    let stand = Stand::over(active());
    let with = |key: &str, value: Value| {
        let mut body = json!({"token": TOKEN, "lifecycleManagementAction": "SUSPEND_TOKEN"});
        body[key] = value;
        body.to_string()
    };
    for (body, code) in [
        (String::new(), "2999"),
        ("not JSON".to_owned(), "2999"),
        ("{\"token\": \"".to_owned(), "2999"),
        (format!("{} {{}}", with("x", json!(1))), "2999"),
        ("[]".to_owned(), "2998"),
        ("null".to_owned(), "2998"),
        ("{}".to_owned(), "2003"),
        (with("token", json!("")), "2003"),
        (with("token", Value::Null), "2003"),
        (with("token", json!(4_761_202_544_127_718_u64)), "2998"),
        (with("token", json!({"a": 1})), "2998"),
        (with("token", json!("a\u{0}b")), "2423"),
        (with("token", json!("a b")), "2423"),
        (with("token", json!("ä".repeat(20))), "2423"),
        (with("token", json!("1".repeat(129))), "2423"),
        (with("lifecycleManagementAction", json!("PAUSE_TOKEN")), "2998"),
        (with("lifecycleManagementAction", json!(0)), "2998"),
        (with("lifecycleManagementAction", json!(4)), "2998"),
        (with("lifecycleManagementAction", json!(3.0)), "2998"),
        (with("lifecycleManagementAction", Value::Null), "2998"),
        (with("lifecycleManagementAction", json!([3])), "2998"),
        (with("requestReason", json!(7)), "2998"),
        (with("tokenReferenceId", json!("a\u{0}b")), "2998"),
        (with("Token", json!("another")), "2998"),
        (with(" token", json!(TOKEN)), "2998"),
        (
            r#"{"token":"1","token":"2","lifecycleManagementAction":3}"#.to_owned(),
            "2998",
        ),
    ] {
        let (status, answer) = stand.post(CHANGE, body.clone()).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(
            status == 400 && error.starts_with(&format!("{code} : ")),
            "{body}: {status} {error}"
        );
    }
    assert!(stand.desk.all().is_empty());
}

#[tokio::test]
async fn a_hostile_body_is_malformed_and_costs_little() {
    let stand = Stand::over(active());
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    let bodies: [Vec<u8>; 6] = [
        b"{\"token\":\"\xff\xfe\",\"lifecycleManagementAction\":3}".to_vec(),
        format!("{{\"x\":{}}}", deep("[", "]")).into_bytes(),
        deep("{\"a\":", "}").into_bytes(),
        format!("{{\"x\":{},\"token\":\"1\"}}", deep("[", "]")).into_bytes(),
        vec![b' '; 65 * 1024],
        format!("{{\"token\":\"{}\"}}", "1".repeat(65 * 1024)).into_bytes(),
    ];
    for body in bodies {
        let (status, answer) = stand.post(CHANGE, body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("2999 : Request is malformed")));
    }
    assert!(stand.desk.all().is_empty());
}

#[tokio::test]
async fn a_reason_keeps_no_number_and_no_token() {
    let stand = Stand::over(active());
    let reason = format!("card 5204 7300 0000 1201\u{0} of {TOKEN} {}", "x".repeat(500));
    let body = json!({"token": TOKEN, "lifecycleManagementAction": 3, "requestReason": reason});
    stand.post(CHANGE, body.to_string()).await;
    let kept = stand.desk.all()[0].command.order.reason.clone().expect("a reason");
    assert!(kept.starts_with("card ····1201  of ····7718 xxx"), "{kept}");
    assert_eq!(kept.chars().count(), 256);
}

#[tokio::test]
async fn another_method_or_path_is_none_of_tokenexs() {
    let stand = Stand::over(active());
    let get = Request::get(CHANGE)
        .header("tx-tokenex-id", ID)
        .header("tx-apikey", KEY);
    assert_eq!(stand.send(get.body(Body::empty()).expect("a request")).await.0, 405);
    assert_eq!(
        stand.send(post("/v2/NetworkToken/Tokenize", ID, KEY, "{}")).await.0,
        404
    );
}
