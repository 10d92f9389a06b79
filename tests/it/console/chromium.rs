//! The console's main paths in a real browser, and what axe-core says of each page, in light and in dark.

use std::path::Path;

use assert_cmd::Command;
use mdes_receiver::store::roster::Role;

use crate::api::caller::{bearer, say};
use crate::support::Database;
use crate::world::{Desk, Merchant};

const WALK: &str = include_str!("../../console/walk.js");

#[tokio::test(flavor = "multi_thread")]
async fn a_person_walks_through_the_console_in_chromium() {
    let modules = std::env::var_os("MDES_RECEIVER_TEST_NODE_MODULES");
    let modules = modules.expect("MDES_RECEIVER_TEST_NODE_MODULES; `tests/run` sets it");
    let shop = Merchant::content().await;
    let world = Desk::over(Database::sqlite().await)
        .with(&shop.destination("shop", ""))
        .open()
        .await;
    world.ready().await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-21T10:00:00Z").await;
    let token = bearer(&world, "ana", Role::Operator, time::Duration::HOUR).await;
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console");
    std::fs::create_dir_all(&pictures).expect("a folder");
    let address = world.service.admin_address;
    let walked = tokio::task::spawn_blocking(move || {
        Command::new("node")
            .args(["-", &format!("http://{address}"), pictures.to_str().expect("UTF-8")])
            .env("NODE_PATH", modules)
            .env("MDES_RECEIVER_TEST_TOKEN", token.expose())
            .write_stdin(WALK)
            .timeout(std::time::Duration::from_secs(120))
            .assert()
    });
    let walked = walked.await.expect("it ends").success();
    let said = String::from_utf8_lossy(&walked.get_output().stdout).into_owned();
    assert!(said.ends_with("walked\n"), "{said}");
}
