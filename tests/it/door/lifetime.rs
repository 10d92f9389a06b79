//! How long a connection may stay, what may go over it, and how it ends.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio_rustls::client::TlsStream;

use super::street::{Door, PATIENCE, Setup};
use super::visitor::{ask_again, closes, eventually, read_answer, says_goodbye};

const WHO: &str = "ws.mastercard.com of None at 127.0.0.1";
const SHORT: Duration = Duration::from_millis(150);

/// Sends a request that waits behind the gate; returns when it does.
async fn begin_slow(door: &Door, stream: &mut TlsStream<tokio::net::TcpStream>) {
    let request = b"POST /slow HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request).await.expect("written");
    assert!(eventually(|| door.gate.waiting() == 1).await);
}

async fn http2_client(door: &Door) -> http2::SendRequest<Empty<Bytes>> {
    let mut config = door.config(Some(&door.client()));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = door.knock(config).await.expect("let in");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("http/2");
    tokio::spawn(connection);
    sender
}

async fn ask_http2(sender: &mut http2::SendRequest<Empty<Bytes>>) -> Result<String, hyper::Error> {
    let request = hyper::Request::get("https://localhost/who")
        .body(Empty::new())
        .expect("a request");
    let body = sender.send_request(request).await?.into_body().collect().await?;
    Ok(String::from_utf8(body.to_bytes().to_vec()).expect("text"))
}

#[tokio::test]
async fn a_connection_carries_many_requests_and_closes_when_asked() {
    let door = Setup::new().open().await;
    let mut stream = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    for _ in 0..3 {
        assert_eq!(ask_again(&mut stream).await.expect("an answer"), WHO);
    }
    assert_eq!(door.connections(), 1);
    let answer = super::visitor::ask_over(&mut stream, "")
        .await
        .expect("an answer and an orderly end");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(eventually(|| door.connections() == 0).await);
    assert_eq!(door.handshakes("accepted"), 1);
}

#[tokio::test]
async fn http_2_is_spoken_with_who_asks_for_it() {
    let door = Setup::new().open().await;
    let mut sender = http2_client(&door).await;
    for _ in 0..3 {
        assert_eq!(ask_http2(&mut sender).await.expect("an answer"), WHO);
    }
    assert_eq!(door.handshakes("accepted"), 1);
}

#[tokio::test]
async fn nothing_is_resumed() {
    let door = Setup::new().open().await;
    let client = door.client();
    for version in [&TLS12, &TLS13] {
        let chain = Some((client.certificate_pem.clone(), &client));
        let config = door.config_with(chain, &[version]);
        for _ in 0..2 {
            let mut stream = door.knock(config.clone()).await.expect("let in");
            assert_eq!(ask_again(&mut stream).await.expect("an answer"), WHO);
            assert_eq!(
                stream.get_ref().1.handshake_kind(),
                Some(HandshakeKind::Full),
                "{version:?}"
            );
            assert_eq!(stream.get_ref().1.tls13_tickets_received(), 0);
        }
    }
}

#[tokio::test]
async fn one_who_never_asks_is_sent_away() {
    let mut setup = Setup::new();
    setup.limits.first_request = SHORT;
    let door = setup.open().await;
    let mut silent = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    let mut slow = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    slow.write_all(b"GET /who HT").await.expect("written");
    assert!(closes(&mut silent).await && closes(&mut slow).await);

    let mut sender = http2_client(&door).await;
    assert!(eventually(|| sender.is_closed()).await);
    assert!(ask_http2(&mut sender).await.is_err());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let mut setup = Setup::new();
    setup.limits.idle = SHORT;
    let door = setup.open().await;
    let mut busy = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    begin_slow(&door, &mut busy).await;
    let mut idle = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    ask_again(&mut idle).await.expect("an answer");

    says_goodbye(&mut idle).await;
    door.gate.let_one_go();
    assert_eq!(read_answer(&mut busy).await.expect("an answer"), "done");
}

#[tokio::test]
async fn an_old_connection_is_closed_between_two_requests() {
    let mut setup = Setup::new();
    setup.limits.connection_age = SHORT;
    let door = setup.open().await;
    let mut stream = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    begin_slow(&door, &mut stream).await;
    tokio::time::sleep(2 * SHORT).await;
    door.gate.let_one_go();
    assert_eq!(read_answer(&mut stream).await.expect("an answer"), "done");
    assert!(closes(&mut stream).await);

    let mut sender = http2_client(&door).await;
    assert_eq!(ask_http2(&mut sender).await.expect("an answer"), WHO);
    assert!(eventually(|| sender.is_closed()).await, "told to go away");
}

#[tokio::test]
async fn one_too_many_is_turned_away_until_another_leaves() {
    let mut setup = Setup::new();
    setup.limits.connections_max = 2;
    let door = setup.open().await;
    let config = door.config(Some(&door.client()));
    let mut first = door.knock(config.clone()).await.expect("let in");
    let mut second = door.knock(config.clone()).await.expect("let in");
    ask_again(&mut first).await.expect("an answer");
    ask_again(&mut second).await.expect("an answer");

    assert!(door.knock(config.clone()).await.is_err());
    door.saw("too_many", 1).await;
    drop(first);
    assert!(eventually(|| door.connections() == 1).await);
    assert!(door.ask(config).await.is_ok());
}

#[tokio::test]
async fn a_stop_finishes_the_accepted_request_and_lets_nobody_in() {
    let door = Setup::new().open().await;
    let mut idle = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    ask_again(&mut idle).await.expect("an answer");
    let mut busy = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    begin_slow(&door, &mut busy).await;

    door.stop.cancel();
    says_goodbye(&mut idle).await;
    assert!(eventually(|| std::net::TcpStream::connect(door.address).is_err()).await);
    assert!(!door.serving.is_finished());
    door.gate.let_one_go();
    assert_eq!(read_answer(&mut busy).await.expect("an answer"), "done");
    tokio::time::timeout(PATIENCE, door.serving)
        .await
        .expect("an end")
        .expect("no panic");
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_it_may() {
    let mut setup = Setup::new();
    setup.limits.stop = SHORT;
    let door = setup.open().await;
    let mut stuck = door.knock(door.config(Some(&door.client()))).await.expect("let in");
    begin_slow(&door, &mut stuck).await;

    door.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), door.serving)
        .await
        .expect("an end")
        .expect("no panic");
    assert!(read_answer(&mut stuck).await.is_err());
}
