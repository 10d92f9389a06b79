//! A receiver, an MDES that can be asked, and a shop that is told.

use std::sync::Arc;

use mdes_receiver::clock::{Clock, SystemClock};
use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::simulator::dev_files;
use mdes_receiver::simulator::services::tokens::{Act, Cause, NewToken};
use mdes_receiver::simulator::services::{Door, Services, Settings};
use mdes_receiver::store::{Asking as _, KeptStatement, Memory};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::api::caller::{Caller, memory, say};
use crate::support::Database;
use crate::world::{Desk, Merchant, World, eventually, read};

/// Before anything that the services did.
pub const LONG_AGO: &str = "2026-01-01T10:00:00Z";

pub struct Street {
    pub world: World,
    pub services: Services,
    pub shop: Merchant,
    pub operator: Caller,
}

impl Street {
    pub async fn over(database: Database) -> Self {
        Street::at(database, Arc::new(SystemClock)).await
    }

    /// The receiver's day goes by this clock; everybody else's by the real one.
    pub async fn at(database: Database, clock: Arc<dyn Clock>) -> Self {
        let shop = Merchant::content().await;
        let desk = Desk::over(database);
        let (signing, _) = dev_files::signing(&desk.path("."), OffsetDateTime::now_utc()).expect("a key is made");
        let services = Services::start(Settings {
            signing_certificate: Some(read(&signing.certificate)),
            ..Settings::default()
        });
        let services = services.await.expect("a free port on loopback");
        let extra = format!(
            "{}\n[lifecycle]\nallow_networks = [\"127.0.0.0/8\"]\ncalls_per_second = 1000\n\
             [lifecycle.reconcile]\ncalls_per_second = 1000\n\
             [lifecycle.mdes]\nurl = \"{}\"\nconsumer_key = \"{}\"\nsigning_key = \"signing.key\"\n",
            shop.destination("shop", ""),
            services.mdes_url(),
            Settings::default().consumer_key,
        );
        let world = desk.with(&extra).open_at(clock).await;
        world.ready().await;
        Street {
            operator: Caller::operator(&world).await,
            world,
            services,
            shop,
        }
    }

    pub async fn memory(&self) -> std::sync::Arc<Memory> {
        memory(&self.world).await
    }

    /// A token that the network knows, ACTIVE since just now.
    pub fn made(&self, reference: &str) {
        let new = NewToken {
            token_unique_reference: Some(reference.to_owned()),
            ..NewToken::default()
        };
        self.services.make(&new).expect("a new token");
    }

    /// The same, of which we were told.
    pub async fn known(&self, reference: &str) {
        self.made(reference);
        say(&self.world, reference, "ACTIVE", LONG_AGO).await;
    }

    /// From now on MDES knows our key, and gives numbers sealed to it.
    pub fn gives_numbers(&self) {
        self.services.notify_mdes(Door {
            sender: self.world.sender(),
            sealer: self.world.desk.sealer(),
        });
    }

    /// The issuer suspends it, and the notification is lost.
    pub fn suspended(&self, reference: &str) {
        let done = self.services.act(reference, Act::Suspend, &Cause::by("ISSUER"));
        assert!(done.is_ok(), "{reference} cannot be suspended");
    }

    pub async fn begins(&self, wanted: &Value) -> String {
        let begun = self.operator.post("/v1/reconciles", wanted).await;
        assert_eq!(begun.status, 201, "{begun:?}");
        begun.json()["id"].as_str().expect("an id").to_owned()
    }

    pub async fn reconcile(&self, id: &str) -> Value {
        self.operator.get(&format!("/v1/reconciles/{id}")).await.json()
    }

    /// Until it is through: how it stands then.
    pub async fn through(&self, id: &str) -> Value {
        eventually("the reconcile is through", async || {
            self.reconcile(id).await["ended_at"].is_string()
        })
        .await;
        self.reconcile(id).await
    }

    pub async fn compared(&self) -> Value {
        let id = self.begins(&json!({})).await;
        self.through(&id).await
    }

    /// What the network has of the tokens besides their status, as their notifications would have told.
    pub async fn all_is_told(&self) {
        let first = self.compared().await;
        assert_eq!(first["differs"], 0, "{first}");
    }

    /// The newest of the token's journal.
    pub async fn newest(&self, reference: &str) -> KeptStatement {
        let token = TokenReference::mdes(reference);
        let statements = self.world.store().statements(&token, 1).await;
        statements.expect("the store answers").remove(0)
    }

    /// What one found, in words: `repaired ACTIVE>SUSPENDED`.
    pub async fn findings(&self, id: &str) -> Vec<String> {
        let found = self.operator.get(&format!("/v1/reconciles/{id}/findings")).await.json();
        let items = found["items"].as_array().expect("a list").clone();
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        items
            .iter()
            .map(|one| {
                format!(
                    "{} {}>{}",
                    word(&one["finding"]),
                    word(&one["held"]),
                    word(&one["seen"])
                )
            })
            .collect()
    }

    /// Nobody works on any any more, as if the lease of who did had run out.
    pub async fn leases_end(&self) {
        self.world
            .desk
            .database
            .execute("update reconciles set leased_until = created_at")
            .await;
    }

    pub async fn questions(&self) -> Vec<mdes_receiver::store::asking::KeptQuestion> {
        self.memory()
            .await
            .questions(None, 100)
            .await
            .expect("the store answers")
    }
}
