//! The export: everything as it stands, and where the events go on from there.

use serde_json::{Value, json};

use super::caller::{Caller, say};
use crate::support::Database;
use crate::world::World;

promises!(
    an_export_has_every_token_and_says_where_events_go_on,
    an_export_longer_than_a_page_is_whole,
);

fn lines(body: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(body).expect("text");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

async fn an_export_has_every_token_and_says_where_events_go_on(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    operator.post("/v1/tokens", &json!({"reference": "DM4MMC0002"})).await;

    let export = operator.get("/v1/tokens/export").await;
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let tokens = lines(&export.body);
    assert_eq!(
        (&tokens[0]["token_unique_reference"], &tokens[0]["status"]),
        (&json!("DM4MMC0001"), &json!("ACTIVE"))
    );
    assert_eq!((tokens.len(), &tokens[1]["status"]), (2, &json!(null)));

    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-21T10:00:00Z").await;
    let since = operator
        .get(&format!("/v1/events?after={}", export.header("x-events-position")))
        .await
        .json();
    let types = super::caller::types(since["items"].as_array().expect("a list"));
    assert_eq!(types, ["token.suspended"]);
}

async fn an_export_longer_than_a_page_is_whole(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let items: Vec<_> = (0..1_000)
        .map(|n| json!({"reference": format!("DM4MMC{n:04}")}))
        .collect();
    operator.post("/v1/tokens", &json!({ "items": items })).await;
    operator.post("/v1/tokens", &json!({"reference": "DM4MMC1000"})).await;
    let tokens = lines(&operator.get("/v1/tokens/export").await.body);
    let references: Vec<&str> = tokens
        .iter()
        .filter_map(|token| token["token_unique_reference"].as_str())
        .collect();
    assert_eq!(references.len(), 1_001);
    assert!(references.is_sorted_by(|one, next| one < next));
}
