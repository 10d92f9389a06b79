//! Events as they are read, and tokens as they are registered.

use time::OffsetDateTime;

use super::Error;
use super::outbox::{Events, NewRegistration, Registered, Standing};
use super::session::Session;
use crate::domain::id::TokenReference;
use crate::domain::token::Registration;

/// Registers tokens; see [`super::Outbox::register`].
pub(super) async fn register(
    session: &mut Session,
    tokens: &[NewRegistration],
    now: OffsetDateTime,
) -> Result<Vec<Registered>, Error> {
    let _ = (session, tokens, now);
    todo!()
}

/// What a token was registered with.
pub(super) async fn registration(session: &mut Session, token: &TokenReference) -> Result<Option<Registration>, Error> {
    let _ = (session, token);
    todo!()
}

/// A page of tokens, registered ones too.
pub(super) async fn standing(
    session: &mut Session,
    after: Option<&TokenReference>,
    limit: i64,
) -> Result<Vec<Standing>, Error> {
    let _ = (session, after, limit);
    todo!()
}

/// A page of events in the order of commits.
pub(super) async fn page(session: &mut Session, after: u64, limit: i64) -> Result<Events, Error> {
    let _ = (session, after, limit);
    todo!()
}
