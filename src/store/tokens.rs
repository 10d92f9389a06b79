//! Looks at what is kept: tokens, their history, the notifications they came from.

use super::record::token_reference;
use super::row::row;
use super::session::{Session, Sql, fetch};
use super::values::{Id, JsonText, Stamp, Words, shown};
use super::{Error, KeptNotification, KeptStatement, KeptToken, SealedBy, Transition};
use crate::domain::id::{NotificationId, TokenReference};
use crate::domain::peer::Peer;
use crate::domain::status::Status;
use crate::domain::token::Token;

const TOKEN: Sql = Sql::same(
    "\
-- token: one token that was heard of
select namespace, token_unique_reference, state, updated_at
from tokens
where namespace = $1
  and token_unique_reference = $2
  and state is not null
",
);

const TOKENS: Sql = Sql::same(
    "\
-- tokens: a page of those heard of, in the order of their identity
select namespace, token_unique_reference, state, updated_at
from tokens
where (namespace, token_unique_reference) > ($1, $2)
  and state is not null
order by namespace, token_unique_reference
limit $3
",
);

row! {
    struct TokenRow {
        namespace: String,
        token_unique_reference: String,
        state: JsonText,
        updated_at: Stamp,
    }
}

/// One token, if anything was ever heard of it.
pub(super) async fn token(session: &mut Session, reference: &TokenReference) -> Result<Option<KeptToken>, Error> {
    let rows: Vec<TokenRow> = fetch!(session, TOKEN, reference.namespace.as_str(), &reference.reference)?;
    rows.into_iter().next().map(kept_token).transpose()
}

/// A page of tokens.
pub(super) async fn tokens(
    session: &mut Session,
    after: Option<&TokenReference>,
    limit: i64,
) -> Result<Vec<KeptToken>, Error> {
    let (namespace, reference) = after.map_or(("", ""), |token| (token.namespace.as_str(), &token.reference));
    let rows: Vec<TokenRow> = fetch!(session, TOKENS, namespace, reference, limit)?;
    rows.into_iter().map(kept_token).collect()
}

fn kept_token(row: TokenRow) -> Result<KeptToken, Error> {
    let reference = token_reference(&row.namespace, row.token_unique_reference)?;
    let token: Token = row
        .state
        .read(|| format!("tokens.state of {}", shown(&reference.reference)))?;
    Ok(KeptToken {
        token,
        updated_at: row.updated_at.0,
    })
}

const TRANSITIONS: Sql = Sql::same(
    "\
-- transitions: a page of a token's applied changes, in order
select sequence, kind, from_status, to_status, status_at, reason_code, changes, notification_id, recorded_at
from token_transitions
where namespace = $1
  and token_unique_reference = $2
  and sequence > $3
order by sequence
limit $4
",
);

row! {
    /// One applied change, as its columns have it.
    pub(super) struct TransitionRow {
        sequence: i64,
        kind: String,
        from_status: Option<String>,
        to_status: Option<String>,
        status_at: Option<Stamp>,
        reason_code: Option<String>,
        changes: JsonText,
        notification_id: Id,
        recorded_at: Stamp,
    }
}

impl TransitionRow {
    /// The change of that token.
    pub(super) fn transition(self, token: TokenReference) -> Result<Transition, Error> {
        let place = || {
            let token = shown(&token.reference);
            format!("token_transitions.changes of {token}, sequence {}", self.sequence)
        };
        Ok(Transition {
            sequence: self.sequence.unsigned_abs(),
            changes: self.changes.read(place)?,
            token,
            kind: self.kind,
            from_status: self.from_status.map(Status::from),
            to_status: self.to_status.map(Status::from),
            status_at: self.status_at.map(|at| at.0),
            reason_code: self.reason_code,
            notification: NotificationId(self.notification_id.0),
            recorded_at: self.recorded_at.0,
        })
    }
}

/// A page of a token's applied changes.
pub(super) async fn transitions(
    session: &mut Session,
    reference: &TokenReference,
    after: u64,
    limit: i64,
) -> Result<Vec<Transition>, Error> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let token = &reference.reference;
    let rows: Vec<TransitionRow> = fetch!(session, TRANSITIONS, reference.namespace.as_str(), token, after, limit)?;
    rows.into_iter().map(|row| row.transition(reference.clone())).collect()
}

const STATEMENTS: Sql = Sql::same(
    "\
-- statements: what was said of a token, newest first
select notification_id, token_index, namespace, token_unique_reference, verdict, sequence, status, status_at,
  reason_code, flags, unrecognized, repeats, received_at
from token_statements
where namespace = $1
  and token_unique_reference = $2
order by received_at desc, notification_id desc, token_index desc
limit $3
",
);

