//! What the pages say, and what their forms do.

use mdes_receiver::store::roster::Role;
use serde_json::json;

use super::browser::{Browser, text};
use crate::api::caller::say;
use crate::support::Database;
use crate::world::{Desk, World, eventually};

promises!(
    a_tokens_page_tells_its_story,
    what_the_network_wrote_is_never_markup,
    a_token_is_found_by_its_reference,
    what_needs_a_person_stands_first,
    a_destination_is_paused_with_a_reason_and_resumed,
    a_tokenex_token_is_masked,
    what_is_not_there_is_a_page_that_says_so,
);

async fn a_tokens_page_tells_its_story(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-21T10:00:00Z").await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T12:00:00Z").await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let page = vera.page("/console/tokens/mdes/DM4MMC0001").await;
    assert!(page.contains("Do not charge it until it is resumed."));
    assert!(page.contains("stale: older than what we hold"));
    assert!(page.contains("status: ACTIVE → SUSPENDED"), "{page}");
    assert!(page.contains("2026-11-21 10:00:00"), "the network's time");
}

async fn what_the_network_wrote_is_never_markup(database: Database) {
    let world = World::over(database).await;
    let markup = "<script>alert(1)</script>\"'";
    let content = json!({ "tokens": [{
        "tokenUniqueReference": "DM4MMC0001",
        "status": markup,
        "eventReasonCode": markup,
        "statusTimestamp": "2026-11-20T10:00:00Z",
        "productConfig": { "issuerName": markup },
    }]});
    assert_eq!(world.told("r1", &content).await.status, 200);
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    for path in ["/console/tokens/mdes/DM4MMC0001", "/console/tokens"] {
        let page = vera.page(path).await;
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("&lt;script&gt;alert"), "{path}");
    }
    let asked = vera.page("/console/tokens?q=%3Cscript%3Ealert(1)").await;
    assert!(!asked.contains("<script>alert"));
}

async fn a_token_is_found_by_its_reference(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let found = vera.get("/console/tokens?q=%20DM4MMC0001%20").await;
    assert_eq!(
        (found.status, found.header("location")),
        (303, "/console/tokens/mdes/DM4MMC0001")
    );
    let page = vera.page("/console/tokens?q=DM4MMC0002").await;
    assert!(page.contains("No token has this reference") && page.contains("DM4MMC0001"));
}

async fn what_needs_a_person_stands_first(database: Database) {
    let world = World::over(database).await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    assert!(vera.page("/console").await.contains("Nothing needs you."));
    let refused = world
        .sender()
        .send(bytes::Bytes::from_static(b"{}"))
        .await
        .expect("an answer");
    assert_eq!(refused.status, 400);
    let page = vera.page("/console").await;
    assert!(page.contains("1 in quarantine") && !page.contains("Nothing needs you."));
    let quarantine = vera.page("/console/quarantine").await;
    let path = quarantine
        .split("href=\"")
        .find(|rest| rest.starts_with("/console/quarantine/0"));
    let path = path
        .and_then(|rest| rest.split('"').next())
        .expect("a way to the entry");
    assert!(
        !vera.page(path).await.contains("Set it aside"),
        "who only looks has no such button"
    );
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let unread = ana.send(path, &format!("{path}/redrive"), &[]).await;
    assert!(unread.header("location").ends_with("?said=unreadable"), "{unread:?}");
    let aside = ana
        .send(path, &format!("{path}/resolve"), &[("reason", "a probe of ours")])
        .await;
    assert!(aside.header("location").ends_with("?said=resolved"), "{aside:?}");
    assert!(vera.page("/console").await.contains("Nothing needs you."));
    let audit = vera.page("/console/audit").await;
    for act in [
        "console.login",
        "quarantine.redrive",
        "quarantine.resolve",
        "a probe of ours",
    ] {
        assert!(audit.contains(act), "{act} is not in the audit");
    }
}

async fn a_destination_is_paused_with_a_reason_and_resumed(database: Database) {
    let shop = crate::world::Merchant::content().await;
    let world = Desk::over(database).with(&shop.destination("shop", "")).open().await;
    world.ready().await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let page = "/console/destinations";
    let pause = "/console/destinations/shop/pause";
    assert_eq!(
        ana.send(page, pause, &[("reason", " ")]).await.status,
        422,
        "a reason is asked for"
    );
    let paused = ana.send(page, pause, &[("reason", "their release <b>")]).await;
    assert_eq!(paused.status, 303, "{}", text(&paused));
    assert!(ana.page(page).await.contains("ana: their release &lt;b&gt;"));
    assert!(ana.page("/console").await.contains("shop is paused"));
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert!(shop.told().is_empty());
    let resumed = ana.send(page, "/console/destinations/shop/resume", &[]).await;
    assert_eq!(resumed.header("location"), "/console/destinations?said=resumed");
    eventually("it is told", async || !shop.told().is_empty()).await;
}

async fn a_tokenex_token_is_masked(database: Database) {
    let world = World::over(database).await;
    let operator = crate::api::caller::Caller::operator(&world).await;
    let written = json!({ "namespace": "tokenex", "reference": "4761202544127718", "merchant_reference": "card-1" });
    assert_eq!(operator.post("/v1/tokens", &written).await.status, 200);
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let page = vera.page("/console/tokens").await;
    assert!(page.contains(">····7718<"), "{page}");
    assert!(!page.contains(">4761202544127718"), "{page}");
    let page = vera.page("/console/tokens/tokenex/4761202544127718").await;
    assert!(page.contains("····7718") && !page.contains(">4761202544127718"));
}

async fn what_is_not_there_is_a_page_that_says_so(database: Database) {
    let world = World::over(database).await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    for path in [
        "/console/nowhere",
        "/console/tokens/mdes/DM4MMC0404",
        "/console/tokens/visa/DM4MMC0404",
        "/console/tokens?after=nonsense",
        "/console/commands/nonsense",
        "/console/quarantine/019a0000-0000-7000-8000-000000000000",
        "/console/assets/console.exe",
    ] {
        let reply = vera.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(text(&reply).contains("To the overview"), "{path}");
    }
}
