//! Files replaced under traffic: the new ones count, the old ones go on where the new are bad, and no one is dropped.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mdes_receiver::simulator::pki::{Authority, Leaf};
use mdes_receiver::simulator::refusal::SendError;
use mdes_receiver::simulator::seal::{Sealer, Style};
use mdes_receiver::simulator::sender::{Http, Sender};
use tokio::task::JoinHandle;

use super::TOKEN;
use crate::support::Database;
use crate::world::{Desk, World, authority, eventually, read, statement, valid};

/// How the program learns of a change does not depend on the database.
async fn world() -> World {
    let desk = Desk::over(Database::sqlite().await);
    let now = time::OffsetDateTime::now_utc();
    let none = desk
        .client_ca()
        .crl(&[], now - time::Duration::HOUR, now + time::Duration::DAY);
    replace(&desk.path("clients.crl"), none.as_bytes());
    let crls = desk.path("clients.crl").display().to_string();
    let world = desk.set("callback.tls.crls", &crls).open().await;
    world.ready().await;
    world
}

/// As a careful operator does: beside it, then renamed.
fn replace(file: &Path, content: &[u8]) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, content).expect("the folder is ours");
    std::fs::rename(&beside, file).expect("the folder is ours");
}

const DONE: &str = "mdes_receiver_reloads_total{outcome=\"done\"}";
const KEPT_OLD: &str = "mdes_receiver_reloads_total{outcome=\"kept_old\"}";

/// Does it, and waits until that was noticed.
async fn after(world: &World, counter: &str, act: impl FnOnce()) {
    let before = world.count(counter);
    act();
    eventually("the change is noticed", || async { world.count(counter) > before }).await;
}

/// Mastercard, who goes on telling until it is told to stop.
struct Traffic {
    answered: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    telling: JoinHandle<()>,
}