row! {
    /// One statement, as its columns have it.
    pub(super) struct StatementRow {
        notification_id: Id,
        token_index: i32,
        namespace: String,
        token_unique_reference: String,
        verdict: String,
        sequence: Option<i64>,
        status: Option<String>,
        status_at: Option<Stamp>,
        reason_code: Option<String>,
        flags: Words,
        unrecognized: JsonText,
        repeats: i64,
        received_at: Stamp,
    }
}

impl StatementRow {
    /// The statement.
    pub(super) fn statement(self) -> Result<KeptStatement, Error> {
        let notification = NotificationId(self.notification_id.0);
        let token = token_reference(&self.namespace, self.token_unique_reference)?;
        let place = |column| {
            let token = shown(&token.reference);
            format!("token_statements.{column} of {token} in {notification}")
        };
        let verdict = Words(vec![self.verdict]).known().pop();
        Ok(KeptStatement {
            notification,
            index: self.token_index.unsigned_abs(),
            verdict: verdict.ok_or_else(|| Error::Corrupt(place("verdict")))?,
            sequence: self.sequence.map(i64::unsigned_abs),
            status: self.status.map(Status::from),
            status_at: self.status_at.map(|at| at.0),
            reason_code: self.reason_code,
            flags: self.flags.known(),
            unrecognized: self.unrecognized.read(|| place("unrecognized"))?,
            repeats: self.repeats.unsigned_abs(),
            received_at: self.received_at.0,
            token,
        })
    }
}

/// Everything said of a token, newest first.
pub(super) async fn statements(
    session: &mut Session,
    reference: &TokenReference,
    limit: i64,
) -> Result<Vec<KeptStatement>, Error> {
    let token = &reference.reference;
    let rows: Vec<StatementRow> = fetch!(session, STATEMENTS, reference.namespace.as_str(), token, limit)?;
    rows.into_iter().map(StatementRow::statement).collect()
}

const STATEMENTS_IN: Sql = Sql::same(
    "\
-- statements: what one notification said, in its order
select notification_id, token_index, namespace, token_unique_reference, verdict, sequence, status, status_at,
  reason_code, flags, unrecognized, repeats, received_at
from token_statements
where notification_id = $1
order by token_index, statement_hash
limit 1000
",
);

/// What one notification said.
pub(super) async fn statements_in(session: &mut Session, id: NotificationId) -> Result<Vec<KeptStatement>, Error> {
    let rows: Vec<StatementRow> = fetch!(session, STATEMENTS_IN, Id(id.0))?;
    rows.into_iter().map(StatementRow::statement).collect()
}

const NOTIFICATION: Sql = Sql::same(
    "\
-- notification: one of them
select request_id, received_at, peer, organization, peer_address, peer_certificate, sealed_body, sealed_by,
  repeats, flags
from notifications
where id = $1
",
);

row! {
    struct NotificationRow {
        request_id: String,
        received_at: Stamp,
        sealed_body: Vec<u8>,
        sealed_by: String,
        repeats: i64,
        flags: Words,
    }
    with peer: PeerColumns
}

row! {
    /// Who sent it, as four columns have it.
    pub(super) struct PeerColumns {
        peer: String,
        organization: Option<String>,
        peer_address: String,
        peer_certificate: String,
    }
}

impl PeerColumns {
    /// The peer; `place` names table and row.
    pub(super) fn peer(self, place: impl FnOnce() -> String) -> Result<Peer, Error> {
        let address = self.peer_address.parse();
        Ok(Peer {
            name: self.peer,
            organization: self.organization,
            address: address.map_err(|_| Error::Corrupt(format!("peer_address of {}", place())))?,
            certificate_sha256: self.peer_certificate,
        })
    }
}

/// Who sealed it, from its word.
pub(super) fn sealed_by(word: &str, place: impl FnOnce() -> String) -> Result<SealedBy, Error> {
    match word {
        "sender" => Ok(SealedBy::Sender),
        "us" => Ok(SealedBy::Us),
        _ => Err(Error::Corrupt(format!("sealed_by of {}", place()))),
    }
}

/// One notification.
pub(super) async fn notification(session: &mut Session, id: NotificationId) -> Result<Option<KeptNotification>, Error> {
    let rows: Vec<NotificationRow> = fetch!(session, NOTIFICATION, Id(id.0))?;
    let place = || format!("notification {id}");
    let kept = |row: NotificationRow| {
        Ok(KeptNotification {
            id,
            request_id: row.request_id,
            received_at: row.received_at.0,
            peer: row.peer.peer(place)?,
            sealed_body: row.sealed_body,
            sealed_by: sealed_by(&row.sealed_by, place)?,
            repeats: row.repeats.unsigned_abs(),
            flags: row.flags.known(),
        })
    };
    rows.into_iter().next().map(kept).transpose()
}
