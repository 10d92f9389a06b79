//! Finds tokens by what a person knows of them. Each way has an index that holds its order, so that a page costs what it
//! shows. What narrows it besides is looked at row by row: of a suffix or a merchant's reference there are few; of a
//! status, a time or what is provisional there may be millions, and a page looks at so many of them and no more.

use time::OffsetDateTime;
use time::macros::datetime;

use super::Error;
use super::outbox::Standing;
use super::record::token_reference;
use super::row::row;
use super::search::{CALLED_MAX, Found, Place, Sought, WALKED_MAX};
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
    let mut found = shown(rows)?;
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
    and ($10 is null or provisional = $10)
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
    and ($10 is null or provisional = $10)
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
  and ($9 is null or provisional = $9)
order by namespace, token_unique_reference
limit $4
",
);

// Bounds on Postgres, and no equality: with one it would take the order of identity, and pass over those of others one by
// one.
const BY_REQUESTOR: Sql = Sql {
    postgres: "\
-- found: tokens of one requestor
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where (token_requestor_id, namespace, token_unique_reference) > ($1, $2, $3)
  and token_requestor_id <= $1
order by token_requestor_id, namespace, token_unique_reference
limit $4
",
    sqlite: "\
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
};

const BY_STATUS: Sql = Sql {
    postgres: "\
-- found: tokens that stand so, the newest first; those without an instant last
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at, at
from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at,
    token_requestor_id, coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) as at
  from tokens
  where status = $1
    and (coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz), namespace, token_unique_reference) < ($2, $3, $4)
    and coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) >= $6
  order by coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) desc, namespace desc, token_unique_reference desc
  limit $8
) as walked
where ($7 is null or token_requestor_id = $7)
order by at desc, namespace desc, token_unique_reference desc
limit $5
",
    sqlite: "\
-- found: tokens that stand so, the newest first; those without an instant last
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at, at
from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at,
    token_requestor_id, coalesce(status_at, '0001-01-01T00:00:00.000000Z') as at
  from tokens
  where status = $1
    and (coalesce(status_at, '0001-01-01T00:00:00.000000Z'), namespace, token_unique_reference) < ($2, $3, $4)
    and coalesce(status_at, '0001-01-01T00:00:00.000000Z') >= $6
  order by coalesce(status_at, '0001-01-01T00:00:00.000000Z') desc, namespace desc, token_unique_reference desc
  limit $8
) as walked
where ($7 is null or token_requestor_id = $7)
order by at desc, namespace desc, token_unique_reference desc
limit $5
",
};

const BY_STATUS_EDGE: Sql = Sql {
    postgres: "\
-- found: the last token of such a walk
select coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) as at, namespace, token_unique_reference
from tokens
where status = $1
  and (coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz), namespace, token_unique_reference) < ($2, $3, $4)
  and coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) >= $5
order by coalesce(status_at, '0001-01-01T00:00:00Z'::timestamptz) desc, namespace desc, token_unique_reference desc
limit 1 offset $6
",
    sqlite: "\
-- found: the last token of such a walk
select coalesce(status_at, '0001-01-01T00:00:00.000000Z') as at, namespace, token_unique_reference
from tokens
where status = $1
  and (coalesce(status_at, '0001-01-01T00:00:00.000000Z'), namespace, token_unique_reference) < ($2, $3, $4)
  and coalesce(status_at, '0001-01-01T00:00:00.000000Z') >= $5
order by coalesce(status_at, '0001-01-01T00:00:00.000000Z') desc, namespace desc, token_unique_reference desc
limit 1 offset $6
",
};

const BY_TIME: Sql = Sql::same(
    "\
-- found: tokens whose status became what it is in a time, the newest first
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at, status_at as at
from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at,
    token_requestor_id, status_at
  from tokens
  where (status_at, namespace, token_unique_reference) < ($1, $2, $3)
    and status_at >= $5
  order by status_at desc, namespace desc, token_unique_reference desc
  limit $7
) as walked
where ($6 is null or token_requestor_id = $6)
order by status_at desc, namespace desc, token_unique_reference desc
limit $4
",
);

