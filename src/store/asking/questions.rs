//! Questions: one row for each token in doubt, until the doubt is gone.
//!
//! A lease is a time and a number on the row. Whoever dies with one leaves a question that is due when the lease ends.
//! One namespace is looked through at a time, so that each look is a range of one index.

use std::time::Duration;

use time::OffsetDateTime;

use super::{ClaimedQuestion, ClaimedQuestions, KeptQuestion, Opened, SettledQuestion, sorted, stored_finding};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::token::Token;
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::record::token_reference;
use crate::store::row::row;
use crate::store::session::{Session, Sql, execute, fetch};
use crate::store::values::{JsonText, Stamp, Words, shown};

/// SQLite is told which index, since it might walk all tokens for the few that are provisional.
const PROVISIONAL: Sql = Sql {
    postgres: "\
-- open_questions: a page of the provisional tokens of a namespace, and which of them have one that is newer than what is held
select token_unique_reference, coalesce((
  select settled_at is null or settled_at >= tokens.updated_at from questions
  where questions.namespace = tokens.namespace
    and questions.token_unique_reference = tokens.token_unique_reference), false) as has_question
from tokens
where provisional
  and namespace = $1
  and token_unique_reference > $2
order by token_unique_reference
limit $3
",
    sqlite: "\
-- open_questions: a page of the provisional tokens of a namespace, and which of them have one that is newer than what is held
select token_unique_reference, coalesce((
  select settled_at is null or settled_at >= tokens.updated_at from questions
  where questions.namespace = tokens.namespace
    and questions.token_unique_reference = tokens.token_unique_reference), false) as has_question
from tokens indexed by tokens_provisional
where provisional
  and namespace = $1
  and token_unique_reference > $2
order by token_unique_reference
limit $3
",
};

const OPEN: Sql = Sql {
    postgres: "\
-- open_questions: one each; one that was settled before its token last moved begins anew
insert into questions (namespace, token_unique_reference, opened_at, due_at)
select namespace, token_unique_reference, now, now
from unnest($1, $2, $3) as met (namespace, token_unique_reference, now)
order by namespace, token_unique_reference
on conflict (namespace, token_unique_reference) do update
set due_at = excluded.due_at, asks = 0, given_up = false, settled_at = null
where questions.settled_at is not null
returning token_unique_reference
",
    sqlite: "\
-- open_questions: one each; one that was settled before its token last moved begins anew
insert into questions (namespace, token_unique_reference, opened_at, due_at)
select value ->> 'namespace', value ->> 'token_unique_reference', value ->> 'now', value ->> 'now'
from json_each($1)
where true
on conflict (namespace, token_unique_reference) do update
set due_at = excluded.due_at, asks = 0, given_up = false, settled_at = null
where questions.settled_at is not null
returning token_unique_reference
",
};

row! {
    struct ProvisionalRow {
        token_unique_reference: String,
        has_question: bool,
    }
}

batch_row! {
    /// A token whose question is opened, or leased.
    struct MetRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
        now: Stamp,
    }
}

impl<'a> MetRow<'a> {
    fn of(token: &'a TokenReference, now: OffsetDateTime) -> Self {
        MetRow {
            namespace: token.namespace.as_str(),
            token_unique_reference: &token.reference,
            now: Stamp(now),
        }
    }
}

/// A page of the provisional tokens: those without a question, and where the next page begins.
pub(in crate::store) struct Met {
    pub without: Vec<TokenReference>,
    pub next: Option<TokenReference>,
}

/// Looks at one page of the provisional tokens.
pub(in crate::store) async fn met(
    session: &mut Session,
    namespaces: &[Namespace],
    after: Option<&TokenReference>,
    limit: i64,
) -> Result<Met, Error> {
    let mut without = Vec::new();
    let mut left = limit;
    for (namespace, after) in sorted(namespaces, after) {
        let rows: Vec<ProvisionalRow> = fetch!(session, PROVISIONAL, namespace.as_str(), after, left)?;
        left -= rows.len() as i64;
        let of = |reference: &str| TokenReference {
            namespace,
            reference: reference.to_owned(),
        };
        let last = rows.last().map(|row| of(&row.token_unique_reference));
        let lacking = rows.iter().filter(|row| !row.has_question);
        without.extend(lacking.map(|row| of(&row.token_unique_reference)));
        if left == 0 {
            return Ok(Met { without, next: last });
        }
    }
    Ok(Met { without, next: None })
}

