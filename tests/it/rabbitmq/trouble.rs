//! A server that is away, silent, or behind the guard; none of these needs one.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use mdes_receiver::delivery::Failure;
use tokio::net::TcpListener;

use super::{Setup, event, refused};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_was_there_is_given_up_at_once() {
    let (listener, url) = silent().await;
    drop(listener);
    let (class, text) = refused(&Setup::to(&url).open(), &event("alone")).await;
    assert_eq!(class, Failure::Connection, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_speaks_costs_one_deadline_however_many_wait_for_it() {
    let (_listener, url) = silent().await;
    let mut setup = Setup::to(&url);
    setup.egress.connect = Duration::from_secs(1);
    let rabbitmq = setup.open();
    let began = Instant::now();
    let attempts: [_; 5] = std::array::from_fn(|_| async { refused(&rabbitmq, &event("unheard")).await });
    let [a, b, c, d, e] = attempts;
    let ended = tokio::join!(a, b, c, d, e);
    for (class, text) in [ended.0, ended.1, ended.2, ended.3, ended.4] {
        assert_eq!(class, Failure::Timeout, "{text}");
    }
    assert!(began.elapsed() < Duration::from_secs(3), "each of them waited in turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_in_a_network_that_is_not_allowed_is_never_connected_to() {
    let (listener, url) = silent().await;
    let mut setup = Setup::to(&url);
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

/// One that accepts by itself, and says nothing.
async fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    (listener, format!("amqp://guest:guest@127.0.0.1:{port}"))
}
