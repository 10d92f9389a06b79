//! Tokens as the merchant registers them and as they stand.

use serde_json::json;

use super::caller::{Caller, say, two_tokens};
use crate::support::Database;
use crate::world::World;

promises!(
    what_is_registered_stands,
    a_registered_token_s_events_carry_the_merchant_s_reference,
    one_may_be_registered_alone,
    a_list_is_registered_whole_or_not_at_all,
    a_wrong_field_is_named,
    a_page_of_tokens_goes_on_where_it_ended,
);

async fn what_is_registered_stands(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let answer = operator.post("/v1/tokens", &two_tokens()).await;
    let word = |index: usize| answer.json()["items"][index]["registered"].clone();
    assert_eq!((answer.status, word(0), word(1)), (200, json!("new"), json!("new")));
    let again = operator.post("/v1/tokens", &two_tokens()).await.json();
    assert_eq!(again["items"][0]["registered"], "again");

    let token = operator.get("/v1/tokens/DM4MMC0001").await.json();
    assert_eq!(
        (
            &token["merchant_reference"],
            &token["token_requestor_id"],
            &token["status"],
            &token["sequence"]
        ),
        (&json!("card-1"), &json!("50100000001"), &json!(null), &json!(0))
    );
    assert_eq!(token["registration"]["status"], "INACTIVE");
    let other = operator.get("/v1/tokens/DM4MMC0001?namespace=tokenex").await;
    assert_eq!(other.problem(), "404 unknown-token");
}

async fn a_registered_token_s_events_carry_the_merchant_s_reference(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    operator.post("/v1/tokens", &two_tokens()).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;

    let token = operator.get("/v1/tokens/DM4MMC0001").await.json();
    assert_eq!(
        (&token["status"], &token["advice"]),
        (&json!("ACTIVE"), &json!("resume_charging"))
    );
    let events = operator.get("/v1/events").await.json();
    assert_eq!(events["items"][0]["type"], "token.activated");
    assert_eq!(events["items"][0]["data"]["merchant_reference"], "card-1");
}

async fn one_may_be_registered_alone(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let one = json!({"reference": "DM4MMC0001", "merchant_reference": "card-1"});
    let answer = operator.post("/v1/tokens", &one).await.json();
    assert_eq!(
        answer,
        json!({"namespace": "mdes", "token_unique_reference": "DM4MMC0001", "registered": "known"})
    );
}

async fn a_list_is_registered_whole_or_not_at_all(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let good = json!({"reference": "DM4MMC0001"});
    let too_many: Vec<_> = (0..1_001).map(|n| json!({"reference": format!("DM4MMC{n}")})).collect();
    for items in [json!([]), json!(too_many), json!([good, {"reference": ""}])] {
        let refused = operator.post("/v1/tokens", &json!({ "items": items })).await;
        assert_eq!(refused.problem(), "422 unfit");
    }
    let twice = operator.post("/v1/tokens", &json!({ "items": [good, good] })).await;
    assert_eq!(
        (twice.problem().as_str(), &twice.json()["field"]),
        ("409 twice", &json!("items[1].reference"))
    );
    assert_eq!(operator.get("/v1/tokens").await.json()["items"], json!([]));
    let thousand = json!({ "items": &too_many[..1_000] });
    assert_eq!(operator.post("/v1/tokens", &thousand).await.status, 200);
}

async fn a_wrong_field_is_named(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for (body, field) in [
        (json!({}), "reference"),
        (json!({"reference": 7}), "reference"),
        (json!({"reference": "x", "status": "active"}), "status"),
        (json!({"reference": "x", "namespace": "visa"}), "namespace"),
        (
            json!({"items": [{"reference": "x"}, {"reference": "y\u{0}"}]}),
            "items[1].reference",
        ),
        (
            json!({"items": [{"reference": "x", "merchant": "y"}]}),
            "items[0].merchant",
        ),
    ] {
        let refused = operator.post("/v1/tokens", &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!(field)),
            "{body}"
        );
    }
    let number = json!({"items": [{"reference": 5_555_555_555_554_444_u64}]});
    let refused = operator.post("/v1/tokens", &number).await;
    assert!(
        !String::from_utf8_lossy(&refused.body).contains("5555555555554444"),
        "{refused:?}"
    );
}

async fn a_page_of_tokens_goes_on_where_it_ended(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let items: Vec<_> = (0..5).map(|n| json!({"reference": format!("a/b c:{n}")})).collect();
    operator.post("/v1/tokens", &json!({ "items": items })).await;
    let mut found = Vec::new();
    let mut path = "/v1/tokens?limit=2".to_owned();
    loop {
        let page = operator.get(&path).await.json();
        for token in page["items"].as_array().expect("a list") {
            found.push(token["token_unique_reference"].as_str().expect("a text").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
        path = format!("/v1/tokens?limit=2&after={next}");
    }
    assert_eq!(found, ["a/b c:0", "a/b c:1", "a/b c:2", "a/b c:3", "a/b c:4"]);
    assert_eq!(operator.get("/v1/tokens/a%2Fb%20c%3A3").await.status, 200);
    assert_eq!(
        operator.get("/v1/tokens?after=nonsense").await.problem(),
        "404 unknown-cursor"
    );
}
