//! Finds tokens by what a person knows of them. Each way has an index that holds its order, so that a page costs what it
//! shows; what narrows it besides is looked at row by row.

use time::OffsetDateTime;
use time::macros::datetime;

use super::Error;
use super::outbox::Standing;
use super::search::{CALLED_MAX, Place, Sought};
use super::session::{Session, Sql, fetch};
use super::standing::StandingRow;
use super::values::Stamp;
use crate::domain::id::Namespace;
use crate::domain::status::Status;

/// Before all times of a status, and in the place of one that is not known.
const EARLIEST: OffsetDateTime = datetime!(0001-01-01 0:00 UTC);
const LATEST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

const CALLED: Sql = Sql::same(
    "\
-- called: the token of a reference, and the tokens of a merchant's reference
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where namespace = $1
  and token_unique_reference = $2
union all
select * from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at
  from tokens
  where merchant_reference = $2
    and not (namespace = $1 and token_unique_reference = $2)
  order by namespace, token_unique_reference
  limit $3
) as of_merchant
",
);

/// The token of that reference; or else those of that reference of the merchant's, one more than are looked at.
pub(super) async fn called(
    session: &mut Session,
    namespace: Namespace,
    reference: &str,
) -> Result<Vec<Standing>, Error> {
    let limit = CALLED_MAX as i64 + 1;
    let rows: Vec<StandingRow> = fetch!(session, CALLED, namespace.as_str(), reference, limit)?;
    let mut found = standing(rows)?;
    let own = |one: &Standing| one.token.reference.namespace == namespace && one.token.reference.reference == reference;
    if let Some(place) = found.iter().position(own) {
        return Ok(vec![found.swap_remove(place)]);
    }
    Ok(found)
}

const BY_SUFFIX: Sql = Sql::same(
    "\
-- found: tokens whose number, or whose card's number, ends so
select * from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at
  from tokens
  where token_info ->> 'tokenPanSuffix' = $1
    and (namespace, token_unique_reference) > ($2, $3)
    and ($5 is null or status = $5)
    and ($6 is null or token_requestor_id = $6)
    and ($7 is null or status_at >= $7)
    and ($8 is null or status_at < $8)
    and ($9 is null or merchant_reference = $9)
  order by namespace, token_unique_reference
  limit $4
) as of_token
union all
select * from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at
  from tokens
  where token_info ->> 'accountPanSuffix' = $1
    and (token_info ->> 'tokenPanSuffix') is distinct from $1
    and (namespace, token_unique_reference) > ($2, $3)
    and ($5 is null or status = $5)
    and ($6 is null or token_requestor_id = $6)
    and ($7 is null or status_at >= $7)
    and ($8 is null or status_at < $8)
    and ($9 is null or merchant_reference = $9)
  order by namespace, token_unique_reference
  limit $4
) as of_account
order by namespace, token_unique_reference
limit $4
",
);

const BY_MERCHANT: Sql = Sql::same(
    "\
-- found: tokens that the merchant registered under one reference
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where merchant_reference = $1
  and (namespace, token_unique_reference) > ($2, $3)
  and ($5 is null or status = $5)
  and ($6 is null or token_requestor_id = $6)
  and ($7 is null or status_at >= $7)
  and ($8 is null or status_at < $8)
order by namespace, token_unique_reference
limit $4
",
);

const BY_REQUESTOR: Sql = Sql::same(
    "\
-- found: tokens of one requestor
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where token_requestor_id = $1
  and (namespace, token_unique_reference) > ($2, $3)
order by namespace, token_unique_reference
limit $4
",
);

const BY_STATUS: Sql = Sql {
    postgres: "\
-- found: tokens that stand so, the newest first; those without an instant last
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where status = $1
  and (coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz), namespace, token_unique_reference) < ($2, $3, $4)
  and coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) >= $6
  and ($7 is null or token_requestor_id = $7)
order by coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) desc, namespace desc, token_unique_reference desc
limit $5
",
    sqlite: "\
-- found: tokens that stand so, the newest first; those without an instant last
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where status = $1
  and (coalesce(status_at, '0001-01-01T00:00:00.000000Z'), namespace, token_unique_reference) < ($2, $3, $4)
  and coalesce(status_at, '0001-01-01T00:00:00.000000Z') >= $6
  and ($7 is null or token_requestor_id = $7)
order by coalesce(status_at, '0001-01-01T00:00:00.000000Z') desc, namespace desc, token_unique_reference desc
limit $5
",
};

const BY_TIME: Sql = Sql::same(
    "\
-- found: tokens whose status became what it is in a time, the newest first
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where (status_at, namespace, token_unique_reference) < ($1, $2, $3)
  and status_at >= $5
  and ($6 is null or token_requestor_id = $6)
order by status_at desc, namespace desc, token_unique_reference desc
limit $4
",
);

/// A page of tokens that fit.
pub(super) async fn found(
    session: &mut Session,
    which: &Sought,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Standing>, Error> {
    let rows = match which.is_by_time() {
        true => newest_first(session, which, after, limit).await?,
        false => by_identity(session, which, after, limit).await?,
    };
    standing(rows)
}

fn standing(rows: Vec<StandingRow>) -> Result<Vec<Standing>, Error> {
    rows.into_iter().map(StandingRow::standing).collect()
}

async fn by_identity(
    session: &mut Session,
    which: &Sought,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<StandingRow>, Error> {
    let after = after.map(|place| &place.token);
    let (namespace, reference) = after.map_or(("", ""), |token| (token.namespace.as_str(), &token.reference));
    let status = which.status.as_ref().map(Status::as_str);
    let (since, until) = (which.since.map(Stamp), which.until.map(Stamp));
    let (requestor, merchant) = (which.requestor.as_deref(), which.merchant_reference.as_deref());
    match (&which.suffix, merchant) {
        (Some(suffix), _) => fetch!(
            session, BY_SUFFIX, suffix, namespace, reference, limit, status, requestor, since, until, merchant,
        ),
        (None, Some(merchant)) => fetch!(
            session,
            BY_MERCHANT,
            merchant,
            namespace,
            reference,
            limit,
            status,
            requestor,
            since,
            until,
        ),
        (None, None) => fetch!(
            session,
            BY_REQUESTOR,
            requestor.unwrap_or_default(),
            namespace,
            reference,
            limit
        ),
    }
}

async fn newest_first(
    session: &mut Session,
    which: &Sought,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<StandingRow>, Error> {
    // One bound above, and not two: Postgres begins at the first that it meets, and reads down to the other.
    let until = which.until.unwrap_or(LATEST);
    let after = after.map(|place| (place.at.unwrap_or(EARLIEST), &place.token));
    let (at, namespace, reference) = match after.filter(|(at, _)| *at < until) {
        Some((at, token)) => (at, token.namespace.as_str(), token.reference.as_str()),
        None => (until, "", ""),
    };
    let (at, since) = (Stamp(at), Stamp(which.since.unwrap_or(EARLIEST)));
    let requestor = which.requestor.as_deref();
    match which.status.as_ref().map(Status::as_str) {
        Some(status) => fetch!(
            session, BY_STATUS, status, at, namespace, reference, limit, since, requestor
        ),
        None => fetch!(session, BY_TIME, at, namespace, reference, limit, since, requestor),
    }
}
