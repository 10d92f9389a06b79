//! The whole house: who is told of an alarm, and who is not; and what a person sees of it.

use std::process::{Command, Output};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::api::caller::Caller;
use crate::support::Database;
use crate::world::{Desk, Merchant, Told, World, eventually, statement};

promises!(
    who_asks_for_ops_by_name_is_told_and_who_asks_for_everything_is_not,
    a_command_that_waits_is_an_alarm,
    the_api_the_console_and_the_command_line_say_the_same,
    the_events_are_read_by_who_asks_for_them,
    a_file_that_cannot_be_read_again_is_an_alarm_until_it_can,
);

async fn look(world: &World) {
    world.service.watch().look().await.expect("the store answers");
}

async fn nonsense(world: &World) {
    let answer = world.sender().send(Bytes::from("nonsense")).await;
    assert_eq!(answer.expect("an answer").status, 400);
    look(world).await;
}

fn of_alarms(merchant: &Merchant) -> Vec<Told> {
    let told = merchant.told().into_iter();
    told.filter(|one| one.kind().starts_with("ops.")).collect()
}

async fn who_asks_for_ops_by_name_is_told_and_who_asks_for_everything_is_not(database: Database) {
    let (shop, pager, gaps) = (
        Merchant::content().await,
        Merchant::content().await,
        Merchant::content().await,
    );
    let desk = Desk::over(database)
        .with(&shop.destination("shop", ""))
        .and(&pager.destination("pager", "events = [\"ops.*\"]"))
        .and(&gaps.destination("gaps", "events = [\"ops.gap\"]"));
    let world = desk.open().await;
    world.ready().await;
    nonsense(&world).await;
    eventually("the pager is told", || async { !of_alarms(&pager).is_empty() }).await;
    let told = &of_alarms(&pager)[0].body;
    assert_eq!([&told["type"], &told["version"]], [&json!("ops.quarantine"), &json!(1)]);
    let data = &told["data"];
    assert_eq!([&data["token_unique_reference"], &data["advice"]], ["", "none"]);
    assert_eq!(data["current"], Value::Null);
    let alarm = &data["alarm"];
    assert_eq!(
        [&alarm["state"], &alarm["alert"], &alarm["about"]],
        ["raised", "MdesQuarantineOpen", ""]
    );
    assert_eq!(
        [&alarm["runbook"], &alarm["count"]],
        [&json!("docs/runbook.md#mdesquarantineopen"), &json!(1)]
    );

    // Behind it comes a token's event, which everybody but the pager is told of: nothing before it is on its way.
    world
        .told("a token", &statement("DM4MMC0001", "SUSPENDED", "2026-11-20T10:00:00Z"))
        .await;
    eventually("the shop is told", || async { !shop.told().is_empty() }).await;
    assert!(of_alarms(&shop).is_empty() && of_alarms(&gaps).is_empty());
    assert!(pager.told().iter().all(|one| one.kind() == "ops.quarantine"));
    world.service.stop().await;
}

async fn a_command_that_waits_is_an_alarm(database: Database) {
    let world = crate::api::docs::in_need(database).await;
    let operator = Caller::operator(&world).await;
    let deletion = json!({"action": "delete", "confirm": "0001"});
    let asked = operator.post("/v1/tokens/DM4MMC0001/commands", &deletion).await;
    assert!(asked.status < 300, "{asked:?}");
    let alerts = async || {
        let items = operator.get("/v1/alarms").await.json()["items"].clone();
        let items = items.as_array().expect("a list").clone();
        let alerts = items
            .iter()
            .map(|one| one["alert"].as_str().expect("a name").to_owned());
        alerts.collect::<Vec<_>>()
    };
    let before = alerts().await;
    assert!(before.contains(&"MdesCommandWaits".to_owned()), "{before:?}");
    assert!(before.contains(&"MdesDeliveriesParked".to_owned()), "{before:?}");
    let id = asked.json()["id"].as_str().expect("an id").to_owned();
    let taken_back = operator
        .post(&format!("/v1/commands/{id}/withdraw"), &json!({"reason": "a slip"}))
        .await;
    assert!(taken_back.status < 300, "{taken_back:?}");
    assert!(!alerts().await.contains(&"MdesCommandWaits".to_owned()));
    world.service.stop().await;
}

fn alarms(world: &World, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdes-receiver"));
    command
        .arg("--config")
        .arg(world.desk.config_file())
        .arg("alarms")
        .args(args);
    command.output().expect("it runs")
}

async fn the_api_the_console_and_the_command_line_say_the_same(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    look(&world).await;
    let calm = alarms(&world, &[]);
    assert_eq!(
        (calm.status.code(), calm.stdout.as_slice()),
        (Some(0), b"none\n" as &[u8]),
        "{calm:?}"
    );
    assert_eq!(viewer.get("/v1/alarms").await.json()["items"], json!([]));

    nonsense(&world).await;
    let shown = viewer.get("/v1/alarms").await.json();
    let one = &shown["items"][0];
    assert_eq!([&one["kind"], &one["alert"]], ["quarantine", "MdesQuarantineOpen"]);
    assert!(shown["looked_at"].is_string());
    let listed = alarms(&world, &["--json"]);
    assert_eq!(listed.status.code(), Some(1));
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    for field in ["alert", "about", "says", "count", "next_step", "runbook", "since"] {
        assert_eq!(listed["items"][0][field], one[field], "{field}");
    }
    let table = String::from_utf8(alarms(&world, &[]).stdout).expect("text");
    assert!(
        table.contains("MdesQuarantineOpen") && table.contains("1 in quarantine"),
        "{table}"
    );

    let desk = world.desk;
    world.service.stop().await;
    desk.database
        .execute("update watch set looked_at = '2026-11-22T10:00:00.000000Z'")
        .await;
    desk.database.execute("delete from alarms").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdes-receiver"));
    let unwatched = command
        .arg("--config")
        .arg(desk.config_file())
        .arg("alarms")
        .output()
        .expect("it runs");
    assert_eq!(unwatched.status.code(), Some(1), "that nobody says anything is no calm");
    assert!(String::from_utf8_lossy(&unwatched.stderr).contains("no receiver has looked since 2026-11-22T10:00:00Z"));
}

async fn the_events_are_read_by_who_asks_for_them(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    nonsense(&world).await;
    assert_eq!(viewer.get("/v1/events").await.json()["items"], json!([]));
    let asked = viewer.get("/v1/events?types=ops.*").await.json();
    assert_eq!(asked["items"][0]["type"], "ops.quarantine");
    assert_eq!(viewer.get("/v1/events?types=ops.gap").await.json()["items"], json!([]));
    assert_eq!(viewer.get("/v1/events?types=o*").await.status, 422);
    world.service.stop().await;
}

async fn a_file_that_cannot_be_read_again_is_an_alarm_until_it_can(database: Database) {
    let world = World::over(database).await;
    let viewer = Caller::viewer(&world).await;
    let file = world.desk.path("server.pem");
    let whole = std::fs::read(&file).expect("it is there");
    let items = async || viewer.get("/v1/alarms").await.json()["items"].clone();
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("half of it is written");
    eventually("it is an alarm", || async {
        items().await[0]["alert"] == "MdesReloadKeptOld"
    })
    .await;
    assert_eq!(items().await[0]["about"], "callback.tls");
    std::fs::write(&file, &whole).expect("it is written");
    eventually("it is none any more", || async { items().await == json!([]) }).await;
    world.service.stop().await;
}
