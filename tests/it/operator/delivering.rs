//! Deliveries and destinations on the command line, beside a receiver that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::desk::{Desk as Folder, Ran, run};
use crate::support::Database;
use crate::world::{Desk, Merchant, Reaction, Told, World, eventually, statement};

promises!(
    what_is_parked_is_listed_and_goes_out_when_it_is_retried,
    what_is_skipped_is_set_aside_with_who_and_why,
    past_events_are_sent_once_more,
    a_paused_destination_is_told_nothing_until_it_is_resumed,
);

/// The program on this world's configuration.
fn ran(world: &World, args: &[&str]) -> Ran {
    let file = world.desk.path("receiver.toml");
    let file = file.to_str().expect("temporary folders are UTF-8");
    tokio::task::block_in_place(|| run(&[&["--config", file], args].concat()))
}

/// What it prints; it is well.
fn printed(world: &World, args: &[&str]) -> String {
    let ran = ran(world, args);
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran.out
}

fn json_of(world: &World, args: &[&str]) -> Vec<Value> {
    serde_json::from_str(&printed(world, args)).expect("a JSON list")
}

async fn says(world: &World, status: &str, at: &str) {
    let answer = world.told(at, &statement("DM4MMC-1", status, at)).await;
    assert_eq!(answer.status, 200);
}

async fn world_with(database: Database, destinations: &str) -> World {
    let world = Desk::over(database).with(destinations).open().await;
    world.ready().await;
    world
}

/// One that refuses as long as that holds, and is told of nothing twice by itself.
async fn refusing(refuses: &Arc<AtomicBool>) -> Merchant {
    let refuses = refuses.clone();
    Merchant::who(move |_| Reaction::Status(if refuses.load(Ordering::SeqCst) { 500 } else { 200 })).await
}

async fn parked(world: &World) {
    eventually("one is parked", || async {
        json_of(world, &["deliveries", "list", "--state", "parked", "--json"]).len() == 1
    })
    .await;
}

async fn takes(merchant: &Merchant, events: usize) -> Vec<Told> {
    let taken = || merchant.told().into_iter().filter(Told::was_taken).collect::<Vec<_>>();
    eventually("the merchant has taken them", || async { taken().len() >= events }).await;
    taken()
}

fn kinds(told: &[Told]) -> Vec<&str> {
    told.iter().map(Told::kind).collect()
}

async fn what_is_parked_is_listed_and_goes_out_when_it_is_retried(database: Database) {
    let refuses = Arc::new(AtomicBool::new(true));
    let merchant = refusing(&refuses).await;
    let world = world_with(database, &merchant.destination("orders", "retry_schedule = []")).await;
    says(&world, "ACTIVE", "2026-11-20T10:00:00Z").await;
    parked(&world).await;

    let list = printed(&world, &["deliveries", "list"]);
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[1][1..6],
        ["orders", "token.observed", "DM4MMC-1", "parked", "1"],
        "{list}"
    );
    assert!(lines[1].ends_with(&["500", "noted"]), "{list}");
    assert_eq!(
        lines[2][1..6],
        ["orders", "token.activated", "DM4MMC-1", "due", "0"],
        "{list}"
    );

    refuses.store(false, Ordering::SeqCst);
    let retry = ["deliveries", "retry", "--destination", "orders", "--state", "parked"];
    let would = printed(&world, &[retry.as_slice(), &["--dry-run"]].concat());
    assert_eq!(would, "1 delivery would be due now\n");
    parked(&world).await;
    assert_eq!(printed(&world, &retry), "1 delivery due now\n");
    assert_eq!(kinds(&takes(&merchant, 2).await), ["token.observed", "token.activated"]);
    eventually("none is open", || async {
        printed(&world, &["deliveries", "list"]) == "none\n"
    })
    .await;
    world.service.stop().await;
}

async fn what_is_skipped_is_set_aside_with_who_and_why(database: Database) {
    let merchant = Merchant::who(|event| {
        let is_first = event["type"] == "token.observed";
        Reaction::Status(if is_first { 500 } else { 200 })
    })
    .await;
    let world = world_with(database, &merchant.destination("orders", "retry_schedule = []")).await;
    says(&world, "ACTIVE", "2026-11-20T10:00:00Z").await;
    parked(&world).await;

    let unnarrowed = ran(&world, &["deliveries", "skip", "--reason", "all of it"]);
    assert!(
        unnarrowed.code == 2 && unnarrowed.err.contains("say which"),
        "{}",
        unnarrowed.err
    );
    for reason in ["", " ", "two\nlines", &"x".repeat(501)] {
        let unsaid = ran(&world, &["deliveries", "skip", "--state", "parked", "--reason", reason]);
        assert!(unsaid.code == 2 && unsaid.err.contains("--reason"), "{}", unsaid.err);
    }
    let skip = [
        "deliveries",
        "skip",
        "--state",
        "parked",
        "--reason",
        "the shop deleted this card",
    ];
    let would = printed(&world, &[skip.as_slice(), &["--dry-run"]].concat());
    assert_eq!(would, "1 delivery would be set aside for good\n");
    parked(&world).await;
    assert_eq!(printed(&world, &skip), "1 delivery set aside for good\n");
    assert_eq!(kinds(&takes(&merchant, 1).await), ["token.activated"]);

    let all = json_of(&world, &["deliveries", "list", "--all", "--state", "skipped", "--json"]);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0]["type"], "token.observed");
    assert_eq!(all[0]["settled_by"], "command line: the shop deleted this card");
    assert!(all[0]["settled_at"].is_string());
    world.service.stop().await;
}

