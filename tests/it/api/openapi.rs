//! `/openapi.json` and `/docs`: who may read them, and that they are whole.

use std::collections::BTreeSet;

use mdes_receiver::http::admin::openapi;
use serde_json::{Value, json};

use super::caller::Caller;
use crate::support::Database;
use crate::world::World;

promises!(the_document_and_its_page_are_open);

async fn the_document_and_its_page_are_open(database: Database) {
    let world = World::over(database).await;
    let stranger = Caller::stranger(&world);
    let document = stranger.get("/openapi.json").await;
    assert_eq!((document.status, &document.json()), (200, &openapi::document()));

    let page = stranger.get("/docs").await;
    let text = String::from_utf8(page.body.to_vec()).expect("UTF-8");
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'self';")
    );
    for foreign in ["<script", "http://", "https://", "style=", "onclick"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    for told in [
        "GET /v1/charge/{reference}",
        "id=\"schema-Charge\"",
        "href=\"/openapi.json\"",
    ] {
        assert!(text.contains(told), "{told}");
    }
    assert!(
        stranger
            .get("/docs/style.css")
            .await
            .header("content-type")
            .starts_with("text/css")
    );
    assert_eq!(stranger.get("/v1/tokens").await.problem(), "401 no-token");
}

#[test]
fn every_shape_that_is_named_is_there_and_no_other() {
    let document = openapi::document();
    let text = document.to_string();
    let named: BTreeSet<&str> = text
        .split("#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let schemas = document["components"]["schemas"].as_object().expect("shapes");
    assert_eq!(named, schemas.keys().map(String::as_str).collect());
}

#[test]
fn every_path_says_what_it_is_for_and_has_a_name_of_its_own() {
    let document = openapi::document();
    let paths = document["paths"].as_object().expect("paths").values();
    let all: Vec<&Value> = paths
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .collect();
    let names: BTreeSet<&str> = all.iter().filter_map(|one| one["operationId"].as_str()).collect();
    assert_eq!(names.len(), all.len());
    for one in all {
        assert!(one["summary"].as_str().is_some_and(|says| !says.is_empty()), "{one}");
        assert_ne!(one["responses"]["401"], json!(null), "{one}");
    }
}
