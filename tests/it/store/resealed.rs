//! A decryption key is retired: what still needs it is counted, moved to the newest key, and opened by that alone.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use mdes_receiver::clock::ManualClock;
use mdes_receiver::config::settings::{Envelope, KeyFile, Payload};
use mdes_receiver::inbox::reseal::{Need, Needs, Resealed, Resealer};
use mdes_receiver::keys::KeyRing;
use mdes_receiver::mdes::{self, Reading};
use mdes_receiver::simulator::pki;
use mdes_receiver::store::sealed::NewBody;
use mdes_receiver::store::{Bodies as _, Memory, NewQuarantine, Recording, SealedBy, SharedStore, Store as _};
use serde_json::{Value, json};

use super::scene::*;
use crate::support::Database;

promises!(
    what_needs_a_key_is_counted,
    a_needed_body_is_opened_by_the_newest_key_alone_once_it_is_resealed,
    what_is_open_in_quarantine_is_read_as_before,
    what_is_in_quarantine_is_moved_before_any_notification,
    a_sealed_body_in_one_that_we_sealed_is_moved_as_well,
    a_dry_run_moves_nothing_and_a_second_run_finds_nothing,
    all_notifications_are_moved_if_that_is_asked,
    what_no_key_opens_stays_as_it_is,
    a_body_that_is_under_another_key_by_now_is_left_alone,
);

const NUMBER: &str = "5480981500100002";
const RULES: Reading = Reading {
    payload: Payload::Either,
    envelope: Envelope {
        try_all: true,
        legacy_pkcs1_v15: false,
        refuse_expired: false,
    },
};

/// Two keys; making one takes long.
static KEYS: LazyLock<(tempfile::TempDir, [PathBuf; 2])> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = ["old", "new"].map(|name| {
        let file = folder.path().join(name);
        let key = pki::decryption_key(2048, name);
        std::fs::write(&file, &*key.private_key_pem).expect("it is written");
        file
    });
    (folder, files)
});

/// A ring of the old key, the new one, or both, the newest last.
fn ring(names: &[usize]) -> Arc<KeyRing> {
    let file = |place: &usize| KeyFile {
        private_key: KEYS.1[*place].clone(),
        password: None,
        certificate: None,
        fingerprints: Vec::new(),
    };
    let files: Vec<KeyFile> = names.iter().map(file).collect();
    Arc::new(KeyRing::load(&files).expect("the keys are good"))
}

const OLD: &[usize] = &[0];
const NEW: &[usize] = &[1];
const BOTH: &[usize] = &[0, 1];

fn name(names: &[usize]) -> String {
    ring(names).newest().spki_sha256().to_owned()
}

/// As Mastercard sends it, sealed to that key.
fn came(content: &Value, names: &[usize]) -> Value {
    let sealed = mdes::seal(content.to_string().as_bytes(), ring(names).newest());
    let mut envelope: Value = serde_json::from_slice(&sealed).expect("an envelope");
    envelope["requestId"] = "r-1".into();
    envelope["responseHost"] = "site1.mastercard.com".into();
    envelope
}

fn content() -> Value {
    json!({ "tokens": [{ "tokenUniqueReference": "A", "status": "ACTIVE", "tokenInfo": { "tokenNumber": NUMBER } }] })
}

struct Scene {
    memory: Arc<Memory>,
}

impl Scene {
    async fn new(database: &Database) -> Self {
        let memory = database.memory(Arc::new(ManualClock::at(noon()))).await;
        Scene { memory }
    }

    fn resealer(&self, names: &[usize]) -> Resealer {
        Resealer::new(self.memory.clone(), self.memory.clone(), ring(names), RULES)
    }

    async fn needs(&self) -> Needs {
        self.resealer(BOTH).needs(&mut |_| {}).await.expect("the store answers")
    }

    async fn reseal(&self, all: bool, dry_run: bool) -> Resealed {
        let done = self.resealer(BOTH).reseal(all, dry_run, &mut |_| {}).await;
        done.expect("the store answers")
    }

    /// Under the old key: a body with the token's current number.
    async fn numbered(&self) -> Recording {
        let statement = with(said("A", "ACTIVE", "09:00"), "tokenInfo.tokenNumber", "····0002");
        self.recorded("number", statement, came(&content(), OLD).to_string())
            .await
    }