/// Opens a question for each; says how many are new.
///
/// A crash before the commit opens none: the tokens are provisional still, and are met again.
pub(in crate::store) async fn open(
    session: &mut Session,
    tokens: &[TokenReference],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let rows: Vec<MetRow<'_>> = tokens.iter().map(|token| MetRow::of(token, now)).collect();
    let opened: Vec<(String,)> = session.fetch_batch(OPEN, &rows).await?;
    Ok(opened.len() as u64)
}

impl Met {
    /// What the caller is told, with so many opened.
    pub(in crate::store) fn opened(self, opened: u64) -> Opened {
        Opened {
            opened,
            next: self.next,
        }
    }
}

/// The token is read as it stands; who records holds its row, and is not waited for. It is looked up for each
/// question: for a join a planner that believes the tables to be empty goes through all tokens.
const DUE: Sql = Sql {
    postgres: "\
-- claim_questions: those of a namespace that are due, the longest due first, with their tokens if in doubt still
select namespace, token_unique_reference, asks, claim, due_at, (
  select state from tokens
  where tokens.namespace = questions.namespace
    and tokens.token_unique_reference = questions.token_unique_reference
    and provisional) as state
from questions
where namespace = $1
  and due_at <= $2
order by due_at, token_unique_reference
limit $3
for update of questions skip locked
",
    sqlite: "\
-- claim_questions: those of a namespace that are due, the longest due first, with their tokens if in doubt still
select namespace, token_unique_reference, asks, claim, due_at, (
  select state from tokens
  where tokens.namespace = questions.namespace
    and tokens.token_unique_reference = questions.token_unique_reference
    and provisional) as state
from questions
where namespace = $1
  and due_at <= $2
order by due_at, token_unique_reference
limit $3
",
};

const LEASE: Sql = Sql {
    postgres: "\
-- claim_questions: lease these, which are locked
update questions
set claim = claim + 1, due_at = until, settled_at = null
from unnest($1, $2, $3) as taken (namespace, token_unique_reference, until)
where questions.namespace = taken.namespace
  and questions.token_unique_reference = taken.token_unique_reference
",
    sqlite: "\
-- claim_questions: lease these
update questions
set claim = claim + 1, due_at = value ->> 'now', settled_at = null
from json_each($1)
where questions.namespace = value ->> 'namespace'
  and questions.token_unique_reference = value ->> 'token_unique_reference'
",
};

const CLOSE: Sql = Sql {
    postgres: "\
-- claim_questions: close these, whose tokens have no doubt any more
delete from questions
using unnest($1, $2, $3) as met (namespace, token_unique_reference, now)
where questions.namespace = met.namespace
  and questions.token_unique_reference = met.token_unique_reference
",
    sqlite: "\
-- claim_questions: close these, whose tokens have no doubt any more
delete from questions
where (namespace, token_unique_reference) in (
  select value ->> 'namespace', value ->> 'token_unique_reference' from json_each($1))
",
};

const UNREADABLE: Sql = Sql {
    postgres: "\
-- claim_questions: give these up until then, whose tokens cannot be read
update questions
set claim = claim + 1, finding = 'unanswered', why = 'what we hold of it cannot be read: see the log', given_up = true,
  due_at = until, settled_at = null
from unnest($1, $2, $3) as met (namespace, token_unique_reference, until)
where questions.namespace = met.namespace
  and questions.token_unique_reference = met.token_unique_reference
",
    sqlite: "\
-- claim_questions: give these up until then, whose tokens cannot be read
update questions
set claim = claim + 1, finding = 'unanswered', why = 'what we hold of it cannot be read: see the log', given_up = true,
  due_at = value ->> 'now', settled_at = null
from json_each($1)
where questions.namespace = value ->> 'namespace'
  and questions.token_unique_reference = value ->> 'token_unique_reference'
",
};

const NEXT_DUE: Sql = Sql::same(
    "\
-- claim_questions: when one of a namespace is due next
select min(due_at)
from questions
where namespace = $1
  and due_at > $2
",
);

const ANY_DUE: Sql = Sql::same(
    "\
-- claim_questions: when the longest due of a namespace was due
select min(due_at)
from questions
where namespace = $1
  and due_at <= $2
",
);

/// Nobody mends a corrupt row sooner.
const LATER: Duration = Duration::from_hours(24);

