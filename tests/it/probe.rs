//! The self-probe: one who may ask whether the door is open, and we who ask it by our public name.

use mdes_receiver::domain::alarm::Alert;
use mdes_receiver::http::callback::PATH;
use mdes_receiver::service::{Probed, Service};
use mdes_receiver::simulator::pki::{Authority, Issued, Leaf};
use mdes_receiver::store::{Asking as _, Memory};
use serde_json::json;
use std::sync::Arc;
use tokio::net::TcpStream;

use crate::support::Database;
use crate::world::{Desk, JSON, Line, World, client_config, eventually, page, request, statement, valid};

promises!(
    a_probe_learns_that_the_door_is_open_and_that_is_all,
    without_a_store_a_probe_is_told_that_nothing_would_be_kept,
    mastercard_has_no_probe,
    we_reach_ourselves_by_our_public_name_and_say_when_we_do_not,
    what_our_certificate_does_not_open_is_told_apart,
);

const NAME: &str = "probe.merchant.example";
const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
const ADMITTED: &str = "[callback.probe]\nroots = [\"probe-ca.pem\"]\nnames = [\"probe.merchant.example\"]\n";

/// A desk that admits probes, with a probe's certificate beside it; and that certificate.
fn desk(database: Database) -> (Desk, Issued) {
    let desk = Desk::over(database);
    let ca = Authority::new("Probe CA", valid());
    let probe = ca.issue(&Leaf::client(NAME, valid()));
    for (name, text) in [
        ("probe-ca.pem", &ca.certificate_pem()),
        ("probe.pem", &probe.certificate_pem),
        ("probe.key", &probe.private_key_pem),
    ] {
        std::fs::write(desk.path(name), text).expect("written");
    }
    (desk.with(ADMITTED), probe)
}

async fn line(world: &World, client: &Issued) -> Line {
    let identity = (
        client.certificate_pem.clone().into_bytes(),
        client.private_key_pem.clone().into_bytes(),
    );
    let socket = TcpStream::connect(world.service.callback_address).await;
    let config = client_config(&world.desk, Some(identity));
    Line::over(socket.expect("it listens"), config).await.expect("let in")
}

/// One request on a connection of its own; what a probe sends is not read, so that none is kept open behind it.
async fn asks(world: &World, client: &Issued, method: &str, path: &str, body: &[u8]) -> crate::world::Reply {
    let mut line = line(world, client).await;
    line.ask(&request(method, path, &[JSON], body)).await
}

async fn memory(world: &World) -> Arc<Memory> {
    let clock = Arc::new(mdes_receiver::clock::SystemClock);
    let memory = mdes_receiver::store::open(&world.desk.database.settings, clock).await;
    memory.expect("it opens")
}

async fn a_probe_learns_that_the_door_is_open_and_that_is_all(database: Database) {
    let (desk, probe) = desk(database);
    let world = desk.set("callback.context_root", "/mdes/prod").open().await;
    world.ready().await;
    let open = asks(&world, &probe, "GET", "/mdes/prod/probe", b"").await;
    assert_eq!((open.status, open.body.len()), (204, 0));

    let notice = world.sealed("r-1", &statement(TOKEN, "SUSPENDED", "2026-11-02T09:15:03Z"));
    let notify = format!("/mdes/prod{PATH}");
    for (method, path, body) in [
        ("POST", notify.as_str(), notice.as_ref()),
        ("POST", "/mdes/prod/probe", notice.as_ref()),
        ("GET", notify.as_str(), b"".as_slice()),
        ("GET", "/probe", b"".as_slice()),
    ] {
        let refused = asks(&world, &probe, method, path, body).await;
        assert_eq!(refused.status, 403, "{method} {path}");
        assert_eq!(
            refused.json()["errorCode"],
            json!("AUTHORIZATION_FAILED"),
            "{method} {path}"
        );
    }
    assert_eq!((world.token(TOKEN).await, world.quarantined().await.len()), (None, 0));
    let metrics = page(world.service.admin_address, "/metrics").await.text();
    assert!(!metrics.contains("mdes_receiver_notifications_total{"), "{metrics}");
    assert!(!metrics.contains("handshakes_total{outcome=\"accepted\"}"), "{metrics}");
    let answered = |outcome| world.count(&format!("mdes_receiver_probes_answered_total{{outcome=\"{outcome}\"}}"));
    assert_eq!((answered("answered"), answered("refused")), (1, 4));
    assert_eq!(
        world.count("mdes_receiver_handshakes_total{outcome=\"accepted_probe\"}"),
        5
    );

    let memory = memory(&world).await;
    world.service.stop().await;
    assert_eq!(memory.gaps(None, 10).await.expect("the store answers"), []);
}

