//! What a command's tokens went through since it last looked.

use std::collections::HashMap;

use crate::domain::id::CommandId;
use crate::store::batch::batch_row;
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::session::{Session, Sql};
use crate::store::tokens::TransitionRow;
use crate::store::values::Id;
use crate::store::{Error, Transition};

/// A hundred changes of each command at most: the rest comes with the next claim.
const MOVED: Sql = Sql {
    postgres: "\
-- moved: what the tokens of these commands went through since they last looked
select *
from (
  select watched.command_id, change.*,
    row_number() over (
      partition by watched.command_id
      order by change.namespace, change.token_unique_reference, change.sequence) as place
  from unnest($1) as claimed (id)
  join command_tokens as watched on watched.command_id = claimed.id
  join token_transitions as change
    on change.namespace = watched.namespace
    and change.token_unique_reference = watched.token_unique_reference
    and change.sequence > watched.seen
) as moved
where place <= 100
order by command_id, place
",
    sqlite: "\
-- moved: what the tokens of these commands went through since they last looked
select *
from (
  select watched.command_id, change.*,
    row_number() over (
      partition by watched.command_id
      order by change.namespace, change.token_unique_reference, change.sequence) as place
  from json_each($1) as claimed
  join command_tokens as watched on watched.command_id = value ->> 'id'
  join token_transitions as change
    on change.namespace = watched.namespace
    and change.token_unique_reference = watched.token_unique_reference
    and change.sequence > watched.seen
) as moved
where place <= 100
order by command_id, place
",
};

batch_row! {
    struct ClaimedRow {
        id: Id,
    }
}

row! {
    struct MovedRow {
        command_id: Id,
        namespace: String,
        token_unique_reference: String,
    }
    with change: TransitionRow
}

/// What the tokens of these commands went through since each last looked, in order; for who has nothing, nothing.
pub(super) async fn since(
    session: &mut Session,
    commands: &[CommandId],
) -> Result<HashMap<CommandId, Vec<Transition>>, Error> {
    let rows: Vec<ClaimedRow> = commands.iter().map(|id| ClaimedRow { id: Id(id.0) }).collect();
    let found: Vec<MovedRow> = session.fetch_batch(MOVED, &rows).await?;
    let mut moved: HashMap<CommandId, Vec<Transition>> = HashMap::new();
    for row in found {
        let token = token_reference(&row.namespace, row.token_unique_reference)?;
        let change = row.change.transition(token)?;
        moved.entry(CommandId(row.command_id.0)).or_default().push(change);
    }
    Ok(moved)
}
