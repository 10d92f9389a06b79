//! Traces, as a collector is told them.

mod collector;

use mdes_receiver::simulator::scenario;
use mdes_receiver::simulator::story::Say;
use serde_json::json;

use self::collector::{Collector, Told};
use crate::api::caller::Caller;
use crate::api::commands::out_of_reach;
use crate::support::Database;
use crate::walk::leak::{card_number_in, disguises, key_lines};
use crate::world::{Desk, JSON, Merchant, World, eventually, read, request, statement};
use mdes_receiver::http::callback::PATH;

promises!(
    a_notification_is_told_from_its_handshake_to_its_delivery,
    a_command_s_calls_are_told_in_a_trace_of_its_own,
    nothing_sensitive_is_told,
    without_a_collector_no_span_is_made,
    a_dead_collector_hinders_nothing,
    what_is_not_kept_is_not_told,
    who_asks_the_admin_api_says_to_which_trace_it_belongs,
    a_stop_hands_over_what_waits,
);

const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
/// Somebody else's trace.
const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn world(database: Database, collector: &Collector, more: &str) -> World {
    let world = Desk::over(database).with(&collector.settings()).and(more).open().await;
    world.ready().await;
    world
}

/// The spans of that name, once there are so many.
async fn told(collector: &Collector, name: &str, count: usize) -> Vec<Told> {
    eventually(name, || async { collector.named(name).len() >= count }).await;
    collector.named(name)
}

async fn a_notification_is_told_from_its_handshake_to_its_delivery(database: Database) {
    let (collector, merchant) = (Collector::content().await, Merchant::content().await);
    let world = world(database, &collector, &merchant.destination("orders", "")).await;
    let notice = world.sealed("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    // The sender says a trace of its own, which is none of ours.
    let asked = request("POST", PATH, &[JSON, ("traceparent", THEIRS)], &notice);
    assert_eq!(world.line().await.ask(&asked).await.status, 200);

    let delivered = told(&collector, "deliver", 2).await;
    let [root] = &told(&collector, "notification", 1).await[..] else {
        panic!("one notification")
    };
    let first = world
        .desk
        .database
        .text("select cast(id as text) from notifications")
        .await;
    let id = first.expect("one");
    assert_eq!(
        root.trace(),
        id.replace('-', ""),
        "the trace bears the notification's id"
    );
    assert_eq!((root.above().as_str(), root.says("outcome").as_str()), ("", "recorded"));
    assert_eq!(
        (root.says("peer"), root.says("path")),
        ("ws.mastercard.com".to_owned(), PATH.to_owned())
    );
    for name in ["handshake", "body", "open", "read", "wait for commit"] {
        let [part] = &collector.named(name)[..] else {
            panic!("one {name}")
        };
        assert_eq!((part.trace(), part.above()), (root.trace(), root.id()), "{name}");
        assert!(part.span().0 <= part.span().1, "{name}");
        assert!(name == "handshake" || part.span().1 <= root.span().1, "{name}");
    }
    let [commit] = &told(&collector, "commit", 1).await[..] else {
        panic!("one commit")
    };
    assert_eq!(
        (commit.links(), commit.says("notifications")),
        (vec![root.trace()], "1".to_owned())
    );

    let turns = collector.named("turn");
    assert!(
        turns.iter().all(|turn| turn.links().contains(&root.trace())),
        "{turns:?}"
    );
    let turns: Vec<String> = turns.iter().map(Told::trace).collect();
    for one in &delivered {
        assert_eq!((one.trace(), one.above()), (root.trace(), root.id()));
        assert_eq!(
            (one.says("destination"), one.says("outcome")),
            ("orders".to_owned(), "delivered".to_owned())
        );
        assert!(
            one.links().iter().all(|turn| turns.contains(turn)) && !one.links().is_empty(),
            "{one:?}"
        );
    }
    let sent: Vec<String> = delivered
        .iter()
        .map(|one| format!("00-{}-{}-01", one.trace(), one.id()))
        .collect();
    for one in merchant.told() {
        let parent = one.headers["traceparent"].to_str().expect("text").to_owned();
        assert!(sent.contains(&parent), "{parent} is none of {sent:?}");
    }
    assert!(!collector.text().contains("4bf92f3577b34da6a3ce929d0e0e4736"));
}

async fn a_command_s_calls_are_told_in_a_trace_of_its_own(database: Database) {
    let collector = Collector::content().await;
    let world = out_of_reach(Desk::over(database), "")
        .and(&collector.settings())
        .open()
        .await;
    world.ready().await;
    let operator = Caller::operator(&world).await;
    let (path, wish) = (
        format!("/v1/tokens/{TOKEN}/commands"),
        json!({"action": "suspend", "reason": "lost"}),
    );
    let ordered = operator.post(&path, &wish).await.json();
    let command = ordered["id"].as_str().expect("an id").replace('-', "");
    let look = &told(&collector, "look", 1).await[0];
    assert_eq!(
        (look.trace(), look.above()),
        (command.clone(), command[16..].to_owned())
    );
    assert_eq!(
        (look.says("service"), look.says("outcome")),
        ("mdes".to_owned(), "unanswered".to_owned())
    );
}

async fn nothing_sensitive_is_told(database: Database) {
    let (collector, merchant) = (Collector::content().await, Merchant::content().await);
    let world = world(database, &collector, &merchant.destination("orders", "")).await;
    let (mastercard, mut story) = (world.mastercard(), world.story(7));
    for scenario in scenario::all() {
        for played in mastercard.play(scenario, &mut story).await {
            assert!(played.passed, "{played:?}");
        }
    }
    let said = story.tell(Say::ReDigitized);
    let number = said.content["tokens"][0]["tokenInfo"]["tokenNumber"]
        .as_str()
        .expect("a number");
    let sent = world.told(&said.request_id, &said.content).await;
    assert_eq!(sent.status, 200);
    // A path may hold anything.
    let odd = request("POST", &format!("/{number}"), &[JSON], number.as_bytes());
    assert_eq!(world.line().await.ask(&odd).await.status, 404);
    let files = [
        &world.desk.files.decryption.private_key,
        &world.desk.files.server.private_key,
    ]
    .map(|file| read(file));
    world.service.stop().await;

    let text = collector.text();
    assert!(text.contains("NOT_FOUND") && text.contains("set aside") && text.contains("deliver"));
    for disguise in disguises(number.as_bytes()) {
        assert!(!text.contains(&disguise), "{disguise}");
    }
    assert_eq!(card_number_in(&text), None);
    for line in files.iter().flat_map(|file| key_lines(file)) {
        assert!(!text.contains(&line), "a line of a private key");
    }
    for said in ["DM4MMC", "Example Bank", "ISSUER", "whsec", "let me in"] {
        assert!(!text.contains(said), "{said} is told");
    }
}

async fn without_a_collector_no_span_is_made(database: Database) {
    let merchant = Merchant::content().await;
    let world = Desk::over(database)
        .with(&merchant.destination("orders", ""))
        .open()
        .await;
    world.ready().await;
    world
        .told("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"))
        .await;
    eventually("it is told", || async { merchant.told().len() == 2 }).await;
    assert!(!world.service.metrics().traces().are_on());
    assert!(!world.service.metrics().text().contains("spans_total{"));
    assert!(
        merchant
            .told()
            .iter()
            .all(|one| !one.headers.contains_key("traceparent"))
    );
}

