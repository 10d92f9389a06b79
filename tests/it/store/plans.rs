//! How a database would look for tokens: by an index that holds what is asked, and never through the whole table.

use mdes_receiver::store::searches;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::support::Database;

/// By which indexes each goes, on Postgres (on SQLite a primary key has another name), and what its parameters are.
const BY: [(&str, &[&str], &str); 12] = [
    (
        "called",
        &["tokens_pkey", "tokens_merchant_reference"],
        "text, text, bigint",
    ),
    (
        "by suffix",
        &["tokens_token_suffix", "tokens_account_suffix"],
        "text, text, text, bigint, text, text, timestamptz, timestamptz, text, boolean",
    ),
    (
        "by merchant",
        &["tokens_merchant_reference"],
        "text, text, text, bigint, text, text, timestamptz, timestamptz, boolean",
    ),
    ("by requestor", &["tokens_requestor"], "text, text, text, bigint"),
    (
        "by status",
        &["tokens_status"],
        "text, timestamptz, text, text, bigint, timestamptz, text, bigint",
    ),
    (
        "by status, its edge",
        &["tokens_status"],
        "text, timestamptz, text, text, timestamptz, bigint",
    ),
    (
        "by time",
        &["tokens_status_at"],
        "timestamptz, text, text, bigint, timestamptz, text, bigint",
    ),
    (
        "by time, its edge",
        &["tokens_status_at"],
        "timestamptz, text, text, timestamptz, bigint",
    ),
    (
        "provisional",
        &["tokens_provisional"],
        "text, text, bigint, text, text, timestamptz, timestamptz, bigint",
    ),
    ("provisional, its edge", &["tokens_provisional"], "text, text, bigint"),
    ("all", &["tokens_pkey"], "text, text, bigint"),
    ("by asset", &["named_assets_pkey"], "text"),
];

fn of(name: &str) -> &'static (&'static str, &'static [&'static str], &'static str) {
    let found = BY.iter().find(|(one, ..)| *one == name);
    found.unwrap_or_else(|| panic!("{name}: by which index?"))
}

fn by(name: &str) -> &'static [&'static str] {
    of(name).1
}

/// Enough for the planner to see what it would cost.
const TOKENS: &str = "\
insert into tokens (namespace, token_unique_reference, token_requestor_id, status, status_at, token_info,
  merchant_reference, registered_at, provisional, doubts, updated_at)
select 'mdes', 'DM4MMC' || n, '5010000000' || n % 3, case n % 9 when 0 then 'SUSPENDED' else 'ACTIVE' end,
  now() - n * interval '1 second',
  jsonb_build_object('tokenPanSuffix', (n % 10000)::text, 'accountPanSuffix', (n % 9999)::text),
  'card-' || n, now(), n % 100 = 0, case n % 100 when 0 then array['tie'] else '{}' end, now()
from generate_series(1, 20000) as n;
analyze tokens;
-- As our connections are.
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set plan_cache_mode = force_generic_plan;
";

/// Every node of a plan.
fn nodes<'p>(plan: &'p Value, all: &mut Vec<&'p Value>) {
    all.push(plan);
    for part in plan["Plans"].as_array().into_iter().flatten() {
        nodes(part, all);
    }
}

#[tokio::test]
async fn every_search_goes_by_its_index_on_postgres() {
    let database = Database::postgres().await;
    let mut connection = PgConnection::connect(database.url()).await.expect("the server answers");
    sqlx::raw_sql(TOKENS).execute(&mut connection).await.expect("tokens");
    let searches = searches();
    assert_eq!(searches.len(), BY.len());
    for (place, [name, sql, _]) in searches.into_iter().enumerate() {
        let types = of(name).2;
        let arguments = types.split(", ").map(|_| "null").collect::<Vec<_>>().join(", ");
        let explained =
            format!("prepare s{place} ({types}) as {sql}; explain (format json) execute s{place} ({arguments})");
        let rows = sqlx::raw_sql(AssertSqlSafe(explained)).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{name}: {error}"));
        let plan: Value = rows[0].try_get(0).expect("a plan");
        let mut all = Vec::new();
        nodes(&plan[0]["Plan"], &mut all);
        let scans = all.iter().filter(|node| node.get("Relation Name").is_some());
        for scan in scans {
            assert_ne!(scan["Node Type"], "Seq Scan", "{name}: {plan:#}");
            let bound = scan.get("Index Cond").or(scan.get("Recheck Cond"));
            assert!(bound.is_some(), "{name} reads an index from end to end: {plan:#}");
        }
        let used: Vec<&str> = all.iter().filter_map(|node| node["Index Name"].as_str()).collect();
        assert!(
            !used.is_empty() && used.iter().all(|index| by(name).contains(index)),
            "{name}: {used:?}"
        );
    }
}

#[tokio::test]
async fn every_search_goes_by_its_index_on_sqlite() {
    let database = Database::sqlite().await;
    let mut connection = SqliteConnection::connect(database.url()).await.expect("the file opens");
    for [name, _, sql] in searches() {
        let explained = format!("explain query plan {sql}");
        let rows = sqlx::raw_sql(AssertSqlSafe(explained)).fetch_all(&mut connection).await;
        let rows = rows.unwrap_or_else(|error| panic!("{name}: {error}"));
        let steps: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        let tables: Vec<&String> = steps
            .iter()
            .filter(|step| step.contains(" tokens") || step.contains(" named_assets"))
            .collect();
        assert!(!tables.is_empty(), "{name}: {steps:?}");
        for step in tables {
            let is_by =
                |index: &&str| step.contains(&format!("INDEX {index} ")) || index.ends_with("_pkey") && is_key(step);
            assert!(
                step.starts_with("SEARCH") && by(name).iter().any(is_by),
                "{name}: {steps:?}"
            );
        }
    }
}

fn is_key(step: &str) -> bool {
    step.contains("PRIMARY KEY") || step.contains("sqlite_autoindex")
}
