//! What is asked: the paths, the bodies, and that what is sent is what was signed.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mdes_receiver::domain::command::{Action, CausedBy};
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::lifecycle::{Reply, TokenService as _};
use mdes_receiver::mdes::client::{Search, SearchBy, Wish};
use mdes_receiver::mdes::oauth1::{Signed, Signer};
use serde_json::{Value, json};
use url::Url;

use super::{CONSUMER_KEY, NOW, PASSWORD, Scene, TOKEN, client, request, target};
use crate::egress::sink::{Heard, Says, Sink};

const NOTHING: &str = "{}";

fn body(heard: &Heard) -> Value {
    serde_json::from_slice(&heard.body).expect("JSON")
}

fn path(heard: &Heard) -> &str {
    heard.head.lines().next().expect("a request line")
}

#[tokio::test]
async fn the_bytes_that_are_sent_are_the_bytes_that_were_signed() {
    let scene = Scene::answers(200, NOTHING).await;
    scene.suspended().await;
    let heard = &scene.sink.heard()[0];
    let header = heard.header("authorization").expect("it is signed");
    let part = |name: &str| {
        let (_, rest) = header.split_once(&format!("{name}=\"")).expect("it is there");
        rest.split('"').next().expect("it ends").to_owned()
    };
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, &heard.body));
    assert_eq!(part("oauth_body_hash"), hash);
    assert_eq!(part("oauth_consumer_key"), CONSUMER_KEY);
    assert_eq!(part("oauth_timestamp"), NOW.unix_timestamp().to_string());
    let url = format!("{}/digitization/static/1/0/suspend", scene.settings.url.expose());
    let again = Signed {
        method: "POST",
        url: &Url::parse(&url).expect("a URL"),
        body: &heard.body,
        nonce: &part("oauth_nonce"),
        at: NOW,
    };
    let password = Secret::new(PASSWORD);
    let signer = Signer::load(CONSUMER_KEY, &scene.settings.signing_key, Some(&password)).expect("a good key");
    assert_eq!(signer.authorization(&again).expect("it signs"), header);
}

#[tokio::test]
async fn no_nonce_is_used_twice() {
    let scene = Scene::answers(200, NOTHING).await;
    scene.suspended().await;
    scene.suspended().await;
    let headers: Vec<_> = scene.sink.heard().into_iter().map(|heard| heard.head).collect();
    assert_ne!(headers[0], headers[1]);
}

#[tokio::test]
async fn each_action_has_its_path_and_says_who_wants_it_and_why() {
    let scene = Scene::answers(200, NOTHING).await;
    for (action, word) in [
        (Action::Suspend, "suspend"),
        (Action::Resume, "unsuspend"),
        (Action::Delete, "delete"),
    ] {
        scene.client.change(&request(&target(), action)).await;
        let heard = scene.sink.heard().pop().expect("it was asked");
        assert_eq!(
            path(&heard),
            format!("POST /mdes/digitization/static/1/0/{word} HTTP/1.1")
        );
        assert_eq!(heard.header("content-type"), Some("application/json"));
        assert_eq!(
            body(&heard),
            json!({
                "requestId": "00000000-0000-0000-0000-000000000007-2",
                "tokenUniqueReferences": [TOKEN],
                "causedBy": "TOKEN_REQUESTOR",
                "reasonCode": "OTHER",
                "reason": "verloren – ünïcode",
            })
        );
    }
}

#[tokio::test]
async fn the_response_host_is_said_if_there_is_one() {
    let scene = Scene::answers(200, NOTHING).await;
    let mut settings = scene.settings.clone();
    settings.response_host = Some("tokens.shop.example".to_owned());
    let _ = client(&settings).look(&target()).await;
    let heard = scene.sink.heard().pop().expect("it was asked");
    assert_eq!(path(&heard), "POST /mdes/digitization/static/1/0/getToken HTTP/1.1");
    let mut body = body(&heard);
    let id = body["requestId"].take();
    assert_eq!(id.as_str().map(str::len), Some(36));
    assert_eq!(
        body,
        json!({
            "responseHost": "tokens.shop.example",
            "requestId": null,
            "tokenUniqueReference": TOKEN,
            "includeTokenDetail": "false",
        })
    );
}

