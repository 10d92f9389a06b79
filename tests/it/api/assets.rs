//! Card art: fetched when it is first looked at, kept for ever, and nothing that a browser would run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mdes_receiver::clock::{Clock, ManualClock};
use mdes_receiver::domain::id::Namespace;
use mdes_receiver::lifecycle::art::{Art, Gallery, NoArt, NoAsset};
use mdes_receiver::simulator::dev_files;
use mdes_receiver::simulator::services::tokens::NewToken;
use mdes_receiver::simulator::services::{Services, Settings};
use mdes_receiver::store::assets::Medium;
use mdes_receiver::store::{self, Assets as _, Memory};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::task::JoinSet;

use super::caller::Caller;
use crate::support::Database;
use crate::world::{Desk, World, read, statement};

promises!(
    card_art_is_fetched_from_mdes_once_and_shown_for_ever,
    what_a_browser_would_run_it_may_only_save,
    only_what_a_token_of_ours_names_is_fetched,
    however_many_look_at_once_it_is_fetched_once,
    what_is_not_there_is_not_asked_for_again_for_a_while,
);

const ID: &str = "739d27e5-629d-11e3-949a-0800200c9a66";

/// Of every card that the simulator plays.
const BRAND_LOGO: &str = "800200c9-629d-11e3-949a-0739d27e5a66";

fn png() -> Medium {
    Medium {
        content_type: "image/png".to_owned(),
        body: b"\x89PNG".to_vec(),
        width: Some(1),
        height: Some(2),
    }
}

/// A token whose card art is of that id.
fn named(id: &str) -> Value {
    let mut said = statement("DM4MMC1", "ACTIVE", "2026-11-02T09:15:03Z");
    said["tokens"][0]["productConfig"] = json!({ "cardBackgroundCombinedAssetId": id });
    said
}

async fn memory(world: &World, clock: Arc<dyn Clock>) -> Arc<Memory> {
    let memory = store::open(&world.desk.database.settings, clock).await;
    memory.expect("the settings are good")
}

fn noon() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(
        OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000),
    ))
}

/// Counts, takes its time, and gives what it is told to.
struct Counting {
    asked: AtomicUsize,
    gives: Result<Vec<Medium>, NoAsset>,
}

#[async_trait]
impl Gallery for Counting {
    async fn asset(&self, _: &str) -> Result<Vec<Medium>, NoAsset> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.gives.clone()
    }
}

fn giving(gives: Result<Vec<Medium>, NoAsset>) -> Arc<Counting> {
    Arc::new(Counting {
        asked: AtomicUsize::new(0),
        gives,
    })
}

