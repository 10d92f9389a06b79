//! What an authenticated peer may send in bad faith or by mistake, and what must hold all the same.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::digest;
use mdes_receiver::domain::peer::Peer;
use mdes_receiver::inbox::{Arrival, RedriveReport};
use mdes_receiver::simulator::sender::Http;
use mdes_receiver::store::QuarantineFilter;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::Database;
use crate::world::{Desk, World, body, eventually, read, statement};

promises!(
    a_requestor_too_long_for_an_index_does_not_lose_the_other_tokens,
    a_damaged_row_holds_up_nobody_elses_notification,
    an_entry_that_the_store_refuses_does_not_end_a_redrive,
    a_key_that_comes_while_the_store_is_away_redrives_when_it_is_back,
    a_flood_of_what_cannot_be_used_does_not_hold_up_what_can,
    a_trouble_with_a_row_names_it_without_the_senders_own_lines_and_numbers,
);

const AT: &str = "2026-11-02T09:15:03Z";

/// Text that does not compress.
fn noise(length: usize) -> String {
    let mut text = String::new();
    for count in 0_u32.. {
        if text.len() >= length {
            break;
        }
        let block = digest::digest(&digest::SHA256, &count.to_be_bytes());
        write!(text, "{}", hex::encode(block)).expect("a String takes any text");
    }
    text.truncate(length);
    text
}

