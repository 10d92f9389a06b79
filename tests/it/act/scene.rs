//! Words for scenes: what is wanted, what the network says of itself, and the desk at its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mdes_receiver::clock::{Clock as _, ManualClock, new_id};
use mdes_receiver::domain::command::{Action, CausedBy, Order, Proof, Rules, Seen, Service, Stage, Target};
use mdes_receiver::domain::id::{CommandId, Namespace, NotificationId, TokenReference};
use mdes_receiver::domain::notification::{Statement, Windows};
use mdes_receiver::domain::status::Instant;
use mdes_receiver::lifecycle::desk::Office;
use mdes_receiver::lifecycle::{Learned, Listener, Taken};
use mdes_receiver::store::desk::{Desk as _, KeptCommand, Link, NewCommand, Ordered, SharedDesk};
use mdes_receiver::store::{Memory, Outbox as _, SharedStore, Store as _};
use mdes_receiver::telemetry::Metrics;
use time::macros::datetime;

use super::network::Network;
use crate::store::scene::{hashed, said, told};
use crate::support::Database;

pub const RULES: Rules = Rules {
    confirm_within: Duration::from_secs(60),
    sends_max: 3,
};
/// Longer than a lease, and than any wait before a command is overdue.
pub const LONG: i64 = 61;

/// A database, a service behind one name, and what the network says of its tokens.
pub struct Scene {
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub memory: Arc<Memory>,
    pub network: Arc<Network>,
    pub service: Service,
}

impl Scene {
    pub async fn new(database: Database, service: Service) -> Self {
        Scene::with(database, Network::new(service), service).await
    }

    pub async fn with(database: Database, network: Network, service: Service) -> Self {
        let clock = Arc::new(ManualClock::at(datetime!(2026-11-22 12:00 UTC)));
        let memory = database.memory(Arc::clone(&clock)).await;
        Scene {
            database,
            clock,
            memory,
            network: Arc::new(network),
            service,
        }
    }

    /// The desk, over this memory.
    pub fn office(&self) -> Arc<Office> {
        self.office_over(Arc::clone(&self.memory) as SharedDesk)
    }

    pub fn office_over(&self, desk: SharedDesk) -> Arc<Office> {
        self.office_of(desk, vec![Arc::clone(&self.network)])
    }

    /// The same, with these services.
    pub fn office_of(&self, desk: SharedDesk, services: Vec<Arc<Network>>) -> Arc<Office> {
        let store: SharedStore = Arc::clone(&self.memory) as SharedStore;
        Arc::new(Office {
            desk,
            services: services.into_iter().map(|one| one as _).collect(),
            listener: Arc::new(Ear(Arc::clone(&store))),
            store,
            rules: RULES,
            clock: Arc::clone(&self.clock) as _,
            metrics: Metrics::new(),
        })
    }

    /// A token that stands so, and is linked to Mastercard's name of it if the service has another.
    pub async fn token(&self, token: &str, words: &str) {
        let seen = self.network.set(token, words);
        if self.service == Service::TokenEx {
            let link = Link {
                token_unique_reference: token.to_owned(),
                tokenex_token: token.to_owned(),
                token_reference_id: None,
            };
            self.memory.link(&[link]).await.expect("the store answers");
        }
        self.notice(token, &seen).await;
    }

    /// The network's own notification.
    pub async fn notice(&self, token: &str, seen: &Seen) {
        record(
            &(Arc::clone(&self.memory) as SharedStore),
            TokenReference::mdes(token),
            seen,
            self.clock.now(),
        )
        .await;
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(time::Duration::seconds(seconds));
    }

    pub async fn order(&self, action: Action, token: &str) -> CommandId {
        self.order_of(action, token, None).await
    }

    /// The same, of one of its network tokens.
    pub async fn order_of(&self, action: Action, token: &str, reference_id: Option<&str>) -> CommandId {
        self.order_through(self.service, action, token, reference_id).await
    }