async fn past_events_are_sent_once_more(database: Database) {
    let merchant = Merchant::content().await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    says(&world, "ACTIVE", "2026-11-20T10:00:00Z").await;
    says(&world, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    takes(&merchant, 3).await;

    let replay = [
        "deliveries",
        "replay",
        "--destination",
        "orders",
        "--token",
        "DM4MMC-1",
        "--types",
        "token.s*",
    ];
    let would = printed(&world, &[replay.as_slice(), &["--dry-run"]].concat());
    assert_eq!(would, "1 event would be due once more\n");
    assert_eq!(printed(&world, &replay), "1 event due once more\n");
    let told = takes(&merchant, 4).await;
    assert_eq!((&told[3].id, told[3].kind()), (&told[2].id, "token.suspended"));
    assert_eq!(told[3].body["data"]["replayed"], true);
    assert_eq!(told.len(), 4, "a dry run sends nothing");

    let nobody = ran(
        &world,
        &["deliveries", "replay", "--destination", "odrers", "--token", "DM4MMC-1"],
    );
    assert!(
        nobody.code == 1 && nobody.err.contains("there are [\"orders\"]"),
        "{}",
        nobody.err
    );
    world.service.stop().await;
}

async fn a_paused_destination_is_told_nothing_until_it_is_resumed(database: Database) {
    let merchant = Merchant::content().await;
    let world = world_with(database, &merchant.destination("orders", "")).await;
    says(&world, "ACTIVE", "2026-11-20T10:00:00Z").await;
    takes(&merchant, 2).await;

    let pause = ["destinations", "pause", "orders", "--reason", "they deploy"];
    assert_eq!(printed(&world, &pause), "orders is paused\n");
    assert_eq!(printed(&world, &pause), "orders is already paused\n");
    says(&world, "SUSPENDED", "2026-11-20T11:00:00Z").await;
    eventually("it waits", || async {
        json_of(&world, &["destinations", "list", "--json"])[0]["open"] == 1
    })
    .await;
    let shown = json_of(&world, &["destinations", "list", "--json"]).remove(0);
    assert_eq!((&shown["name"], &shown["configured"]), (&json!("orders"), &json!(true)));
    assert_eq!((&shown["behind"], &shown["parked"]), (&json!(0), &json!(0)));
    assert_eq!(shown["paused_reason"], "command line: they deploy");
    let list = printed(&world, &["destinations", "list"]);
    assert!(list.contains(": command line: they deploy"), "{list}");
    assert_eq!(merchant.told().len(), 2);

    assert_eq!(
        printed(&world, &["destinations", "resume", "orders"]),
        "orders is not paused\n"
    );
    assert_eq!(takes(&merchant, 3).await[2].kind(), "token.suspended");
    let unknown = ran(&world, &["destinations", "resume", "odrers"]);
    assert!(
        unknown.code == 1 && unknown.err.contains("destinations list"),
        "{}",
        unknown.err
    );
    world.service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_event_is_sent_once_and_its_answer_is_shown() {
    let (well, unwell) = (
        Merchant::content().await,
        Merchant::who(|_| Reaction::Says(422, "no such type")).await,
    );
    let gone = Merchant::who(|_| Reaction::Says(410, "moved out")).await;
    let folder = Folder::new();
    let destinations = [
        well.destination("well", "events = [\"token.suspended\"]"),
        unwell.destination("unwell", ""),
        gone.destination("gone", ""),
    ];
    folder.configure(&destinations.join("\n"));
    let test = |name: &str| {
        let ran = tokio::task::block_in_place(|| folder.run(&["destinations", "test", name]));
        (ran.code, format!("{}{}", ran.out, ran.err))
    };
    assert_eq!(test("well"), (0, "well took it, status 200: noted\n".to_owned()));
    let refused = "unwell did not take it (refused), status 422: no such type\n";
    assert_eq!(test("unwell"), (1, refused.to_owned()));
    assert_eq!(test("gone"), (1, "gone is gone, status 410: moved out\n".to_owned()));
    let (code, said) = test("nobody");
    assert!(code == 1 && said.contains("there is: well, unwell, gone"), "{said}");

    let told = [well.told(), unwell.told(), gone.told()].concat();
    assert_eq!(kinds(&told), ["test"; 3], "once each");
    assert!(
        told.iter()
            .all(|one| one.token().is_empty() && one.body["data"]["advice"] == "none")
    );
    assert!(
        told[0].headers["webhook-signature"]
            .to_str()
            .expect("text")
            .starts_with("v1,")
    );
    assert!(!folder.path("data").exists(), "nothing is kept of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_event_goes_nowhere_where_the_guard_does_not_let_it() {
    let merchant = Merchant::content().await;
    let folder = Folder::new();
    let elsewhere = merchant.destination("orders", "").replace("127.0.0.0/8", "10.0.0.0/8");
    for host in ["127.0.0.1", "localhost"] {
        folder.configure(&elsewhere.replace("http://127.0.0.1", &format!("http://{host}")));
        let ran = tokio::task::block_in_place(|| folder.run(&["destinations", "test", "orders"]));
        let said = "127.0.0.1 is loopback; if it shall be reached, name it in `allow_networks`";
        assert!(
            ran.code == 1 && ran.err.contains(said),
            "{host}: {} {}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(merchant.told().len(), 0);
}

#[test]
fn a_token_is_not_shown_to_a_network() {
    let desk = Folder::new();
    desk.write_private("ana.token", &format!("mdr_{}\n", "A".repeat(43)));
    let token = desk.path("ana.token").display().to_string();
    let ran = desk.run(&[
        "listen",
        "--url",
        "http://receiver.example:9443",
        "--token-file",
        &token,
    ]);
    assert_ne!(ran.code, 0);
    assert!(ran.err.contains("others could read the token"), "{}", ran.err);
}