#[tokio::test]
async fn ten_tokens_are_one_call_and_eleven_are_none() {
    let answered = json!({ "tokens": [
        { "tokenUniqueReference": "T1", "status": "SUSPENDED", "suspendedBy": ["CARDHOLDER"] },
        { "tokenUniqueReference": "T2", "errorCode": "INVALID_TOKEN_STATUS", "status": "DEACTIVATED" },
    ]});
    let scene = Scene::answers(200, &answered.to_string()).await;
    let wish = Wish {
        request_id: "once".to_owned(),
        action: Action::Suspend,
        caused_by: CausedBy::Cardholder,
        reason_code: "SUSPECTED_FRAUD",
        reason: None,
    };
    let all: Vec<String> = (1..=11).map(|n| format!("T{n}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let replies = scene.client.change_many(&wish, &all).await;
    assert!(replies.len() == 11 && replies.iter().all(|reply| matches!(reply, Reply::Unsent(_))));
    assert_eq!(scene.sink.heard().len(), 0);

    let replies = scene.client.change_many(&wish, &all[..10]).await;
    assert_eq!(scene.sink.heard().len(), 1);
    assert_eq!(body(&scene.sink.heard()[0])["tokenUniqueReferences"], json!(&all[..10]));
    assert!(
        matches!(&replies[0], Reply::Accepted { seen: Some(_), .. }),
        "{replies:?}"
    );
    assert!(
        matches!(&replies[1], Reply::Refused { wrong_state: true, .. }),
        "{replies:?}"
    );
    // What it says nothing of, nobody knows.
    assert!(
        replies[2..].iter().all(|reply| matches!(reply, Reply::Lost(_))),
        "{replies:?}"
    );
}

#[tokio::test]
async fn a_search_finds_names_and_states() {
    let answered = json!({ "responseId": "x", "tokens": [
        { "tokenUniqueReference": "T1", "status": "ACTIVE", "statusTimestamp": "2026-11-22T10:00:00.5Z" },
        { "tokenUniqueReference": "T2", "status": 7.5 },
        { "status": "ACTIVE" },
    ]});
    let scene = Scene::answers(200, &answered.to_string()).await;
    let search = Search {
        token_requestor_id: Some("50100000001"),
        by: SearchBy::Token(TOKEN),
    };
    let found = scene.client.search(&search).await.expect("it answers");
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["T1", "T2"]);
    assert!(found[0].1.as_ref().is_some_and(|seen| seen.status.as_str() == "ACTIVE"));
    let heard = body(&scene.sink.heard()[0]);
    assert_eq!(heard["fundingAccountInfo"], json!({ "tokenUniqueReference": TOKEN }));
    assert_eq!(heard["tokenRequestorId"], "50100000001");
}

#[tokio::test]
async fn what_never_left_is_unsent_and_what_was_not_answered_is_lost() {
    let mut scene = Scene::that(Says::Nothing).await;
    scene.settings.egress.total = std::time::Duration::from_millis(300);
    scene.client = client(&scene.settings);
    let reply = scene.suspended().await;
    assert!(
        matches!(&reply, Reply::Lost(why) if why.why.contains("no answer")),
        "{reply:?}"
    );
    assert_eq!(scene.sink.heard().len(), 1, "it is not sent again");

    let gone = Sink::plain(Says::Nothing).await;
    scene.settings.url = Secret::new(format!("http://{}/mdes", gone.address));
    drop(gone);
    scene.client = client(&scene.settings);
    let reply = scene.suspended().await;
    assert!(matches!(&reply, Reply::Unsent(_)), "{reply:?}");
}

#[tokio::test]
async fn a_new_signing_key_signs_after_a_reload_and_a_bad_one_never() {
    let scene = Scene::answers(200, NOTHING).await;
    std::fs::write(&scene.settings.signing_key, "no key").expect("written");
    let error = scene.client.reload().expect_err("a bad key").to_string();
    assert!(
        error.contains("signing_key") && error.contains("is no private key"),
        "{error}"
    );
    let reply = scene.suspended().await;
    assert!(matches!(&reply, Reply::Lost(_)), "it signs with the old one: {reply:?}");
    assert!(scene.client.files().contains(&scene.settings.signing_key));

    let folder = scene.settings.signing_key.parent().expect("a folder");
    super::signing_key(folder);
    scene.client.reload().expect("a good key");
}

#[tokio::test]
async fn the_number_is_asked_for_where_it_is_wanted_and_handed_on_as_it_came() {
    let answered = json!({
        "token": { "tokenUniqueReference": TOKEN, "status": "ACTIVE" },
        "tokenDetail": { "encryptedData": "c0ffee" },
    });
    let scene = Scene::answers(200, &answered.to_string()).await;
    let looked = scene.client.look_with_number(&target()).await.expect("it answers");
    let heard = scene.sink.heard().pop().expect("it was asked");
    assert_eq!(body(&heard)["includeTokenDetail"], "true");
    assert!(!looked.words.to_string().contains("c0ffee"));
    let statement: Value = serde_json::from_slice(&looked.statement.expect("one")).expect("JSON");
    assert_eq!(statement["tokenDetail"], answered["tokenDetail"]);
}