const BY_TIME_EDGE: Sql = Sql::same(
    "\
-- found: the last token of such a walk
select status_at as at, namespace, token_unique_reference
from tokens
where (status_at, namespace, token_unique_reference) < ($1, $2, $3)
  and status_at >= $4
order by status_at desc, namespace desc, token_unique_reference desc
limit 1 offset $5
",
);

const PROVISIONAL: Sql = Sql::same(
    "\
-- found: tokens of which what is held may not be the truth
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from (
  select
    namespace, token_unique_reference, merchant_reference, registered_requestor_id,
    registered_status, registered_at, state, updated_at,
    token_requestor_id, status, status_at
  from tokens
  where provisional
    and (namespace, token_unique_reference) > ($1, $2)
  order by namespace, token_unique_reference
  limit $8
) as walked
where ($4 is null or status = $4)
  and ($5 is null or token_requestor_id = $5)
  and ($6 is null or status_at >= $6)
  and ($7 is null or status_at < $7)
order by namespace, token_unique_reference
limit $3
",
);

const PROVISIONAL_EDGE: Sql = Sql::same(
    "\
-- found: the last token of such a walk
select null as at, namespace, token_unique_reference
from tokens
where provisional
  and (namespace, token_unique_reference) > ($1, $2)
order by namespace, token_unique_reference
limit 1 offset $3
",
);

/// Every statement that looks for tokens: what it is called, on Postgres, on SQLite. For who asks a database how it would
/// answer them.
pub fn searches() -> Vec<[&'static str; 3]> {
    let all = [
        ("called", CALLED),
        ("by suffix", BY_SUFFIX),
        ("by merchant", BY_MERCHANT),
        ("by requestor", BY_REQUESTOR),
        ("by status", BY_STATUS),
        ("by status, its edge", BY_STATUS_EDGE),
        ("by time", BY_TIME),
        ("by time, its edge", BY_TIME_EDGE),
        ("provisional", PROVISIONAL),
        ("provisional, its edge", PROVISIONAL_EDGE),
        ("all", super::standing::PAGE),
        ("by asset", super::assets::NAMES),
    ];
    all.map(|(name, sql)| [name, sql.postgres, sql.sqlite]).to_vec()
}

/// A page of tokens that fit.
pub(super) async fn found(
    session: &mut Session,
    which: &Sought,
    after: Option<&Place>,
    limit: i64,
) -> Result<Found, Error> {
    let walk = Walk::of(which, after, limit);
    let (tokens, at) = match which.is_by_time() {
        true => {
            let rows = walk.newest_first(session, which).await?;
            let at = rows.last().map(|row| row.at.0);
            (shown(rows.into_iter().map(|row| row.standing).collect())?, at)
        }
        false => (shown(walk.by_identity(session, which).await?)?, None),
    };
    let next = match tokens.last().filter(|_| tokens.len() as i64 >= limit) {
        Some(last) => Some(Place {
            at,
            token: last.token.reference.clone(),
        }),
        None if walk.narrows => walk.edge(session, which).await?,
        None => None,
    };
    Ok(Found { tokens, next })
}

fn shown(rows: Vec<StandingRow>) -> Result<Vec<Standing>, Error> {
    rows.into_iter().map(StandingRow::shown).collect()
}

row! {
    /// With its place in the order of time.
    struct TimedRow {
        at: Stamp,
    }
    with standing: StandingRow
}

row! {
    struct EdgeRow {
        at: Option<Stamp>,
        namespace: String,
        token_unique_reference: String,
    }
}

/// Through an index in its order, from a place on.
struct Walk<'a> {
    /// The newest first: before that instant.
    at: OffsetDateTime,
    namespace: &'a str,
    reference: &'a str,
    since: OffsetDateTime,
    limit: i64,
    /// What it looks at is more than what fits: the index does not hold all that is asked.
    narrows: bool,
}

