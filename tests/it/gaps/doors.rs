//! The whole receiver: what its doors turn away ends in the store as gaps.

use std::sync::Arc;

use mdes_receiver::clock::SystemClock;
use mdes_receiver::domain::missed::Missed;
use mdes_receiver::http::callback::PATH;
use mdes_receiver::simulator::pki::{Issued, Leaf, Validity};
use mdes_receiver::simulator::sender::Http;
use mdes_receiver::store::asking::KeptGap;
use mdes_receiver::store::{self, Asking as _, Memory};
use sqlx::{Connection, SqliteConnection};
use time::OffsetDateTime;
use tokio::net::TcpStream;

use crate::store::primary::Gate;
use crate::support::{self, Database};
use crate::world::{Desk, JSON, World, eventually, request, statement, valid};

promises!(
    a_refused_known_name_is_a_gap_and_a_stranger_or_a_probe_is_none,
    what_was_refused_last_is_on_disk_after_a_stop,
    a_replica_says_that_it_is_here_as_soon_as_the_store_is,
);

const NAME: &str = "ws.mastercard.com";

async fn memory(desk: &Desk) -> Arc<Memory> {
    let memory = store::open(&desk.database.settings, Arc::new(SystemClock)).await;
    memory.expect("it opens")
}

async fn kept(desk: &Desk) -> Vec<KeptGap> {
    memory(desk).await.gaps(None, 100).await.expect("the store answers")
}

fn expired() -> Validity {
    let now = OffsetDateTime::now_utc();
    (now - time::Duration::days(2), now - time::Duration::DAY)
}

async fn is_refused(world: &World, client: &Issued) {
    let url = format!("https://{}", world.service.callback_address);
    let (certificate, key) = (client.certificate_pem.as_bytes(), client.private_key_pem.as_bytes());
    let sender = world.desk.sender_as(certificate, key, &url, Http::One);
    let body = world.sealed("r-refused", &statement("DM4MMC-GAP", "ACTIVE", "2026-11-02T09:15:03Z"));
    sender.send(body).await.expect_err("a refusal");
}

async fn saw(world: &World, word: &str) {
    let series = format!("mdes_receiver_handshakes_total{{outcome=\"{word}\"}}");
    eventually(word, || async { world.count(&series) > 0 }).await;
}

async fn a_refused_known_name_is_a_gap_and_a_stranger_or_a_probe_is_none(database: Database) {
    let world = World::over(database).await;
    is_refused(&world, &world.desk.client("other.example")).await;
    saw(&world, "wrong_name").await;
    let stranger = world.desk.client_ca().issue(&Leaf::client("other.example", expired()));
    is_refused(&world, &stranger).await;
    saw(&world, "expired").await;
    drop(TcpStream::connect(world.service.callback_address).await);
    saw(&world, "probe").await;
    world.service.gaps().look().await.expect("the store answers");
    assert_eq!(kept(&world.desk).await, []);

    let known = world.desk.client_ca().issue(&Leaf::client(NAME, expired()));
    is_refused(&world, &known).await;
    is_refused(&world, &known).await;
    eventually("both are on disk", || async {
        world.service.gaps().look().await.expect("the store answers");
        kept(&world.desk).await.first().is_some_and(|gap| gap.count >= 2)
    })
    .await;
    let gaps = kept(&world.desk).await;
    assert_eq!(
        (gaps.len(), gaps[0].missed, gaps[0].closed),
        (1, Missed::Refused, false)
    );
    assert_eq!((gaps[0].peer.as_str(), gaps[0].reason.as_str()), (NAME, "expired"));
    assert_eq!(world.count("mdes_receiver_gaps_total{missed=\"refused\"}"), 1);
}

async fn what_was_refused_last_is_on_disk_after_a_stop(database: Database) {
    let world = World::over(database).await;
    let mut too_early = valid();
    too_early.0 = OffsetDateTime::now_utc() + time::Duration::DAY;
    is_refused(&world, &world.desk.client_ca().issue(&Leaf::client(NAME, too_early))).await;
    saw(&world, "not_yet_valid").await;
    world.service.stop().await;
    let gaps = kept(&world.desk).await;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].count, gaps[0].reason.as_str()), (1, "not_yet_valid"));
}

