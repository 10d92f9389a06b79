//! `listen`: events of a whole receiver on a developer's own machine, followed and forwarded.

use mdes_receiver::store::roster::Role;
use serde_json::Value;
use standardwebhooks::Webhook;

use super::caller::{bearer, say};
use crate::program::process::Process;
use crate::support::Database;
use crate::world::{Merchant, Reaction, Told, World, eventually, ready, sealed, statement};

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

promises!(
    events_are_forwarded_in_order_and_signed,
    what_happened_while_it_was_away_is_forwarded_too,
    types_narrow_what_is_forwarded,
);

/// The program that listens, with a viewer's token.
async fn listening(world: &World, args: &[&str]) -> Process {
    write_files(world).await;
    let process = started(world, args);
    process
        .logged("it listens", |line| line.starts_with("listening to").then_some(()))
        .await;
    process
}

/// A viewer's token and a secret, each in its file.
async fn write_files(world: &World) {
    let viewer = bearer(world, "a listener", Role::Viewer, time::Duration::HOUR).await;
    for (name, text) in [("viewer.token", viewer.expose()), ("dev.secret", SECRET)] {
        std::fs::write(world.desk.path(name), format!("{text}\n")).expect("a file is written");
    }
}

fn started(world: &World, args: &[&str]) -> Process {
    let url = format!("http://{}", world.service.admin_address);
    let common = ["listen", "--url", &url, "--token-file", "viewer.token"];
    Process::start(&world.desk.path("."), &[&common, args].concat())
}

fn hook(merchant: &Merchant) -> String {
    format!("http://localhost:{}/hook", merchant.address.port())
}

async fn hears(merchant: &Merchant, events: usize) -> Vec<Told> {
    eventually("the endpoint has heard them", || async {
        merchant.told().len() >= events
    })
    .await;
    merchant.told()
}

fn kinds(told: &[Told]) -> Vec<&str> {
    told.iter().map(Told::kind).collect()
}

async fn lives(world: &World, minutes: std::ops::Range<u32>) {
    for minute in minutes {
        let status = if minute % 2 == 0 { "ACTIVE" } else { "SUSPENDED" };
        say(world, "DM4MMC0001", status, &format!("2026-11-20T10:{minute:02}:00Z")).await;
    }
}

async fn events_are_forwarded_in_order_and_signed(database: Database) {
    let merchant = Merchant::content().await;
    let world = World::over(database).await;
    let mut listening = listening(
        &world,
        &["--forward-to", &hook(&merchant), "--secret-file", "dev.secret"],
    )
    .await;

    lives(&world, 10..20).await;
    let told = hears(&merchant, 11).await;
    let places: Vec<_> = told.iter().map(Told::place).collect();
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
    let official = Webhook::new(SECRET).expect("a secret");
    for one in &told {
        official.verify(&one.raw, &one.headers).expect("signed by us");
        assert_eq!(
            (one.body["id"].as_str(), one.was_taken()),
            (Some(one.id.as_str()), true)
        );
        assert_eq!(one.headers["content-type"], "application/json");
    }
    let answered = |line: &str| (line.starts_with("11  ") && line.ends_with("  → 200 noted")).then_some(());
    listening.printed("the last answer", answered).await;

    listening.signal("INT");
    assert_eq!(listening.ended().await.code(), Some(0));
    let last = listening.log().pop();
    assert_eq!(last.as_deref(), Some("stopped; --after 11 goes on from here"));
    assert_eq!(listening.output().lines().count(), 11, "a line an event");
}

async fn what_happened_while_it_was_away_is_forwarded_too(database: Database) {
    let merchant = Merchant::content().await;
    let world = World::over(database).await;
    let _listening = listening(
        &world,
        &["--forward-to", &hook(&merchant), "--secret-file", "dev.secret"],
    )
    .await;
    lives(&world, 10..12).await;
    hears(&merchant, 3).await;

    let address = world.service.admin_address.to_string();
    world.service.stop().await;
    let elsewhere = world.desk.replica().await;
    ready(&elsewhere).await;
    let resumed = sealed(
        &world.desk.sealer(),
        "meanwhile",
        &statement("DM4MMC0001", "ACTIVE", "2026-11-20T10:12:00Z"),
    );
    let sender = world.desk.sender(elsewhere.callback_address);
    eventually("another replica takes it", || async {
        let answer = sender.send(resumed.clone()).await;
        answer.is_ok_and(|answer| answer.status == 200)
    })
    .await;
    elsewhere.stop().await;
    assert_eq!(merchant.told().len(), 3, "it does not hear of that yet");

    let world = world.desk.set("admin.listen", &address).open().await;
    world.ready().await;
    hears(&merchant, 4).await;
    lives(&world, 13..14).await;
    let told = hears(&merchant, 5).await;
    assert_eq!(
        kinds(&told)[2..],
        ["token.suspended", "token.reactivated", "token.suspended"]
    );
    world.service.stop().await;
}

