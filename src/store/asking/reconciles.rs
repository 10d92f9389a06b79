//! Reconciles: each as far as its row says, under a lease while somebody works on it.

use std::time::Duration;

use time::OffsetDateTime;

use super::findings;
use super::{Cause, ClaimedReconcile, Counts, KeptReconcile, NewReconcile, ReconciledPage, Scope};
use crate::domain::id::ReconcileId;
use crate::store::Error;
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{Id, Stamp, Words};

/// Told twice under one id (the first answer was lost on the way), it is kept once.
const KEEP: Sql = Sql::same(
    "\
-- begin_reconcile: keep it, due now
insert into reconciles
  (id, cause, asked_by, namespaces, since, dry_run, leased_until, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $7, $7)
on conflict (id) do nothing
",
);

/// Another replica's, that it commits while we wait, is seen by what comes after.
const LOCK_THE_SCHEDULE: &str = "\
-- begin_reconcile: one replica at a time looks at the schedule
lock table reconciles in share row exclusive mode
";

const SCHEDULED: Sql = Sql::same(
    "\
-- begin_reconcile: whether a scheduled one is open, or as new as that
select
  (select id from reconciles where ended_at is null and cause = 'schedule' limit 1) is not null as is_open,
  (select max(created_at) from reconciles where cause = 'schedule') as newest
",
);

/// Whether the schedule asks for one; see [`super::Asking::begin_reconcile`].
pub(in crate::store) async fn is_time(
    session: &mut Session,
    unless_since: Option<OffsetDateTime>,
) -> Result<bool, Error> {
    let rows: Vec<(bool, Option<Stamp>)> = fetch!(session, SCHEDULED)?;
    let stands_against = |(is_open, newest): (bool, Option<Stamp>)| {
        let is_new = newest
            .zip(unless_since)
            .is_some_and(|(newest, since)| newest.0 >= since);
        is_open || is_new
    };
    Ok(!rows.into_iter().any(stands_against))
}

/// Keeps a scheduled one, if it is time; says whether it did.
///
/// A crash before the commit leaves the schedule as it was; after it, one that is due.
pub(in crate::store) async fn keep_scheduled(
    session: &mut Session,
    new: &NewReconcile,
    unless_since: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    if let Session::Postgres(connection) = session {
        sqlx::query(LOCK_THE_SCHEDULE).execute(connection).await?;
    }
    let is_time = is_time(session, unless_since).await?;
    if is_time {
        keep(session, new, now).await?;
    }
    Ok(is_time)
}

/// Keeps one, due now.
pub(in crate::store) async fn keep(
    session: &mut Session,
    new: &NewReconcile,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let namespaces = new.scope.namespaces.iter();
    let namespaces = namespaces.map(|namespace| namespace.as_str().to_owned());
    execute!(
        session,
        KEEP,
        Id(new.id.0),
        new.cause.as_str(),
        &new.asked_by,
        Words(namespaces.collect()),
        new.scope.since.map(Stamp),
        new.dry_run,
        Stamp(now),
    )
    .map(drop)
}

const FREE: Sql = Sql {
    postgres: "\
-- claim_reconcile: of the open ones that nobody works on, the one that has waited longest
select
  id, cause, asked_by, namespaces, since, dry_run, total, agrees, repaired, differs, moved, not_there, unanswered,
  cursor_namespace, cursor_reference, claim, created_at, updated_at, ended_at, stopped
from reconciles
where ended_at is null
  and leased_until <= $1
order by updated_at, id
limit 1
for update skip locked
",
    sqlite: "\
-- claim_reconcile: of the open ones that nobody works on, the one that has waited longest
select
  id, cause, asked_by, namespaces, since, dry_run, total, agrees, repaired, differs, moved, not_there, unanswered,
  cursor_namespace, cursor_reference, claim, created_at, updated_at, ended_at, stopped
from reconciles
where ended_at is null
  and leased_until <= $1
order by updated_at, id
limit 1
",
};

const ANY_FREE: Sql = Sql::same(
    "\
-- claim_reconcile: whether there is one
select id
from reconciles
where ended_at is null
  and leased_until <= $1
order by id
limit 1
",
);

const LEASE: Sql = Sql::same(
    "\
-- claim_reconcile: lease it, which is locked
update reconciles
set claim = claim + 1, leased_until = $2
where id = $1
",
);

row! {
    struct ReconcileRow {
        id: Id,
        cause: String,
        asked_by: String,
        namespaces: Words,
        since: Option<Stamp>,
        dry_run: bool,
        total: Option<i64>,
        agrees: i64,
        repaired: i64,
        differs: i64,
        moved: i64,
        not_there: i64,
        unanswered: i64,
        cursor_namespace: Option<String>,
        cursor_reference: Option<String>,
        claim: i32,
        created_at: Stamp,
        updated_at: Stamp,
        ended_at: Option<Stamp>,
        stopped: bool,
    }
}

impl ReconcileRow {
    fn kept(self) -> Result<KeptReconcile, Error> {
        let id = ReconcileId(self.id.0);
        let place = || Error::Corrupt(format!("reconciles.cause of {id}"));
        let counts = self.counts();
        let cursor = self.cursor_namespace.zip(self.cursor_reference);
        let cursor = cursor.map(|(namespace, reference)| token_reference(&namespace, reference));
        Ok(KeptReconcile {
            id,
            cause: Cause::parse(&self.cause).ok_or_else(place)?,
            asked_by: self.asked_by,
            scope: Scope {
                namespaces: self.namespaces.known(),
                since: self.since.map(|at| at.0),
            },
            dry_run: self.dry_run,
            total: self.total.map(i64::unsigned_abs),
            counts,
            cursor: cursor.transpose()?,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            ended_at: self.ended_at.map(|at| at.0),
            stopped: self.stopped,
        })
    }

