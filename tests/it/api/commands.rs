//! Commands, asked for and looked at.

use mdes_receiver::store::roster::Role;
use serde_json::{Value, json};

use super::caller::{Caller, Reply};
use crate::mdes_client::signing_key;
use crate::support::Database;
use crate::world::{Desk, World};

promises!(
    a_command_is_on_disk_and_says_how_it_stands,
    the_same_key_gives_the_same_command_and_another_order_under_it_is_refused,
    a_deletion_is_confirmed_by_the_references_last_four,
    a_deletion_waits_for_another_operator,
    a_deletion_that_waits_can_be_withdrawn,
    a_wrong_field_is_named_and_not_quoted,
    a_viewer_asks_for_nothing,
    the_service_s_name_for_the_token_is_found_by_its_links,
    a_page_of_commands_goes_on_where_it_ended,
    without_a_service_nothing_can_be_asked_for,
);

const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
/// It looks like a card's number, as some do.
const TOKENEX: &str = "5204730000001201";

/// Services that are configured and cannot be reached: what is asked for stays as it was asked for.
pub fn out_of_reach(desk: Desk, more: &str) -> Desk {
    signing_key(&desk.path("."));
    desk.with(&format!(
        "[lifecycle]\nthrough = \"mdes\"\nallow_networks = [\"127.0.0.0/8\"]\n{more}\n\
         [lifecycle.mdes]\nurl = \"http://127.0.0.1:9/mdes\"\nconsumer_key = \"a!b\"\n\
         signing_key = \"signing.p12\"\nsigning_key_password = \"keys and doors\"\n\
         [lifecycle.tokenex]\nurl = \"http://127.0.0.1:9\"\ntokenex_id = \"1\"\napi_key = \"2\"\n"
    ))
}

async fn world(database: Database, more: &str) -> World {
    let world = out_of_reach(Desk::over(database), more).open().await;
    world.ready().await;
    world
}

fn path(reference: &str) -> String {
    format!("/v1/tokens/{reference}/commands")
}

async fn keyed(caller: &Caller, key: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    caller
        .ask("POST", &path(TOKEN), &headers, body.to_string().as_bytes())
        .await
}

async fn a_command_is_on_disk_and_says_how_it_stands(database: Database) {
    let world = world(database, "").await;
    let operator = Caller::operator(&world).await;
    let reason = format!("the card {TOKENEX} is lost");
    let wish = json!({
        "action": "suspend", "reason": reason, "reason_code": "SUSPECTED_FRAUD", "caused_by": "cardholder",
    });
    let asked = operator.post(&path(TOKEN), &wish).await;
    assert_eq!(asked.status, 201);
    let command = asked.json();
    for (field, value) in [
        ("token_unique_reference", json!(TOKEN)),
        ("namespace", json!("mdes")),
        ("action", json!("suspend")),
        ("through", json!("mdes")),
        ("target", json!({"token": TOKEN, "token_reference_id": null})),
        ("caused_by", json!("CARDHOLDER")),
        ("reason_code", json!("SUSPECTED_FRAUD")),
        ("reason", json!("the card ····1201 is lost")),
        ("forced", json!(false)),
        ("stage", json!("requested")),
        ("final", json!(false)),
        ("asked_by", json!("an operator")),
        ("waits_for_approval", json!(false)),
    ] {
        assert_eq!(command[field], value, "{field}");
    }
    let id = command["id"].as_str().expect("an id");
    let viewer = Caller::viewer(&world).await;
    let shown = viewer.get(&format!("/v1/commands/{id}")).await.json();
    assert_eq!(shown["steps"][0]["stage"], "requested");
    assert_eq!((&shown["id"], &shown["reason"]), (&command["id"], &command["reason"]));
    for unknown in ["00000000-0000-0000-0000-000000000000", "nonsense"] {
        let path = format!("/v1/commands/{unknown}");
        assert_eq!(viewer.get(&path).await.problem(), "404 unknown-command");
    }
}

