//! Tokens as they stand, with what they were registered with: locked for who changes them, paged for who looks.
//!
//! The order of locks is the same for everyone: first rows for tokens that have none, then the locks of all, in the
//! order of their identity.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::Error;
use super::batch::batch_row;
use super::outbox::Standing;
use super::record::token_reference;
use super::row::row;
use super::session::{Session, Sql, fetch};
use super::values::{JsonText, Stamp, shown};
use crate::domain::id::TokenReference;
use crate::domain::status::Status;
use crate::domain::token::{Registration, Token};

const ADD_TOKENS: Sql = Sql {
    postgres: "\
-- lock: a row for every token, so that there is something to lock
insert into tokens (namespace, token_unique_reference, updated_at)
select namespace, token_unique_reference, now
from unnest($1, $2, $3) as spoken_of (namespace, token_unique_reference, now)
order by namespace collate \"C\", token_unique_reference collate \"C\"
on conflict do nothing
",
    sqlite: "\
-- lock: a row for every token, as on Postgres
insert into tokens (namespace, token_unique_reference, updated_at)
select value ->> 'namespace', value ->> 'token_unique_reference', value ->> 'now'
from json_each($1)
where true
on conflict do nothing
",
};

const LOCK_TOKENS: Sql = Sql {
    postgres: "\
-- lock: every token spoken of, in one order
select
  tokens.namespace, tokens.token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from unnest($1, $2, $3) as spoken_of (namespace, token_unique_reference, now)
join tokens
  on tokens.namespace = spoken_of.namespace
  and tokens.token_unique_reference = spoken_of.token_unique_reference
order by tokens.namespace collate \"C\", tokens.token_unique_reference collate \"C\"
for update of tokens
",
    sqlite: "\
-- lock: every token spoken of (the one writer holds the lock)
select
  tokens.namespace, tokens.token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from json_each($1) as spoken_of
join tokens
  on tokens.namespace = value ->> 'namespace'
  and tokens.token_unique_reference = value ->> 'token_unique_reference'
",
};

batch_row! {
    /// One token that is spoken of.
    struct ReferenceRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
        now: Stamp,
    }
}

impl<'a> ReferenceRow<'a> {
    fn of(token: &'a TokenReference, now: OffsetDateTime) -> Self {
        ReferenceRow {
            namespace: token.namespace.as_str(),
            token_unique_reference: &token.reference,
            now: Stamp(now),
        }
    }
}

row! {
    /// A token with what it was registered with, as its columns have it.
    pub(super) struct StandingRow {
        namespace: String,
        token_unique_reference: String,
        merchant_reference: Option<String>,
        registered_requestor_id: Option<String>,
        registered_status: Option<String>,
        registered_at: Option<Stamp>,
        state: Option<JsonText>,
        updated_at: Stamp,
    }
}

/// Locks these tokens until the transaction ends, making rows for those that have none.
pub(super) async fn lock(
    session: &mut Session,
    tokens: &BTreeSet<&TokenReference>,
    now: OffsetDateTime,
) -> Result<Vec<Standing>, Error> {
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<ReferenceRow> = tokens.iter().map(|token| ReferenceRow::of(token, now)).collect();
    // A lock finds nothing to hold where there is no row.
    session.execute_batch(ADD_TOKENS, &rows).await?;
    let locked: Vec<StandingRow> = session.fetch_batch(LOCK_TOKENS, &rows).await?;
    locked.into_iter().map(StandingRow::standing).collect()
}

impl StandingRow {
    /// How it stands, for who decides by it: a row that cannot be read is an error.
    pub(super) fn standing(self) -> Result<Standing, Error> {
        let standing = self.shown()?;
        match standing.unreadable {
            Some(place) => Err(Error::Corrupt(place)),
            None => Ok(standing),
        }
    }

    /// How it stands, for who looks: one that cannot be read says so, and hides no other.
    pub(super) fn shown(self) -> Result<Standing, Error> {
        let reference = token_reference(&self.namespace, self.token_unique_reference)?;
        let place = format!("tokens.state of {}", shown(&reference.reference));
        let state = self.state.map(|state| state.read(|| place.clone()));
        let (token, unreadable) = match state {
            Some(Ok(token)) => (token, None),
            Some(Err(_)) => (Token::unheard(reference), Some(place)),
            None => (Token::unheard(reference), None),
        };
        let registration = self.registered_at.map(|at| Registration {
            requestor: self.registered_requestor_id,
            merchant_reference: self.merchant_reference,
            status: self.registered_status.map(Status::from),
            registered_at: at.0,
        });
        Ok(Standing {
            token,
            registration,
            updated_at: self.updated_at.0,
            unreadable,
        })
    }
}

impl Standing {
    /// Whose token it is (TRID): as the network said, or else as it was registered.
    pub fn requestor(&self) -> Option<&str> {
        let registered = self.registration.as_ref();
        self.token
            .requestor()
            .or(registered.and_then(|it| it.requestor.as_deref()))
    }
}

const ONE: Sql = Sql::same(
    "\
-- registration: one token, with what it was registered with
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where namespace = $1
  and token_unique_reference = $2
",
);

pub(super) const PAGE: Sql = Sql::same(
    "\
-- standing: a page of all tokens in the order of their identity, those only registered too
select
  namespace, token_unique_reference, merchant_reference, registered_requestor_id,
  registered_status, registered_at, state, updated_at
from tokens
where (namespace, token_unique_reference) > ($1, $2)
order by namespace, token_unique_reference
limit $3
",
);

/// What a token was registered with.
pub(super) async fn registration(session: &mut Session, token: &TokenReference) -> Result<Option<Registration>, Error> {
    let rows: Vec<StandingRow> = fetch!(session, ONE, token.namespace.as_str(), &token.reference)?;
    let standing = rows.into_iter().next().map(StandingRow::shown).transpose()?;
    Ok(standing.and_then(|standing| standing.registration))
}

/// A page of tokens, registered ones too.
pub(super) async fn page(
    session: &mut Session,
    after: Option<&TokenReference>,
    limit: i64,
) -> Result<Vec<Standing>, Error> {
    let (namespace, reference) = after.map_or(("", ""), |token| (token.namespace.as_str(), &token.reference));
    let rows: Vec<StandingRow> = fetch!(session, PAGE, namespace, reference, limit)?;
    rows.into_iter().map(StandingRow::shown).collect()
}
