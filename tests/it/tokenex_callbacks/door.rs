//! Who is heard: from an allowed address, by the secret path, and with no more than is meant.

use std::time::Duration;

use bytes::Bytes;
use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinSet;

use mdes_receiver::domain::missed::Missed;
use mdes_receiver::domain::peer::Peer;
use mdes_receiver::inbox::{Arrival, Unheeded};
use mdes_receiver::store::Asking as _;
use mdes_receiver::store::asking::KeptGap;
use serde_json::json;
use time::OffsetDateTime;

use super::{Ear, SECRET, change, desk, millis};
use crate::api::caller::memory;
use crate::store::primary::Gate;
use crate::support::{self, Database};
use crate::world::{World, eventually};

promises!(
    who_does_not_know_the_path_gets_a_404_and_nothing_of_it_is_kept,
    from_another_address_nobody_gets_as_far_as_http,
    what_is_too_large_is_refused_and_its_first_part_kept_sealed,
    the_acknowledgement_is_what_the_operator_wrote,
    a_flood_about_tokens_nobody_knows_is_cut,
    a_flood_that_cannot_be_read_is_cut,
);

fn suspended() -> Vec<u8> {
    let notice = change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5));
    notice.to_string().into_bytes()
}

async fn who_does_not_know_the_path_gets_a_404_and_nothing_of_it_is_kept(database: Database) {
    let ear = Ear::over(database).await;
    let almost = format!("{}x", &SECRET[..31]);
    for path in [
        "/".to_owned(),
        "/state".to_owned(),
        format!("/{SECRET}"),
        format!("/{SECRET}/"),
        format!("/{SECRET}/other"),
        format!("/{SECRET}/x/state"),
        format!("/{almost}/state"),
        format!("/{SECRET}{SECRET}/card"),
        "/digitization/static/1/0/notifyTokenUpdated".to_owned(),
    ] {
        let answer = ear
            .sender(&path)
            .send(Bytes::from(suspended()))
            .await
            .expect("an answer");
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{path}");
    }
    assert_eq!(ear.token().await, None);
    assert_eq!(ear.quarantined().await, []);
    assert_eq!(
        ear.0
            .count("mdes_receiver_tokenex_callbacks_total{outcome=\"not_found\"}"),
        9
    );
}

async fn from_another_address_nobody_gets_as_far_as_http(database: Database) {
    let ear = Ear::with(database, "allow_from = [\"192.0.2.0/24\", \"2001:db8::/32\"]").await;
    let sender = ear.sender(&format!("/{SECRET}/state"));
    sender.send(Bytes::from(suspended())).await.expect_err("nobody answers");
    assert_eq!(ear.token().await, None);
    assert_eq!(ear.quarantined().await, []);
}

async fn what_is_too_large_is_refused_and_its_first_part_kept_sealed(database: Database) {
    let ear = Ear::over(database).await;
    let mut large = change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5));
    large["padding"] = json!("x".repeat(100_000));
    let answer = ear.told(&large).await;
    assert_eq!(answer.status, 413);
    let [entry] = &ear.quarantined().await[..] else {
        panic!("one entry")
    };
    assert_eq!((entry.reason.as_str(), entry.body_bytes > 100_000), ("TOO_LARGE", true));
    assert_eq!(ear.token().await, None);
}

async fn the_acknowledgement_is_what_the_operator_wrote(database: Database) {
    let more =
        "allow_from = [\"127.0.0.1\"]\nanswer_status = 202\nanswer_body = '{\"ok\": true}'\nrefusal_status = 200";
    let ear = Ear::with(database, more).await;
    let answer = ear.posted("state", suspended()).await;
    assert_eq!((answer.status, &answer.body[..]), (202, &b"{\"ok\": true}"[..]));
    let refused = ear.posted("state", b"junk".to_vec()).await;
    assert_eq!((refused.status, refused.body.len()), (200, 0));
    assert_eq!(ear.quarantined().await.len(), 1);
}

async fn a_flood_about_tokens_nobody_knows_is_cut(database: Database) {
    let ear = Ear::over(database).await;
    ear.posted("state", suspended()).await;
    let mut told = JoinSet::new();
    for place in 0..620 {
        let inbox = ear.0.service.inbox().clone();
        let mut forged = change(&format!("m-{place}"), "DELETED", "DELETED_BY_ISSUER", &millis(5));
        forged["token"] = json!(format!("forged-{place}"));
        let arrival = Arrival {
            received_at: OffsetDateTime::now_utc(),
            peer: Peer::overheard("127.0.0.1:1".parse().expect("an address")),
            body: Bytes::from(forged.to_string()),
        };
        told.spawn(async move { matches!(inbox.overhear(arrival).await, Err(Unheeded::TooMany(_))) });
    }
    let cut = told.join_all().await.into_iter().filter(|cut| *cut).count();
    assert_eq!(cut, 21, "one place was taken before");
    let one = change("m-next", "ACTIVE", "RESUMED_BY_TR", &millis(1));
    assert_eq!(
        ear.told(&one).await.status,
        200,
        "a token that is known is heard all the same"
    );
    let mut other = one;
    other["token"] = json!("forged-next");
    assert_eq!(ear.told(&other).await.status, 503);
}