async fn the_same_key_gives_the_same_command_and_another_order_under_it_is_refused(database: Database) {
    let world = world(database, "").await;
    let operator = Caller::operator(&world).await;
    let wish = json!({"action": "suspend", "reason": "lost"});
    let first = keyed(&operator, "order-7", &wish).await;
    let again = keyed(&operator, "order-7", &wish).await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = keyed(&operator, "order-7", &json!({"action": "resume"})).await;
    assert_eq!(other.problem(), "409 key-used");
    // A key is its asker's own.
    let bob = Caller::added(&world, "bob", Role::Operator, time::Duration::HOUR).await;
    assert_eq!(keyed(&bob, "order-7", &wish).await.status, 201);
    for key in ["", "two words", &"x".repeat(256)] {
        assert_eq!(keyed(&operator, key, &wish).await.problem(), "422 unfit", "{key}");
    }
}

async fn a_deletion_is_confirmed_by_the_references_last_four(database: Database) {
    let world = world(database, "").await;
    let operator = Caller::operator(&world).await;
    for confirm in [json!(null), json!(""), json!("a698"), json!(TOKEN)] {
        let refused = operator
            .post(&path(TOKEN), &json!({"action": "delete", "confirm": confirm}))
            .await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("409 not-orderable", &json!("confirm"))
        );
    }
    assert_eq!(operator.get("/v1/commands").await.json()["items"], json!([]));
    let confirmed = operator
        .post(&path(TOKEN), &json!({"action": "delete", "confirm": "a697"}))
        .await;
    assert_eq!(confirmed.status, 201);
}

async fn a_deletion_waits_for_another_operator(database: Database) {
    let world = world(database, "delete_needs_two = true").await;
    let alice = Caller::added(&world, "alice", Role::Operator, time::Duration::HOUR).await;
    let bob = Caller::added(&world, "bob", Role::Operator, time::Duration::HOUR).await;
    let asked = alice
        .post(&path(TOKEN), &json!({"action": "delete", "confirm": "a697"}))
        .await
        .json();
    assert_eq!(asked["waits_for_approval"], true);
    let approve = format!("/v1/commands/{}/approve", asked["id"].as_str().expect("an id"));
    assert_eq!(alice.post(&approve, &json!({})).await.problem(), "403 by-the-same");
    let approved = bob.post(&approve, &json!({})).await.json();
    assert_eq!(
        (&approved["waits_for_approval"], &approved["approved_by"]),
        (&json!(false), &json!("bob"))
    );
    assert_eq!(bob.post(&approve, &json!({})).await.problem(), "409 not-waiting");
    let nothing = "/v1/commands/00000000-0000-0000-0000-000000000000/approve";
    assert_eq!(bob.post(nothing, &json!({})).await.problem(), "404 unknown-command");
}

async fn a_deletion_that_waits_can_be_withdrawn(database: Database) {
    let world = world(database, "delete_needs_two = true").await;
    let operator = Caller::operator(&world).await;
    let wish = json!({"action": "delete", "confirm": "a697"});
    let asked = operator.post(&path(TOKEN), &wish).await.json();
    let withdraw = format!("/v1/commands/{}/withdraw", asked["id"].as_str().expect("an id"));
    let withdrawn = operator.post(&withdraw, &json!({})).await.json();
    assert_eq!(
        (&withdrawn["stage"], &withdrawn["waits_for_approval"]),
        (&json!("refused"), &json!(false))
    );
    assert_eq!(operator.post(&withdraw, &json!({})).await.problem(), "409 not-waiting");
    let nothing = "/v1/commands/00000000-0000-0000-0000-000000000000/withdraw";
    assert_eq!(
        operator.post(nothing, &json!({})).await.problem(),
        "404 unknown-command"
    );
}

async fn a_wrong_field_is_named_and_not_quoted(database: Database) {
    let world = world(database, "").await;
    let operator = Caller::operator(&world).await;
    let long = "x".repeat(257);
    for (body, field) in [
        (json!({}), "action"),
        (json!({"action": "pause"}), "action"),
        (json!({"action": "suspend", "through": "visa"}), "through"),
        (json!({"action": "suspend", "namespace": "visa"}), "namespace"),
        (json!({"action": "suspend", "caused_by": "ISSUER"}), "caused_by"),
        (json!({"action": "suspend", "reason_code": "not so"}), "reason_code"),
        (json!({"action": "suspend", "reason": long}), "reason"),
        (json!({"action": "suspend", "reason": "two\nlines"}), "reason"),
        (json!({"action": "suspend", "reson": "x"}), "reson"),
        (json!({"action": "suspend", "force": "yes"}), "force"),
    ] {
        let refused = operator.post(&path(TOKENEX), &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("422 unfit", &json!(field)),
            "{body}"
        );
        assert!(!refused.json().to_string().contains(TOKENEX), "{body}");
    }
    assert_eq!(operator.get("/v1/commands").await.json()["items"], json!([]));
}

