//! The examples in `deploy/balancers`, run by the real programs, before a receiver, with Mastercard on the other side.
//!
//! Each file is taken as it stands there; only addresses, paths and ports are put in their place.

mod programs;

use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::domain::peer::Peer;
use mdes_receiver::http::callback::PATH;
use mdes_receiver::simulator::pki::{Authority, Leaf};
use mdes_receiver::simulator::play::Mastercard;
use mdes_receiver::simulator::scenario;
use mdes_receiver::simulator::sender::Http;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::TcpStream;

use self::programs::Balancer;
use crate::support::Database;
use crate::world::{Desk, JSON, Line, World, client_config, read, request, statement, valid};

promises!(
    behind_haproxy_everything_is_heard_from_where_it_came,
    behind_haproxy_a_stranger_is_still_one,
    behind_nginx_everything_is_heard_as_mastercards,
    behind_nginx_nobody_speaks_for_another,
    beside_an_alb_nginx_proves_what_the_alb_cannot,
    behind_envoy_everything_is_heard_as_mastercards,
    behind_envoy_nobody_speaks_for_another,
);

const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
const SECRET: &str = "a secret of more than thirty-two characters";
/// What AWS leaves as it is besides letters and digits, `+=/`, all other PEM bytes encoded.
const AWS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b';').add(b',');

async fn behind_haproxy_everything_is_heard_from_where_it_came(database: Database) {
    let world = behind_tcp(database).await;
    let haproxy = Balancer::haproxy(world.service.callback_address).await;
    a_token_s_life_is_heard(&world, &haproxy).await;

    let socket = TcpStream::connect(haproxy.address()).await.expect("it listens");
    let from = socket.local_addr().expect("it is connected");
    let client = &world.desk.files.client;
    let mastercard = client_config(
        &world.desk,
        Some((read(&client.certificate), read(&client.private_key))),
    );
    let mut line = Line::over(socket, mastercard).await.expect("let in");
    assert_eq!(line.ask(&notice(&world, &[])).await.status, 200);
    assert_eq!(only_peer(&world).await.address, from);
}

async fn behind_haproxy_a_stranger_is_still_one(database: Database) {
    let world = behind_tcp(database).await;
    let haproxy = Balancer::haproxy(world.service.callback_address).await;
    let stranger = world.desk.client("somebody.example");
    for identity in [
        None,
        Some((
            stranger.certificate_pem.into_bytes(),
            stranger.private_key_pem.into_bytes(),
        )),
    ] {
        let socket = TcpStream::connect(haproxy.address()).await.expect("it listens");
        let heard = async {
            let mut line = Line::over(socket, client_config(&world.desk, identity)).await?;
            line.say(&notice(&world, &[])).await?;
            line.hear().await
        };
        assert!(heard.await.is_err(), "the door refuses it, whoever stands before it");
    }
    assert_eq!((world.token(TOKEN).await, world.quarantined().await.len()), (None, 0));
}

