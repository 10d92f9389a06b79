//! The store away: nothing is acknowledged, the sender is told when to come back, and nobody has to restart anything.

use mdes_receiver::http::callback::PATH;
use sqlx::{Connection, SqliteConnection};

use super::TOKEN;
use super::kept::assert_refused;
use crate::store::primary::Gate;
use crate::support::{self, Database};
use crate::world::{Desk, JSON, Reply, World, eventually, page, request, statement};

promises!(
    the_admin_side_tells_that_it_is_alive_and_ready_and_what_it_counted,
    a_stop_finishes_what_was_accepted_and_leaves_the_store_to_the_next,
);

/// With deadlines as short as a test wants them.
fn impatient(database: Database) -> Desk {
    Desk::over(database)
        .set("store.deadline_secs", "1")
        .set("callback.limits.answer_secs", "3")
}

async fn tell(world: &World, request_id: &str, status: &str) -> Reply {
    let body = world.sealed(request_id, &statement(TOKEN, status, "2026-11-02T09:15:03Z"));
    world.line().await.ask(&request("POST", PATH, &[JSON], &body)).await
}

/// Neither a notification nor something to keep is taken, and the answer says when to come back.
async fn assert_away(world: &World) {
    let told = tell(world, "r-away", "ACTIVE").await;
    let junk = world
        .line()
        .await
        .ask(&request("POST", "/wrong", &[JSON], b"junk"))
        .await;
    for reply in [told, junk] {
        assert_refused(&reply, 503, "INTERNAL_SERVICE_FAILURE");
        assert_eq!(reply.json()["errors"][0]["recoverable"], true);
        let after = reply.header("retry-after").expect("when to come back");
        assert!(after.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{after}");
    }
    let ready = page(world.service.admin_address, "/readyz").await;
    assert!(
        ready.status == 503 && ready.text().starts_with("not ready: "),
        "{ready:?}"
    );
    assert_eq!(page(world.service.admin_address, "/livez").await.status, 200);
}

async fn assert_back(world: &World, request_id: &str, status: &str) {
    eventually("it is ready again", || async {
        page(world.service.admin_address, "/readyz").await.status == 200
    })
    .await;
    let reply = tell(world, request_id, status).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(world.status(TOKEN).await, status);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn started_before_its_postgres_it_refuses_and_recovers_by_itself() {
    let mut database = Database::bare_postgres().await;
    let gate = Gate::before(&database).await;
    gate.shut().await;
    database.settings = support::settings(&[&gate.url(&database)]);
    let world = impatient(database).open().await;
    assert_away(&world).await;

    gate.open_again().await;
    assert_back(&world, "r-1", "ACTIVE").await;
    gate.shut().await;
    assert_away(&world).await;
    gate.open_again().await;
    assert_back(&world, "r-2", "SUSPENDED").await;

    gate.fall_silent();
    assert_away(&world).await;
    gate.shut().await;
    gate.open_again().await;
    assert_back(&world, "r-3", "DEACTIVATED").await;
    assert_eq!(world.transitions(TOKEN).await.len(), 3);
    assert_eq!(world.quarantined().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_another_writes_is_waited_for_and_then_refused_and_recovered() {
    let world = impatient(Database::sqlite().await).open().await;
    world.ready().await;
    let mut other = SqliteConnection::connect(world.desk.database.url())
        .await
        .expect("the file opens");
    let lock = sqlx::raw_sql("begin exclusive").execute(&mut other).await;
    lock.expect("it is ours");
    assert_away(&world).await;
    let unlock = sqlx::raw_sql("rollback").execute(&mut other).await;
    unlock.expect("let go");
    assert_back(&world, "r-1", "ACTIVE").await;
    assert_eq!(world.quarantined().await, []);
}

/// `serve` ends with that sentence; until it has ended nothing is acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_our_tables_it_refuses_and_says_who_makes_them() {
    let desk = impatient(Database::bare_postgres().await).set("store.migrate_on_start", "false");
    let mut world = desk.open().await;
    assert_away(&world).await;
    let unfit = world.service.unfit().await.to_string();
    let ready = page(world.service.admin_address, "/readyz").await.text();
    for said in [unfit, ready] {
        assert!(said.contains("mdes-receiver migrate"), "{said}");
    }
}

async fn the_admin_side_tells_that_it_is_alive_and_ready_and_what_it_counted(database: Database) {
    let world = World::over(database).await;
    assert_eq!(tell(&world, "r-1", "ACTIVE").await.status, 200);
    assert_eq!(tell(&world, "r-1", "ACTIVE").await.status, 200);
    let junk = world.line().await.ask(&request("POST", PATH, &[JSON], b"junk")).await;
    assert_eq!(junk.status, 400);
    let at = world.service.admin_address;
    assert_eq!(page(at, "/livez").await.text(), "mdes-receiver is alive\n");
    assert_eq!(page(at, "/readyz").await.text(), "ready\n");
    let metrics = page(at, "/metrics").await.text();
    for line in [
        "mdes_receiver_notifications_total{outcome=\"recorded\"} 1",
        "mdes_receiver_notifications_total{outcome=\"repeat\"} 1",
        "mdes_receiver_notifications_total{outcome=\"INVALID_JSON\"} 1",
        "mdes_receiver_statements_total{outcome=\"advanced\"} 1",
        "mdes_receiver_handshakes_total{outcome=\"accepted\"} ",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

async fn a_stop_finishes_what_was_accepted_and_leaves_the_store_to_the_next(database: Database) {
    let world = World::over(database).await;
    let body = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    let whole = request("POST", PATH, &[JSON, ("expect", "100-continue")], &body);
    let (head, body) = whole.split_at(whole.len() - body.len());
    let mut line = world.line().await;
    line.begin(head).await;

    let World { desk, service } = world;
    let stopping = tokio::spawn(service.stop());
    let reply = line.ask(body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    stopping.await.expect("it stops");
    let world = desk.open().await;
    world.ready().await;
    assert_eq!(world.status(TOKEN).await, "ACTIVE");
}