async fn a_dead_collector_hinders_nothing(database: Database) {
    let (collector, merchant) = (Collector::content().await, Merchant::content().await);
    let world = world(database, &collector, &merchant.destination("orders", "")).await;
    collector.answers(503);
    let began = std::time::Instant::now();
    for minute in 1..30 {
        let at = format!("2026-11-02T09:{minute:02}:03Z");
        let status = if minute % 2 == 0 { "SUSPENDED" } else { "ACTIVE" };
        assert_eq!(
            world
                .told(&format!("r-{minute}"), &statement(TOKEN, status, &at))
                .await
                .status,
            200
        );
    }
    eventually("the merchant knows all", || async { merchant.told().len() >= 30 }).await;
    let refused = "mdes_receiver_spans_total{outcome=\"refused\"}";
    eventually("spans are refused", || async { world.count(refused) > 0 }).await;
    assert_eq!(world.count("mdes_receiver_spans_total{outcome=\"exported\"}"), 0);
    drop(collector);
    world.service.stop().await;
    assert!(began.elapsed() < crate::world::PATIENCE, "{:?}", began.elapsed());
}

async fn what_is_not_kept_is_not_told(database: Database) {
    let (collector, merchant) = (Collector::content().await, Merchant::content().await);
    let seldom = format!("{}one_in = 1000000\n", collector.settings());
    let desk = Desk::over(database)
        .with(&seldom)
        .and(&merchant.destination("orders", ""));
    let world = desk.open().await;
    world.ready().await;
    world
        .told("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"))
        .await;
    eventually("it is told", || async { merchant.told().len() == 2 }).await;
    world.service.stop().await;
    assert_eq!(collector.told().len(), 0);
    assert!(
        merchant
            .told()
            .iter()
            .all(|one| !one.headers.contains_key("traceparent"))
    );
}

async fn who_asks_the_admin_api_says_to_which_trace_it_belongs(database: Database) {
    let collector = Collector::content().await;
    let world = world(database, &collector, "").await;
    let viewer = Caller::viewer(&world).await;
    let path = format!("/v1/tokens/{TOKEN}");
    assert_eq!(
        viewer.ask("GET", &path, &[("traceparent", THEIRS)], b"").await.status,
        404
    );
    let stranger = Caller::stranger(&world);
    let refused = stranger.ask("GET", &path, &[("traceparent", THEIRS)], b"").await;
    assert_eq!(refused.status, 401);
    world.service.stop().await;
    let [ask] = &collector.named("ask")[..] else {
        panic!("one, of whom we know: {:?}", collector.told())
    };
    assert_eq!(
        (ask.trace().as_str(), ask.above().as_str()),
        (&THEIRS[3..35], &THEIRS[36..52])
    );
    assert_eq!(
        (ask.says("path"), ask.says("operator")),
        ("/tokens/{reference}".to_owned(), "a viewer".to_owned())
    );
}

async fn a_stop_hands_over_what_waits(database: Database) {
    let collector = Collector::content().await;
    let world = world(database, &collector, "").await;
    world
        .told("r-1", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"))
        .await;
    world.service.stop().await;
    assert_eq!(collector.named("notification").len(), 1);
}
