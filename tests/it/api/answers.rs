//! Who asks and does not read fills his own share of the memory, and nobody else's.

use std::sync::Arc;

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::Database;
use crate::world::{Desk, World, eventually};

promises!(answers_that_nobody_reads_are_bounded_and_health_goes_on);

/// What one HTTP/2 connection may ask at once on the admin side.
const STREAMS: usize = 16;
/// What all answers together may hold.
const ROOM: usize = 64 << 20;

/// One who gives no window to any answer.
async fn who_does_not_read(world: &World) -> SendRequest<Empty<Bytes>> {
    let ca = CertificateDer::from_pem_file(&world.desk.files.ca.certificate).expect("a certificate");
    let mut roots = RootCertStore::empty();
    roots.add(ca).expect("a root");
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = TcpStream::connect(world.service.admin_address)
        .await
        .expect("it listens");
    let name = "localhost".try_into().expect("a name");
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
        .expect("let in");
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("http/2");
    tokio::spawn(connection);
    sender
}

async fn get(sender: &mut SendRequest<Empty<Bytes>>, world: &World, path: &str) -> Response<Incoming> {
    let url = format!("https://localhost:{}{path}", world.service.admin_address.port());
    let request = Request::get(url).body(Empty::new()).expect("a request");
    sender.send_request(request).await.expect("an answer's head")
}

fn length(answer: &Response<Incoming>) -> usize {
    let length = answer.headers()["content-length"].to_str().expect("a number");
    length.parse().expect("a number")
}

async fn answers_that_nobody_reads_are_bounded_and_health_goes_on(database: Database) {
    let desk = Desk::over(database)
        .set("admin.tls.certificate", "server.pem")
        .set("admin.tls.private_key", "server.key");
    let world = desk.open().await;
    let first = get(&mut who_does_not_read(&world).await, &world, "/openapi.json").await;
    let fit = ROOM / length(&first);
    drop(first);

    let (mut greedy, mut unread) = (Vec::new(), Vec::new());
    let refused = loop {
        if unread.len().is_multiple_of(STREAMS) {
            greedy.push(who_does_not_read(&world).await);
        }
        let sender = greedy.last_mut().expect("one was added");
        let answer = get(sender, &world, "/openapi.json").await;
        if answer.status() != 200 {
            break answer;
        }
        unread.push(answer);
        assert!(unread.len() <= fit, "{} answers wait, and more are made", unread.len());
    };
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().expect("a value"))
    );
    assert!(
        unread.len() + 2 > fit,
        "as many as there is room for: {} of {fit}",
        unread.len()
    );
    let mut other = who_does_not_read(&world).await;
    assert_eq!(get(&mut other, &world, "/livez").await.status(), 200);
    assert_eq!(get(&mut other, &world, "/readyz").await.status(), 200);

    drop((greedy, unread, refused));
    eventually("there is room again", || {
        let mut other = other.clone();
        let world = &world;
        async move { get(&mut other, world, "/openapi.json").await.status() == 200 }
    })
    .await;
}
