//! `POST /v1/tokens/{reference}/erase`: who may, on what word, and what is left.

use mdes_receiver::store::roster::Role;
use serde_json::json;

use super::caller::Caller;
use super::docs::in_need;
use crate::support::Database;

promises!(a_token_is_erased_by_an_operator_who_confirms_it_and_says_why);

const PATH: &str = "/v1/tokens/DM4MMC0001/erase";

async fn a_token_is_erased_by_an_operator_who_confirms_it_and_says_why(database: Database) {
    let world = in_need(database).await;
    let operator = Caller::operator(&world).await;
    let viewer = Caller::added(&world, "vera", Role::Viewer, time::Duration::HOUR).await;
    let meant = json!({"reason": "case 812", "confirm": "0001", "force": true});
    assert_eq!(viewer.post(PATH, &meant).await.status, 403);
    for (body, status, word) in [
        (json!({"confirm": "0001"}), 422, "reason"),
        (json!({"reason": "case 812"}), 409, "confirm"),
        (json!({"reason": "case 812", "confirm": "0001"}), 409, "still-needed"),
    ] {
        let answer = operator.post(PATH, &body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert!(answer.json().to_string().contains(word), "{body}: {answer:?}");
    }
    let counted = operator
        .post(PATH, &json!({"reason": "case 812", "dry_run": true, "force": true}))
        .await;
    assert_eq!(
        (counted.status, counted.json()["rows"]["tokens"].as_u64()),
        (200, Some(1))
    );
    assert_eq!(operator.get("/v1/tokens/DM4MMC0001").await.status, 200);
    let erased = operator.post(PATH, &meant).await;
    assert_eq!(erased.json()["rows"], counted.json()["rows"], "{erased:?}");
    assert_eq!(operator.get("/v1/tokens/DM4MMC0001").await.status, 404);
    assert_eq!(operator.post(PATH, &meant).await.status, 404);
    world.service.stop().await;
}
