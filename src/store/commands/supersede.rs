//! A newer command takes an older one's place, which is then never sent again.

use time::OffsetDateTime;

use super::ends::end;
use super::rows::Held;
use crate::domain::command::{Command, Stage};
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::session::{Session, Sql};
use crate::store::values::Id;

const MARK: Sql = Sql {
    postgres: "\
-- supersede: who takes the place of one of these, which may land yet, knows of it
update commands
set body = jsonb_set(commands.body::jsonb, '{after_another}', 'true')::json
from unnest($1) as gone (id)
join commands as older on older.id = gone.id
where commands.target = older.target
  and commands.place > older.place
  and commands.settled_at is null
  and not commands.waits
",
    sqlite: "\
-- supersede: who takes the place of one of these, which may land yet, knows of it
update commands
set body = json_set(commands.body, '$.after_another', json('true'))
from json_each($1) as gone
join commands as older on older.id = gone.value ->> 'id'
where commands.target = older.target
  and commands.place > older.place
  and commands.settled_at is null
  and not commands.waits
",
};

batch_row! {
    /// One that may land yet.
    struct SentRow {
        id: Id,
    }
}

/// Ends these, which the transaction has locked; who takes the place of one that was sent is told.
pub(super) async fn supersede(session: &mut Session, held: Vec<Held>, now: OffsetDateTime) -> Result<(), Error> {
    let gone: Vec<Command> = held.into_iter().map(|held| taken(held.kept.command)).collect();
    end(session, &gone, now).await?;
    mark(session, &gone).await
}

async fn mark(session: &mut Session, gone: &[Command]) -> Result<(), Error> {
    let sent = gone.iter().filter(|command| command.may_land_yet());
    let sent: Vec<SentRow> = sent.map(|command| SentRow { id: Id(command.id.0) }).collect();
    if sent.is_empty() {
        return Ok(());
    }
    session.execute_batch(MARK, &sent).await.map(drop)
}

/// The same command, at its end.
fn taken(command: Command) -> Command {
    let why = format!(
        "a newer command took its place; it had come to: {}",
        command.stage.as_str()
    );
    Command {
        stage: Stage::Superseded,
        why,
        ..command
    }
}
