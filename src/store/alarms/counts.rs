//! How many things there are of which a person may have to know; no count grows with what waits.

use std::time::Duration;

use time::OffsetDateTime;

use super::Counts;
use crate::store::Error;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::Stamp;

/// What was said of a deactivated token longer ago is known by now.
const OF_LATE: Duration = Duration::from_hours(7 * 24);
/// So many of each are counted: past it a person has enough to do.
const LOOKED_AT_MAX: i64 = 10_000;

const COUNTS: Sql = Sql {
    postgres: "\
-- counts: tokens in doubt, and commands
select
  (select count(*) from (
    select 1 from tokens
    where provisional and 'woke_after_deactivation' = any (doubts) and updated_at >= $2
    limit $1) as woken) as woken,
  (select count(*) from (select 1 from questions where given_up limit $1) as vain) as given_up,
  (select count(*) from (
    select 1 from commands where settled_at is null and waits limit $1) as waiting) as waiting,
  (select count(*) from (
    select 1 from commands where settled_at is null and stage = 'overdue' limit $1) as overdue) as overdue
",
    sqlite: "\
-- counts: tokens in doubt, and commands
select
  (select count(*) from (
    select 1 from tokens
    where provisional and exists (select 1 from json_each(doubts) where value = 'woke_after_deactivation')
      and updated_at >= $2
    limit $1) as woken) as woken,
  (select count(*) from (select 1 from questions where given_up limit $1) as vain) as given_up,
  (select count(*) from (
    select 1 from commands where settled_at is null and waits limit $1) as waiting) as waiting,
  (select count(*) from (
    select 1 from commands where settled_at is null and stage = 'overdue' limit $1) as overdue) as overdue
",
};

row! {
    struct CountsRow {
        woken: i64,
        given_up: i64,
        waiting: i64,
        overdue: i64,
    }
}

/// How many of each; see [`super::Alarms::counts`].
pub(in crate::store) async fn counts(session: &mut Session, now: OffsetDateTime) -> Result<Counts, Error> {
    let rows: Vec<CountsRow> = fetch!(session, COUNTS, LOOKED_AT_MAX, Stamp(now - OF_LATE))?;
    let counts = |row: &CountsRow| Counts {
        woken: row.woken.unsigned_abs(),
        given_up: row.given_up.unsigned_abs(),
        waiting: row.waiting.unsigned_abs(),
        overdue: row.overdue.unsigned_abs(),
    };
    Ok(rows.first().map(counts).unwrap_or_default())
}
