//! The same listener without client certificates, as the admin side uses it.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use mdes_receiver::clock::{Clock, ManualClock};
use mdes_receiver::net::Error;
use mdes_receiver::net::listener::{Listener, Security};
use mdes_receiver::net::tls::ServerTls;
use mdes_receiver::simulator::pki::Authority;
use mdes_receiver::telemetry::Metrics;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::street::{ALWAYS, NOW, Setup};
use super::visitor::{client_config, last_words, read_answer, tls_over};

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(NOW))
}

fn listener(setup: &Setup, metrics: &Metrics) -> Listener {
    let any = "127.0.0.1:0".parse().expect("an address");
    Listener::bind("admin.listen", any, setup.limits, metrics.clone(), clock()).expect("port 0")
}

fn router() -> Router {
    Router::new().route("/livez", get(|| async { "alive" }))
}

#[tokio::test]
async fn plain_http_is_served_where_it_is_meant_to_be() {
    let (metrics, stop) = (Metrics::new(), CancellationToken::new());
    let listener = listener(&Setup::new(), &metrics);
    let address = listener.local_addr();
    let serving = tokio::spawn(listener.serve(Security::Plain, router(), stop.clone()));

    let mut socket = TcpStream::connect(address).await.expect("it listens");
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    socket.write_all(request).await.expect("written");
    assert!(last_words(&mut socket).await.ends_with(b"alive"));
    assert!(
        !metrics.text().contains("accepted"),
        "the admin side does not stand in the door's metrics"
    );
    stop.cancel();
    serving.await.expect("no panic");
}

#[tokio::test]
async fn tls_without_a_client_certificate_is_served_and_its_files_are_reloaded() {
    let setup = Setup::new();
    let files = (setup.tls.certificate.clone(), setup.tls.private_key.clone());
    let tls = ServerTls::load(files.0, files.1, clock()).expect("the files are good");
    let listener = listener(&setup, &Metrics::new());
    let (address, stop) = (listener.local_addr(), CancellationToken::new());
    tokio::spawn(listener.serve(Security::ServerTls(tls.clone()), router(), stop));

    setup.write("server.key", &Authority::new("Other", ALWAYS).private_key_pem());
    let told = tls.reload().expect_err("not a pair").to_string();
    assert!(told.starts_with("key `admin.tls.private_key`: "), "{told}");
    let socket = TcpStream::connect(address).await.expect("it listens");
    let config = client_config(&setup.server_root, None, rustls::ALL_VERSIONS);
    let mut stream = tls_over(socket, config).await.expect("the old pair serves");
    let request = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("written");
    assert_eq!(read_answer(&mut stream).await.expect("an answer"), "alive");
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_setting() {
    let setup = Setup::new();
    let first = listener(&setup, &Metrics::new());
    let second = Listener::bind(
        "admin.listen",
        first.local_addr(),
        setup.limits,
        Metrics::new(),
        clock(),
    );
    let told = match second {
        Err(error @ Error::Listen { .. }) => error.to_string(),
        _ => panic!("two listeners on one port"),
    };
    assert!(
        told.starts_with("key `admin.listen`: cannot listen on 127.0.0.1:"),
        "{told}"
    );
    assert!(
        told.ends_with("stop what listens there, or choose another port"),
        "{told}"
    );
}