    async fn other(&self) -> Recording {
        let body = came(&json!({ "tokens": [] }), OLD).to_string();
        self.recorded("other", said("B", "ACTIVE", "09:00"), body).await
    }

    async fn recorded(
        &self,
        request: &str,
        said: mdes_receiver::domain::notification::Statement,
        body: String,
    ) -> Recording {
        let mut recording = told(request, vec![said]);
        (recording.sealed_body, recording.key) = (body.into_bytes(), name(OLD));
        let store: SharedStore = self.memory.clone();
        record(&store, &recording).await;
        recording
    }

    async fn quarantined(&self, body: Vec<u8>, sealed_by: SealedBy, body_bytes: usize) -> NewQuarantine {
        let entry = NewQuarantine {
            id: quarantine_id(),
            received_at: noon(),
            peer: peer(),
            body,
            sealed_by,
            body_bytes: body_bytes as u64,
            reason: "MISSING_REQUIRED_FIELD".to_owned(),
            detail: "no tokens".to_owned(),
            keys_tried: String::new(),
        };
        self.memory.quarantine(&entry).await.expect("it is kept");
        entry
    }

    async fn number(&self, recording: &Recording, names: &[usize]) -> Option<String> {
        let kept = self.memory.notification(recording.id).await.expect("the store answers");
        let kept = kept.expect("it is kept");
        let by_us = kept.sealed_by == SealedBy::Us;
        assert!(!String::from_utf8_lossy(&kept.sealed_body).contains(NUMBER));
        let number = mdes::token_number(&kept.sealed_body, by_us, 0, &ring(names), &RULES).ok()?;
        number.map(|number| number.expose().to_owned())
    }
}

async fn what_needs_a_key_is_counted(database: Database) {
    let scene = Scene::new(&database).await;
    scene.numbered().await;
    scene.other().await;
    let body = came(&json!({ "tokens": 1 }), OLD).to_string().into_bytes();
    let length = body.len();
    scene.quarantined(body, SealedBy::Sender, length).await;
    let needs = scene.needs().await;
    let expected = Need {
        needed: 1,
        quarantine: 1,
        others: 1,
    };
    assert_eq!(needs.keys.into_iter().collect::<Vec<_>>(), [(name(OLD), expected)]);
    assert_eq!(needs.unopened, 0);
}

async fn a_needed_body_is_opened_by_the_newest_key_alone_once_it_is_resealed(database: Database) {
    let scene = Scene::new(&database).await;
    let (numbered, other) = (scene.numbered().await, scene.other().await);
    assert_eq!(scene.number(&numbered, NEW).await, None);
    assert_eq!(scene.reseal(false, false).await.notifications, 1);
    assert_eq!(scene.number(&numbered, NEW).await.as_deref(), Some(NUMBER));
    assert_eq!(scene.number(&numbered, OLD).await, None);
    let needs = scene.needs().await.keys;
    assert_eq!((needs[&name(OLD)].needed, needs[&name(NEW)].needed), (0, 1));
    let kept = scene.memory.notification(other.id).await.expect("the store answers");
    assert_eq!(
        kept.expect("it is kept").sealed_body,
        other.sealed_body,
        "nobody needs it"
    );
}

async fn what_is_open_in_quarantine_is_read_as_before(database: Database) {
    let scene = Scene::new(&database).await;
    let body = came(&json!({ "tokens": 1 }), OLD);
    let bytes = serde_json::to_vec_pretty(&body).expect("JSON");
    let length = bytes.len();
    let entry = scene.quarantined(bytes, SealedBy::Sender, length).await;
    assert_eq!(scene.reseal(false, false).await.quarantine, 1);
    let kept = scene
        .memory
        .quarantine_entry(entry.id)
        .await
        .expect("the store answers");
    let kept = kept.expect("it is kept");
    let now = kept.body.expect("a body of its own");
    assert_eq!(kept.body_bytes, now.len() as u64, "it is whole");
    let envelope: Value = serde_json::from_slice(&now).expect("an envelope");
    for field in ["requestId", "responseHost"] {
        assert_eq!(envelope[field], body[field]);
    }
    let newest = ring(NEW);
    let opened = mdes::open(&now, &newest, &RULES).expect("the newest key opens it");
    assert_eq!(
        serde_json::from_slice::<Value>(&opened.bytes).expect("JSON"),
        json!({ "tokens": 1 })
    );
}

