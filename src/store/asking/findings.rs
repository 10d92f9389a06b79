//! What reconciles found that a person wants to see.

use std::collections::BTreeMap;

use super::{Found, stored_finding};
use crate::domain::id::{NotificationId, ReconcileId, TokenReference};
use crate::domain::status::Status;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Id, Stamp, shown};

/// No more of one reconcile are kept.
const FINDINGS_MAX: usize = 10_000;

const KEPT: Sql = Sql::same(
    "\
-- reconciled: how many findings of it are kept; its row is locked
select count(*)
from reconcile_findings
where reconcile_id = $1
",
);

const ADD: Sql = Sql {
    postgres: "\
-- reconciled: what it found
insert into reconcile_findings
  (reconcile_id, namespace, token_unique_reference, finding, held, seen, seen_at, notification_id, sequence, why, at)
select
  reconcile_id, namespace, token_unique_reference, finding, held, seen, seen_at, notification_id, sequence, why, at
from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as found (
  reconcile_id, namespace, token_unique_reference, finding, held, seen, seen_at, notification_id, sequence, why, at)
on conflict (reconcile_id, namespace, token_unique_reference) do update
set
  finding = excluded.finding,
  held = excluded.held,
  seen = excluded.seen,
  seen_at = excluded.seen_at,
  notification_id = excluded.notification_id,
  sequence = excluded.sequence,
  why = excluded.why,
  at = excluded.at
",
    sqlite: "\
-- reconciled: what it found
insert into reconcile_findings
  (reconcile_id, namespace, token_unique_reference, finding, held, seen, seen_at, notification_id, sequence, why, at)
select
  value ->> 'reconcile_id', value ->> 'namespace', value ->> 'token_unique_reference', value ->> 'finding',
  value ->> 'held', value ->> 'seen', value ->> 'seen_at', value ->> 'notification_id', value ->> 'sequence',
  value ->> 'why', value ->> 'at'
from json_each($1)
where true
on conflict (reconcile_id, namespace, token_unique_reference) do update
set
  finding = excluded.finding,
  held = excluded.held,
  seen = excluded.seen,
  seen_at = excluded.seen_at,
  notification_id = excluded.notification_id,
  sequence = excluded.sequence,
  why = excluded.why,
  at = excluded.at
",
};

batch_row! {
    /// One finding on its way to disk.
    struct NewRow<'a> {
        reconcile_id: Id,
        namespace: &'static str,
        token_unique_reference: &'a str,
        finding: &'static str,
        held: Option<&'a str>,
        seen: Option<&'a str>,
        seen_at: Option<Stamp>,
        notification_id: Option<Id>,
        sequence: i64,
        why: &'a str,
        at: Stamp,
    }
}

impl<'a> NewRow<'a> {
    fn of(id: ReconcileId, found: &'a Found) -> Self {
        NewRow {
            reconcile_id: Id(id.0),
            namespace: found.token.namespace.as_str(),
            token_unique_reference: &found.token.reference,
            finding: found.finding.as_str(),
            held: found.held.as_ref().map(Status::as_str),
            seen: found.seen.as_ref().map(Status::as_str),
            seen_at: found.seen_at.map(Stamp),
            notification_id: found.notification.map(|id| Id(id.0)),
            sequence: found.sequence.cast_signed(),
            why: &found.why,
            at: Stamp(found.at),
        }
    }
}

/// Adds what a page found, as far as there is room; of one token the last holds.
pub(super) async fn add(session: &mut Session, id: ReconcileId, found: &[Found]) -> Result<(), Error> {
    if found.is_empty() {
        return Ok(());
    }
    let kept: Vec<(i64,)> = fetch!(session, KEPT, Id(id.0))?;
    let kept = kept.first().map_or(0, |(count,)| count.unsigned_abs());
    let room = FINDINGS_MAX.saturating_sub(usize::try_from(kept).unwrap_or(usize::MAX));
    // A statement takes each token once.
    let rows: BTreeMap<&TokenReference, NewRow<'_>> = found
        .iter()
        .map(|found| (&found.token, NewRow::of(id, found)))
        .collect();
    let rows: Vec<NewRow<'_>> = rows.into_values().take(room).collect();
    match rows.is_empty() {
        true => Ok(()),
        false => session.execute_batch(ADD, &rows).await,
    }
}

const PAGE: Sql = Sql::same(
    "\
-- findings: a page of what a reconcile found, in the order of the tokens' identity
select namespace, token_unique_reference, finding, held, seen, seen_at, notification_id, sequence, why, at
from reconcile_findings
where reconcile_id = $1
  and (namespace, token_unique_reference) > ($2, $3)
order by namespace, token_unique_reference
limit $4
",
);

row! {
    struct FoundRow {
        namespace: String,
        token_unique_reference: String,
        finding: String,
        held: Option<String>,
        seen: Option<String>,
        seen_at: Option<Stamp>,
        notification_id: Option<Id>,
        sequence: i64,
        why: String,
        at: Stamp,
    }
}

impl FoundRow {
    fn found(self) -> Result<Found, Error> {
        let token = token_reference(&self.namespace, self.token_unique_reference)?;
        let place = || format!("reconcile_findings.finding of {}", shown(&token.reference));
        let finding = stored_finding(&self.finding, place)?;
        Ok(Found {
            finding,
            token,
            held: self.held.map(Status::from),
            seen: self.seen.map(Status::from),
            seen_at: self.seen_at.map(|at| at.0),
            notification: self.notification_id.map(|id| NotificationId(id.0)),
            sequence: self.sequence.unsigned_abs(),
            why: self.why,
            at: self.at.0,
        })
    }
}

/// A page of what a reconcile found.
pub(in crate::store) async fn page(
    session: &mut Session,
    id: ReconcileId,
    after: Option<&TokenReference>,
    limit: i64,
) -> Result<Vec<Found>, Error> {
    let (namespace, reference) = after.map_or(("", ""), |token| (token.namespace.as_str(), &token.reference));
    let rows: Vec<FoundRow> = fetch!(session, PAGE, Id(id.0), namespace, reference, limit)?;
    rows.into_iter().map(FoundRow::found).collect()
}
