//! `/v1/certificates` and `/v1/keys`: what the house shows, and what it opens bodies with; fingerprints and names alone.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::audit;
use super::route::{Route, get, paged, text};
use super::v1::SharedApi;
use super::wire;

/// Its paths, and the audit's.
pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/certificates", "listCertificates", certificates)
            .says("The certificates and revocation lists of the configuration, with the days that are left of each")
            .gives(200, "Certificates"),
        get("/keys", "listKeys", keys)
            .says("The decryption keys, by their fingerprints and aliases alone")
            .gives(200, "Keys"),
        get("/audit", "listAudit", audit::list)
            .says("Who did what, when, from where and why, newest first, by pages")
            .asks([
                text("who", "That operator"),
                text("what", "That act: `token.reveal`"),
                text("about", "About that: a token as `mdes:REFERENCE`"),
            ])
            .asks(paged())
            .gives(200, "AuditPage")
            .problems(&[404]),
    ]
}

/// Every certificate and revocation list that the configuration names, as its file is now.
pub(super) async fn certificates(State(api): State<SharedApi>) -> Json<Value> {
    let now = api.state.clock.now();
    let all = api.state.house.certificates().await;
    let items: Vec<Value> = all.iter().map(|one| wire::certificate(one, now)).collect();
    Json(json!({ "items": items }))
}

/// The decryption keys, oldest first.
pub(super) async fn keys(State(api): State<SharedApi>) -> Json<Value> {
    Json(json!({ "items": api.state.house.keys() }))
}
