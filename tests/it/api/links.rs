//! Links, joined and parted.

use serde_json::{Value, json};

use super::caller::{Caller, Reply};
use crate::support::Database;
use crate::world::{Desk, World, statement};

promises!(
    names_are_joined_once_and_parted_once,
    a_list_of_links_is_joined_whole_or_not_at_all,
    a_page_of_links_goes_on_where_it_ended,
    a_token_shows_how_those_stand_that_links_join_to_it_and_whose_word_counts,
);

fn link(n: u32) -> Value {
    json!({
        "token_unique_reference": format!("DM4MMC{n}"),
        "tokenex_token": "5204730000001201",
        "token_reference_id": format!("id-{n}"),
    })
}

async fn parted(caller: &Caller, link: &Value) -> Reply {
    let json = [("content-type", "application/json")];
    caller
        .ask("DELETE", "/v1/links", &json, link.to_string().as_bytes())
        .await
}

async fn names_are_joined_once_and_parted_once(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let joined = operator.post("/v1/links", &link(1)).await.json();
    assert_eq!(joined, json!({"links": 1, "new": 1}));
    assert_eq!(operator.post("/v1/links", &link(1)).await.json()["new"], 0);
    let viewer = Caller::viewer(&world).await;
    assert_eq!(
        viewer.get("/v1/links").await.json(),
        json!({"items": [link(1)], "next": null})
    );
    assert_eq!(parted(&viewer, &link(1)).await.problem(), "403 only-operators");
    assert_eq!(parted(&operator, &link(2)).await.problem(), "404 unknown-link");
    assert_eq!(parted(&operator, &json!({})).await.problem(), "422 unfit");
    assert_eq!(parted(&operator, &link(1)).await.json(), json!({"removed": true}));
    assert_eq!(viewer.get("/v1/links").await.json()["items"], json!([]));
}

async fn a_list_of_links_is_joined_whole_or_not_at_all(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let too_many: Vec<Value> = (0..1_001).map(link).collect();
    for (body, field) in [
        (json!({}), "token_unique_reference"),
        (json!({"token_unique_reference": "x"}), "tokenex_token"),
        (json!({"items": []}), "items"),
        (json!({"items": too_many}), "items"),
        (json!({"items": [link(1)], "tokenex_token": "x"}), "items"),
        (
            json!({"items": [link(1), {"tokenex_token": "x"}]}),
            "items[1].token_unique_reference",
        ),
        (json!({"items": [{"token": "x"}]}), "items[0].token"),
    ] {
        let refused = operator.post("/v1/links", &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!(field))
        );
    }
    assert_eq!(operator.get("/v1/links").await.json()["items"], json!([]));
    let thousand = json!({"items": &too_many[..1_000]});
    assert_eq!(operator.post("/v1/links", &thousand).await.json()["new"], 1_000);
}

async fn a_page_of_links_goes_on_where_it_ended(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let all: Vec<Value> = (0..5).map(link).collect();
    operator.post("/v1/links", &json!({"items": all})).await;
    let (mut found, mut path) = (Vec::new(), "/v1/links?limit=2".to_owned());
    loop {
        let page = operator.get(&path).await.json();
        found.extend(page["items"].as_array().expect("a list").clone());
        let Some(next) = page["next"].as_str() else { break };
        assert!(!next.contains("520473"), "a name may look like a number: {next}");
        path = format!("/v1/links?limit=2&after={next}");
    }
    assert_eq!(found, all);
    let of_one = operator.get("/v1/links?token=DM4MMC3").await.json();
    assert_eq!(of_one["items"], json!([link(3)]));
    let of_all = operator
        .get("/v1/links?token=5204730000001201&namespace=tokenex")
        .await
        .json();
    assert_eq!(of_all["items"].as_array().map(Vec::len), Some(5));
    assert_eq!(
        operator.get("/v1/links?after=nonsense").await.problem(),
        "404 unknown-cursor"
    );
}

async fn a_token_shows_how_those_stand_that_links_join_to_it_and_whose_word_counts(database: Database) {
    let world = Desk::over(database).set("lifecycle.authority", "tokenex").open().await;
    world.ready().await;
    world
        .told("r-1", &statement("DM4MMC1", "SUSPENDED", "2026-11-02T09:15:03Z"))
        .await;
    let operator = Caller::operator(&world).await;
    operator
        .post(
            "/v1/tokens",
            &json!({"namespace": "tokenex", "reference": "5204730000001201"}),
        )
        .await;
    let alone = operator.get("/v1/tokens/DM4MMC1").await.json();
    assert_eq!((&alone["links"], &alone["authority"]), (&json!([]), &json!(true)));

    operator.post("/v1/links", &link(1)).await;
    let joined = operator.get("/v1/tokens/DM4MMC1").await.json();
    let mut other = link(1);
    other["namespace"] = json!("tokenex");
    other["status"] = json!(null);
    other["provisional"] = json!(false);
    other["authority"] = json!(true);
    assert_eq!(
        (&joined["links"], &joined["authority"]),
        (&json!([other]), &json!(false))
    );
    assert_eq!(joined["status"], "SUSPENDED");

    let back = operator
        .get("/v1/tokens/5204730000001201?namespace=tokenex")
        .await
        .json();
    assert_eq!(
        (&back["authority"], &back["status"]),
        (&json!(true), &json!(null)),
        "nothing is merged"
    );
    assert_eq!(
        (&back["links"][0]["status"], &back["links"][0]["authority"]),
        (&json!("SUSPENDED"), &json!(false))
    );
}
