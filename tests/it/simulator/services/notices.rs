//! The notifications that follow a change.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use mdes_receiver::simulator::seal::Style;
use mdes_receiver::simulator::services::tokens::{Act, Cause, NewToken};
use mdes_receiver::simulator::services::{Door, Post, Settings};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Street, TOKEN};
use crate::simulator::Desk;
use crate::simulator::receiver::{Manner, Receiver};

/// Services that notify a small receiver through its real door.
async fn told(desk: &Desk, settings: Settings) -> (Street, Receiver) {
    let receiver = Receiver::start(&desk.files, Manner::Good).await;
    let door = Door {
        sender: desk.sender(&receiver),
        sealer: desk.sealer(Style::default()),
    };
    let settings = Settings {
        door: Some(door),
        ..settings
    };
    (Street::with(settings).await, receiver)
}

async fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn opened(receiver: &Receiver, count: usize) -> Vec<Value> {
    eventually("so many notifications", || {
        Some(receiver.opened()).filter(|opened| opened.len() >= count)
    })
    .await
}

fn states(opened: &[Value]) -> Vec<&str> {
    opened
        .iter()
        .map(|body| body["tokens"][0]["status"].as_str().expect("a status"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_notified_through_the_real_door_with_the_state_after_it() {
    let desk = Desk::set_up();
    let (street, receiver) = told(&desk, Settings::default()).await;
    street.act("SUSPEND_TOKEN").await;
    let said = opened(&receiver, 1).await.remove(0);
    let token = &said["tokens"][0];
    assert_eq!(token["tokenUniqueReference"], street.unique_reference);
    assert_eq!(
        (&token["status"], &token["suspendedBy"]),
        (&json!("SUSPENDED"), &json!(["TOKEN_REQUESTOR"]))
    );
    assert!(token["statusTimestamp"].is_string());
    street
        .services
        .act(TOKEN, Act::Suspend, &Cause::by("ISSUER"))
        .expect("held");
    let said = opened(&receiver, 2).await.remove(1);
    assert_eq!(said["tokens"][0]["suspendedBy"], json!(["ISSUER", "TOKEN_REQUESTOR"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_repeated_reordered_withheld_or_sent_before_the_answer_on_demand() {
    let desk = Desk::set_up();
    let (street, receiver) = told(&desk, Settings::default()).await;
    street.fault("overtake:1");
    street.act("SUSPEND_TOKEN").await;
    assert_eq!(
        states(&receiver.opened()),
        ["SUSPENDED"],
        "it is there before the answer is"
    );
    street.fault("duplicate:1");
    street.act("RESUME_TOKEN").await;
    let said = opened(&receiver, 3).await;
    assert_eq!(said[1], said[2]);
    let requests = receiver.requests();
    assert_eq!(requests[1].1, requests[2].1, "a repeat is the very same body");
    street.fault("silence:1");
    street.act("SUSPEND_TOKEN").await;
    street.fault("reorder:1");
    street.act("RESUME_TOKEN").await;
    street.act("SUSPEND_TOKEN").await;
    let said = opened(&receiver, 5).await;
    assert_eq!(states(&said[3..]), ["SUSPENDED", "ACTIVE"]);
    let at = |nth: usize| {
        said[nth]["tokens"][0]["statusTimestamp"]
            .as_str()
            .expect("a moment")
            .to_owned()
    };
    assert!(at(4) < at(3), "the later one came first");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_we_did_ourselves_is_not_notified_if_that_is_asked_for() {
    let desk = Desk::set_up();
    let settings = Settings {
        echo: false,
        ..Settings::default()
    };
    let (street, receiver) = told(&desk, settings).await;
    street.act("SUSPEND_TOKEN").await;
    street
        .services
        .act(TOKEN, Act::Suspend, &Cause::by("ISSUER"))
        .expect("held");
    let said = opened(&receiver, 1).await;
    assert_eq!(
        said[0]["tokens"][0]["suspendedBy"],
        json!(["ISSUER", "TOKEN_REQUESTOR"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_counted_and_a_new_token_can_be_announced() {
    let desk = Desk::set_up();
    let (street, receiver) = told(&desk, Settings::default()).await;
    street
        .services
        .make(&NewToken {
            announce: true,
            ..NewToken::default()
        })
        .expect("one more");
    let said = opened(&receiver, 1).await;
    assert_eq!(states(&said), ["ACTIVE"]);
    let accepted = || Some(()).filter(|()| street.services.shown()["notifications"]["mdes"]["accepted"] == 1);
    eventually("it is counted", accepted).await;
    drop(receiver);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokenexs_own_notifications_come_with_their_quirks() {
    let (url, heard) = listening().await;
    let settings = Settings {
        post: Some(Post::to(&url, None).expect("a URL")),
        ..Settings::default()
    };
    let street = Street::with(settings).await;
    street.act("SUSPEND_TOKEN").await;
    let said = eventually("a state change", || heard.lock().expect("no panic").first().cloned()).await;
    assert_eq!(
        (&said.0, &said.1["token"], &said.1["success"]),
        (&"/hook?key=s".to_owned(), &json!(TOKEN), &json!("true"))
    );
    let change = &said.1["networkTokenStateChangeNotification"];
    let moment = change["tokenTimestamp"].as_str().expect("a string");
    assert!(
        moment.len() == 13 && moment.bytes().all(|b| b.is_ascii_digit()),
        "{moment}"
    );
    assert_eq!(
        (
            &change["requestReasonCode"],
            &change["requestReason"],
            &change["previousTokenState"],
            &change["currentTokenState"]
        ),
        (
            &json!("SUSPENDED_BY_TR"),
            &json!("Wallet LOST"),
            &json!("ACTIVE"),
            &json!("SUSPENDED")
        )
    );
    assert_eq!(change["tokenReferenceId"], street.reference_id);

    let card = json!({"do": "card", "name": TOKEN}).to_string();
    street.post("/tokens", &[], card).await.expect("an answer");
    let said = eventually("a card update", || heard.lock().expect("no panic").get(1).cloned()).await;
    assert!(
        said.1.get(" networkTokenCardUpdateNotification").is_some(),
        "{}",
        said.1
    );
}

#[test]
fn over_https_tokenexs_notifications_need_roots() {
    assert!(Post::to("https://localhost/hook", None).is_err());
    assert!(Post::to("ftp://localhost/hook", None).is_err());
}

type Heard = Arc<Mutex<Vec<(String, Value)>>>;

/// A listener over plain HTTP that says 200 to everything.
async fn listening() -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/hook?key=s", listener.local_addr().expect("it is bound"));
    let heard = Heard::default();
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let heard = Arc::clone(&kept);
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let heard = Arc::clone(&heard);
                async move {
                    let path = request.uri().to_string();
                    let body = request.into_body().collect().await?.to_bytes();
                    let body = serde_json::from_slice(&body).expect("JSON");
                    heard.lock().expect("no panic").push((path, body));
                    hyper::Result::Ok(Response::new(Full::<Bytes>::default()))
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
        }
    });
    (url, heard)
}
