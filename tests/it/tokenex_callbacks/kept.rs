//! What rests of a notification, and what can be read of it again.

use mdes_receiver::domain::id::QuarantineId;
use mdes_receiver::domain::peer::Peer;
use mdes_receiver::inbox::Redriven;
use mdes_receiver::mdes;
use mdes_receiver::simulator::dev_files;
use mdes_receiver::store::{NewQuarantine, SealedBy};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Ear, SECRET, TOKEN, change, millis, table};
use crate::support::Database;
use crate::walk::leak::Logged;
use crate::world::{Desk, World};

promises!(
    a_notification_rests_sealed_by_us,
    what_cannot_be_read_is_in_quarantine_and_holds_no_token_in_clear,
    what_was_sealed_to_a_key_that_went_is_read_when_it_is_back,
    neither_the_path_nor_a_token_is_seen_in_logs_and_metrics,
);

async fn a_notification_rests_sealed_by_us(database: Database) {
    let ear = Ear::over(database).await;
    ear.told(&change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5)))
        .await;
    let notification = ear.journal().await[0].notification;
    let kept = ear
        .0
        .store()
        .notification(notification)
        .await
        .expect("the store answers");
    let kept = kept.expect("it is kept");
    assert_eq!(
        (kept.sealed_by, kept.peer.name.as_str()),
        (SealedBy::Us, "tokenex-callback")
    );
    assert_eq!(kept.request_id, "m-1");
    assert!(!String::from_utf8_lossy(&kept.sealed_body).contains(TOKEN));
    let opened = mdes::open_resting(&kept.sealed_body, true, &ear.0.desk.ring()).expect("our key opens it");
    assert!(String::from_utf8_lossy(&opened).contains(TOKEN));
}

async fn what_cannot_be_read_is_in_quarantine_and_holds_no_token_in_clear(database: Database) {
    let ear = Ear::over(database).await;
    let silent = format!("{{\"token\": \"{TOKEN}\", \"success\": \"true\"}}");
    let envelope = format!("{{\"encryptedPayload\": {{\"encryptedData\": \"00\"}}, \"token\": \"{TOKEN}\"}}");
    for (body, reason) in [
        (TOKEN.to_owned(), "INVALID_JSON"),
        (silent, "MISSING_REQUIRED_FIELD"),
        (envelope, "MISSING_REQUIRED_FIELD"),
    ] {
        let answer = ear.posted("state", body.clone().into_bytes()).await;
        assert_eq!((answer.status, answer.body.len()), (400, 0), "{reason}");
        let entry = ear.quarantined().await.pop().expect("it is kept");
        assert_eq!((entry.reason.as_str(), entry.sealed_by), (reason, SealedBy::Us));
        assert!(entry.peer.is_overheard());
        let resting = entry.body.as_deref().expect("a body of its own");
        assert!(!String::from_utf8_lossy(resting).contains(TOKEN) && !entry.detail.contains(TOKEN));
        assert_eq!(ear.0.desk.came(&entry), body.as_bytes());
        let counted = format!("mdes_receiver_tokenex_callbacks_total{{outcome=\"{reason}\"}}");
        assert!(ear.0.count(&counted) > 0, "{reason}");
        let again = ear.0.service.inbox().redrive(&entry).await.expect("the store answers");
        assert!(matches!(again, Redriven::StillUnreadable { reason: now, .. } if now == reason));
    }
}

/// As it is left by a store that refused it, under a key that was taken away since.
async fn what_was_sealed_to_a_key_that_went_is_read_when_it_is_back(database: Database) {
    let other = tempfile::tempdir().expect("a temporary folder");
    dev_files::ensure(other.path(), OffsetDateTime::now_utc()).expect("files are made");
    let file = |name: &str| other.path().join(name).display().to_string();
    let gone = format!("[[keys]]\nprivate_key = {:?}\n", file("decrypt.key"));
    let ours = "[[keys]]\nprivate_key = \"decrypt.key\"\n";
    let callbacks = table("allow_from = [\"127.0.0.0/8\"]");

    let world = Desk::over(database).with(&(gone.clone() + &callbacks)).open().await;
    world.ready().await;
    let body = change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5)).to_string();
    let id = QuarantineId(Uuid::now_v7());
    let entry = NewQuarantine {
        id,
        received_at: OffsetDateTime::now_utc(),
        peer: Peer::overheard("127.0.0.1:1".parse().expect("an address")),
        body: mdes::rest(body.as_bytes(), &world.desk.ring()).body,
        sealed_by: SealedBy::Us,
        body_bytes: body.len() as u64,
        reason: "STORE_REFUSED".to_owned(),
        detail: "the store refused it".to_owned(),
        keys_tried: String::new(),
    };
    world.store().quarantine(&entry).await.expect("it is kept");

    let world = world.reopened(|desk| desk.with(&(ours.to_owned() + &callbacks))).await;
    let again = redriven(&world, id).await;
    assert!(matches!(again, Redriven::StillUnreadable { reason, .. } if reason == "CRYPTOGRAPHY_ERROR"));

    let world = world.reopened(|desk| desk.with(&(gone + ours + &callbacks))).await;
    let ear = Ear(world);
    crate::world::eventually("it is redriven", || async { ear.quarantined().await.is_empty() }).await;
    assert_eq!(ear.verdicts().await, ["hinted"], "a hint as it was when it came");
    assert_eq!(ear.stands().await, ("-".to_owned(), true, 0));
}

async fn redriven(world: &World, id: QuarantineId) -> Redriven {
    let entry = world.store().quarantine_entry(id).await.expect("the store answers");
    let entry = entry.expect("it is kept");
    world.service.inbox().redrive(&entry).await.expect("the store answers")
}

async fn neither_the_path_nor_a_token_is_seen_in_logs_and_metrics(database: Database) {
    let logged = Logged::listen();
    let ear = Ear::over(database).await;
    ear.told(&change("m-1", "SUSPENDED", "SUSPENDED_BY_TR", &millis(5)))
        .await;
    let mut odd = change(TOKEN, TOKEN, TOKEN, TOKEN);
    odd["note"] = TOKEN.into();
    odd["networkTokenStateChangeNotification"]["tokenReferenceId"] = serde_json::Value::Null;
    assert_eq!(ear.told(&odd).await.status, 200);
    ear.posted("state", TOKEN.as_bytes().to_vec()).await;
    ear.posted(TOKEN, b"{}".to_vec()).await;
    let logs = logged.text();
    for line in ["TokenEx callback", "hinted", "INVALID_JSON", "not their path"] {
        assert!(logs.contains(line), "{line} is looked for in the right place");
    }
    for (place, text) in [("logs", logs), ("metrics", ear.0.service.metrics().text())] {
        assert!(!text.contains(SECRET), "{place}: the path");
        assert!(!text.contains(TOKEN), "{place}: the token");
    }
}
