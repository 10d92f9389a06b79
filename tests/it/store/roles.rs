//! Two roles in Postgres: one makes the tables, the other runs and can change none of them.

use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::api::caller::{Caller, say, two_tokens};
use crate::support::Database;
use crate::support::cluster::Cluster;
use crate::world::{Desk, Merchant, eventually};

const ROLES: &str = include_str!("../../../deploy/postgres/roles.sql");
const GRANTS: &str = include_str!("../../../deploy/postgres/grants.sql");

fn url(cluster: &Cluster, role: &str) -> String {
    format!("postgres://{role}@127.0.0.1:{}/postgres", cluster.port)
}

async fn connected(cluster: &Cluster, role: &str) -> PgConnection {
    PgConnection::connect(&url(cluster, role)).await.expect("it logs in")
}

/// A cluster with both roles, our tables and the grants, as `docs/operations.md` has it.
async fn prepared() -> Cluster {
    let cluster = Cluster::start("", &[]);
    let mut superuser = connected(&cluster, "postgres").await;
    sqlx::raw_sql(ROLES)
        .execute(&mut superuser)
        .await
        .expect("the roles are made");
    let owner = Database::at(&url(&cluster, "mdes_receiver_migrate"));
    owner.open().await.migrate().await.expect("it may make tables");
    let mut owner = connected(&cluster, "mdes_receiver_migrate").await;
    sqlx::raw_sql(GRANTS)
        .execute(&mut owner)
        .await
        .expect("they are its own");
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_hears_tells_and_erases_and_changes_neither_the_tables_nor_the_audit() {
    let cluster = prepared().await;
    let shop = Merchant::content().await;
    let desk = Desk::over(Database::at(&url(&cluster, "mdes_receiver"))).set("store.migrate_on_start", "false");
    let world = desk.with(&shop.destination("shop", "")).open().await;
    world.ready().await;
    let operator = Caller::operator(&world).await;
    operator.post("/v1/tokens", &two_tokens()).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    eventually("it is told", async || !shop.told().is_empty()).await;
    assert_eq!(operator.get("/v1/charge/DM4MMC0001").await.json()["charge"], "yes");
    let word = json!({"reason": "case 812", "confirm": "0001", "force": true});
    let erased = operator.post("/v1/tokens/DM4MMC0001/erase", &word).await;
    assert_eq!(erased.status, 200, "{erased:?}");

    let mut run = connected(&cluster, "mdes_receiver").await;
    for refused in [
        "alter table tokens add column more text",
        "create table mine (id int)",
        "drop table deliveries",
        "alter table audit disable trigger audit_stays",
        "update audit set who = 'nobody'",
        "delete from audit",
        "truncate audit",
        "update schema_info set version = 1",
    ] {
        let told = sqlx::raw_sql(refused).execute(&mut run).await.expect_err(refused);
        let code = told
            .into_database_error()
            .and_then(|error| error.code().map(|code| code.into_owned()));
        assert_eq!(code.as_deref(), Some("42501"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_table_and_each_view_stands_in_the_grants() {
    let cluster = prepared().await;
    let mut owner = connected(&cluster, "mdes_receiver_migrate").await;
    let without: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relkind in ('r', 'v') and relnamespace = 'public'::regnamespace
           and not has_table_privilege('mdes_receiver', oid, 'select')",
    )
    .fetch_all(&mut owner)
    .await
    .expect("the catalogue answers");
    assert_eq!(without, ["_sqlx_migrations"], "what only `migrate` looks at");
}
