//! Tokens, found by what a person knows of them.

use serde_json::{Value, json};

use super::caller::{Caller, say};
use crate::support::Database;
use crate::world::World;

promises!(
    a_token_is_found_by_the_digits_on_a_receipt,
    tokens_are_found_by_status_newest_first,
    tokens_are_found_by_when_they_became_so,
    each_way_goes_on_page_by_page,
);

fn references(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a list");
    let reference = |item: &Value| item["token_unique_reference"].as_str().expect("a text").to_owned();
    items.iter().map(reference).collect()
}

async fn carded(world: &World, reference: &str, token: &str, account: &str) {
    let content = json!({"tokens": [{
        "tokenUniqueReference": reference, "status": "ACTIVE", "statusTimestamp": "2026-11-20T10:00:00Z",
        "tokenRequestorId": "50100000001",
        "tokenInfo": {"tokenPanSuffix": token, "accountPanSuffix": account},
    }]});
    assert_eq!(world.told(reference, &content).await.status, 200);
}

async fn a_token_is_found_by_the_digits_on_a_receipt(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    carded(&world, "DM4MMC0001", "1111", "2222").await;
    carded(&world, "DM4MMC0002", "3333", "1111").await;
    carded(&world, "DM4MMC0003", "1111", "1111").await;
    carded(&world, "DM4MMC0004", "4444", "5555").await;

    let found = viewer.get("/v1/tokens?suffix=1111").await.json();
    assert_eq!(references(&found), ["DM4MMC0001", "DM4MMC0002", "DM4MMC0003"]);
    let narrowed = viewer.get("/v1/tokens?suffix=1111&status=SUSPENDED").await.json();
    assert_eq!(references(&narrowed), Vec::<String>::new());
    let of_requestor = viewer
        .get("/v1/tokens?token_requestor_id=50100000001&limit=3")
        .await
        .json();
    assert_eq!(references(&of_requestor).len(), 3);
}

async fn several(world: &World) {
    for (reference, status, at) in [
        ("DM4MMC0001", "SUSPENDED", "2026-11-20T10:00:00Z"),
        ("DM4MMC0002", "ACTIVE", "2026-11-20T11:00:00Z"),
        ("DM4MMC0003", "SUSPENDED", "2026-11-20T12:00:00Z"),
        ("DM4MMC0004", "SUSPENDED", "2026-11-20T12:00:00Z"),
        ("DM4MMC0005", "DEACTIVATED", "2026-11-20T13:00:00Z"),
    ] {
        say(world, reference, status, at).await;
    }
    let untimed = json!({"tokens": [{"tokenUniqueReference": "DM4MMC0006", "status": "SUSPENDED"}]});
    assert_eq!(world.told("untimed", &untimed).await.status, 200);
}

async fn tokens_are_found_by_status_newest_first(database: Database) {
    let world = World::over(database).await;
    several(&world).await;
    let viewer = Caller::viewer(&world).await;
    let suspended = viewer.get("/v1/tokens?status=SUSPENDED").await.json();
    assert_eq!(
        references(&suspended),
        ["DM4MMC0004", "DM4MMC0003", "DM4MMC0001", "DM4MMC0006"]
    );
    let lately = viewer
        .get("/v1/tokens?status=SUSPENDED&since=2026-11-20T11:00:00Z")
        .await
        .json();
    assert_eq!(references(&lately), ["DM4MMC0004", "DM4MMC0003"]);
}

async fn tokens_are_found_by_when_they_became_so(database: Database) {
    let world = World::over(database).await;
    several(&world).await;
    let viewer = Caller::viewer(&world).await;
    let found = viewer
        .get("/v1/tokens?since=2026-11-20T11:00:00Z&until=2026-11-20T13:00:00Z")
        .await
        .json();
    assert_eq!(references(&found), ["DM4MMC0004", "DM4MMC0003", "DM4MMC0002"]);
}

async fn each_way_goes_on_page_by_page(database: Database) {
    let world = World::over(database).await;
    several(&world).await;
    let viewer = Caller::viewer(&world).await;
    let registered: Vec<Value> = (1..=6)
        .map(|n| json!({"reference": format!("DM4MMC000{n}"), "merchant_reference": "card", "token_requestor_id": "501"}))
        .collect();
    Caller::operator(&world)
        .await
        .post("/v1/tokens", &json!({ "items": registered }))
        .await;
    for query in [
        "status=SUSPENDED",
        "since=2026-11-20T00:00:00Z",
        "merchant_reference=card",
        "token_requestor_id=50100000001",
    ] {
        let whole = references(&viewer.get(&format!("/v1/tokens?{query}")).await.json());
        assert!(whole.len() >= 4, "{query}: {whole:?}");
        let (mut found, mut next) = (Vec::new(), String::new());
        loop {
            let page = viewer.get(&format!("/v1/tokens?{query}&limit=1{next}")).await.json();
            found.extend(references(&page));
            let Some(cursor) = page["next"].as_str() else { break };
            next = format!("&after={cursor}");
        }
        assert_eq!(found, whole, "{query}");
        let refused = viewer.get(&format!("/v1/tokens?{query}&after=nonsense")).await;
        assert_eq!(refused.problem(), "404 unknown-cursor", "{query}");
    }
}