impl Traffic {
    async fn at(world: &World) -> Self {
        let (sender, sealer) = (world.sender(), world.desk.sealer());
        let (answered, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, heard) = (answered.clone(), over.clone());
        let telling = tokio::spawn(async move {
            while !heard.load(Ordering::Relaxed) {
                let told = count.load(Ordering::Relaxed);
                let content = statement(&format!("DM4MMC-{told}"), "ACTIVE", "2026-11-02T09:15:03Z");
                let body = crate::world::sealed(&sealer, &format!("r-{told}"), &content);
                let answer = sender.send(body).await.expect("no one is dropped");
                assert_eq!(answer.status, 200, "{:?}", answer.body);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        let traffic = Traffic {
            answered,
            over,
            telling,
        };
        traffic.goes_on().await;
        traffic
    }

    /// Waits for a few more answers; fails if one was refused or dropped.
    async fn goes_on(&self) {
        let before = self.answered.load(Ordering::Relaxed);
        let more = || async { self.telling.is_finished() || self.answered.load(Ordering::Relaxed) > before + 5 };
        eventually("traffic", more).await;
        assert!(!self.telling.is_finished(), "one was not answered");
    }

    async fn ends_well(self) {
        self.goes_on().await;
        self.over.store(true, Ordering::Relaxed);
        self.telling.await.expect("all were answered");
    }
}

fn client(world: &World, ca: &Authority) -> Sender {
    let issued = ca.issue(&Leaf::client("ws.mastercard.com", valid()));
    sender_as(world, &issued.certificate_pem, &issued.private_key_pem)
}

fn sender_as(world: &World, certificate: &str, key: &str) -> Sender {
    let url = format!("https://{}", world.service.callback_address);
    world
        .desk
        .sender_as(certificate.as_bytes(), key.as_bytes(), &url, Http::One)
}

async fn outcome(world: &World, sender: &Sender) -> Result<u16, SendError> {
    let body = world.sealed("r-probe", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    sender.send(body).await.map(|answer| answer.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_server_certificate_is_shown_to_the_next_and_the_old_connection_goes_on() {
    let world = world().await;
    let traffic = Traffic::at(&world).await;
    let server = &world.desk.files.server;
    let old = world.line().await.server_certificate();
    let new = authority(&world.desk.files.ca).issue(&Leaf::localhost(valid()));
    after(&world, DONE, || {
        replace(&server.private_key, new.private_key_pem.as_bytes());
        replace(&server.certificate, new.certificate_pem.as_bytes());
    })
    .await;
    eventually("the new one is shown", || async {
        world.line().await.server_certificate() == new.certificate_der
    })
    .await;
    assert_ne!(old, new.certificate_der);
    traffic.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_mastercard_moves_to_another_issuer_both_are_let_in() {
    let world = world().await;
    let traffic = Traffic::at(&world).await;
    let new_ca = Authority::new("another issuer", valid());
    let (old, new) = (world.sender(), client(&world, &new_ca));
    assert!(matches!(outcome(&world, &new).await, Err(SendError::Refused(_))));

    let roots = &world.desk.files.client_ca.certificate;
    let both = [read(roots), new_ca.certificate_pem().into_bytes()].concat();
    after(&world, DONE, || replace(roots, &both)).await;
    eventually("the new one is let in", || async {
        outcome(&world, &new).await == Ok(200)
    })
    .await;
    assert_eq!(outcome(&world, &old).await, Ok(200));
    traffic.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_file_keeps_the_old_ones_and_is_counted() {
    let world = world().await;
    let traffic = Traffic::at(&world).await;
    let bad: [(&Path, &[u8]); 4] = [
        (&world.desk.files.client_ca.certificate, b"nothing"),
        (
            &world.desk.files.server.certificate,
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ),
        (&world.desk.path("clients.crl"), b""),
        (&world.desk.files.decryption.private_key, b"nothing"),
    ];
    for (file, content) in bad {
        let good = read(file);
        after(&world, KEPT_OLD, || replace(file, content)).await;
        assert_eq!(outcome(&world, &world.sender()).await, Ok(200), "{}", file.display());
        replace(file, &good);
    }
    let misspelt = world
        .desk
        .toml()
        .replace("private_key = \"decrypt.key\"", "private_kee = \"decrypt.key\"");
    after(&world, KEPT_OLD, || {
        replace(&world.desk.path("receiver.toml"), misspelt.as_bytes())
    })
    .await;
    assert_eq!(outcome(&world, &world.sender()).await, Ok(200));
    traffic.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_revoked_is_refused_and_no_other() {
    let world = world().await;
    let traffic = Traffic::at(&world).await;
    let ca = world.desk.client_ca();
    let revoked = ca.issue(&Leaf::client("ws.mastercard.com", valid()));
    let sender = sender_as(&world, &revoked.certificate_pem, &revoked.private_key_pem);
    assert_eq!(outcome(&world, &sender).await, Ok(200));

    let now = time::OffsetDateTime::now_utc();
    let crl = ca.crl(&[&revoked], now, now + time::Duration::DAY);
    after(&world, DONE, || {
        replace(&world.desk.path("clients.crl"), crl.as_bytes())
    })
    .await;
    eventually("it is refused", || async {
        matches!(outcome(&world, &sender).await, Err(SendError::Refused(why)) if why.contains("revoked"))
    })
    .await;
    assert!(world.count("mdes_receiver_handshakes_total{outcome=\"revoked\"}") >= 1);
    traffic.ends_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_taken_away_opens_nothing_more_until_it_comes_back() {
    let world = world().await;
    let other = mdes_receiver::simulator::pki::decryption_key(2048, "another key");
    replace(&world.desk.path("other.key"), other.private_key_pem.as_bytes());
    let (with, file) = (world.desk.toml(), world.desk.path("receiver.toml"));
    let without = with
        .replace("\"decrypt.key\"", "\"other.key\"")
        .replace("certificate = \"decrypt.pem\"", "");
    after(&world, DONE, || replace(&file, without.as_bytes())).await;
    let told = || async { outcome(&world, &world.sender()).await };
    eventually("it opens nothing", || async { told().await == Ok(400) }).await;
    assert_eq!(world.token(TOKEN).await, None);

    after(&world, DONE, || replace(&file, with.as_bytes())).await;
    eventually("what was kept is redriven", || async {
        world.quarantined().await.is_empty()
    })
    .await;
    assert_eq!(world.journal(TOKEN).await, ["ACTIVE advanced"]);
    assert_eq!(told().await, Ok(200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_comes_after_its_configuration_is_taken_in_when_it_comes() {
    let world = world().await;
    let (with, file) = (world.desk.toml(), world.desk.path("receiver.toml"));
    let other = mdes_receiver::simulator::pki::decryption_key(2048, "another key");
    let more = format!("{with}\n[[keys]]\nprivate_key = \"other.key\"\n");
    after(&world, KEPT_OLD, || replace(&file, more.as_bytes())).await;
    let sealer = Sealer::new(other.certificate_pem.as_bytes(), Style::default()).expect("a sealer");
    let told = crate::world::sealed(&sealer, "r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    assert_eq!(world.sender().send(told).await.expect("an answer").status, 400);

    replace(&world.desk.path("other.key"), other.private_key_pem.as_bytes());
    // The state is committed first, then the entry is resolved.
    eventually("what was kept is redriven", || async {
        world.quarantined().await.is_empty()
    })
    .await;
    assert_eq!(world.status(TOKEN).await, "ACTIVE");
}
