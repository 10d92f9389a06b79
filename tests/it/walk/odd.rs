//! What a database or a parser chokes on, in traffic beside good ones: it is kept, and its neighbours are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use mdes_receiver::inbox::STORE_REFUSED;
use mdes_receiver::store::QuarantineFilter;
use serde_json::json;
use tokio::task::JoinSet;

use super::TOKEN;
use crate::support::Database;
use crate::world::{JSON, World, body, request, statement};

promises!(
    odd_ones_in_traffic_are_kept_and_their_neighbours_answered,
    a_nul_in_the_request_id_is_as_good_as_none,
    what_the_store_refuses_stays_in_quarantine_and_does_not_stop_a_redrive,
);

/// Seals these bytes, JSON or not.
fn sealed_raw(world: &World, request_id: &str, content: &[u8]) -> Bytes {
    let payload = world.desk.sealer().seal(content).expect("it seals");
    let body = json!({"requestId": request_id, "encryptedPayload": payload});
    Bytes::from(body.to_string())
}

/// A statement in which this text stands for one more field.
fn with_field(field: &str) -> Vec<u8> {
    let said = statement("DM4MMC-ODD", "SUSPENDED", "2026-11-02T09:15:03Z").to_string();
    said.replace("\"status\":", &format!("{field},\"status\":"))
        .into_bytes()
}

