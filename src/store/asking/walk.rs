//! Walking the tokens in the order of their identity, for a reconcile: a bounded number at a time, whatever fits.

use super::{Asked, Scope, ToAsk, sorted};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::status::Status;
use crate::domain::token::Token;
use crate::store::Error;
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{JsonText, Stamp, shown};

/// One look walks no further, so that it costs the same whether all tokens fit or none.
const WALK_MAX: i64 = 5_000;
/// Counting walks no further.
const COUNT_MAX: u64 = 1_000_000;

/// A planner that does not know yet how full the table is would gather all tokens first, and sort them then.
const IN_ORDER: &str = "\
-- to_ask: until the end of this transaction, along the index
select set_config('enable_bitmapscan', 'off', true)
";

/// What was received is looked up for each token: for `exists` a planner might go through all there ever was.
const PAGE: Sql = Sql::same(
    "\
-- to_ask: of the next tokens of a namespace those that fit
select token_unique_reference, state, registered_status
from (
  select namespace, token_unique_reference, status, state, registered_status
  from tokens
  where namespace = $1
    and token_unique_reference > $2
  order by token_unique_reference
  limit $3) as walked
where coalesce(status, registered_status, '') <> 'DEACTIVATED'
  and ($4 is null or (
    select 1 from token_statements as said
    where said.namespace = walked.namespace
      and said.token_unique_reference = walked.token_unique_reference
      and said.received_at >= $4
    limit 1) is null)
order by token_unique_reference
limit $5
",
);

/// Tokens do not go, and one that came between the two looks makes this one stop earlier.
const WALKED: Sql = Sql::same(
    "\
-- to_ask: how far that look went, if it did not come to the end
select token_unique_reference
from tokens
where namespace = $1
  and token_unique_reference > $2
order by token_unique_reference
limit 1 offset $3
",
);

const COUNT: Sql = Sql::same(
    "\
-- how_many_to_ask: how many of the next tokens of a namespace fit, how many these are, and the last of them
select
  count(*) filter (
    where coalesce(status, registered_status, '') <> 'DEACTIVATED'
      and ($4 is null or (
        select 1 from token_statements as said
        where said.namespace = walked.namespace
          and said.token_unique_reference = walked.token_unique_reference
          and said.received_at >= $4
        limit 1) is null)) as fitting,
  count(*) as walked,
  max(token_unique_reference) as last
from (
  select namespace, token_unique_reference, status, registered_status
  from tokens
  where namespace = $1
    and token_unique_reference > $2
  order by token_unique_reference
  limit $3) as walked
",
);

row! {
    struct FitRow {
        token_unique_reference: String,
        state: Option<JsonText>,
        registered_status: Option<String>,
    }
}

impl FitRow {
    /// A row that is corrupt holds up no other: it is told apart.
    fn token(self, namespace: Namespace) -> ToAsk {
        let reference = TokenReference {
            namespace,
            reference: self.token_unique_reference,
        };
        let place = || format!("tokens.state of {}", shown(&reference.reference));
        let read = self.state.map(|state| state.read::<Token>(place));
        let is_registered = read.is_none();
        let is_unreadable = matches!(read, Some(Err(_)));
        ToAsk {
            token: match read {
                Some(Ok(token)) => token,
                _ => Token::unheard(reference),
            },
            registered_as: self.registered_status.filter(|_| is_registered).map(Status::from),
            is_unreadable,
        }
    }
}

/// On SQLite the tokens stand in their order.
async fn in_order(session: &mut Session) -> Result<(), Error> {
    if let Session::Postgres(connection) = session {
        sqlx::query(IN_ORDER).execute(connection).await?;
    }
    Ok(())
}

/// The next tokens that a reconcile asks about; see [`super::Asking::to_ask`].
pub(in crate::store) async fn page(
    session: &mut Session,
    which: &Scope,
    after: Option<&TokenReference>,
    limit: i64,
) -> Result<Asked, Error> {
    in_order(session).await?;
    let since = which.since.map(Stamp);
    let mut asked = Asked::default();
    for (namespace, after) in sorted(&which.namespaces, after) {
        let left = limit - asked.tokens.len() as i64;
        let name = namespace.as_str();
        let rows: Vec<FitRow> = fetch!(session, PAGE, name, after, WALK_MAX, since, left)?;
        let is_full = rows.len() as i64 == left;
        let fitting = rows.into_iter().map(|row| row.token(namespace));
        asked.tokens.extend(fitting);
        if is_full {
            asked.next = asked.tokens.last().map(|last| last.token.reference.clone());
            return Ok(asked);
        }
        let walked: Vec<(String,)> = fetch!(session, WALKED, name, after, WALK_MAX - 1)?;
        if let Some((reference,)) = walked.into_iter().next() {
            asked.next = Some(TokenReference { namespace, reference });
            return Ok(asked);
        }
    }
    Ok(asked)
}

/// How far counting is.
#[derive(Default)]
pub(in crate::store) struct Count {
    pub fitting: u64,
    walked: u64,
    after: Option<TokenReference>,
    is_done: bool,
}

impl Count {
    /// There is nothing left to count, or it is enough.
    pub(in crate::store) fn is_done(&self) -> bool {
        self.is_done || self.walked >= COUNT_MAX
    }
}

/// Counts on, over as many tokens as one look walks.
pub(in crate::store) async fn count_on(session: &mut Session, which: &Scope, count: &Count) -> Result<Count, Error> {
    in_order(session).await?;
    let since = which.since.map(Stamp);
    let mut on = Count {
        fitting: count.fitting,
        walked: count.walked,
        after: None,
        is_done: true,
    };
    for (namespace, after) in sorted(&which.namespaces, count.after.as_ref()) {
        let rows: Vec<(i64, i64, Option<String>)> = fetch!(session, COUNT, namespace.as_str(), after, WALK_MAX, since)?;
        let Some((fitting, walked, last)) = rows.into_iter().next() else {
            continue;
        };
        on.fitting += fitting.unsigned_abs();
        on.walked += walked.unsigned_abs();
        if walked == WALK_MAX {
            on.after = last.map(|reference| TokenReference { namespace, reference });
            on.is_done = false;
            return Ok(on);
        }
    }
    Ok(on)
}