row! {
    struct DueRow {
        namespace: String,
        token_unique_reference: String,
        asks: i32,
        claim: i32,
        due_at: Stamp,
        state: Option<JsonText>,
    }
}

impl DueRow {
    fn token(&self) -> Result<Option<Token>, Error> {
        let place = || format!("tokens.state of {}", shown(&self.token_unique_reference));
        self.state.as_ref().map(|state| state.read(place)).transpose()
    }
}

/// Whether a claim would find anything; if it would not, what it would say.
pub(in crate::store) async fn none_due(
    session: &mut Session,
    namespaces: &[Namespace],
    now: OffsetDateTime,
) -> Result<Option<ClaimedQuestions>, Error> {
    if least(session, ANY_DUE, namespaces, now).await?.is_some() {
        return Ok(None);
    }
    Ok(Some(ClaimedQuestions {
        next_due: least(session, NEXT_DUE, namespaces, now).await?,
        ..ClaimedQuestions::default()
    }))
}

async fn least(
    session: &mut Session,
    sql: Sql,
    namespaces: &[Namespace],
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Error> {
    let mut least = None;
    for (namespace, _) in sorted(namespaces, None) {
        let rows: Vec<(Option<Stamp>,)> = fetch!(session, sql, namespace.as_str(), Stamp(now))?;
        let found = rows.into_iter().filter_map(|(at,)| at).map(|at| at.0);
        least = least.into_iter().chain(found).min();
    }
    Ok(least)
}

/// Takes questions that are due; see [`super::Asking::claim_questions`].
///
/// A crash before the commit leaves them due; after it, they are due when the lease ends.
pub(in crate::store) async fn claim(
    session: &mut Session,
    namespaces: &[Namespace],
    lease: Duration,
    limit: i64,
    now: OffsetDateTime,
) -> Result<ClaimedQuestions, Error> {
    let mut due: Vec<DueRow> = Vec::new();
    for (namespace, _) in sorted(namespaces, None) {
        // One more than may be taken says whether there is more.
        let rows: Vec<DueRow> = fetch!(session, DUE, namespace.as_str(), Stamp(now), limit + 1)?;
        due.extend(rows);
    }
    due.sort_by_key(|row| row.due_at);
    let found = due.len();
    due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let more = found > due.len();

    let (mut claimed, mut closed, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for row in due {
        match row.token() {
            Err(_) => unreadable.push(token_reference(&row.namespace, row.token_unique_reference)?),
            Ok(Some(token)) => claimed.push(ClaimedQuestion {
                token,
                claim: row.claim.unsigned_abs() + 1,
                asks: row.asks.unsigned_abs(),
            }),
            Ok(None) => closed.push(token_reference(&row.namespace, row.token_unique_reference)?),
        }
    }
    let taken = claimed.iter().map(|claimed| &claimed.token.reference);
    each(session, LEASE, taken, now + lease).await?;
    each(session, CLOSE, &closed, now).await?;
    each(session, UNREADABLE, &unreadable, now + LATER).await?;
    Ok(ClaimedQuestions {
        claimed,
        unreadable,
        more,
        next_due: least(session, NEXT_DUE, namespaces, now).await?,
    })
}

async fn each(
    session: &mut Session,
    sql: Sql,
    tokens: impl IntoIterator<Item = &TokenReference>,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let rows: Vec<MetRow<'_>> = tokens.into_iter().map(|token| MetRow::of(token, at)).collect();
    match rows.is_empty() {
        true => Ok(()),
        false => session.execute_batch(sql, &rows).await,
    }
}

const SETTLE: Sql = Sql::same(
    "\
-- settle_question: what came of it, if the claim still holds it
update questions
set asks = $4, finding = $5, why = $6, given_up = $7, due_at = $8, settled_at = $9
where namespace = $1
  and token_unique_reference = $2
  and claim = $3
",
);

const SETTLED: Sql = Sql::same(
    "\
-- settle_question: close it, if its token has no doubt any more
delete from questions
where namespace = $1
  and token_unique_reference = $2
  and not exists (
    select * from tokens
    where tokens.namespace = $1
      and tokens.token_unique_reference = $2
      and provisional)
",
);

/// Writes what came of a claimed question; see [`super::Asking::settle_question`].
///
/// A crash before the commit leaves it under its lease: it is asked once more.
pub(in crate::store) async fn settle(
    session: &mut Session,
    settled: &SettledQuestion,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let (namespace, reference) = (settled.token.namespace.as_str(), &settled.token.reference);
    let held = execute!(
        session,
        SETTLE,
        namespace,
        reference,
        i32::try_from(settled.claim).unwrap_or(i32::MAX),
        i32::try_from(settled.asks).unwrap_or(i32::MAX),
        settled.finding.as_str(),
        &settled.why,
        settled.given_up,
        Stamp(now + settled.due_in),
        Stamp(now),
    )?;
    if held == 0 {
        return Ok(false);
    }
    execute!(session, SETTLED, namespace, reference)?;
    Ok(true)
}

const GIVEN_UP: Sql = Sql::same(
    "\
-- questions: a page of those that were given up
select namespace, token_unique_reference, asks, finding, why, given_up, opened_at, due_at, (
  select doubts from tokens
  where tokens.namespace = questions.namespace
    and tokens.token_unique_reference = questions.token_unique_reference) as doubts
from questions
where given_up
  and (namespace, token_unique_reference) > ($1, $2)
order by namespace, token_unique_reference
limit $3
",
);

const OF: Sql = Sql::same(
    "\
-- questions: the one about a token
select namespace, token_unique_reference, asks, finding, why, given_up, opened_at, due_at, (
  select doubts from tokens
  where tokens.namespace = questions.namespace
    and tokens.token_unique_reference = questions.token_unique_reference) as doubts
from questions
where namespace = $1
  and token_unique_reference = $2
",
);

/// The question about that token, if it is asked after.
pub(in crate::store) async fn of(session: &mut Session, token: &TokenReference) -> Result<Option<KeptQuestion>, Error> {
    let rows: Vec<QuestionRow> = fetch!(session, OF, token.namespace.as_str(), &token.reference)?;
    rows.into_iter().next().map(QuestionRow::kept).transpose()
}

const GOING_ON: Sql = Sql::same(
    "\
-- questions: a page of those that go on
select namespace, token_unique_reference, asks, finding, why, given_up, opened_at, due_at, (
  select doubts from tokens
  where tokens.namespace = questions.namespace
    and tokens.token_unique_reference = questions.token_unique_reference) as doubts
from questions
where not given_up
  and (namespace, token_unique_reference) > ($1, $2)
order by namespace, token_unique_reference
limit $3
",
);

row! {
    struct QuestionRow {
        namespace: String,
        token_unique_reference: String,
        doubts: Option<Words>,
        asks: i32,
        finding: Option<String>,
        why: Option<String>,
        given_up: bool,
        opened_at: Stamp,
        due_at: Stamp,
    }
}

impl QuestionRow {
    fn kept(self) -> Result<KeptQuestion, Error> {
        let token = token_reference(&self.namespace, self.token_unique_reference)?;
        let place = || format!("questions.finding of {}", shown(&token.reference));
        let finding = self.finding.map(|word| stored_finding(&word, place)).transpose()?;
        Ok(KeptQuestion {
            token,
            doubts: self.doubts.map(Words::known).unwrap_or_default(),
            asks: self.asks.unsigned_abs(),
            finding,
            why: self.why,
            given_up: self.given_up,
            opened_at: self.opened_at.0,
            due_at: self.due_at.0,
        })
    }
}

/// A page of questions, those that were given up first.
pub(in crate::store) async fn page(
    session: &mut Session,
    after: Option<&KeptQuestion>,
    limit: i64,
) -> Result<Vec<KeptQuestion>, Error> {
    let place = |question: &KeptQuestion| (question.token.namespace.as_str(), question.token.reference.clone());
    let start = ("", String::new());
    let (given_up, going_on) = match after.map(|after| (after.given_up, place(after))) {
        None => (Some(start.clone()), start),
        Some((true, place)) => (Some(place), start),
        Some((false, place)) => (None, place),
    };
    let mut rows: Vec<QuestionRow> = match given_up {
        Some((namespace, reference)) => fetch!(session, GIVEN_UP, namespace, reference, limit)?,
        None => Vec::new(),
    };
    let left = limit - rows.len() as i64;
    if left > 0 {
        let rest: Vec<QuestionRow> = fetch!(session, GOING_ON, going_on.0, going_on.1, left)?;
        rows.extend(rest);
    }
    rows.into_iter().map(QuestionRow::kept).collect()
}
