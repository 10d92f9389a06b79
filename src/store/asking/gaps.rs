//! Gaps: times in which a notification may have been missed. Of each kind and peer one is open at most.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::reconciles;
use super::{Ended, KeptGap, Miss, Missed, NewReconcile};
use crate::domain::id::{GapId, ReconcileId};
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp};

const NOTE: Sql = Sql {
    postgres: "\
-- missed: lengthen the open gap of its kind and peer, or open one
insert into gaps (id, missed, peer, reason, count, from_at, until_at)
select id, missed, peer, reason, count, from_at, until_at
from unnest($1, $2, $3, $4, $5, $6, $7) as misses (id, missed, peer, reason, count, from_at, until_at)
order by missed, peer
on conflict (missed, peer) where closed_at is null do update
set
  reason = case when excluded.until_at >= gaps.until_at then excluded.reason else gaps.reason end,
  count = gaps.count + excluded.count,
  from_at = least(gaps.from_at, excluded.from_at),
  until_at = greatest(gaps.until_at, excluded.until_at)
",
    sqlite: "\
-- missed: lengthen the open gap of its kind and peer, or open one
insert into gaps (id, missed, peer, reason, count, from_at, until_at)
select
  value ->> 'id', value ->> 'missed', value ->> 'peer', value ->> 'reason', value ->> 'count',
  value ->> 'from_at', value ->> 'until_at'
from json_each($1)
where true
on conflict (missed, peer) where closed_at is null do update
set
  reason = case when excluded.until_at >= gaps.until_at then excluded.reason else gaps.reason end,
  count = gaps.count + excluded.count,
  from_at = min(gaps.from_at, excluded.from_at),
  until_at = max(gaps.until_at, excluded.until_at)
",
};

batch_row! {
    /// Misses of one kind and peer.
    struct MissRow<'a> {
        id: Id,
        missed: &'static str,
        peer: &'a str,
        reason: &'a str,
        count: i64,
        from_at: Stamp,
        until_at: Stamp,
    }
}

impl<'a> MissRow<'a> {
    fn of(miss: &'a Miss) -> Self {
        MissRow {
            id: Id(miss.id.0),
            missed: miss.missed.as_str(),
            peer: &miss.peer,
            reason: &miss.reason,
            count: i64::try_from(miss.count).unwrap_or(i64::MAX),
            from_at: Stamp(miss.from),
            until_at: Stamp(miss.until),
        }
    }

    fn join(&mut self, later: MissRow<'a>) {
        if later.until_at >= self.until_at {
            self.reason = later.reason;
        }
        self.count = self.count.saturating_add(later.count);
        self.from_at = self.from_at.min(later.from_at);
        self.until_at = self.until_at.max(later.until_at);
    }
}

/// Notes misses; see [`super::Asking::missed`].
///
/// A crash before the commit notes none of them.
pub(in crate::store) async fn note(session: &mut Session, misses: &[Miss]) -> Result<(), Error> {
    // A statement takes each gap once.
    let mut joined: BTreeMap<(Missed, &str), MissRow<'_>> = BTreeMap::new();
    for miss in misses {
        let key = (miss.missed, miss.peer.as_str());
        match joined.get_mut(&key) {
            Some(row) => row.join(MissRow::of(miss)),
            None => drop(joined.insert(key, MissRow::of(miss))),
        }
    }
    let rows: Vec<MissRow<'_>> = joined.into_values().collect();
    match rows.is_empty() {
        true => Ok(()),
        false => session.execute_batch(NOTE, &rows).await,
    }
}

const ANY_ENDED: Sql = Sql::same(
    "\
-- close_gaps: whether one has ended
select count(*)
from gaps
where closed_at is null
  and (until_at <= $1 or (from_at <= $2 and missed <> 'downtime'))
",
);

const ENDED: Sql = Sql {
    postgres: "\
-- close_gaps: those that have ended, locked
select id, missed, peer, reason, count, from_at, until_at, closed_at, reconcile_id
from gaps
where closed_at is null
  and (until_at <= $1 or (from_at <= $2 and missed <> 'downtime'))
order by missed, peer
for update
",
    sqlite: "\
-- close_gaps: those that have ended
select id, missed, peer, reason, count, from_at, until_at, closed_at, reconcile_id
from gaps
where closed_at is null
  and (until_at <= $1 or (from_at <= $2 and missed <> 'downtime'))
order by missed, peer
",
};