    /// The same, through that service.
    pub async fn order_through(
        &self,
        through: Service,
        action: Action,
        token: &str,
        reference_id: Option<&str>,
    ) -> CommandId {
        let namespace = match through {
            Service::Mdes => Namespace::Mdes,
            Service::TokenEx => Namespace::TokenEx,
        };
        let new = NewCommand {
            id: CommandId(new_id(self.clock.now())),
            order: Order {
                token: TokenReference {
                    namespace,
                    reference: token.to_owned(),
                },
                action,
                through,
                target: Target {
                    token: token.to_owned(),
                    reference_id: reference_id.map(str::to_owned),
                },
                caused_by: CausedBy::TokenRequestor,
                reason_code: "OTHER".to_owned(),
                reason: None,
                forced: false,
            },
            asked_by: "ana".to_owned(),
            idempotency_key: None,
            approve_within: None,
        };
        match self.memory.order(&new).await.expect("the store answers") {
            Ordered::New(kept) => kept.command.id,
            other => panic!("{other:?}"),
        }
    }

    /// One turn of the desk.
    pub async fn turn(&self) -> usize {
        self.office().turn(100).await.expect("the store answers")
    }

    /// Turns, a second after the other, until nothing is claimed for that long or so many seconds went by.
    pub async fn turns(&self, seconds: i64) {
        let office = self.office();
        for _ in 0..seconds {
            office.turn(100).await.expect("the store answers");
            self.wait(1);
        }
    }

    pub async fn kept(&self, id: CommandId) -> KeptCommand {
        let kept = self.memory.command(id).await.expect("the store answers");
        kept.expect("it was ordered")
    }

    /// Where it stands, and by which proof.
    pub async fn stands(&self, id: CommandId) -> (Stage, Option<Proof>) {
        let command = self.kept(id).await.command;
        (command.stage, command.proof)
    }

    /// The stages that it went through.
    pub async fn stages(&self, id: CommandId) -> Vec<Stage> {
        let steps = self.memory.steps(id).await.expect("the store answers");
        let mut stages: Vec<Stage> = steps.into_iter().map(|step| step.stage).collect();
        stages.dedup();
        stages
    }

    /// Until it stands there.
    pub async fn until(&self, id: CommandId, stage: Stage) {
        let is_there = async || self.stands(id).await.0 == stage;
        self.eventually(stage.as_str(), is_there).await;
    }

    /// Until that is true.
    pub async fn eventually(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        for _ in 0..4_000 {
            if is_so().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("never: {what}");
    }

    /// The service, before anyone else holds it.
    pub fn network_mut(&mut self) -> &mut Network {
        Arc::get_mut(&mut self.network).expect("nobody else holds it yet")
    }

    /// By whom we hold a token to be suspended.
    pub async fn suspended_by(&self, token: &str) -> Vec<String> {
        let kept = self.memory.token(&TokenReference::mdes(token)).await;
        let kept = kept.expect("the store answers").expect("it was heard of");
        kept.token.suspended_by().map(str::to_owned).collect()
    }

    /// What the merchant was told of commands.
    pub async fn events(&self) -> Vec<&'static str> {
        let events = self.memory.events(0, 1_000).await.expect("the store answers").items;
        let kinds = events.iter().map(|one| one.event.kind.as_str());
        kinds.filter(|kind| kind.starts_with("command.")).collect()
    }
}

/// Takes in what the service says, as the inbox does.
struct Ear(SharedStore);

#[async_trait]
impl Listener for Ear {
    async fn learn(&self, answer: Learned) -> Result<Taken, String> {
        let seen: Seen = serde_json::from_slice(&answer.body).map_err(|error| error.to_string())?;
        record(&self.0, answer.token, &seen, answer.received_at).await;
        Ok(Taken {
            notification: NotificationId(uuid::Uuid::nil()),
            verdict: None,
            sequence: None,
            adds_only: true,
        })
    }
}

async fn record(store: &SharedStore, token: TokenReference, seen: &Seen, now: time::OffsetDateTime) {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let statement = Statement {
        suspended_by: seen.suspended_by.clone().unwrap_or_default(),
        instant: seen.at.map(|at| Instant::new(at, false)),
        ..said(&token.reference, seen.status.as_str(), "11:00")
    };
    let statement = Statement { token, ..statement };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut recording = told(&format!("act-{number}"), vec![hashed(statement)]);
    recording.id.0 = new_id(now);
    recording.received_at = now;
    store
        .record(&[recording], &Windows::default())
        .await
        .expect("the store answers");
}
