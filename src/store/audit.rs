//! The audit: entries are added, and read; a trigger refuses everything else.

use time::OffsetDateTime;
use uuid::Uuid;

use super::Error;
use super::ledger::{Deed, Entry, EntryFilter, Hand};
use super::row::row;
use super::session::{Session, Sql, execute, fetch};
use super::values::{Id, Stamp};
use crate::clock::new_id;
use crate::domain::masked::without_written_numbers;

const ADD: Sql = Sql::same(
    "\
-- audit: one entry
insert into audit (id, at, who, role, came_from, what, about, why, outcome)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
",
);

/// Adds an entry. In the transaction of what it tells of, a crash leaves both or neither.
pub(super) async fn add(
    session: &mut Session,
    hand: &Hand,
    deed: &Deed,
    outcome: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let why = hand.why.as_deref().map(|why| without_written_numbers(why, false));
    execute!(
        session,
        ADD,
        Id(new_id(now)),
        Stamp(now),
        &hand.who,
        hand.role.map(super::roster::Role::as_str),
        &hand.came_from,
        deed.what,
        &deed.about,
        why,
        outcome,
    )?;
    Ok(())
}

const PAGE: Sql = Sql::same(
    "\
-- audit: a page of entries, newest first
select id, at, who, role, came_from, what, about, why, outcome
from audit
where ($1 is null or who = $1)
  and ($2 is null or what = $2)
  and ($3 is null or about = $3)
  and ($4 is null or id < $4)
order by id desc
limit $5
",
);

row! {
    struct EntryRow {
        id: Id,
        at: Stamp,
        who: String,
        role: Option<String>,
        came_from: String,
        what: String,
        about: String,
        why: Option<String>,
        outcome: String,
    }
}

/// A page of entries.
pub(super) async fn page(
    session: &mut Session,
    which: &EntryFilter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Entry>, Error> {
    let rows: Vec<EntryRow> = fetch!(
        session,
        PAGE,
        &which.who,
        &which.what,
        &which.about,
        before.map(Id),
        limit
    )?;
    let entry = |row: EntryRow| Entry {
        id: row.id.0,
        at: row.at.0,
        who: row.who,
        role: row.role,
        came_from: row.came_from,
        what: row.what,
        about: row.about,
        why: row.why,
        outcome: row.outcome,
    };
    Ok(rows.into_iter().map(entry).collect())
}
