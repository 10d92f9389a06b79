//! `/tokens` and `/faults`.

use mdes_receiver::simulator::services::{Services, Settings};
use serde_json::{Value, json};

use super::{Street, TOKEN};

async fn done(street: &Street, wish: Value) -> (u16, Value) {
    street.post("/tokens", &[], wish.to_string()).await.expect("an answer")
}

#[tokio::test]
async fn a_script_makes_tokens_holds_them_and_lets_them_go() {
    let street = Street::quiet().await;
    let (status, made) = done(&street, json!({"do": "make", "token": "abc123", "references": 2})).await;
    assert_eq!((status, made["tokens"].as_array().map(Vec::len)), (200, Some(2)));
    let name = made["tokens"][1]["token_unique_reference"].clone();
    let steps = [
        (json!({"do": "hold", "name": name}), "SUSPENDED", json!(["ISSUER"])),
        (
            json!({"do": "hold", "name": name, "by": "TOKEN_REQUESTOR"}),
            "SUSPENDED",
            json!(["ISSUER", "TOKEN_REQUESTOR"]),
        ),
        (json!({"do": "release", "name": name}), "SUSPENDED", json!(["ISSUER"])),
        (
            json!({"do": "release", "name": name, "by": "ISSUER"}),
            "ACTIVE",
            json!([]),
        ),
        (json!({"do": "delete", "name": name}), "DEACTIVATED", json!([])),
    ];
    for (wish, state, by) in steps {
        let (status, said) = done(&street, wish.clone()).await;
        assert_eq!(status, 200, "{said}");
        assert_eq!(
            (&said["tokens"][0]["state"], &said["tokens"][0]["suspended_by"]),
            (&json!(state), &by),
            "{wish}"
        );
    }
    let (status, said) = done(&street, json!({"do": "hold", "name": name})).await;
    assert_eq!(
        (status, said["error"].as_str()),
        (409, Some("the token is not in a state for that"))
    );
}

#[tokio::test]
async fn what_a_script_gets_wrong_is_told() {
    let street = Street::quiet().await;
    let wrong = [
        json!({"do": "hold", "name": "nobody"}),
        json!({"do": "make", "token": "a b"}),
        json!({"do": "make", "references": 11}),
        json!({"do": "make", "token_unique_reference": street.unique_reference}),
        json!({"do": "fly", "name": TOKEN}),
        json!({"do": "hold", "name": TOKEN, "colour": "red"}),
    ];
    for wish in wrong {
        let (status, said) = done(&street, wish.clone()).await;
        assert!(status == 400 && said["error"].is_string(), "{wish}: {said}");
    }
    let plain = [("content-type", "text/plain")];
    let (status, _) = street
        .post("/tokens", &plain, r#"{"do":"make"}"#)
        .await
        .expect("an answer");
    assert_eq!(status, 415, "a browser's page could send that");
    let (_, shown) = street.send("GET", "/tokens", &[], "").await.expect("an answer");
    assert_eq!(shown["tokens"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn faults_are_set_shown_and_taken_away_while_it_runs() {
    let street = Street::quiet().await;
    let set = json!({"faults": ["9004:2", "duplicate:10%"]}).to_string();
    let (status, said) = street.post("/faults", &[], set).await.expect("an answer");
    assert_eq!((status, &said["faults"]), (200, &json!(["9004:2", "duplicate:10%"])));
    street.act("SUSPEND_TOKEN").await;
    let (_, said) = street.send("GET", "/faults", &[], "").await.expect("an answer");
    assert_eq!(said["faults"][0], "9004:1");
    let (_, said) = street.send("DELETE", "/faults", &[], "").await.expect("an answer");
    assert_eq!(said["faults"], json!([]));
    let (status, said) = street
        .post("/faults", &[], r#"{"faults":["oops:1"]}"#)
        .await
        .expect("an answer");
    assert!(
        status == 400 && said["error"].as_str().is_some_and(|why| why.contains("KIND")),
        "{said}"
    );
}

#[tokio::test]
async fn no_number_is_ever_shown() {
    let street = Street::quiet().await;
    let shown = street.services.shown().to_string();
    assert_eq!(mdes_receiver::domain::masked::without_numbers(&shown), shown);
}

#[tokio::test]
async fn it_listens_on_loopback_alone() {
    let settings = Settings {
        listen: "0.0.0.0:0".parse().expect("an address"),
        ..Settings::default()
    };
    let refused = Services::start(settings).await.err().expect("refused").to_string();
    assert!(refused.contains("choose a loopback address"), "{refused}");
}

#[tokio::test]
async fn a_page_whose_name_was_made_to_mean_this_machine_is_not_heard() {
    let street = Street::quiet().await;
    let get = async |host: &str| {
        let tcp = tokio::net::TcpStream::connect(street.services.address()).await;
        let io = hyper_util::rt::TokioIo::new(tcp.expect("it listens"));
        let (mut speak, connection) = hyper::client::conn::http1::handshake(io).await.expect("HTTP/1.1");
        let connection = tokio::spawn(connection);
        let request = hyper::Request::get("/tokens").header("host", host);
        let request = request.body(String::new()).expect("a request");
        let status = speak.send_request(request).await.expect("an answer").status();
        connection.abort();
        status.as_u16()
    };
    for host in ["localhost", "LOCALHOST:9", "127.0.0.1:9", "[::1]:9"] {
        assert_eq!(get(host).await, 200, "{host}");
    }
    for host in ["attacker.example", "localhost.attacker.example:80", "10.0.0.1", "a b"] {
        assert_eq!(get(host).await, 421, "{host}");
    }
}