/// By name, what is sent and what MDES's word for it is.
fn odd_ones(world: &World) -> Vec<(&'static str, Bytes, &'static str)> {
    let deep = |levels: usize| format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels));
    let sealed = |name: &'static str, content: Vec<u8>, code| (name, sealed_raw(world, name, &content), code);
    let outside = |name: &'static str, text: String, code| {
        let body = format!("{{\"requestId\":\"{name}\",{text}}}");
        (name, Bytes::from(body), code)
    };
    const FORMAT: &str = "INVALID_FIELD_FORMAT";
    const UNOPENED: &str = "CRYPTOGRAPHY_ERROR";
    let nul = json!({"tokens": [{"tokenUniqueReference": "DM4MMC\0", "status": "ACTIVE"}]});
    vec![
        sealed("nul-in-reference", nul.to_string().into_bytes(), FORMAT),
        sealed("nul-in-unknown-field", with_field(r#""x":{"y":["a\u0000b"]}"#), FORMAT),
        sealed("nul-in-field-name", with_field(r#""x\u0000":1"#), FORMAT),
        sealed(
            "nul-in-metadata",
            with_field(r#""productConfig":{"issuerName":"\u0000"}"#),
            FORMAT,
        ),
        sealed("lone-surrogate", with_field(r#""x":"\ud800""#), UNOPENED),
        sealed(
            "surrogates-the-wrong-way-round",
            with_field(r#""x":"\udc00\ud800""#),
            UNOPENED,
        ),
        sealed("not-utf-8", b"{\"tokens\":[{\"x\":\"\xff\"}]}".to_vec(), UNOPENED),
        sealed("huge-exponent", with_field(r#""x":1e999999"#), UNOPENED),
        sealed(
            "long-number",
            with_field(&format!("\"x\":{}", "7".repeat(400_000))),
            UNOPENED,
        ),
        sealed("deep-within", with_field(&deep(100)), FORMAT),
        sealed("abyss-within", with_field(&deep(100_000)), UNOPENED),
        sealed(
            "poison",
            statement("POISON", "ACTIVE", "2026-11-02T09:15:03Z")
                .to_string()
                .into_bytes(),
            "INVALID_DATA",
        ),
        sealed("no-object", b"[]".to_vec(), UNOPENED),
        sealed("nothing", Vec::new(), UNOPENED),
        outside("abyss-without", deep(300_000), "INVALID_JSON"),
        outside("surrogate-without", r#""x":"\ud800""#.to_owned(), "INVALID_JSON"),
        outside(
            "number-without",
            format!("\"x\":{}", "7".repeat(900_000)),
            "INVALID_JSON",
        ),
    ]
}

async fn odd_ones_in_traffic_are_kept_and_their_neighbours_answered(database: Database) {
    refuse_token(&database).await;
    let world = Arc::new(World::over(database).await);
    let over = Arc::new(AtomicBool::new(false));
    let mut neighbours = JoinSet::new();
    for neighbour in 0..8 {
        let (world, over) = (world.clone(), over.clone());
        neighbours.spawn(async move {
            let (sender, mut told) = (world.sender(), 0);
            while !over.load(Ordering::Relaxed) {
                let content = statement(&format!("DM4MMC-{neighbour}-{told}"), "ACTIVE", "2026-11-02T09:15:03Z");
                let body = world.sealed(&format!("r-{neighbour}-{told}"), &content);
                let answer = sender.send(body).await.expect("an answer");
                assert_eq!(answer.status, 200, "{:?}", answer.body);
                told += 1;
            }
            told
        });
    }
    let odd_ones = odd_ones(&world);
    let sender = world.sender();
    for (name, odd, code) in &odd_ones {
        let answer = sender.send(odd.clone()).await.expect("an answer");
        assert_eq!(
            (answer.status, &body(&answer)["errorCode"]),
            (400, &json!(code)),
            "{name}"
        );
    }
    over.store(true, Ordering::Relaxed);
    let told: usize = neighbours.join_all().await.into_iter().sum();
    assert!(told > odd_ones.len(), "{told} neighbours are no traffic");

    let mut lengths: Vec<u64> = world.quarantined().await.iter().map(|entry| entry.body_bytes).collect();
    let mut expected: Vec<u64> = odd_ones.iter().map(|(_, odd, _)| odd.len() as u64).collect();
    lengths.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lengths, expected);
    assert_eq!(world.token("DM4MMC-ODD").await, None);
}

async fn a_nul_in_the_request_id_is_as_good_as_none(database: Database) {
    let world = World::over(database).await;
    for status in ["ACTIVE", "SUSPENDED"] {
        let content = statement(TOKEN, status, "2026-11-02T09:15:03Z");
        let answer = world.told("r-\0", &content).await;
        let id = body(&answer)["responseId"].clone();
        assert!(
            answer.status == 200 && id.as_str().is_some_and(|id| id.len() == 36),
            "{id}"
        );
    }
    assert_eq!(
        world.transitions(TOKEN).await,
        ["1 status ->ACTIVE", "2 status ACTIVE>SUSPENDED"]
    );
}

/// From now on the database itself refuses this token, as it would refuse data that no check of ours foresaw.
async fn refuse_token(database: &Database) {
    if database.url().starts_with("sqlite") {
        let trigger = "create trigger refuse before insert on tokens when new.token_unique_reference = 'POISON'
            begin select raise(abort, 'refused'); end";
        database.execute(trigger).await;
    } else {
        let check = "alter table tokens add constraint refuse check (token_unique_reference <> 'POISON')";
        database.execute(check).await;
    }
}

async fn what_the_store_refuses_stays_in_quarantine_and_does_not_stop_a_redrive(database: Database) {
    refuse_token(&database).await;
    let world = World::over(database).await;
    let mut poison = statement(TOKEN, "DEACTIVATED", "2026-11-02T09:15:03Z");
    let refused = statement("POISON", "ACTIVE", "2026-11-02T09:15:03Z")["tokens"][0].clone();
    poison["tokens"].as_array_mut().expect("a list").push(refused);
    let answer = world.told("r-1", &poison).await;
    assert_eq!(
        (answer.status, &body(&answer)["errorCode"]),
        (400, &json!("INVALID_DATA"))
    );
    assert_eq!(body(&answer)["responseId"], "r-1");
    let good = world.sealed("r-2", &statement(TOKEN, "ACTIVE", "2026-11-02T09:15:03Z"));
    let astray = request("POST", "/wrong", &[JSON], &good);
    assert_eq!(world.line().await.ask(&astray).await.status, 404);

    let open = QuarantineFilter {
        open: true,
        ..QuarantineFilter::default()
    };
    let report = world.service.inbox().redrive_all(&open).await;
    let report = report.expect("one does not stop the other");
    assert_eq!((report.recorded, report.still_open), (1, 1));
    let left = world.quarantined().await;
    assert_eq!((left[0].reason.as_str(), left[0].tries), (STORE_REFUSED, 1));
    assert_eq!(world.transitions(TOKEN).await, ["1 status ->ACTIVE"]);
}
