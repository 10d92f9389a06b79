//! The journal of steps: only ever added to.

use time::OffsetDateTime;

use crate::domain::command::Command;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::session::{Session, Sql};
use crate::store::values::{Id, Stamp};

const ADD: Sql = Sql {
    postgres: "\
-- steps: one more of each of these commands, which are locked
insert into command_steps (command_id, number, stage, why, at)
select
  step.command_id,
  (select coalesce(max(number), 0) + 1 from command_steps as earlier where earlier.command_id = step.command_id),
  step.stage, step.why, step.at
from unnest($1, $2, $3, $4) as step (command_id, stage, why, at)
",
    sqlite: "\
-- steps: one more of each of these commands
insert into command_steps (command_id, number, stage, why, at)
select
  value ->> 'command_id',
  (select coalesce(max(number), 0) + 1 from command_steps as earlier
    where earlier.command_id = step.value ->> 'command_id'),
  value ->> 'stage', value ->> 'why', value ->> 'at'
from json_each($1) as step
",
};

batch_row! {
    struct StepRow<'a> {
        command_id: Id,
        stage: &'static str,
        why: &'a str,
        at: Stamp,
    }
}

/// Adds one step for each command, as it stands now; no command twice.
pub(super) async fn add(session: &mut Session, commands: &[&Command], now: OffsetDateTime) -> Result<(), Error> {
    let rows: Vec<StepRow<'_>> = commands.iter().map(|command| StepRow::of(command, now)).collect();
    session.execute_batch(ADD, &rows).await
}

impl<'a> StepRow<'a> {
    fn of(command: &'a Command, now: OffsetDateTime) -> Self {
        StepRow {
            command_id: Id(command.id.0),
            stage: command.stage.as_str(),
            why: &command.why,
            at: Stamp(now),
        }
    }
}