async fn a_viewer_asks_for_nothing(database: Database) {
    let world = world(database, "").await;
    let viewer = Caller::viewer(&world).await;
    let refused = viewer.post(&path(TOKEN), &json!({"action": "suspend"})).await;
    assert_eq!(refused.problem(), "403 only-operators");
    assert_eq!(viewer.get("/v1/commands").await.json()["items"], json!([]));
}

async fn the_service_s_name_for_the_token_is_found_by_its_links(database: Database) {
    let world = world(database, "").await;
    let operator = Caller::operator(&world).await;
    let through_tokenex = json!({"action": "suspend", "through": "tokenex"});
    let unlinked = operator.post(&path(TOKEN), &through_tokenex).await;
    assert_eq!(
        (unlinked.problem().as_str(), &unlinked.json()["field"]),
        ("409 not-orderable", &json!("through"))
    );

    let link = |id: &str| json!({"token_unique_reference": TOKEN, "tokenex_token": TOKENEX, "token_reference_id": id});
    operator.post("/v1/links", &link("one")).await;
    let linked = operator.post(&path(TOKEN), &through_tokenex).await.json();
    assert_eq!(linked["target"], json!({"token": TOKENEX, "token_reference_id": "one"}));
    let own = json!({"action": "suspend", "through": "tokenex", "namespace": "tokenex"});
    let own = operator.post(&path(TOKENEX), &own).await.json();
    assert_eq!(own["target"], json!({"token": TOKENEX, "token_reference_id": "one"}));
    // By MDES, though it was named as TokenEx names it.
    let back = operator
        .post(&path(TOKENEX), &json!({"action": "suspend", "namespace": "tokenex"}))
        .await
        .json();
    assert_eq!(
        (&back["through"], &back["target"]["token"]),
        (&json!("mdes"), &json!(TOKEN))
    );

    operator.post("/v1/links", &link("two")).await;
    let several = operator.post(&path(TOKEN), &through_tokenex).await;
    assert_eq!(several.json()["field"], "token_reference_id");
    let chosen = json!({"action": "suspend", "through": "tokenex", "token_reference_id": "two"});
    let chosen = operator.post(&path(TOKEN), &chosen).await.json();
    assert_eq!(chosen["target"]["token_reference_id"], "two");
}

async fn a_page_of_commands_goes_on_where_it_ended(database: Database) {
    let world = world(database, "").await;
    let operator = Caller::operator(&world).await;
    for n in 0..5 {
        let action = if n % 2 == 0 { "suspend" } else { "resume" };
        let answer = operator
            .post(&path(&format!("DM4MMC{n}")), &json!({ "action": action }))
            .await;
        assert_eq!(answer.status, 201);
    }
    let mut found = Vec::new();
    let mut path = "/v1/commands?limit=2".to_owned();
    loop {
        let page = operator.get(&path).await.json();
        for command in page["items"].as_array().expect("a list") {
            found.push(command["token_unique_reference"].as_str().expect("a text").to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/commands?limit=2&after={next}");
    }
    assert_eq!(found, ["DM4MMC4", "DM4MMC3", "DM4MMC2", "DM4MMC1", "DM4MMC0"]);
    for (query, many) in [
        ("action=resume", 2),
        ("token=DM4MMC0", 1),
        ("token=DM4MMC0&namespace=tokenex", 0),
        ("stage=confirmed", 0),
        ("open=true", 5),
    ] {
        let items = operator.get(&format!("/v1/commands?{query}")).await.json()["items"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(many), "{query}");
    }
    assert_eq!(
        operator.get("/v1/commands?after=x").await.problem(),
        "404 unknown-cursor"
    );
}

async fn without_a_service_nothing_can_be_asked_for(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for body in [
        json!({"action": "suspend"}),
        json!({"action": "suspend", "through": "mdes"}),
    ] {
        let refused = operator.post(&path(TOKEN), &body).await;
        assert_eq!(
            (refused.problem().as_str(), &refused.json()["field"]),
            ("409 not-orderable", &json!("through"))
        );
        assert!(
            refused.json()["detail"]
                .as_str()
                .is_some_and(|why| why.contains("[lifecycle.mdes]"))
        );
    }
}
