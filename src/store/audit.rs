//! The audit: entries are added, and read; a trigger refuses everything else.

use time::OffsetDateTime;
use uuid::Uuid;

use super::Error;
use super::batch::batch_row;
use super::ledger::{Deed, Entry, EntryFilter, Hand};
use super::roster::Role;
use super::row::row;
use super::session::{Session, Sql, fetch};
use super::values::{Id, Stamp};
use crate::clock::new_id;
use crate::domain::masked::without_written_numbers;

const ADD: Sql = Sql {
    postgres: "\
-- audit: an act, with an entry for each thing that it was about
insert into audit (id, at, who, role, came_from, what, about, why, outcome)
select id, at, who, role, came_from, what, about, why, outcome
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
  as done (id, at, who, role, came_from, what, about, why, outcome)
",
    sqlite: "\
-- audit: an act, with an entry for each thing that it was about
insert into audit (id, at, who, role, came_from, what, about, why, outcome)
select
  value ->> 'id', value ->> 'at', value ->> 'who', value ->> 'role', value ->> 'came_from', value ->> 'what',
  value ->> 'about', value ->> 'why', value ->> 'outcome'
from json_each($1)
",
};

batch_row! {
    /// One entry on its way to disk.
    struct NewRow<'a> {
        id: Id,
        at: Stamp,
        who: &'a str,
        role: Option<&'static str>,
        came_from: &'a str,
        what: &'static str,
        about: &'a str,
        why: Option<&'a str>,
        outcome: &'a str,
    }
}

/// Adds what tells of an act. In the transaction of what it tells of, a crash leaves both or neither.
pub(super) async fn add(
    session: &mut Session,
    hand: &Hand,
    deed: &Deed,
    outcome: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let why = hand.why.as_deref().map(|why| without_written_numbers(why, false));
    let row = |about| NewRow {
        id: Id(new_id(now)),
        at: Stamp(now),
        who: &hand.who,
        role: hand.role.map(Role::as_str),
        came_from: &hand.came_from,
        what: deed.what,
        about,
        why: why.as_deref(),
        outcome,
    };
    let rows: Vec<NewRow<'_>> = deed.about.iter().map(|about| row(about.as_str())).collect();
    session.execute_batch(ADD, &rows).await
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
