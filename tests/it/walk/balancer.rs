//! Behind a load balancer: whose word a notification is, as the store remembers it.

use mdes_receiver::http::callback::PATH;
use mdes_receiver::store::KeptNotification;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::TOKEN;
use super::kept::assert_refused;
use crate::support::Database;
use crate::world::{Desk, JSON, Line, World, client_config, read, request, statement};

promises!(
    a_proxy_header_is_where_a_notification_came_from,
    a_forwarded_certificate_is_whose_word_a_notification_is,
);

const SECRET: &str = "a secret of more than thirty-two characters";

async fn only_notification(world: &World) -> KeptNotification {
    let token = mdes_receiver::domain::id::TokenReference::mdes(TOKEN);
    let heard = world.store().statements(&token, 10).await.expect("the store answers");
    let [statement] = &heard[..] else {
        panic!("one statement: {heard:?}")
    };
    let kept = world.store().notification(statement.notification).await;
    kept.expect("the store answers").expect("it is there")
}

async fn a_proxy_header_is_where_a_notification_came_from(database: Database) {
    let world = Desk::over(database)
        .set("callback.proxy_protocol_from", "127.0.0.1/32")
        .open()
        .await;
    world.ready().await;
    let mut socket = TcpStream::connect(world.service.callback_address)
        .await
        .expect("it listens");
    let header = b"PROXY TCP4 203.0.113.7 192.0.2.1 4321 443\r\n";
    socket.write_all(header).await.expect("written");
    let client = &world.desk.files.client;
    let identity = (read(&client.certificate), read(&client.private_key));
    let mut line = Line::over(socket, client_config(&world.desk, Some(identity)))
        .await
        .expect("let in");
    let body = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    let reply = line.ask(&request("POST", PATH, &[JSON], &body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let peer = only_notification(&world).await.peer;
    assert_eq!(
        (peer.name.as_str(), peer.address.to_string().as_str()),
        ("ws.mastercard.com", "203.0.113.7:4321")
    );
    assert_eq!(
        crate::world::page(world.service.admin_address, "/readyz").await.status,
        200
    );
}

async fn a_forwarded_certificate_is_whose_word_a_notification_is(database: Database) {
    let forwarded = format!(
        "[callback.forwarded]\nfrom = [\"127.0.0.1\"]\nform = \"nginx\"\n\
         shared_secret = \"{SECRET}\"\nshared_secret_header = \"x-balancer-secret\"\n"
    );
    let world = Desk::over(database)
        .with(&forwarded)
        .set("callback.tls.client_auth", "forwarded")
        .open()
        .await;
    world.ready().await;
    let socket = TcpStream::connect(world.service.callback_address)
        .await
        .expect("it listens");
    let mut balancer = Line::over(socket, client_config(&world.desk, None))
        .await
        .expect("let in");
    let body = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    let escaped = |pem: &[u8]| utf8_percent_encode(&String::from_utf8_lossy(pem), NON_ALPHANUMERIC).to_string();
    let mastercard = escaped(&read(&world.desk.files.client.certificate));
    let stranger = escaped(world.desk.client("somebody.example").certificate_pem.as_bytes());
    for (secret, certificate) in [(SECRET, stranger.as_str()), ("wrong", &mastercard)] {
        let headers = [JSON, ("x-balancer-secret", secret), ("ssl-client-cert", certificate)];
        let reply = balancer.ask(&request("POST", PATH, &headers, &body)).await;
        assert_refused(&reply, 403, "AUTHORIZATION_FAILED");
        let socket = TcpStream::connect(world.service.callback_address)
            .await
            .expect("it listens");
        balancer = Line::over(socket, client_config(&world.desk, None))
            .await
            .expect("let in");
    }
    assert_eq!((world.token(TOKEN).await, world.quarantined().await.len()), (None, 0));

    let headers = [JSON, ("x-balancer-secret", SECRET), ("ssl-client-cert", &mastercard)];
    let reply = balancer.ask(&request("POST", PATH, &headers, &body)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(only_notification(&world).await.peer.name, "ws.mastercard.com");
    assert_eq!(world.count("mdes_receiver_handshakes_total{outcome=\"wrong_name\"}"), 1);
}