async fn a_flood_that_cannot_be_read_is_cut(database: Database) {
    let ear = Ear::over(database).await;
    let mut told = JoinSet::new();
    for place in 0..620 {
        let inbox = ear.0.service.inbox().clone();
        let arrival = Arrival {
            received_at: OffsetDateTime::now_utc(),
            peer: Peer::overheard("127.0.0.1:1".parse().expect("an address")),
            body: Bytes::from(format!("junk {place}")),
        };
        told.spawn(async move { matches!(inbox.overhear(arrival).await, Err(Unheeded::TooMany(_))) });
    }
    let cut = told.join_all().await.into_iter().filter(|cut| *cut).count();
    assert_eq!(cut, 20);
    assert_eq!(ear.posted("state", b"junk".to_vec()).await.status, 503);
    assert_eq!(
        ear.posted("state", vec![b'x'; 100_000]).await.status,
        503,
        "nor is what is too large"
    );
    assert_eq!(
        ear.posted("state", suspended()).await.status,
        200,
        "what can be read is heard all the same"
    );
}

/// With deadlines as short as a test wants them.
async fn impatient(database: Database) -> Ear {
    let desk = desk(database, "allow_from = [\"127.0.0.0/8\"]")
        .set("store.deadline_secs", "1")
        .set("callback.limits.answer_secs", "3");
    Ear(desk.open().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_sqlite_file_is_another_s_it_says_when_to_come_back() {
    let ear = impatient(Database::sqlite().await).await;
    ear.0.ready().await;
    let mut other = SqliteConnection::connect(ear.0.desk.database.url())
        .await
        .expect("the file opens");
    sqlx::raw_sql("begin exclusive")
        .execute(&mut other)
        .await
        .expect("it is ours");
    assert_eq!(ear.posted("state", suspended()).await.status, 503);
    assert_eq!(ear.posted("state", b"junk".to_vec()).await.status, 503);
    sqlx::raw_sql("rollback").execute(&mut other).await.expect("let go");
    assert_eq!(ear.posted("state", suspended()).await.status, 200);
    assert_eq!(ear.quarantined().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_before_the_answer_has_missed_us() {
    let ear = Ear::over(Database::sqlite().await).await;
    let mut other = SqliteConnection::connect(ear.0.desk.database.url())
        .await
        .expect("the file opens");
    let lock = sqlx::raw_sql("begin exclusive").execute(&mut other).await;
    lock.expect("it is ours");
    let gone = tokio::time::timeout(Duration::from_millis(700), ear.posted("state", suspended())).await;
    assert!(gone.is_err(), "it was answered while nothing could be kept");
    let unlock = sqlx::raw_sql("rollback").execute(&mut other).await;
    unlock.expect("let go");
    let memory = memory(&ear.0).await;
    eventually("it is a gap", async || {
        ear.0.service.gaps().look().await.is_ok() && !memory.gaps(None, 10).await.expect("the store answers").is_empty()
    })
    .await;
    let gaps = memory.gaps(None, 10).await.expect("the store answers");
    assert_eq!((gaps.len(), gaps[0].count), (1, 1), "{gaps:?}");
    assert_eq!(
        (gaps[0].missed, gaps[0].peer.as_str()),
        (Missed::Unavailable, "tokenex")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_its_postgres_is_away_it_says_when_to_come_back() {
    let mut database = Database::bare_postgres().await;
    let gate = Gate::before(&database).await;
    gate.shut().await;
    database.settings = support::settings(&[&gate.url(&database)]);
    let ear = impatient(database).await;
    assert_eq!(ear.posted("state", suspended()).await.status, 503);
    assert_eq!(ear.posted("state", b"junk".to_vec()).await.status, 503);
    gate.open_again().await;
    World::ready(&ear.0).await;
    assert_eq!(ear.posted("state", suspended()).await.status, 200);
    ear.0.service.gaps().look().await.expect("the store is back");
    let gaps = memory(&ear.0).await.gaps(None, 10).await.expect("the store answers");
    let missed = |gap: &KeptGap| (gap.missed, gap.peer.clone(), gap.count);
    assert_eq!(
        gaps.iter().map(missed).collect::<Vec<_>>(),
        [(Missed::Unavailable, "tokenex".to_owned(), 2)]
    );
}
