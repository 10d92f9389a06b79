//! A server that is away, silent, or behind the guard.

use std::time::{Duration, Instant};

use mdes_receiver::delivery::{Destination as _, Failure, Sent};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::broker::free_port;
use super::{Broker, Setup, bodies, event, refused, taken};
use crate::world::eventually;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_loses_nothing_that_was_taken_and_takes_the_rest_when_it_is_back() {
    let mut broker = Broker::start("").await.with_stream("tokens", "tokens.>").await;
    let nats = Setup::to(&[broker.url()]).open();
    taken(&nats, &event("first")).await;
    broker.kill();
    let second = event("second");
    let (class, text) = refused(&nats, &second).await;
    assert_eq!(class, Failure::Connection, "{text}");
    broker.resume().await;
    eventually("it is taken", || async {
        matches!(nats.send(&second).await, Sent::Taken(_))
    })
    .await;
    taken(&nats, &event("third")).await;
    assert_eq!(bodies(&broker.kept("tokens").await), ["first", "second", "third"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_under_way_when_the_connection_broke_fails_at_once() {
    let (listener, url) = silent().await;
    let nats = Setup::to(&[url]).open();
    let began = Instant::now();
    let server = async {
        let (mut stream, _) = listener.accept().await.expect("a client");
        greet(&mut stream).await;
        // Hears the event, and hangs up.
        stream.read_exact(&mut [0; 8]).await.expect("the event");
    };
    let sent = event("lost");
    let (failed, ()) = tokio::join!(refused(&nats, &sent), server);
    assert_eq!(failed.0, Failure::Connection, "{}", failed.1);
    assert!(began.elapsed() < Duration::from_secs(10), "it waited for its deadline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_was_there_hinders_nothing_but_its_own_attempts() {
    let nats = Setup::to(&[format!("nats://127.0.0.1:{}", free_port())]).open();
    let (class, text) = refused(&nats, &event("alone")).await;
    assert_eq!(class, Failure::Connection, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_speaks_costs_one_deadline_however_many_wait_for_it() {
    let (_listener, url) = silent().await;
    let mut setup = Setup::to(&[url]);
    setup.egress.connect = Duration::from_secs(1);
    let nats = setup.open();
    let began = Instant::now();
    let attempts: [_; 5] = std::array::from_fn(|_| async { refused(&nats, &event("unheard")).await });
    let [a, b, c, d, e] = attempts;
    let ended = tokio::join!(a, b, c, d, e);
    for (class, text) in [ended.0, ended.1, ended.2, ended.3, ended.4] {
        assert_eq!(class, Failure::Timeout, "{text}");
    }
    assert!(began.elapsed() < Duration::from_secs(3), "each of them waited in turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_does_not_come_is_not_waited_for_past_the_deadline() {
    let (listener, url) = silent().await;
    let nats = Setup::to(&[url]).within(Duration::from_secs(1)).open();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        greet(&mut stream).await;
        // Hears everything, and says nothing.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    });
    let (class, text) = refused(&nats, &event("unanswered")).await;
    assert_eq!(class, Failure::Timeout, "{text}");
    server.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_a_network_that_is_not_allowed_is_never_connected_to() {
    let (listener, url) = silent().await;
    let mut setup = Setup::to(&[url]);
    setup.egress.allow_networks.clear();
    let (class, text) = refused(&setup.open(), &event("kept in")).await;
    assert_eq!(class, Failure::Guarded);
    assert!(
        text.contains("127.0.0.1") && text.contains("`allow_networks`"),
        "{text}"
    );
    let accepted = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
    assert!(accepted.is_err(), "it was connected to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_without_an_address_says_so() {
    let nats = Setup::to(&["nats://nowhere.invalid:4222".to_owned()]).open();
    let (class, text) = refused(&nats, &event("nowhere")).await;
    assert_eq!(class, Failure::Unresolved, "{text}");
}

/// One that accepts by itself, and says nothing until told to.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    (listener, format!("nats://127.0.0.1:{port}"))
}

/// As a server greets, up to where the client may publish.
async fn greet(stream: &mut tokio::net::TcpStream) {
    use tokio::io::AsyncWriteExt as _;
    let info = r#"INFO {"server_id":"x","server_name":"x","version":"2.10.0","go":"x","host":"127.0.0.1","port":4222,"headers":true,"max_payload":1048576,"proto":1}"#;
    stream
        .write_all(format!("{info}\r\n").as_bytes())
        .await
        .expect("it hears");
    let mut heard = Vec::new();
    while !heard.ends_with(b"PING\r\n") {
        let read = stream.read_buf(&mut heard).await.expect("it speaks");
        assert!(read > 0, "it hung up: {}", String::from_utf8_lossy(&heard));
    }
    stream.write_all(b"PONG\r\n").await.expect("it hears");
}
