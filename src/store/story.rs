//! A token's story: what was heard, what changed, what was told and to whom, what was commanded, in one timeline.
//!
//! Each kind is read on its own, newest first and no more of it than a page, and they are put in order here.

use std::collections::BTreeMap;

use super::Error;
use super::batch::batch_row;
use super::desk::Step;
use super::row::row;
use super::search::{Moment, Scene, Sending, ToldEvent};
use super::session::{Session, Sql, fetch};
use super::tokens::{StatementRow, TransitionRow};
use super::values::{Id, JsonText, Stamp};
use crate::domain::command::{Action, Stage};
use crate::domain::delivery::State;
use crate::domain::id::{CommandId, DeliveryId, TokenReference};

const HEARD: Sql = Sql::same(
    "\
-- story: what was said of a token
select notification_id, token_index, namespace, token_unique_reference, verdict, sequence, status, status_at,
  reason_code, flags, unrecognized, repeats, received_at
from token_statements
where namespace = $1
  and token_unique_reference = $2
  and received_at <= $3
order by received_at desc, notification_id desc, token_index desc
limit $4
",
);

const CHANGED: Sql = Sql::same(
    "\
-- story: what changed of it
select sequence, kind, from_status, to_status, status_at, reason_code, changes, notification_id, recorded_at
from token_transitions
where namespace = $1
  and token_unique_reference = $2
  and recorded_at <= $3
order by recorded_at desc, sequence desc
limit $4
",
);

const TOLD: Sql = Sql::same(
    "\
-- story: what was told of it
select position, recorded_at, body
from events
where namespace = $1
  and token_unique_reference = $2
  and recorded_at <= $3
order by recorded_at desc, position desc
limit $4
",
);

const SENDINGS: Sql = Sql {
    postgres: "\
-- story: to whom
select deliveries.id, destination, event_position, state, attempts, attempted_at, answer_status, settled_by
from unnest($1) as told (position)
join deliveries on deliveries.event_position = told.position and not deliveries.replayed
order by deliveries.id
",
    sqlite: "\
-- story: to whom
select deliveries.id, destination, event_position, state, attempts, attempted_at, answer_status, settled_by
from json_each($1) as told
join deliveries on deliveries.event_position = value ->> 'position' and not deliveries.replayed
order by deliveries.id
",
};

const COMMANDED: Sql = Sql::same(
    "\
-- story: what was commanded, step by step
select commands.id, commands.action, command_steps.stage, command_steps.why, command_steps.at
from commands
join command_steps on command_steps.command_id = commands.id
where commands.namespace = $1
  and commands.token_unique_reference = $2
  and command_steps.at <= $3
order by command_steps.at desc, commands.id desc, command_steps.number desc
limit $4
",
);

row! {
    struct ToldRow {
        position: i64,
        recorded_at: Stamp,
        body: JsonText,
    }
}

row! {
    struct SendingRow {
        id: i64,
        destination: String,
        event_position: i64,
        state: String,
        attempts: i32,
        attempted_at: Option<Stamp>,
        answer_status: Option<i32>,
        settled_by: Option<String>,
    }
}

row! {
    struct StepRow {
        id: Id,
        action: String,
        stage: String,
        why: String,
        at: Stamp,
    }
}

batch_row! {
    struct PositionRow {
        position: i64,
    }
}

/// A page of the story. What shares an instant is in an order of its own: a change behind what made it, and what is
/// told of it behind that.
pub(super) async fn story(
    session: &mut Session,
    token: &TokenReference,
    before: &Moment,
    limit: i64,
) -> Result<Vec<Scene>, Error> {
    let (namespace, reference) = (token.namespace.as_str(), &token.reference);
    // What was shown of that instant is read again, and left out below.
    let most = limit + i64::from(before.shown);
    let at = Stamp(before.at);
    let steps: Vec<StepRow> = fetch!(session, COMMANDED, namespace, reference, at, most)?;
    let told: Vec<ToldRow> = fetch!(session, TOLD, namespace, reference, at, most)?;
    let changed: Vec<TransitionRow> = fetch!(session, CHANGED, namespace, reference, at, most)?;
    let heard: Vec<StatementRow> = fetch!(session, HEARD, namespace, reference, at, most)?;

    let mut scenes: Vec<Scene> = Vec::new();
    for row in steps {
        scenes.push(row.scene()?);
    }
    for row in told {
        scenes.push(row.scene()?);
    }
    for row in changed {
        scenes.push(Scene::Changed(row.transition(token.clone())?));
    }
    for row in heard {
        scenes.push(Scene::Heard(row.statement()?));
    }
    // Stable: each kind stays in its own order.
    scenes.sort_by_key(|scene| std::cmp::Reverse(scene.at()));
    let shown = scenes.iter().take_while(|scene| scene.at() == before.at).count();
    scenes.drain(..shown.min(before.shown as usize));
    scenes.truncate(usize::try_from(limit).unwrap_or_default());
    send(session, &mut scenes).await?;
    Ok(scenes)
}

impl ToldRow {
    fn scene(self) -> Result<Scene, Error> {
        Ok(Scene::Told(Box::new(ToldEvent {
            event: self.body.read(|| format!("events.body at {}", self.position))?,
            at: self.recorded_at.0,
            position: self.position.unsigned_abs(),
            sendings: Vec::new(),
        })))
    }
}

impl StepRow {
    fn scene(self) -> Result<Scene, Error> {
        let id = CommandId(self.id.0);
        let place = |column| move || Error::Corrupt(format!("{column} of {id}"));
        let step = Step {
            stage: Stage::parse(&self.stage).ok_or_else(place("command_steps.stage"))?,
            why: self.why,
            at: self.at.0,
        };
        let action = Action::parse(&self.action).ok_or_else(place("commands.action"))?;
        Ok(Scene::Commanded(id, action, step))
    }
}

/// Puts to each event of these to whom it went.
async fn send(session: &mut Session, scenes: &mut [Scene]) -> Result<(), Error> {
    let position = |scene: &Scene| match scene {
        Scene::Told(told) => Some(PositionRow {
            position: told.position.cast_signed(),
        }),
        _ => None,
    };
    let positions: Vec<PositionRow> = scenes.iter().filter_map(position).collect();
    if positions.is_empty() {
        return Ok(());
    }
    let rows: Vec<SendingRow> = session.fetch_batch(SENDINGS, &positions).await?;
    let mut sendings: BTreeMap<u64, Vec<Sending>> = BTreeMap::new();
    for row in rows {
        let of = sendings.entry(row.event_position.unsigned_abs()).or_default();
        of.push(row.sending()?);
    }
    for scene in scenes {
        if let Scene::Told(told) = scene {
            told.sendings = sendings.remove(&told.position).unwrap_or_default();
        }
    }
    Ok(())
}

impl SendingRow {
    fn sending(self) -> Result<Sending, Error> {
        let state = State::parse(&self.state);
        Ok(Sending {
            state: state.ok_or_else(|| Error::Corrupt(format!("deliveries.state of {}", self.id)))?,
            id: DeliveryId(self.id.unsigned_abs()),
            destination: self.destination,
            attempts: self.attempts.unsigned_abs(),
            attempted_at: self.attempted_at.map(|at| at.0),
            answer_status: self.answer_status.and_then(|status| u16::try_from(status).ok()),
            settled_by: self.settled_by,
        })
    }
}
