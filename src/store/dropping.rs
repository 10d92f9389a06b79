//! A page of what is old: read in the order of age, judged row by row, and what may go deleted as one batch.
//!
//! A page is bounded by what is looked at and not by what goes, so that a table full of what must stay costs as much as
//! any other. An id sorts by its time; what is behind the last one that can be old is not looked at.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::Error;
use super::batch::batch_row;
use super::retention::{Dropped, Kept, Mark, Page};
use super::row::row;
use super::session::{Session, Sql, execute, fetch};
use super::values::{Id, Stamp};

mod sql;

pub(super) use sql::awaited;

row! {
    /// One thing, with what hangs by it; without a time, it has not come to its end.
    struct IdRow {
        id: Id,
        at: Option<Stamp>,
        own: i64,
        beside: i64,
        is_free: bool,
    }
}

row! {
    /// The same of an event.
    struct PositionRow {
        position: i64,
        at: Option<Stamp>,
        own: i64,
        beside: i64,
        is_free: bool,
    }
}

batch_row! {
    /// What goes.
    struct OldId {
        id: Id,
    }
}

batch_row! {
    /// The same of an event.
    struct OldPosition {
        position: i64,
    }
}

/// A row as it is judged.
struct Looked {
    mark: Mark,
    at: Option<OffsetDateTime>,
    own: i64,
    beside: i64,
    is_free: bool,
}

/// Looks at a page, and deletes nothing.
pub(super) async fn look(session: &mut Session, page: &Page) -> Result<Dropped, Error> {
    Ok(judged(page, &looked(session, page).await?).0)
}

/// Looks at a page, and deletes what of it may go. A crash before the commit leaves all of it.
pub(super) async fn drop_page(session: &mut Session, page: &Page) -> Result<Dropped, Error> {
    if page.kept == Kept::Events {
        // No cursor is made or moves meanwhile, and nothing is replayed of what goes.
        hold_events(session).await?;
        hold_destinations(session).await?;
    }
    let (dropped, old) = judged(page, &looked(session, page).await?);
    match page.kept {
        Kept::Events => drop_events(session, &old).await?,
        kept => drop_ids(session, kept, &old).await?,
    }
    Ok(dropped)
}

/// Whoever makes a cursor at the beginning and whoever drops events from there on take turns.
pub(super) async fn hold_events(session: &mut Session) -> Result<(), Error> {
    match session {
        Session::Postgres(_) => execute!(session, Sql::same(sql::HOLD_EVENTS)).map(drop),
        // The one writer is the turn.
        Session::Sqlite(_) => Ok(()),
    }
}

/// No destination takes up an event, and none is replayed to it.
pub(super) async fn hold_destinations(session: &mut Session) -> Result<(), Error> {
    match session {
        Session::Postgres(_) => execute!(session, Sql::same(sql::HOLD_DESTINATIONS)).map(drop),
        // The one writer holds them.
        Session::Sqlite(_) => Ok(()),
    }
}

async fn looked(session: &mut Session, page: &Page) -> Result<Vec<Looked>, Error> {
    let limit = i64::from(page.limit);
    if page.kept == Kept::Events {
        let after = match page.after {
            Some(Mark::Position(position)) => position,
            _ => 0,
        };
        let rows: Vec<PositionRow> = fetch!(session, sql::EVENTS, after, limit)?;
        return Ok(rows.into_iter().map(PositionRow::looked).collect());
    }
    let after = match page.after {
        Some(Mark::Id(id)) => id,
        _ => Uuid::nil(),
    };
    let rows: Vec<IdRow> = fetch!(
        session,
        sql::page(page.kept),
        Id(after),
        Id(first_of(page.before)),
        limit
    )?;
    Ok(rows.into_iter().map(IdRow::looked).collect())
}

/// The least id of that time, as [`crate::clock::new_id`] makes them (RFC 9562, version 7: milliseconds since 1970 first).
fn first_of(at: OffsetDateTime) -> Uuid {
    let millis = (at.unix_timestamp_nanos() / 1_000_000).clamp(0, (1 << 48) - 1);
    Uuid::from_u128(millis.unsigned_abs() << 80)
}

