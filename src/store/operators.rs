//! Operators: who may ask the admin API, and their browsers' sessions. Of tokens and cookies only the SHA-256 is here.

use time::OffsetDateTime;

use super::Error;
use super::roster::{NewOperator, NewSession, Operator, Role, SESSIONS_MAX};
use super::row::row;
use super::session::{Session, Sql, execute, fetch};
use super::values::Stamp;

const ADD: Sql = Sql::same(
    "\
-- add: one operator, unless the name is taken
insert into operators (name, role, token_hash, created_at, expires_at)
values ($1, $2, $3, $4, $5)
on conflict (name) do nothing
",
);

const ALL: Sql = Sql {
    postgres: "\
-- operators: all of them, by name
select name, role, created_at, expires_at, revoked_at
from operators
order by name collate \"C\"
",
    sqlite: "\
-- operators: all of them, by name
select name, role, created_at, expires_at, revoked_at
from operators
order by name
",
};

const REVOKE: Sql = Sql::same(
    "\
-- revoke: from now on
update operators
set revoked_at = $2
where name = $1
  and revoked_at is null
",
);

const HOLDER: Sql = Sql::same(
    "\
-- holder: whose token it is, if it still holds
select name, role, created_at, expires_at, revoked_at
from operators
where token_hash = $1
  and revoked_at is null
  and expires_at > $2
",
);

const BEGIN: Sql = Sql::same(
    "\
-- session: begin one
insert into sessions (id_hash, operator, created_at, expires_at)
values ($1, $2, $3, $4)
",
);

const FORGET: Sql = Sql::same(
    "\
-- session: forget those that have expired
delete from sessions
where expires_at <= $1
",
);

const CROWD: Sql = Sql::same(
    "\
-- session: of an operator's, only the newest stay
delete from sessions
where operator = $1
  and id_hash not in (
    select id_hash
    from sessions
    where operator = $1
    order by created_at desc, id_hash
    limit $2)
",
);

const SESSION: Sql = Sql::same(
    "\
-- session: whose it is, if it and their token still hold
select name, role, operators.created_at, operators.expires_at, revoked_at
from sessions
join operators on operators.name = sessions.operator
where id_hash = $1
  and sessions.expires_at > $2
  and revoked_at is null
  and operators.expires_at > $2
",
);

const END: Sql = Sql::same(
    "\
-- session: end it
delete from sessions
where id_hash = $1
",
);

row! {
    struct OperatorRow {
        name: String,
        role: String,
        created_at: Stamp,
        expires_at: Stamp,
        revoked_at: Option<Stamp>,
    }
}

impl OperatorRow {
    fn operator(self) -> Result<Operator, Error> {
        let role = Role::parse(&self.role);
        Ok(Operator {
            role: role.ok_or_else(|| Error::Corrupt(format!("operators.role of {}", self.name)))?,
            name: self.name,
            created_at: self.created_at.0,
            expires_at: self.expires_at.0,
            revoked_at: self.revoked_at.map(|at| at.0),
        })
    }
}

/// Adds one; `false` if the name is taken.
pub(super) async fn add(session: &mut Session, operator: &NewOperator, now: OffsetDateTime) -> Result<bool, Error> {
    let added = execute!(
        session,
        ADD,
        &operator.name,
        operator.role.as_str(),
        &operator.token_hash[..],
        Stamp(now),
        Stamp(operator.expires_at),
    )?;
    Ok(added == 1)
}

/// All of them, by name.
pub(super) async fn all(session: &mut Session) -> Result<Vec<Operator>, Error> {
    let rows: Vec<OperatorRow> = fetch!(session, ALL)?;
    rows.into_iter().map(OperatorRow::operator).collect()
}

/// Takes a token away. A crash after it leaves it taken away, and before it as it was.
pub(super) async fn revoke(session: &mut Session, name: &str, now: OffsetDateTime) -> Result<bool, Error> {
    let revoked = execute!(session, REVOKE, name, Stamp(now))?;
    Ok(revoked == 1)
}

/// Whose token it is.
pub(super) async fn holder(
    session: &mut Session,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Operator>, Error> {
    let rows: Vec<OperatorRow> = fetch!(session, HOLDER, &token_hash[..], Stamp(now))?;
    rows.into_iter().next().map(OperatorRow::operator).transpose()
}

/// Begins a session, and ends the oldest of an operator who has more than [`SESSIONS_MAX`]. A crash before it leaves a browser that has to log in again.
pub(super) async fn begin_session(session: &mut Session, begun: &NewSession, now: OffsetDateTime) -> Result<(), Error> {
    execute!(session, FORGET, Stamp(now))?;
    let (id_hash, expires_at) = (&begun.id_hash[..], Stamp(begun.expires_at));
    execute!(session, BEGIN, id_hash, &begun.operator, Stamp(now), expires_at)?;
    execute!(session, CROWD, &begun.operator, SESSIONS_MAX)?;
    Ok(())
}

/// Whose session it is.
pub(super) async fn session_of(
    session: &mut Session,
    id_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Operator>, Error> {
    let rows: Vec<OperatorRow> = fetch!(session, SESSION, &id_hash[..], Stamp(now))?;
    rows.into_iter().next().map(OperatorRow::operator).transpose()
}

/// Ends a session.
pub(super) async fn end_session(session: &mut Session, id_hash: &[u8; 32]) -> Result<bool, Error> {
    let ended = execute!(session, END, &id_hash[..])?;
    Ok(ended == 1)
}