const CLOSE: Sql = Sql {
    postgres: "\
-- close_gaps: close these, which are locked
update gaps
set closed_at = closed.closed_at, reconcile_id = closed.reconcile_id
from unnest($1, $2, $3) as closed (id, closed_at, reconcile_id)
where gaps.id = closed.id
",
    sqlite: "\
-- close_gaps: close these
update gaps
set closed_at = value ->> 'closed_at', reconcile_id = value ->> 'reconcile_id'
from json_each($1)
where gaps.id = value ->> 'id'
",
};

batch_row! {
    /// A gap that is closed.
    struct ClosedRow {
        id: Id,
        closed_at: Stamp,
        reconcile_id: Option<Id>,
    }
}

row! {
    struct GapRow {
        id: Id,
        missed: String,
        peer: String,
        reason: String,
        count: i64,
        from_at: Stamp,
        until_at: Stamp,
        closed_at: Option<Stamp>,
        reconcile_id: Option<Id>,
    }
}

impl GapRow {
    fn kept(self) -> Result<KeptGap, Error> {
        let place = || Error::Corrupt(format!("gaps.missed of {}", self.id.0));
        Ok(KeptGap {
            id: GapId(self.id.0),
            missed: Missed::parse(&self.missed).ok_or_else(place)?,
            peer: self.peer,
            reason: self.reason,
            count: self.count.unsigned_abs(),
            from: self.from_at.0,
            until: self.until_at.0,
            closed: self.closed_at.is_some(),
            reconcile: self.reconcile_id.map(|id| ReconcileId(id.0)),
        })
    }
}

/// Whether [`close`] would find anything.
pub(in crate::store) async fn any_ended(session: &mut Session, ended: Ended) -> Result<bool, Error> {
    let rows: Vec<(i64,)> = fetch!(session, ANY_ENDED, Stamp(ended.quiet_since), Stamp(ended.begun_before))?;
    Ok(rows.iter().any(|(count,)| *count > 0))
}

/// Closes what has ended, and keeps one reconcile for all of it; see [`super::Asking::close_gaps`].
///
/// A crash before the commit leaves the gaps open, and no reconcile; after it, both are there.
pub(in crate::store) async fn close(
    session: &mut Session,
    ended: Ended,
    reconcile: Option<&NewReconcile>,
    now: OffsetDateTime,
) -> Result<Vec<KeptGap>, Error> {
    let over: Vec<GapRow> = fetch!(session, ENDED, Stamp(ended.quiet_since), Stamp(ended.begun_before))?;
    // What was heard within one may be older than what was missed.
    let Some(since) = over.iter().map(|gap| gap.until_at.0).max() else {
        return Ok(Vec::new());
    };
    if let Some(new) = reconcile {
        let mut new = new.clone();
        new.scope.since = Some(since);
        reconciles::keep(session, &new, now).await?;
    }
    let reconcile_id = reconcile.map(|new| Id(new.id.0));
    let closed = |gap: &GapRow| ClosedRow {
        id: gap.id,
        closed_at: Stamp(now),
        reconcile_id,
    };
    let rows: Vec<ClosedRow> = over.iter().map(closed).collect();
    session.execute_batch(CLOSE, &rows).await?;
    let kept = |gap: GapRow| {
        GapRow {
            closed_at: Some(Stamp(now)),
            reconcile_id,
            ..gap
        }
        .kept()
    };
    over.into_iter().map(kept).collect()
}

const PAGE: Sql = Sql::same(
    "\
-- gaps: a page of them, newest first
select id, missed, peer, reason, count, from_at, until_at, closed_at, reconcile_id
from gaps
where ($1 is null or id < $1)
order by id desc
limit $2
",
);

/// A page of gaps.
pub(in crate::store) async fn page(
    session: &mut Session,
    before: Option<GapId>,
    limit: i64,
) -> Result<Vec<KeptGap>, Error> {
    let rows: Vec<GapRow> = fetch!(session, PAGE, before.map(|id| Id(id.0)), limit)?;
    rows.into_iter().map(GapRow::kept).collect()
}