async fn behind_nginx_everything_is_heard_as_mastercards(database: Database) {
    let world = behind_terminating(database, "nginx").await;
    let nginx = Balancer::nginx("nginx.conf", &world.desk, world.service.callback_address, SECRET).await;
    a_token_s_life_is_heard(&world, &nginx).await;

    let mut line = Line::of_mastercard(&world.desk, nginx.address()).await;
    let reply = line.ask(&notice(&world, &[])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(only_peer(&world).await.name, "ws.mastercard.com");
    let log = nginx.access_log();
    assert!(
        log.contains(PATH) && !log.contains("CERTIFICATE") && !log.contains("secret"),
        "{log}"
    );
}

async fn behind_nginx_nobody_speaks_for_another(database: Database) {
    let world = behind_terminating(database, "nginx").await;
    let nginx = Balancer::nginx("nginx.conf", &world.desk, world.service.callback_address, SECRET).await;
    let mastercard = read(&world.desk.files.client.certificate);
    let mastercard = utf8_percent_encode(&String::from_utf8_lossy(&mastercard), NON_ALPHANUMERIC).to_string();
    let claim = [("ssl-client-cert", mastercard.as_str())];

    let mut line = over(&world, nginx.address(), "somebody.example").await;
    let reply = line.ask(&notice(&world, &claim)).await;
    assert_eq!(
        (reply.status, &reply.json()["errorCode"]),
        (403, &"AUTHORIZATION_FAILED".into())
    );

    let socket = TcpStream::connect(nginx.address()).await.expect("it listens");
    let mut line = Line::over(socket, client_config(&world.desk, None))
        .await
        .expect("asked after the handshake");
    assert_eq!(
        line.ask(&notice(&world, &claim)).await.status,
        400,
        "nginx refuses who shows none"
    );
    assert_eq!((world.token(TOKEN).await, world.quarantined().await.len()), (None, 0));
}

async fn beside_an_alb_nginx_proves_what_the_alb_cannot(database: Database) {
    let form = "aws\"\nheader = \"x-amzn-mtls-clientcert-leaf";
    let world = behind_terminating(database, form).await;
    let door = world.service.callback_address;
    let nginx = Balancer::nginx("nginx-beside-alb.conf", &world.desk, door, SECRET).await;
    let mastercard = read(&world.desk.files.client.certificate);
    let mastercard = utf8_percent_encode(&String::from_utf8_lossy(&mastercard), AWS).to_string();
    let forwarded = ("x-amzn-mtls-clientcert-leaf", mastercard.as_str());

    let mut alone = over_tls(&world, door).await;
    let unproved = alone.ask(&notice(&world, &[forwarded])).await;
    assert_eq!(unproved.status, 403, "without the proof");
    let mut alb = over_tls(&world, nginx.address()).await;
    let twice = alb.ask(&notice(&world, &[forwarded, forwarded])).await;
    assert_eq!(twice.status, 403, "one of them is the caller's own");
    let mut alb = over_tls(&world, nginx.address()).await;
    let reply = alb.ask(&notice(&world, &[forwarded])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(only_peer(&world).await.name, "ws.mastercard.com");
    let mut check = over_tls(&world, nginx.address()).await;
    assert_eq!(
        check
            .ask(&request("GET", "/healthz", &[("connection", "close")], b""))
            .await
            .status,
        200
    );
}

async fn behind_envoy_everything_is_heard_as_mastercards(database: Database) {
    let (world, envoy) = behind_envoy(database).await;
    a_token_s_life_is_heard(&world, &envoy).await;

    let mut line = Line::of_mastercard(&world.desk, envoy.address()).await;
    let reply = line.ask(&notice(&world, &[])).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(only_peer(&world).await.name, "ws.mastercard.com");
}

async fn behind_envoy_nobody_speaks_for_another(database: Database) {
    let (world, envoy) = behind_envoy(database).await;
    let mastercard = read(&world.desk.files.client.certificate);
    let mastercard = utf8_percent_encode(&String::from_utf8_lossy(&mastercard), NON_ALPHANUMERIC).to_string();
    let claim = format!("Cert=\"{mastercard}\"");
    let claim = [("x-forwarded-client-cert", claim.as_str())];

    let mut line = over(&world, envoy.address(), "somebody.example").await;
    let reply = line.ask(&notice(&world, &claim)).await;
    assert_eq!(
        (reply.status, &reply.json()["errorCode"]),
        (403, &"AUTHORIZATION_FAILED".into())
    );

    let straight = over(&world, world.service.callback_address, "somebody.example");
    let mut line = straight.await;
    let heard = async {
        line.say(&notice(&world, &claim)).await?;
        line.hear().await
    };
    assert!(
        heard.await.is_err(),
        "who is not the balancer does not get past the handshake"
    );
    assert_eq!((world.token(TOKEN).await, world.quarantined().await.len()), (None, 0));
}

async fn behind_tcp(database: Database) -> World {
    let desk = Desk::over(database).set("callback.proxy_protocol_from", "127.0.0.1/32");
    let world = desk.open().await;
    world.ready().await;
    world
}

async fn behind_terminating(database: Database, form: &str) -> World {
    let forwarded = format!(
        "[callback.forwarded]\nfrom = [\"127.0.0.1\"]\nform = \"{form}\"\n\
         shared_secret = \"{SECRET}\"\nshared_secret_header = \"x-balancer-secret\"\n"
    );
    let desk = Desk::over(database)
        .with(&forwarded)
        .set("callback.tls.client_auth", "forwarded");
    let world = desk.open().await;
    world.ready().await;
    world
}

/// With Envoy before it, which proves itself by a certificate of its own.
async fn behind_envoy(database: Database) -> (World, Balancer) {
    let forwarded = "[callback.forwarded]\nfrom = [\"127.0.0.1\"]\nform = \"envoy\"\n\
         [callback.forwarded.mutual_tls]\nroots = [\"balancer-ca.pem\"]\nnames = [\"balancer.internal\"]\n";
    let desk = Desk::over(database)
        .with(forwarded)
        .set("callback.tls.client_auth", "forwarded");
    let inside = Authority::new("the balancers' CA", valid());
    let balancer = inside.issue(&Leaf::client("balancer.internal", valid()));
    for (name, pem) in [
        ("balancer-ca.pem", inside.certificate_pem()),
        ("balancer.pem", balancer.certificate_pem),
        ("balancer.key", balancer.private_key_pem),
    ] {
        std::fs::write(desk.path(name), pem).expect("a file is written");
    }
    let world = desk.open().await;
    world.ready().await;
    let envoy = Balancer::envoy(&world.desk, world.service.callback_address).await;
    (world, envoy)
}

/// A handshake as somebody with this name, under the CA whose clients are let in.
async fn over(world: &World, address: std::net::SocketAddr, name: &str) -> Line {
    let client = world.desk.client(name);
    let identity = (client.certificate_pem.into_bytes(), client.private_key_pem.into_bytes());
    let socket = TcpStream::connect(address).await.expect("it listens");
    let line = Line::over(socket, client_config(&world.desk, Some(identity))).await;
    line.expect("TLS 1.3 refuses after the handshake")
}

/// Mastercard plays the six scenarios at the balancer; the store holds what they tell.
async fn a_token_s_life_is_heard(world: &World, balancer: &Balancer) {
    let (desk, client) = (&world.desk, &world.desk.files.client);
    let url = format!("https://{}", balancer.address());
    let sender = desk.sender_as(&read(&client.certificate), &read(&client.private_key), &url, Http::One);
    let (mastercard, mut story) = (Mastercard::new(sender, desk.sealer()), world.story(5));
    let mut statuses = Vec::new();
    for scenario in scenario::life() {
        for played in mastercard.play(scenario, &mut story).await {
            assert!(played.passed, "{played:?}");
            statuses.push(world.status(&played.token_unique_references[0]).await);
        }
    }
    assert_eq!(
        statuses,
        ["ACTIVE", "SUSPENDED", "ACTIVE", "ACTIVE", "ACTIVE", "DEACTIVATED"]
    );
}

async fn over_tls(world: &World, address: std::net::SocketAddr) -> Line {
    let socket = TcpStream::connect(address).await.expect("it listens");
    let line = Line::over(socket, client_config(&world.desk, None)).await;
    line.expect("no certificate is asked for")
}

/// A request that notifies of the token.
fn notice(world: &World, headers: &[(&str, &str)]) -> Vec<u8> {
    let body = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    request("POST", PATH, &[&[JSON], headers].concat(), &body)
}

/// Whose word the one thing is that was heard of the token.
async fn only_peer(world: &World) -> Peer {
    let heard = world.store().statements(&TokenReference::mdes(TOKEN), 10).await;
    let [statement] = &heard.expect("the store answers")[..] else {
        panic!("one statement")
    };
    let kept = world.store().notification(statement.notification).await;
    kept.expect("the store answers").expect("it is there").peer
}
