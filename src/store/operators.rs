//! Operators: who may ask the admin API.

use time::OffsetDateTime;

use super::Error;
use super::roster::{NewOperator, Operator};
use super::session::Session;

/// Adds one; `false` if the name is taken.
pub(super) async fn add(session: &mut Session, operator: &NewOperator, now: OffsetDateTime) -> Result<bool, Error> {
    let _ = (session, operator.role, now);
    todo!()
}

/// All of them, by name.
pub(super) async fn all(session: &mut Session) -> Result<Vec<Operator>, Error> {
    let _ = session;
    todo!()
}

/// Takes a token away.
pub(super) async fn revoke(session: &mut Session, name: &str, now: OffsetDateTime) -> Result<bool, Error> {
    let _ = (session, name, now);
    todo!()
}

/// Whose token it is.
pub(super) async fn holder(
    session: &mut Session,
    token_hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Operator>, Error> {
    let _ = (session, token_hash, now);
    todo!()
}
