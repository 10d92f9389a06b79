//! Links: names of one token with MDES and with TokenEx, joined for reading.

use time::OffsetDateTime;

use super::Error;
use super::batch::batch_row;
use super::desk::Link;
use super::row::row;
use super::session::{Session, Sql, execute, fetch};
use super::values::Stamp;
use crate::domain::id::{Namespace, TokenReference};

/// So many names one token is given at most, when they are asked for.
const OF_ONE_MAX: i64 = 100;

const ADD: Sql = Sql {
    postgres: "\
-- link: join these names; those that are joined already stay as they are
insert into links (token_unique_reference, tokenex_token, token_reference_id, created_at)
select token_unique_reference, tokenex_token, token_reference_id, created_at
from unnest($1, $2, $3, $4) as joined (token_unique_reference, tokenex_token, token_reference_id, created_at)
order by token_unique_reference collate \"C\", tokenex_token collate \"C\", token_reference_id collate \"C\"
on conflict do nothing
returning token_unique_reference
",
    sqlite: "\
-- link: join these names; those that are joined already stay as they are
insert into links (token_unique_reference, tokenex_token, token_reference_id, created_at)
select value ->> 'token_unique_reference', value ->> 'tokenex_token', value ->> 'token_reference_id',
  value ->> 'created_at'
from json_each($1)
where true
on conflict do nothing
returning token_unique_reference
",
};

const OF_MDES: Sql = Sql::same(
    "\
-- links: those of an MDES token
select token_unique_reference, tokenex_token, token_reference_id
from links
where token_unique_reference = $1
order by token_unique_reference, tokenex_token, coalesce(token_reference_id, '')
limit $2
",
);

const OF_TOKENEX: Sql = Sql::same(
    "\
-- links: those of a TokenEx token
select token_unique_reference, tokenex_token, token_reference_id
from links
where tokenex_token = $1
order by token_unique_reference, tokenex_token, coalesce(token_reference_id, '')
limit $2
",
);

const PAGE: Sql = Sql::same(
    "\
-- links: a page of all, in the order of their names
select token_unique_reference, tokenex_token, token_reference_id
from links
where (token_unique_reference, tokenex_token, coalesce(token_reference_id, '')) > ($1, $2, $3)
order by token_unique_reference, tokenex_token, coalesce(token_reference_id, '')
limit $4
",
);

const REMOVE: Sql = Sql::same(
    "\
-- unlink: these names are not joined any more
delete from links
where token_unique_reference = $1
  and tokenex_token = $2
  and coalesce(token_reference_id, '') = $3
",
);

batch_row! {
    /// One link on its way to disk.
    struct NewRow<'a> {
        token_unique_reference: &'a str,
        tokenex_token: &'a str,
        token_reference_id: Option<&'a str>,
        created_at: Stamp,
    }
}

row! {
    struct LinkRow {
        token_unique_reference: String,
        tokenex_token: String,
        token_reference_id: Option<String>,
    }
}

impl LinkRow {
    fn link(self) -> Link {
        Link {
            token_unique_reference: self.token_unique_reference,
            tokenex_token: self.tokenex_token,
            token_reference_id: self.token_reference_id,
        }
    }
}

impl Link {
    /// An empty id is none.
    fn reference_id(&self) -> Option<&str> {
        self.token_reference_id.as_deref().filter(|id| !id.is_empty())
    }
}

/// Joins names, all or none; says how many are new.
pub(super) async fn add(session: &mut Session, links: &[Link], now: OffsetDateTime) -> Result<u64, Error> {
    let row = |link| NewRow::of(link, now);
    let rows: Vec<NewRow<'_>> = links.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let new: Vec<(String,)> = session.fetch_batch(ADD, &rows).await?;
    Ok(new.len() as u64)
}

impl<'a> NewRow<'a> {
    fn of(link: &'a Link, now: OffsetDateTime) -> Self {
        NewRow {
            token_unique_reference: &link.token_unique_reference,
            tokenex_token: &link.tokenex_token,
            token_reference_id: link.reference_id(),
            created_at: Stamp(now),
        }
    }
}

/// The links in which that token stands.
pub(super) async fn of(session: &mut Session, token: &TokenReference) -> Result<Vec<Link>, Error> {
    let sql = match token.namespace {
        Namespace::Mdes => OF_MDES,
        Namespace::TokenEx => OF_TOKENEX,
    };
    let rows: Vec<LinkRow> = fetch!(session, sql, &token.reference, OF_ONE_MAX)?;
    Ok(rows.into_iter().map(LinkRow::link).collect())
}

/// A page of links.
pub(super) async fn page(session: &mut Session, after: Option<&Link>, limit: i64) -> Result<Vec<Link>, Error> {
    let after = after.map_or(("", "", ""), |link| {
        let id = link.reference_id().unwrap_or_default();
        (&link.token_unique_reference, &link.tokenex_token, id)
    });
    let rows: Vec<LinkRow> = fetch!(session, PAGE, after.0, after.1, after.2, limit)?;
    Ok(rows.into_iter().map(LinkRow::link).collect())
}

/// Takes a link away.
pub(super) async fn remove(session: &mut Session, link: &Link) -> Result<bool, Error> {
    let id = link.reference_id().unwrap_or_default();
    let gone = execute!(session, REMOVE, &link.token_unique_reference, &link.tokenex_token, id)?;
    Ok(gone > 0)
}