impl IdRow {
    fn looked(self) -> Looked {
        Looked {
            mark: Mark::Id(self.id.0),
            at: self.at.map(|at| at.0),
            own: self.own,
            beside: self.beside,
            is_free: self.is_free,
        }
    }
}

impl PositionRow {
    fn looked(self) -> Looked {
        Looked {
            mark: Mark::Position(self.position),
            at: self.at.map(|at| at.0),
            own: self.own,
            beside: self.beside,
            is_free: self.is_free,
        }
    }
}

/// What a page comes to, and what of it goes: rows up to the bound, and the first thing whatever hangs by it.
fn judged(page: &Page, rows: &[Looked]) -> (Dropped, Vec<Mark>) {
    let (mut dropped, mut old) = (Dropped::default(), Vec::new());
    let is_full = rows.len() >= page.limit as usize;
    let ends_young = page.kept == Kept::Events && rows.last().is_some_and(|last| !last.is_old(page));
    let last = rows.last().map(|last| last.mark);
    dropped.next = last.filter(|_| is_full && !ends_young);
    let mut before = page.after;
    for row in rows {
        if row.is_old(page) && !row.is_free {
            dropped.needed += 1;
        }
        if row.is_old(page) && row.is_free {
            let all = dropped.rows + dropped.beside + (row.own + row.beside).unsigned_abs();
            if all > page.limit.into() && !old.is_empty() {
                dropped.next = before;
                break;
            }
            dropped.add(row);
            old.push(row.mark);
        }
        before = Some(row.mark);
    }
    (dropped, old)
}

impl Looked {
    fn is_old(&self, page: &Page) -> bool {
        self.at.is_some_and(|at| at < page.before)
    }
}

impl Dropped {
    fn add(&mut self, row: &Looked) {
        *self = self.and(Dropped {
            rows: row.own.unsigned_abs(),
            beside: row.beside.unsigned_abs(),
            oldest: row.at,
            newest: row.at,
            next: self.next,
            ..Dropped::default()
        });
    }
}

/// Deliveries first. How far events went is written down with them.
async fn drop_events(session: &mut Session, old: &[Mark]) -> Result<(), Error> {
    let position = |mark: &Mark| match mark {
        Mark::Position(position) => Some(OldPosition { position: *position }),
        Mark::Id(_) => None,
    };
    let rows: Vec<OldPosition> = old.iter().filter_map(position).collect();
    let Some(highest) = rows.iter().map(|row| row.position).max() else {
        return Ok(());
    };
    for statement in sql::DROP_EVENTS {
        session.execute_batch(statement, &rows).await?;
    }
    execute!(session, sql::EVENTS_GONE, highest).map(drop)
}

async fn drop_ids(session: &mut Session, kept: Kept, old: &[Mark]) -> Result<(), Error> {
    let id = |mark: &Mark| match mark {
        Mark::Id(id) => Some(OldId { id: Id(*id) }),
        Mark::Position(_) => None,
    };
    let rows: Vec<OldId> = old.iter().filter_map(id).collect();
    if rows.is_empty() {
        return Ok(());
    }
    for statement in sql::drop(kept) {
        session.execute_batch(*statement, &rows).await?;
    }
    Ok(())
}

/// Takes up the work; see [`super::Retention::begin_retention`]. A crash leaves it to whoever comes after the lease.
pub(super) async fn begin(
    session: &mut Session,
    lease: Duration,
    unless_since: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<Option<u32>, Error> {
    let since = unless_since.map(Stamp);
    let rows: Vec<(i32,)> = fetch!(session, sql::BEGIN, Stamp(now), Stamp(now + lease), since)?;
    Ok(rows.first().map(|(claim,)| claim.unsigned_abs()))
}

/// Goes on with it, or lets go of it.
pub(super) async fn hold(
    session: &mut Session,
    claim: u32,
    until: OffsetDateTime,
    ended: Option<OffsetDateTime>,
) -> Result<bool, Error> {
    let claim = i32::try_from(claim).unwrap_or(i32::MAX);
    Ok(execute!(session, sql::HOLD, claim, Stamp(until), ended.map(Stamp))? == 1)
}