async fn card_art_is_fetched_from_mdes_once_and_shown_for_ever(database: Database) {
    let desk = Desk::over(database);
    let (signing, _) = dev_files::signing(&desk.path("signing"), OffsetDateTime::now_utc()).expect("files are made");
    let known = Settings::default();
    let services = Services::start(Settings {
        signing_certificate: Some(read(&signing.certificate)),
        ..Settings::default()
    });
    let services = services.await.expect("loopback listens");
    services.make(&NewToken::default()).expect("a token");
    let id = BRAND_LOGO;
    let world = desk.with(&format!(
        "[lifecycle]\nallow_networks = [\"127.0.0.0/8\"]\n[lifecycle.mdes]\nurl = {:?}\nconsumer_key = {:?}\nsigning_key = {:?}\n",
        services.mdes_url(),
        known.consumer_key,
        signing.private_key,
    ));
    let world = world.open().await;
    world.ready().await;
    let viewer = Caller::viewer(&world).await;
    let path = format!("/v1/assets/{id}");
    assert_eq!(
        viewer.get(&path).await.problem(),
        "404 unknown-asset",
        "no token of ours names it"
    );

    world.told("r-1", &named(id)).await;
    // It is remembered for a while that nobody named it; another replica does not remember.
    let world = world.reopened(|desk| desk).await;
    let viewer = Caller::added(
        &world,
        "another",
        mdes_receiver::store::roster::Role::Viewer,
        time::Duration::HOUR,
    )
    .await;
    let shown = viewer.get(&path).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert!(shown.body.starts_with(b"\x89PNG"));
    for (name, value) in [
        ("content-type", "image/png"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
    ] {
        assert_eq!(shown.headers[name], value);
    }
    assert!(
        shown.headers["cache-control"]
            .to_str()
            .expect("text")
            .contains("immutable")
    );
    drop(services);
    assert_eq!(viewer.get(&path).await.body, shown.body, "MDES is not asked again");
    let tag = shown.headers["etag"].to_str().expect("text");
    let unchanged = viewer.ask("GET", &path, &[("if-none-match", tag)], b"").await;
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(
        viewer.get(&format!("{path}?place=1")).await.problem(),
        "404 unknown-asset"
    );
    assert_eq!(Caller::stranger(&world).get(&path).await.status, 401);
}

async fn what_a_browser_would_run_it_may_only_save(database: Database) {
    let world = World::over(database).await;
    let media = ["text/html", "image/svg+xml", "text/plain", "x\r\ny", ""].map(|kind| Medium {
        content_type: kind.to_owned(),
        ..png()
    });
    let memory = memory(&world, noon()).await;
    memory
        .keep_asset(Namespace::Mdes, ID, &media)
        .await
        .expect("it is kept");
    let viewer = Caller::viewer(&world).await;
    for (place, kind) in [
        (0, None),
        (1, None),
        (2, Some("text/plain; charset=utf-8")),
        (3, None),
        (4, None),
    ] {
        let shown = viewer.get(&format!("/v1/assets/{ID}?place={place}")).await;
        assert_eq!(shown.status, 200, "{place}");
        assert_eq!(
            shown.headers["content-type"],
            kind.unwrap_or("application/octet-stream"),
            "{place}"
        );
        assert_eq!(
            shown.headers.get("content-disposition").is_some(),
            kind.is_none(),
            "{place}"
        );
    }
}

async fn only_what_a_token_of_ours_names_is_fetched(database: Database) {
    let world = World::over(database).await;
    let gallery = giving(Ok(vec![png()]));
    let art = Arc::new(Art::new(memory(&world, noon()).await, Some(gallery.clone()), noon()));
    for id in [ID, "", "../../getToken", "a b", &"x".repeat(65)] {
        assert!(matches!(art.medium(id, 0).await, Err(NoArt::Unknown)), "{id}");
    }
    assert_eq!(gallery.asked.load(Ordering::SeqCst), 0);
}

async fn however_many_look_at_once_it_is_fetched_once(database: Database) {
    let world = World::over(database).await;
    world.told("r-1", &named(ID)).await;
    let gallery = giving(Ok(vec![png(), png()]));
    let art = Arc::new(Art::new(memory(&world, noon()).await, Some(gallery.clone()), noon()));
    let mut looking = JoinSet::new();
    for place in 0..40 {
        let art = art.clone();
        looking.spawn(async move { art.medium(ID, place % 2).await.expect("it is shown") });
    }
    let shown = tokio::time::timeout(Duration::from_secs(20), looking.join_all())
        .await
        .expect("in time");
    assert!(shown.iter().all(|medium| *medium == png()));
    assert_eq!(gallery.asked.load(Ordering::SeqCst), 1);
}

async fn what_is_not_there_is_not_asked_for_again_for_a_while(database: Database) {
    let world = World::over(database).await;
    world.told("r-1", &named(ID)).await;
    for (why, minutes) in [(NoAsset::Absent, 6), (NoAsset::Failed("MDES: HTTP 500".to_owned()), 1)] {
        let clock = noon();
        let gallery = giving(Err(why));
        let art = Arc::new(Art::new(
            memory(&world, clock.clone()).await,
            Some(gallery.clone()),
            clock.clone(),
        ));
        for _ in 0..3 {
            art.medium(ID, 0).await.expect_err("it is not there");
        }
        assert_eq!(gallery.asked.load(Ordering::SeqCst), 1);
        clock.advance(time::Duration::minutes(minutes));
        art.medium(ID, 0).await.expect_err("it is still not there");
        assert_eq!(gallery.asked.load(Ordering::SeqCst), 2);
    }
}