    fn counts(&self) -> Counts {
        Counts {
            agrees: self.agrees.unsigned_abs(),
            repaired: self.repaired.unsigned_abs(),
            differs: self.differs.unsigned_abs(),
            moved: self.moved.unsigned_abs(),
            not_there: self.not_there.unsigned_abs(),
            unanswered: self.unanswered.unsigned_abs(),
        }
    }
}

/// Whether a claim would find one.
pub(in crate::store) async fn any_free(session: &mut Session, now: OffsetDateTime) -> Result<bool, Error> {
    let rows: Vec<(Id,)> = fetch!(session, ANY_FREE, Stamp(now))?;
    Ok(!rows.is_empty())
}

/// Takes the oldest open one that nobody works on; see [`super::Asking::claim_reconcile`].
///
/// A crash before the commit leaves it to be taken; after it, it is taken again when the lease ends.
pub(in crate::store) async fn claim(
    session: &mut Session,
    lease: Duration,
    now: OffsetDateTime,
) -> Result<Option<ClaimedReconcile>, Error> {
    let rows: Vec<ReconcileRow> = fetch!(session, FREE, Stamp(now))?;
    let Some(row) = rows.into_iter().next() else {
        return Ok(None);
    };
    execute!(session, LEASE, row.id, Stamp(now + lease))?;
    let claim = row.claim.unsigned_abs() + 1;
    let kept = row.kept()?;
    Ok(Some(ClaimedReconcile { kept, claim }))
}

const GO_ON: Sql = Sql::same(
    "\
-- reconciled: how far it is, if the claim still holds it
update reconciles
set
  total = coalesce($3, total),
  agrees = $4,
  repaired = $5,
  differs = $6,
  moved = $7,
  not_there = $8,
  unanswered = $9,
  cursor_namespace = $10,
  cursor_reference = $11,
  leased_until = $12,
  updated_at = $13,
  ended_at = $14
where id = $1
  and claim = $2
  and ended_at is null
",
);

/// Writes how far a claimed one is; see [`super::Asking::reconciled`].
///
/// A crash before the commit leaves it after the page before: the tokens of this one are asked about once more.
pub(in crate::store) async fn go_on(
    session: &mut Session,
    page: &ReconciledPage,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let cursor = page.cursor.as_ref();
    let held = execute!(
        session,
        GO_ON,
        Id(page.id.0),
        i32::try_from(page.claim).unwrap_or(i32::MAX),
        page.total.map(number),
        number(page.counts.agrees),
        number(page.counts.repaired),
        number(page.counts.differs),
        number(page.counts.moved),
        number(page.counts.not_there),
        number(page.counts.unanswered),
        cursor.map(|token| token.namespace.as_str()),
        cursor.map(|token| token.reference.as_str()),
        Stamp(now + page.lease),
        Stamp(now),
        page.ended.then_some(Stamp(now)),
    )?;
    if held == 0 {
        return Ok(false);
    }
    findings::add(session, page.id, &page.found).await?;
    Ok(true)
}

const STOP: Sql = Sql::same(
    "\
-- stop_reconcile: end it where it is, if it is open
update reconciles
set ended_at = $2, updated_at = $2, stopped = true
where id = $1
  and ended_at is null
",
);

/// Ends an open one; says whether it was open.
pub(in crate::store) async fn stop(session: &mut Session, id: ReconcileId, now: OffsetDateTime) -> Result<bool, Error> {
    Ok(execute!(session, STOP, Id(id.0), Stamp(now))? == 1)
}

const ONE: Sql = Sql::same(
    "\
-- reconcile: one of them
select
  id, cause, asked_by, namespaces, since, dry_run, total, agrees, repaired, differs, moved, not_there, unanswered,
  cursor_namespace, cursor_reference, claim, created_at, updated_at, ended_at, stopped
from reconciles
where id = $1
",
);

const PAGE: Sql = Sql::same(
    "\
-- reconciles: a page of them, newest first
select
  id, cause, asked_by, namespaces, since, dry_run, total, agrees, repaired, differs, moved, not_there, unanswered,
  cursor_namespace, cursor_reference, claim, created_at, updated_at, ended_at, stopped
from reconciles
where ($1 is null or id < $1)
order by id desc
limit $2
",
);

/// One of them.
pub(in crate::store) async fn one(session: &mut Session, id: ReconcileId) -> Result<Option<KeptReconcile>, Error> {
    let rows: Vec<ReconcileRow> = fetch!(session, ONE, Id(id.0))?;
    rows.into_iter().next().map(ReconcileRow::kept).transpose()
}

/// A page of them.
pub(in crate::store) async fn page(
    session: &mut Session,
    before: Option<ReconcileId>,
    limit: i64,
) -> Result<Vec<KeptReconcile>, Error> {
    let rows: Vec<ReconcileRow> = fetch!(session, PAGE, before.map(|id| Id(id.0)), limit)?;
    rows.into_iter().map(ReconcileRow::kept).collect()
}