async fn types_narrow_what_is_forwarded(database: Database) {
    let merchant = Merchant::content().await;
    let world = World::over(database).await;
    let types = ["--types", "token.susp*,token.deactivated"];
    let forward = ["--forward-to", &hook(&merchant), "--secret-file", "dev.secret"];
    let _listening = listening(&world, &[types.as_slice(), &forward].concat()).await;
    lives(&world, 10..12).await;
    say(&world, "DM4MMC0001", "DEACTIVATED", "2026-11-20T11:00:00Z").await;
    let told = hears(&merchant, 2).await;
    assert_eq!(kinds(&told), ["token.suspended", "token.deactivated"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_goes_on_failing_holds_nothing_up() {
    let merchant = Merchant::who(|event| match event["type"].as_str() {
        Some("token.observed") => Reaction::Says(500, "what is this?"),
        _ => Reaction::Status(200),
    })
    .await;
    let world = World::over(Database::sqlite().await).await;
    let listening = listening(
        &world,
        &["--forward-to", &hook(&merchant), "--secret-file", "dev.secret"],
    )
    .await;
    lives(&world, 10..11).await;
    let told = hears(&merchant, 5).await;

    assert_eq!(
        kinds(&told),
        [["token.observed"; 4].as_slice(), &["token.activated"]].concat()
    );
    assert!(told[..4].iter().all(|one| one.id == told[0].id), "one event is one id");
    let passed_over = |line: &str| {
        line.ends_with("→ passed over after 4 tries: 500 what is this?")
            .then_some(())
    };
    listening.printed("it was passed over", passed_over).await;
    let again = "1 was not taken: 500 what is this?; again in 250ms";
    assert!(
        listening.log().iter().any(|line| line == again),
        "{:?}",
        listening.log()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_nobody_gave_is_made_and_shown_once() {
    let merchant = Merchant::content().await;
    let world = World::over(Database::sqlite().await).await;
    let mut listening = listening(&world, &["--forward-to", &hook(&merchant), "--print", "json"]).await;
    lives(&world, 10..12).await;
    let told = hears(&merchant, 3).await;
    let shown = |line: &str| Some(line.strip_prefix("signed by ")?.split(' ').next()?.to_owned());
    let secret = listening.logged("the secret", shown).await;
    let official = Webhook::new(&secret).expect("a secret");
    official.verify(&told[0].raw, &told[0].headers).expect("signed by it");

    listening.signal("INT");
    assert_eq!(listening.ended().await.code(), Some(0));
    assert_eq!(listening.log().join("\n").matches("whsec_").count(), 1);
    let output = listening.output();
    let bodies: Vec<Value> = output
        .lines()
        .map(|line| serde_json::from_str(line).expect("nothing but bodies"))
        .collect();
    assert_eq!(bodies, told.into_iter().map(|one| one.body).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_forwarded_to_is_told_before_anything_is_heard() {
    let world = World::over(Database::sqlite().await).await;
    write_files(&world).await;
    for (args, said) in [
        (
            ["--forward-to", "http://10.0.0.7/hook", "--secret", SECRET],
            "`allow_networks`",
        ),
        (
            ["--forward-to", "ftp://localhost/hook", "--secret", SECRET],
            "--forward-to: ",
        ),
        (
            ["--forward-to", "http://localhost/hook", "--secret", "whsec_dHdlbHZl"],
            "--secret: ",
        ),
        (
            ["--forward-to", "http://localhost/hook", "--secret-file", "none"],
            "cannot read none",
        ),
    ] {
        let mut listening = started(&world, &args);
        assert_eq!(listening.ended().await.code(), Some(1), "{args:?}");
        let log = listening.log().join("\n");
        assert!(log.contains(said) && !log.contains("dHdlbHZl"), "{args:?}: {log}");
    }
}