/// What is read again meanwhile becomes a notification, under the key that it came under: it is not passed over.
async fn what_is_in_quarantine_is_moved_before_any_notification(database: Database) {
    let scene = Scene::new(&database).await;
    scene.numbered().await;
    let body = came(&json!({ "tokens": 1 }), OLD).to_string().into_bytes();
    let length = body.len();
    scene.quarantined(body, SealedBy::Sender, length).await;
    let mut moved = Vec::new();
    let mut told = |done: &Resealed| moved.push((done.quarantine, done.notifications));
    let done = scene.resealer(BOTH).reseal(false, false, &mut told).await;
    done.expect("the store answers");
    assert_eq!(moved.first(), Some(&(1, 1)), "{moved:?}");
}

async fn a_sealed_body_in_one_that_we_sealed_is_moved_as_well(database: Database) {
    let scene = Scene::new(&database).await;
    let mut odd = came(&content(), OLD);
    odd["unknown"] = "what is not known may be in clear".into();
    let inner = odd.to_string();
    // Ours is the newest already, and what stands in it is not.
    let resting = mdes::rest(inner.as_bytes(), &ring(NEW));
    assert!(resting.by_us);
    let entry = scene.quarantined(resting.body, SealedBy::Us, inner.len()).await;
    assert_eq!(scene.needs().await.keys[&name(OLD)].quarantine, 1);
    assert_eq!(scene.reseal(false, false).await.quarantine, 1);
    let kept = scene
        .memory
        .quarantine_entry(entry.id)
        .await
        .expect("the store answers");
    let kept = kept.expect("it is kept");
    let now = kept.body.expect("a body of its own");
    let came = mdes::open_resting(&now, true, &ring(NEW)).expect("ours is opened");
    assert_eq!(came.len() as u64, kept.body_bytes);
    let newest = ring(NEW);
    let opened = mdes::open(&came, &newest, &RULES).expect("and what stands in it");
    assert_eq!(serde_json::from_slice::<Value>(&opened.bytes).expect("JSON"), content());
}

async fn a_dry_run_moves_nothing_and_a_second_run_finds_nothing(database: Database) {
    let scene = Scene::new(&database).await;
    let numbered = scene.numbered().await;
    let counted = scene.reseal(false, true).await;
    assert_eq!(scene.number(&numbered, NEW).await, None);
    assert_eq!(scene.reseal(false, false).await, counted);
    assert_eq!(scene.reseal(false, false).await.notifications, 0);
}

async fn all_notifications_are_moved_if_that_is_asked(database: Database) {
    let scene = Scene::new(&database).await;
    scene.numbered().await;
    scene.other().await;
    assert_eq!(scene.reseal(true, false).await.notifications, 2);
    assert_eq!(scene.needs().await.keys.into_keys().collect::<Vec<_>>(), [name(NEW)]);
}

async fn what_no_key_opens_stays_as_it_is(database: Database) {
    let scene = Scene::new(&database).await;
    let entry = scene
        .quarantined(b"{\"encryptedPayload\":{}}".to_vec(), SealedBy::Sender, 23)
        .await;
    assert_eq!(scene.needs().await.unopened, 1);
    let done = scene.reseal(false, false).await;
    assert_eq!((done.quarantine, done.unopened), (0, 1));
    let kept = scene
        .memory
        .quarantine_entry(entry.id)
        .await
        .expect("the store answers");
    assert_eq!(kept.expect("it is kept").body, Some(entry.body));
}

async fn a_body_that_is_under_another_key_by_now_is_left_alone(database: Database) {
    let scene = Scene::new(&database).await;
    let numbered = scene.numbered().await;
    let new = NewBody {
        id: numbered.id,
        old_key: name(NEW),
        key: name(NEW),
        body: b"another".to_vec(),
    };
    assert_eq!(scene.memory.reseal_bodies(&[new]).await.expect("the store answers"), 0);
    assert_eq!(scene.number(&numbered, OLD).await.as_deref(), Some(NUMBER));
}
