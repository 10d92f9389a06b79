//! What a merchant is told of a command, in the transaction of its step.

use mdes_receiver::domain::command::{Proof, Stage};
use mdes_receiver::domain::event::{Advice, Attempt, Event, EventType};
use mdes_receiver::store::desk::Progress;
use mdes_receiver::store::{Desk as _, Outbox as _};

use super::super::shape;
use super::scene::*;
use crate::support::Database;

promises!(
    a_step_is_told_with_its_token_as_it_stands,
    each_is_as_its_schema_says,
    a_step_that_is_refused_tells_nothing,
    a_step_that_cannot_be_told_is_not_made,
);

impl Scene {
    /// What was told of commands.
    async fn told(&self) -> Vec<Event> {
        let events = self.memory.events(0, 1_000).await.expect("the store answers");
        let events = events.items.into_iter().map(|kept| kept.event);
        events.filter(|event| event.kind.is_of_command()).collect()
    }

    /// A command on that token comes to that stage, and it is told.
    async fn come(&self, reference: &str, stage: Stage, kind: EventType) -> Progress {
        self.ordered(&suspend(reference)).await;
        let claimed = self.claimed().await;
        let mut step = until(at_stage(&claimed, stage), 300);
        step.event = Some(kind);
        if stage == Stage::Confirmed {
            step.command.proof = Some(Proof::Ours);
        }
        assert!(self.progress(&step).await);
        step
    }
}

async fn a_step_is_told_with_its_token_as_it_stands(database: Database) {
    let scene = Scene::new(database).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    scene.hear("r-2", "A", "SUSPENDED", "10:00").await;
    let step = scene.come("A", Stage::Confirmed, EventType::CommandConfirmed).await;
    let told = scene.told().await;
    let data = &told[0].data;
    assert_eq!((told.len(), told[0].kind), (1, EventType::CommandConfirmed));
    assert_eq!((data.token_unique_reference.as_str(), data.sequence), ("A", 2));
    assert_eq!(
        (data.status.as_deref(), data.status_at),
        (Some("SUSPENDED"), Some(at("10:00")))
    );
    assert_eq!((data.state_changed, data.advice), (false, Advice::None));
    let command = data.command.as_ref().expect("it is about one");
    assert_eq!((command.id, command.stage), (step.command.id, Stage::Confirmed));
    assert_eq!(
        (command.proof, command.why.as_str()),
        (Some(Proof::Ours), "it is confirmed")
    );
    let kept = scene.memory.events(0, 1_000).await.expect("the store answers").items;
    let current = kept.last().and_then(|kept| kept.current.as_ref());
    assert_eq!(current.map(|current| current.sequence), Some(2));
}

async fn each_is_as_its_schema_says(database: Database) {
    let scene = Scene::new(database).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    scene.come("A", Stage::Confirmed, EventType::CommandConfirmed).await;
    scene
        .come("A", Stage::Contradicted, EventType::CommandContradicted)
        .await;
    // Nothing was ever heard of that one.
    scene.come("B", Stage::Overdue, EventType::CommandOverdue).await;
    let told = scene.told().await;
    let advice: Vec<Advice> = told.iter().map(|event| event.data.advice).collect();
    assert_eq!(advice, [Advice::None, Advice::Confirm, Advice::Confirm]);
    for event in &told {
        let file = format!("docs/events/{}.schema.json", event.kind.as_str());
        let schema = std::fs::read_to_string(file).expect("every type has its schema");
        let schema: serde_json::Value = serde_json::from_str(&schema).expect("JSON");
        let mut body = event.body(&Attempt::default());
        assert_eq!(shape::faults(&schema, &body), Vec::<String>::new(), "{body}");
        body["data"].as_object_mut().expect("an object").remove("command");
        assert_eq!(shape::faults(&schema, &body).len(), 1, "without its command it is none");
    }
}

async fn a_step_that_is_refused_tells_nothing(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let claimed = scene.claimed().await;
    scene.wait(45);
    scene.claimed().await;
    let mut late = at_stage(&claimed, Stage::Confirmed);
    late.event = Some(EventType::CommandConfirmed);
    assert!(!scene.progress(&late).await);
    assert_eq!(scene.told().await, []);
}

async fn a_step_that_cannot_be_told_is_not_made(database: Database) {
    let scene = Scene::new(database).await;
    let new = suspend("A");
    scene.ordered(&new).await;
    let claimed = scene.claimed().await;
    scene.database.execute("delete from events_head").await;
    let mut step = at_stage(&claimed, Stage::Confirmed);
    step.event = Some(EventType::CommandConfirmed);
    assert!(scene.memory.progress(&step).await.is_err());
    assert_eq!(scene.stages(new.id).await, [Stage::Requested]);
    scene
        .database
        .execute("insert into events_head (position) values (0)")
        .await;
    assert!(scene.progress(&step).await, "the lease still holds");
}
