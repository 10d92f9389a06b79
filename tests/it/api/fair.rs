//! Who asks for much does not hold up who waits at a checkout, nor who is to be told.

use std::time::{Duration, Instant};

use super::caller::{Caller, say, two_tokens};
use crate::support::Database;
use crate::world::{Desk, Merchant, eventually};

promises!(slow_searches_hold_up_neither_a_checkout_nor_a_delivery);

/// The audit, as a table that nobody reads to its end in time.
async fn endless(database: &Database) {
    database.execute("alter table audit rename to elsewhere").await;
    let view = if database.url().starts_with("sqlite") {
        "create view audit as
         with recursive n (i) as (select 1 union all select i + 1 from n)
         select elsewhere.* from elsewhere, n where n.i < 0"
    } else {
        "create view audit as select elsewhere.* from pg_sleep(60), elsewhere"
    };
    database.execute(view).await;
}

async fn slow_searches_hold_up_neither_a_checkout_nor_a_delivery(database: Database) {
    let shop = Merchant::content().await;
    let world = Desk::over(database).with(&shop.destination("shop", "")).open().await;
    world.ready().await;
    let operator = Caller::operator(&world).await;
    operator.post("/v1/tokens", &two_tokens()).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    eventually("it is told", async || !shop.told().is_empty()).await;
    endless(&world.desk.database).await;

    let mut searches = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let operator = operator.clone();
        searches.spawn(async move { operator.get("/v1/audit").await.problem() });
    }
    // They have what they can take by the time that the first has given up.
    let first = searches.join_next().await.expect("one").expect("it ends");
    assert_eq!(first, "503 store-unavailable");
    let (told, mut asked) = (shop.told().len(), 0);
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    while searches.len() > 1 && asked < 20 {
        let began = Instant::now();
        let charge = operator.get("/v1/charge/DM4MMC0001").await.json();
        assert_eq!(charge["charge"], "no");
        let took = began.elapsed();
        assert!(took < Duration::from_secs(1), "a checkout waited for {took:?}");
        asked += 1;
    }
    assert!(asked > 0, "the searches were still under way");
    eventually("it is told meanwhile", async || shop.told().len() > told).await;
    assert!(!searches.is_empty(), "the delivery waited for the searches");
    assert!(
        searches
            .join_all()
            .await
            .iter()
            .all(|problem| problem == "503 store-unavailable")
    );
    let page = operator.get("/v1/tokens").await.json();
    assert_eq!(
        page["items"].as_array().map(Vec::len),
        Some(2),
        "and a search that is fast is answered"
    );
}
