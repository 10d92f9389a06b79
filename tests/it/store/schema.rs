//! The schema, and which programs may run on it.

use mdes_receiver::domain::notification::Windows;
use mdes_receiver::store::{Error, Migrated};

use super::scene::*;
use crate::support::Database;

promises!(
    a_migrated_store_is_ready,
    migrating_twice_does_nothing_the_second_time,
    a_newer_schema_that_admits_us_is_used,
    a_newer_schema_that_does_not_admit_us_is_refused_with_advice,
    an_older_schema_is_refused_with_advice,
);

async fn a_migrated_store_is_ready(database: Database) {
    let ready = database.open().await.ready().await;
    assert!(ready.is_ok(), "{ready:?}");
}

async fn migrating_twice_does_nothing_the_second_time(database: Database) {
    let migrated = database.open().await.migrate().await.expect("it is migrated");
    assert_eq!(migrated, Migrated { version: 7, applied: 0 });
}

async fn a_newer_schema_that_admits_us_is_used(database: Database) {
    database.execute("update schema_info set version = 9").await;
    let store = database.open().await;
    store.migrate().await.expect("nothing is to be done");
    store.ready().await.expect("we are admitted");
    record(&store, &told("r-1", vec![said("A", "ACTIVE", "09:00")])).await;
}

async fn a_newer_schema_that_does_not_admit_us_is_refused_with_advice(database: Database) {
    database
        .execute("update schema_info set version = 9, oldest_program = 8")
        .await;
    let store = database.open().await;
    for error in [store.ready().await.err(), store.migrate().await.err()] {
        let error = error.expect("we are too old");
        assert!(matches!(error, Error::Schema(_)), "{error}");
        assert!(
            error.to_string().ends_with("install the newer mdes-receiver"),
            "{error}"
        );
    }
}

async fn an_older_schema_is_refused_with_advice(database: Database) {
    database.execute("update schema_info set version = 0").await;
    let error = database.open().await.ready().await.expect_err("it is too old");
    assert!(error.to_string().ends_with("run `mdes-receiver migrate`"), "{error}");
}

async fn nothing_works_before_the_first_migration(database: Database) {
    let store = database.open().await;
    let recording = told("r-1", vec![said("A", "ACTIVE", "09:00")]);
    let errors = [
        store.ready().await.err(),
        store.record(&[recording], &Windows::default()).await.err(),
    ];
    for error in errors {
        let error = error.expect("there are no tables");
        assert!(matches!(error, Error::Schema(_)), "{error}");
        assert!(error.to_string().ends_with("run `mdes-receiver migrate`"), "{error}");
    }
}

async fn several_replicas_migrate_at_once_and_one_of_them_does_it(database: Database) {
    let mut replicas = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = database.open().await;
        replicas.spawn(async move { store.migrate().await });
    }
    let mut applied = 0;
    for migrated in replicas.join_all().await {
        let migrated = migrated.expect("each finds it migrated");
        assert_eq!(migrated.version, 7);
        applied += migrated.applied;
    }
    assert_eq!(applied, 7);
}

#[tokio::test]
async fn nothing_works_before_the_first_migration_on_sqlite() {
    nothing_works_before_the_first_migration(Database::bare_sqlite()).await;
}

#[tokio::test]
async fn nothing_works_before_the_first_migration_on_postgres() {
    nothing_works_before_the_first_migration(Database::bare_postgres().await).await;
}

#[tokio::test]
async fn several_replicas_migrate_at_once_on_sqlite() {
    several_replicas_migrate_at_once_and_one_of_them_does_it(Database::bare_sqlite()).await;
}

#[tokio::test]
async fn several_replicas_migrate_at_once_on_postgres() {
    several_replicas_migrate_at_once_and_one_of_them_does_it(Database::bare_postgres().await).await;
}

#[tokio::test]
async fn every_table_and_column_on_postgres_is_explained() {
    let silent = Database::postgres()
        .await
        .text(
            "select string_agg(c.relname || '.' || coalesce(a.attname, '*'), ', ')
             from pg_class c
             left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
             where c.relkind = 'r'
               and c.relnamespace = 'public'::regnamespace
               and c.relname <> '_sqlx_migrations'
               and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)",
        )
        .await;
    assert_eq!(silent, None);
}
