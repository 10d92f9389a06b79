//! MDES, asked: how a request is signed, what stands in it, and what its answers mean. Loopback only.

mod answers;
mod asking;
mod signing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::config::settings;
use mdes_receiver::domain::command::{Action, CausedBy, Target};
use mdes_receiver::domain::id::CommandId;
use mdes_receiver::domain::masked::Secret;
use mdes_receiver::lifecycle::{Reply, Request, TokenService as _};
use mdes_receiver::mdes::client::Client;
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use crate::egress::sink::{Says, Sink, answer};

const PASSWORD: &str = "keys and doors";
const CONSUMER_KEY: &str = "consumer!key";
const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
const TOKEN: &str = "DM4MMC00000000013f0c5b0e6d5a4c2f9b7e1a2d3c4b5a697";
const COMMAND: CommandId = CommandId(Uuid::from_u128(7));

/// A signing key as Mastercard hands it out: PKCS#12.
pub fn signing_key(folder: &Path) -> PathBuf {
    let keys: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/keys.json")).expect("the fixture is of this shape");
    let bytes = hex::decode(keys["good"]["openssl3.p12"].as_str().expect("hex")).expect("hex");
    let file = folder.join("signing.p12");
    std::fs::write(&file, bytes).expect("written");
    file
}

/// An MDES that says one thing, and who asks it.
struct Scene {
    sink: Sink,
    client: Client,
    settings: settings::Mdes,
    _folder: TempDir,
}

impl Scene {
    async fn that(says: Says) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sink = Sink::plain(says).await;
        let settings = settings::Mdes {
            url: Secret::new(format!("http://{}/mdes", sink.address)),
            consumer_key: CONSUMER_KEY.to_owned(),
            signing_key: signing_key(folder.path()),
            signing_key_password: Some(Secret::new(PASSWORD)),
            response_host: None,
            egress: settings::Egress {
                allow_networks: vec!["127.0.0.1/32".parse().expect("a network")],
                connect: Duration::from_secs(2),
                total: Duration::from_secs(4),
                ..Default::default()
            },
        };
        Scene {
            client: client(&settings),
            settings,
            sink,
            _folder: folder,
        }
    }

    async fn answers(status: u16, body: &str) -> Self {
        Scene::that(Says::Raw(answer(status, "content-type: application/json\r\n", body))).await
    }

    async fn suspended(&self) -> Reply {
        self.client.change(&request(&target(), Action::Suspend)).await
    }
}

fn client(settings: &settings::Mdes) -> Client {
    Client::load(settings, Arc::new(ManualClock::at(NOW))).expect("the settings are good")
}

fn target() -> Target {
    Target {
        token: TOKEN.to_owned(),
        reference_id: None,
    }
}

fn request(target: &Target, action: Action) -> Request<'_> {
    Request {
        command: COMMAND,
        send: 2,
        action,
        target,
        caused_by: CausedBy::TokenRequestor,
        reason_code: "OTHER",
        reason: Some("verloren – ünïcode"),
    }
}
