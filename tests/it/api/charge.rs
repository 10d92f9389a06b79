//! "May I charge this?", as a shop's checkout asks it.

use mdes_receiver::store::roster::Role;
use serde_json::{Value, json};

use super::caller::{Caller, say};
use crate::support::Database;
use crate::world::World;

promises!(
    only_the_network_s_own_active_is_a_yes,
    what_forbids_is_a_no,
    a_status_that_nobody_knows_is_to_be_confirmed,
    of_several_tokens_the_most_careful_answer_is_given,
    a_token_s_own_reference_goes_before_a_merchant_s,
    what_has_not_changed_is_not_sent_again,
    a_charger_asks_this_and_nothing_else,
);

async fn asked(caller: &Caller, reference: &str) -> Value {
    let answer = caller.get(&format!("/v1/charge/{reference}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn charger(world: &World) -> Caller {
    Caller::added(world, "a checkout", Role::Charger, time::Duration::HOUR).await
}

async fn only_the_network_s_own_active_is_a_yes(database: Database) {
    let world = World::over(database).await;
    let charger = charger(&world).await;
    let nobody = charger.get("/v1/charge/DM4MMC0001").await;
    assert_eq!(nobody.problem(), "404 unknown-token");

    let registered = json!({"reference": "DM4MMC0001", "status": "ACTIVE"});
    Caller::operator(&world).await.post("/v1/tokens", &registered).await;
    let by_the_merchant_alone = asked(&charger, "DM4MMC0001").await;
    assert_eq!(by_the_merchant_alone["charge"], "confirm");

    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let answer = asked(&charger, "DM4MMC0001").await;
    assert_eq!(
        (
            &answer["charge"],
            &answer["status"],
            &answer["as_of"]["status_at"],
            &answer["provisional"]
        ),
        (
            &json!("yes"),
            &json!("ACTIVE"),
            &json!("2026-11-20T10:00:00Z"),
            &json!(false)
        )
    );
}

async fn what_forbids_is_a_no(database: Database) {
    let world = World::over(database).await;
    let charger = charger(&world).await;
    for (minute, status) in [(10, "INACTIVE"), (11, "SUSPENDED"), (12, "DEACTIVATED")] {
        say(&world, "DM4MMC0001", status, &format!("2026-11-20T10:{minute}:00Z")).await;
        let answer = asked(&charger, "DM4MMC0001").await;
        assert_eq!((&answer["charge"], &answer["status"]), (&json!("no"), &json!(status)));
    }
}

async fn a_status_that_nobody_knows_is_to_be_confirmed(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "PENDING_SOMETHING", "2026-11-20T10:00:00Z").await;
    assert_eq!(asked(&charger(&world).await, "DM4MMC0001").await["charge"], "confirm");
}

async fn of_several_tokens_the_most_careful_answer_is_given(database: Database) {
    let world = World::over(database).await;
    let charger = charger(&world).await;
    let token = |reference: &str| json!({"reference": reference, "merchant_reference": "card-1"});
    let both = json!({"items": [token("DM4MMC0001"), token("DM4MMC0002")]});
    Caller::operator(&world).await.post("/v1/tokens", &both).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert_eq!(asked(&charger, "card-1").await["charge"], "confirm");
    say(&world, "DM4MMC0002", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert_eq!(asked(&charger, "card-1").await["charge"], "yes");
    say(&world, "DM4MMC0002", "SUSPENDED", "2026-11-20T11:00:00Z").await;

    let answer = asked(&charger, "card-1").await;
    assert_eq!(
        (&answer["charge"], &answer["token_unique_reference"]),
        (&json!("no"), &json!("DM4MMC0002"))
    );
    let each: Vec<&Value> = answer["tokens"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["charge"])
        .collect();
    assert_eq!(each, ["yes", "no"]);
}

async fn a_token_s_own_reference_goes_before_a_merchant_s(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let misnamed = json!({"reference": "DM4MMC0002", "merchant_reference": "DM4MMC0001", "status": "SUSPENDED"});
    Caller::operator(&world).await.post("/v1/tokens", &misnamed).await;
    let answer = asked(&charger(&world).await, "DM4MMC0001").await;
    assert_eq!(
        (&answer["charge"], answer["tokens"].as_array().map(Vec::len)),
        (&json!("yes"), Some(1))
    );
}

async fn what_has_not_changed_is_not_sent_again(database: Database) {
    let world = World::over(database).await;
    let charger = charger(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let path = "/v1/charge/DM4MMC0001";
    let first = charger.get(path).await;
    let shown = [("if-none-match", first.header("etag"))];
    let again = charger.ask("GET", path, &shown, b"").await;
    assert_eq!(
        (again.status, again.body.len(), again.header("etag")),
        (304, 0, first.header("etag"))
    );

    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-20T11:00:00Z").await;
    let changed = charger.ask("GET", path, &shown, b"").await;
    assert_eq!((changed.status, &changed.json()["charge"]), (200, &json!("no")));
}

async fn a_charger_asks_this_and_nothing_else(database: Database) {
    let world = World::over(database).await;
    let charger = charger(&world).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let document = mdes_receiver::http::admin::openapi::document();
    let paths = document["paths"].as_object().expect("paths");
    let mut refused = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| !path.starts_with("/v1/charge/")) {
        for method in methods.as_object().expect("methods").keys() {
            let json = [("content-type", "application/json")];
            let answer = charger
                .ask(&method.to_uppercase(), &path.replace(['{', '}'], ""), &json, b"{}")
                .await;
            assert!(answer.problem().starts_with("403 only-"), "{method} {path}: {answer:?}");
            refused += 1;
        }
    }
    assert!(refused >= 30, "only {refused} paths");
    for caller in [Caller::viewer(&world).await, Caller::operator(&world).await] {
        assert_eq!(asked(&caller, "DM4MMC0001").await["charge"], "yes");
    }
}