impl<'a> Walk<'a> {
    fn of(which: &Sought, after: Option<&'a Place>, limit: i64) -> Self {
        // One bound above, and not two: Postgres begins at the first that it meets, and reads down to the other.
        let until = which.until.unwrap_or(LATEST);
        let after = after.map(|place| (place.at.unwrap_or(EARLIEST), &place.token));
        let after = after.filter(|(at, _)| !which.is_by_time() || *at < until);
        let (at, namespace, reference) = match after {
            Some((at, token)) => (at, token.namespace.as_str(), token.reference.as_str()),
            None => (until, "", ""),
        };
        let by_time = which.is_by_time() && which.requestor.is_some();
        Walk {
            at,
            namespace,
            reference,
            since: which.since.unwrap_or(EARLIEST),
            limit,
            narrows: by_time || which.is_of_the_provisional() && which.is_narrowed(),
        }
    }

    /// How many it looks at.
    fn most(&self) -> i64 {
        if self.narrows { WALKED_MAX } else { self.limit }
    }

    async fn newest_first(&self, session: &mut Session, which: &Sought) -> Result<Vec<TimedRow>, Error> {
        let (at, since) = (Stamp(self.at), Stamp(self.since));
        let (namespace, reference, limit, most) = (self.namespace, self.reference, self.limit, self.most());
        let requestor = which.requestor.as_deref();
        match which.status.as_ref().map(Status::as_str) {
            Some(status) => fetch!(
                session, BY_STATUS, status, at, namespace, reference, limit, since, requestor, most
            ),
            None => fetch!(
                session, BY_TIME, at, namespace, reference, limit, since, requestor, most
            ),
        }
    }

    async fn by_identity(&self, session: &mut Session, which: &Sought) -> Result<Vec<StandingRow>, Error> {
        let (namespace, reference, limit, most) = (self.namespace, self.reference, self.limit, self.most());
        let status = which.status.as_ref().map(Status::as_str);
        let (since, until) = (which.since.map(Stamp), which.until.map(Stamp));
        let (requestor, merchant) = (which.requestor.as_deref(), which.merchant_reference.as_deref());
        let provisional = which.provisional.then_some(true);
        match (&which.suffix, merchant) {
            (Some(suffix), _) => fetch!(
                session,
                BY_SUFFIX,
                suffix,
                namespace,
                reference,
                limit,
                status,
                requestor,
                since,
                until,
                merchant,
                provisional
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
                provisional
            ),
            (None, None) if which.provisional => fetch!(
                session,
                PROVISIONAL,
                namespace,
                reference,
                limit,
                status,
                requestor,
                since,
                until,
                most
            ),
            (None, None) => {
                let requestor = requestor.unwrap_or_default();
                fetch!(session, BY_REQUESTOR, requestor, namespace, reference, limit)
            }
        }
    }

    /// The last that it looked at; `None` if there was nothing more to look at.
    async fn edge(&self, session: &mut Session, which: &Sought) -> Result<Option<Place>, Error> {
        let (at, since) = (Stamp(self.at), Stamp(self.since));
        let (namespace, reference, before) = (self.namespace, self.reference, self.most() - 1);
        let rows: Vec<EdgeRow> = match which.status.as_ref().map(Status::as_str) {
            _ if !which.is_by_time() => fetch!(session, PROVISIONAL_EDGE, namespace, reference, before),
            Some(status) => fetch!(session, BY_STATUS_EDGE, status, at, namespace, reference, since, before),
            None => fetch!(session, BY_TIME_EDGE, at, namespace, reference, since, before),
        }?;
        let place = |row: EdgeRow| {
            let token = token_reference(&row.namespace, row.token_unique_reference)?;
            let at = row.at.map(|at| at.0);
            Ok(Place { at, token })
        };
        rows.into_iter().next().map(place).transpose()
    }
}
