//! Words for scenes: what a merchant wants of a token, and what the desk makes of it.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::command::{Action, CausedBy, Command, Order, Service, Stage, Target};
use mdes_receiver::domain::id::{CommandId, TokenReference};
use mdes_receiver::store::desk::{ClaimedCommand, Claims, KeptCommand, NewCommand, Ordered, Progress};
use mdes_receiver::store::{Desk as _, Memory, SharedStore};
use uuid::Uuid;

pub use super::super::scene::*;
use crate::support::Database;

/// As long as the desk takes one.
pub const LEASE: Duration = Duration::from_secs(45);

/// The memory over one test's database, and its clock.
pub struct Scene {
    pub database: Database,
    pub memory: Arc<Memory>,
    clock: Arc<ManualClock>,
}

impl Scene {
    pub async fn new(database: Database) -> Self {
        let clock = Arc::new(ManualClock::at(noon()));
        let memory = database.memory(Arc::clone(&clock)).await;
        Scene {
            database,
            memory,
            clock,
        }
    }

    /// Another process on the same database, and the same clock.
    pub async fn replica(&self) -> Arc<Memory> {
        self.database.memory(Arc::clone(&self.clock)).await
    }

    pub fn now(&self) -> time::OffsetDateTime {
        use mdes_receiver::clock::Clock as _;
        self.clock.now()
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(time::Duration::seconds(seconds));
    }

    /// The network says so.
    pub async fn hear(&self, request: &str, reference: &str, status: &str, clock: &str) {
        let store: SharedStore = self.memory.clone();
        record(&store, &told(request, vec![said(reference, status, clock)])).await;
    }

    pub async fn order(&self, new: &NewCommand) -> Ordered {
        self.memory.order(new).await.expect("the store answers")
    }

    /// It is new.
    pub async fn ordered(&self, new: &NewCommand) -> KeptCommand {
        match self.order(new).await {
            Ordered::New(kept) => kept,
            other => panic!("not new: {other:?}"),
        }
    }

    /// Of each service so many.
    pub async fn claim(&self, limit: u32) -> Claims {
        let mut all = Claims::default();
        for through in Service::ALL {
            let claims = self.memory.claim(through, LEASE, limit).await;
            let claims = claims.expect("the store answers");
            all.claimed.extend(claims.claimed);
            all.lapsed.extend(claims.lapsed);
            all.more |= claims.more;
            all.next_due = [all.next_due, claims.next_due].into_iter().flatten().min();
        }
        all
    }

    /// The one that there is to claim.
    pub async fn claimed(&self) -> ClaimedCommand {
        let mut claims = self.claim(10).await;
        assert_eq!(claims.claimed.len(), 1, "{claims:?}");
        claims.claimed.remove(0)
    }

    pub async fn progress(&self, progress: &Progress) -> bool {
        self.memory.progress(progress).await.expect("the store answers")
    }

    pub async fn stage(&self, id: CommandId) -> Stage {
        let kept = self.memory.command(id).await.expect("the store answers");
        kept.expect("it is kept").command.stage
    }

    /// Where it stood, step by step.
    pub async fn stages(&self, id: CommandId) -> Vec<Stage> {
        let steps = self.memory.steps(id).await.expect("the store answers");
        steps.into_iter().map(|step| step.stage).collect()
    }
}

fn command_id() -> CommandId {
    CommandId(Uuid::now_v7())
}

/// Somebody wants a token of MDES's suspended.
pub fn suspend(reference: &str) -> NewCommand {
    wanted(Action::Suspend, reference)
}

pub fn wanted(action: Action, reference: &str) -> NewCommand {
    NewCommand {
        id: command_id(),
        order: Order {
            token: token(reference),
            action,
            through: Service::Mdes,
            target: Target {
                token: reference.to_owned(),
                reference_id: None,
            },
            caused_by: CausedBy::TokenRequestor,
            reason_code: "OTHER".to_owned(),
            reason: Some("a customer called".to_owned()),
            forced: false,
        },
        asked_by: "ana".to_owned(),
        idempotency_key: None,
        approve_within: None,
    }
}

/// The same order, under that key, as another command.
pub fn keyed(new: &NewCommand, key: &str) -> NewCommand {
    NewCommand {
        id: command_id(),
        idempotency_key: Some(key.to_owned()),
        ..new.clone()
    }
}

/// Through TokenEx, by its own name.
pub fn through_tokenex(new: NewCommand, token: TokenReference, target: &str, reference_id: Option<&str>) -> NewCommand {
    let order = Order {
        token,
        through: Service::TokenEx,
        target: Target {
            token: target.to_owned(),
            reference_id: reference_id.map(str::to_owned),
        },
        ..new.order
    };
    NewCommand { order, ..new }
}

/// It stands there now; the lease goes on.
pub fn at_stage(claimed: &ClaimedCommand, stage: Stage) -> Progress {
    Progress {
        command: Command {
            stage,
            why: format!("it is {}", stage.as_str()),
            ..claimed.kept.command.clone()
        },
        claim: claimed.claim,
        seen: Vec::new(),
        answer: None,
        due_in: None,
        event: None,
    }
}

/// The same, and the lease ends.
pub fn until(progress: Progress, seconds: u64) -> Progress {
    Progress {
        due_in: Some(Duration::from_secs(seconds)),
        ..progress
    }
}