async fn without_a_store_a_probe_is_told_that_nothing_would_be_kept(database: Database) {
    let (desk, probe) = desk(database);
    // Somebody else's schema: the receiver is up, and cannot keep anything.
    let newer = "update schema_info set version = 99, oldest_program = 98";
    desk.database.execute(newer).await;
    let world = desk.open().await;
    let away = asks(&world, &probe, "GET", "/probe", b"").await;
    assert_eq!((away.status, away.body.len()), (503, 0));
    let series = "mdes_receiver_probes_answered_total{outcome=\"unavailable\"}";
    assert_eq!(world.count(series), 1);
}

async fn mastercard_has_no_probe(database: Database) {
    let (desk, _) = desk(database);
    let world = desk.open().await;
    world.ready().await;
    let mut mastercard = world.line().await;
    let answer = mastercard.ask(&request("GET", "/probe", &[], b"")).await;
    assert_eq!(
        (answer.status, &answer.json()["errorCode"]),
        (404, &json!("INVALID_METHOD"))
    );
    let told = world
        .told("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"))
        .await;
    assert_eq!(told.status, 200, "and is heard as ever");
}

/// A replica that probes the public name, which leads to the first one.
async fn prober(world: World, more: &str) -> (World, Service) {
    let port = world.service.callback_address.port();
    let probing = format!(
        "[probe]\nurl = \"https://localhost:{port}\"\nevery = \"5s\"\nroots = [\"ca.pem\"]\n\
         allow_networks = [\"127.0.0.1\", \"::1\"]\n{more}"
    );
    let world = World {
        desk: world.desk.and(&probing),
        service: world.service,
    };
    let prober = world.desk.replica().await;
    (world, prober)
}

/// What the prober finds, once it finds that.
async fn finds(prober: &Service, outcome: &str) -> Probed {
    let probed = prober.probed().expect("it probes");
    let last = || probed.borrow().clone();
    eventually(outcome, || async { last().is_some_and(|last| last.outcome == outcome) }).await;
    last().expect("seen above")
}

async fn we_reach_ourselves_by_our_public_name_and_say_when_we_do_not(database: Database) {
    let (desk, _) = desk(database);
    let world = desk.open().await;
    world.ready().await;
    let shown = "client_certificate = \"probe.pem\"\nclient_key = \"probe.key\"\n";
    let (world, prober) = prober(world, shown).await;

    let well = finds(&prober, "reached").await;
    assert!(well.is_well() && well.why.is_empty(), "{well:?}");
    let metrics = prober.metrics().text();
    let reached = format!(
        "mdes_receiver_probe_last_success_timestamp_seconds {}",
        well.at.unix_timestamp()
    );
    assert!(metrics.contains(&reached), "{metrics}");
    assert!(metrics.contains("mdes_receiver_probe_seconds_count 1"), "{metrics}");

    world.service.stop().await;
    let gone = finds(&prober, "connection").await;
    assert!(!gone.is_well() && gone.since > well.at, "{gone:?}");
    // Once may be chance; twice needs a person.
    eventually("it is reported", || async {
        let standing = prober.watch().reports().standing();
        standing
            .iter()
            .any(|one| one.alert == Alert::ProbeFails && one.about == "localhost")
    })
    .await;
    prober.stop().await;
}

async fn what_our_certificate_does_not_open_is_told_apart(database: Database) {
    let (desk, _) = desk(database);
    let world = desk.open().await;
    world.ready().await;
    // Mastercard's own certificate, as it were: the door lets it in, and knows no probe of it.
    let shown = "client_certificate = \"mastercard-client.pem\"\nclient_key = \"mastercard-client.key\"\n";
    let (_world, prober) = prober(world, shown).await;
    let found = finds(&prober, "another_answer").await;
    assert!(found.why.starts_with("HTTP 404"), "{found:?}");
    prober.stop().await;
}