async fn a_replica_says_that_it_is_here_as_soon_as_the_store_is(database: Database) {
    let world = World::over(database).await;
    let memory = memory(&world.desk).await;
    eventually("somebody was here", || async {
        let sql = "select cast(count(*) as text) from presence";
        world.desk.database.text(sql).await.is_some_and(|count| count != "0")
    })
    .await;
    assert_eq!(memory.gaps(None, 100).await.expect("the store answers"), []);
}

fn impatient(database: Database) -> Desk {
    Desk::over(database)
        .set("store.deadline_secs", "1")
        .set("callback.limits.answer_secs", "3")
}

async fn is_answered_503(world: &World) {
    let body = world.sealed("r-away", &statement("DM4MMC-GAP", "ACTIVE", "2026-11-02T09:15:03Z"));
    let reply = world.line().await.ask(&request("POST", PATH, &[JSON], &body)).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
}

/// While the store is away nothing can be kept; once it is back, everything is.
async fn is_a_gap_once_the_store_is_back(world: &World, database: &Database) {
    eventually("the store is back", || async {
        world.service.gaps().look().await.is_ok()
    })
    .await;
    let memory = store::open(&database.settings, Arc::new(SystemClock)).await;
    let gaps = memory.expect("it opens").gaps(None, 100).await;
    let gaps = gaps.expect("the store answers");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((gaps[0].missed, gaps[0].count), (Missed::Unavailable, 1));
    assert_eq!((gaps[0].peer.as_str(), gaps[0].closed), (NAME, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_that_a_busy_sqlite_could_not_take_is_a_gap() {
    let world = impatient(Database::sqlite().await).open().await;
    world.ready().await;
    let mut other = SqliteConnection::connect(world.desk.database.url())
        .await
        .expect("the file opens");
    let lock = sqlx::raw_sql("begin exclusive").execute(&mut other).await;
    lock.expect("it is ours");
    is_answered_503(&world).await;
    assert!(world.service.gaps().look().await.is_err());
    let unlock = sqlx::raw_sql("rollback").execute(&mut other).await;
    unlock.expect("let go");
    is_a_gap_once_the_store_is_back(&world, &world.desk.database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_whose_sender_hung_up_before_its_answer_is_a_gap() {
    let world = World::over(Database::sqlite().await).await;
    let mut other = SqliteConnection::connect(world.desk.database.url())
        .await
        .expect("the file opens");
    let lock = sqlx::raw_sql("begin exclusive").execute(&mut other).await;
    lock.expect("it is ours");
    let body = world.sealed("r-gone", &statement("DM4MMC-GAP", "ACTIVE", "2026-11-02T09:15:03Z"));
    let mut line = world.line().await;
    let length = body.len().to_string();
    let headers = [JSON, ("content-length", length.as_str()), ("expect", "100-continue")];
    line.begin(&request("POST", PATH, &headers, b"")).await;
    line.say(&body).await.expect("it is listened to");
    drop(line);
    // The commit waits for the file, and would for longer: nobody is left to be answered with 503.
    eventually("the door has seen it go", async || {
        world.count("mdes_receiver_connections") == 0
    })
    .await;
    let unlock = sqlx::raw_sql("rollback").execute(&mut other).await;
    unlock.expect("let go");
    is_a_gap_once_the_store_is_back(&world, &world.desk.database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_that_came_while_postgres_was_away_is_a_gap() {
    let mut database = Database::postgres().await;
    let gate = Gate::before(&database).await;
    database.settings = support::settings(&[&gate.url(&database)]);
    let world = impatient(database).open().await;
    world.ready().await;
    gate.shut().await;
    is_answered_503(&world).await;
    assert!(world.service.gaps().look().await.is_err());
    gate.open_again().await;
    is_a_gap_once_the_store_is_back(&world, &world.desk.database).await;
}