async fn a_requestor_too_long_for_an_index_does_not_lose_the_other_tokens(database: Database) {
    let world = World::over(database).await;
    let answer = world
        .told(
            "r-1",
            &json!({"tokens": [
                {"tokenUniqueReference": "A", "tokenRequestorId": noise(4_000), "status": "ACTIVE", "statusTimestamp": AT},
                {"tokenUniqueReference": "B", "status": "SUSPENDED", "statusTimestamp": AT},
            ]}),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(world.status("B").await, "SUSPENDED");
    let kept = world.quarantined().await;
    assert_eq!(
        kept.iter()
            .filter_map(|entry| Some(entry.notification?.1))
            .collect::<Vec<_>>(),
        [0]
    );
}

async fn a_damaged_row_holds_up_nobody_elses_notification(database: Database) {
    let world = World::over(database).await;
    assert_eq!(world.told("r-1", &statement("DAMAGED", "ACTIVE", AT)).await.status, 200);
    world.desk.database.execute("update tokens set state = '{}'").await;

    let mut calls = JoinSet::new();
    for count in 0..24 {
        let reference = if count % 8 == 7 {
            "DAMAGED".to_owned()
        } else {
            format!("T-{count}")
        };
        let sealed = world.sealed(&format!("r-2-{count}"), &statement(&reference, "SUSPENDED", AT));
        let sender = world.sender();
        calls.spawn(async move { (reference, sender.send(sealed).await.expect("an answer")) });
    }
    for (reference, answer) in calls.join_all().await {
        match reference.as_str() {
            "DAMAGED" => assert_eq!(
                (answer.status, &body(&answer)["errorCode"]),
                (400, &json!("INVALID_DATA"))
            ),
            _ => assert_eq!(answer.status, 200, "{reference}"),
        }
    }
    let kept = world.quarantined().await;
    assert_eq!(
        kept.iter().map(|entry| entry.reason.as_str()).collect::<Vec<_>>(),
        ["STORE_REFUSED"; 3]
    );
}

async fn an_entry_that_the_store_refuses_does_not_end_a_redrive(database: Database) {
    let world = World::over(database).await;
    assert_eq!(world.told("r-1", &statement("DAMAGED", "ACTIVE", AT)).await.status, 200);
    world.desk.database.execute("update tokens set state = '{}'").await;
    // A misregistered prefix: everything is kept, nothing is read yet.
    let elsewhere = format!("https://{}/elsewhere", world.service.callback_address);
    let client = &world.desk.files.client;
    let (certificate, key) = (read(&client.certificate), read(&client.private_key));
    let sender = world.desk.sender_as(&certificate, &key, &elsewhere, Http::One);
    for reference in ["DAMAGED", "B"] {
        let sealed = world.sealed(reference, &statement(reference, "SUSPENDED", AT));
        let answer = sender.send(sealed).await.expect("an answer");
        assert_eq!(answer.status, 404);
    }

    let report = world.service.inbox().redrive_all(&QuarantineFilter::default()).await;
    assert_eq!(
        report.expect("the store answers"),
        RedriveReport {
            recorded: 1,
            still_open: 1
        }
    );
    assert_eq!(world.status("B").await, "SUSPENDED");
    let kept = world.quarantined().await;
    assert_eq!(
        kept.iter().map(|entry| entry.reason.as_str()).collect::<Vec<_>>(),
        ["STORE_REFUSED"]
    );
}

async fn a_trouble_with_a_row_names_it_without_the_senders_own_lines_and_numbers(database: Database) {
    let world = World::over(database).await;
    let reference = "A\n2026-11-22 INFO 5204730000001201";
    assert_eq!(world.told("r-1", &statement(reference, "ACTIVE", AT)).await.status, 200);
    world.desk.database.execute("update tokens set state = '{}'").await;
    let error = world.store().tokens(None, 1).await.expect_err("its state is gone");
    assert_eq!(
        error.to_string(),
        "store holds what cannot be read: tokens.state of A\\n2026-11-22 INFO ····1201"
    );
}

async fn a_key_that_comes_while_the_store_is_away_redrives_when_it_is_back(database: Database) {
    let keys_of = |names: &[&str]| -> String {
        names
            .iter()
            .map(|name| format!("[[keys]]\nprivate_key = \"{name}\"\n"))
            .collect()
    };
    let desk = Desk::over(database);
    let other = mdes_receiver::simulator::pki::decryption_key(2048, "the other key");
    std::fs::write(desk.path("other.key"), &other.private_key_pem).expect("written");
    let world = desk.with(&keys_of(&["other.key"])).open().await;
    world.ready().await;
    assert_eq!(world.told("r-1", &statement("A", "SUSPENDED", AT)).await.status, 400);

    world
        .desk
        .database
        .execute("alter table quarantine rename to away")
        .await;
    let World { desk, service } = world;
    let world = World {
        desk: desk.with(&keys_of(&["other.key", "decrypt.key"])),
        service,
    };
    world.desk.config_file();
    let reloaded = "mdes_receiver_reloads_total{outcome=\"done\"} 2";
    eventually("door and keys are read again", || async {
        world.service.metrics().text().contains(reloaded)
    })
    .await;
    assert!(world.store().quarantine_open().await.is_err());
    world
        .desk
        .database
        .execute("alter table away rename to quarantine")
        .await;

    eventually("the quarantine is empty", || async {
        world.quarantined().await.is_empty()
    })
    .await;
    assert_eq!(world.status("A").await, "SUSPENDED");
}

async fn a_flood_of_what_cannot_be_used_does_not_hold_up_what_can(database: Database) {
    const FLOOD: usize = 1_000;
    let world = World::over(database).await;
    let arrival = Arrival {
        received_at: time::OffsetDateTime::now_utc(),
        peer: Peer {
            name: "ws.mastercard.com".to_owned(),
            organization: None,
            address: "203.0.113.7:51422".parse().expect("an address"),
            certificate_sha256: "ab".repeat(32),
        },
        body: "not JSON".into(),
    };
    let sender = world.sender();
    let told = async |request_id| {
        let sealed = world.sealed(request_id, &statement("A", "SUSPENDED", AT));
        sender.send(sealed).await.expect("an answer").status
    };
    assert_eq!(told("a connection that is open already").await, 200);

    let (mut flood, kept) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..FLOOD {
        let (inbox, arrival, kept) = (world.service.inbox().clone(), arrival.clone(), kept.clone());
        flood.spawn(async move {
            let done = inbox.keep(arrival, "NOT_FOUND", 8).await.is_ok();
            kept.fetch_add(1, Ordering::Relaxed);
            done
        });
    }
    assert_eq!(told("r-1").await, 200);
    let kept = kept.load(Ordering::Relaxed);
    assert!(kept < FLOOD / 2, "{kept} of the flood came before");
    assert!(flood.join_all().await.into_iter().all(|kept| kept));
}
