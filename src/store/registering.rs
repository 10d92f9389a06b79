//! Registers tokens: what the merchant says of them when it makes them.
//!
//! It locks tokens as `record` does, in one order, and tells nothing: the merchant knows already.

use std::collections::{BTreeMap, BTreeSet};

use time::OffsetDateTime;

use super::batch::batch_row;
use super::outbox::{NewRegistration, Registered, Standing};
use super::session::{Session, Sql};
use super::values::Stamp;
use super::{Error, standing};
use crate::domain::id::TokenReference;
use crate::domain::token::Registration;

const REGISTER: Sql = Sql {
    postgres: "\
-- register: what the merchant said of these tokens, locked before
update tokens
set
  token_requestor_id = told.token_requestor_id,
  merchant_reference = told.merchant_reference,
  registered_requestor_id = told.registered_requestor_id,
  registered_status = told.registered_status,
  registered_at = told.registered_at,
  updated_at = told.updated_at
from unnest($1, $2, $3, $4, $5, $6, $7, $8) as told (
  namespace, token_unique_reference, token_requestor_id, merchant_reference, registered_requestor_id,
  registered_status, registered_at, updated_at)
where tokens.namespace = told.namespace
  and tokens.token_unique_reference = told.token_unique_reference
",
    sqlite: "\
-- register: what the merchant said of these tokens
update tokens
set
  token_requestor_id = value ->> 'token_requestor_id',
  merchant_reference = value ->> 'merchant_reference',
  registered_requestor_id = value ->> 'registered_requestor_id',
  registered_status = value ->> 'registered_status',
  registered_at = value ->> 'registered_at',
  updated_at = value ->> 'updated_at'
from json_each($1) as told
where tokens.namespace = value ->> 'namespace'
  and tokens.token_unique_reference = value ->> 'token_unique_reference'
",
};

batch_row! {
    /// One token and what it is registered with now.
    struct RegistrationRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
        token_requestor_id: Option<&'a str>,
        merchant_reference: Option<&'a str>,
        registered_requestor_id: Option<&'a str>,
        registered_status: Option<&'a str>,
        registered_at: Stamp,
        updated_at: Stamp,
    }
}

impl<'a> RegistrationRow<'a> {
    fn of(standing: &'a Standing, registration: &'a Registration, now: OffsetDateTime) -> Self {
        let token = &standing.token.reference;
        RegistrationRow {
            namespace: token.namespace.as_str(),
            token_unique_reference: &token.reference,
            token_requestor_id: standing.requestor(),
            merchant_reference: registration.merchant_reference.as_deref(),
            registered_requestor_id: registration.requestor.as_deref(),
            registered_status: registration.status.as_ref().map(|status| status.as_str()),
            registered_at: Stamp(registration.registered_at),
            updated_at: Stamp(now),
        }
    }
}

/// Registers tokens, all or none; see [`super::Outbox::register`]. Of what is said twice of a token the later holds.
///
/// A crash before the commit leaves none of them registered; after it, a second try answers `Again`.
pub(super) async fn register(
    session: &mut Session,
    tokens: &[NewRegistration],
    now: OffsetDateTime,
) -> Result<Vec<Registered>, Error> {
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let references: BTreeSet<&TokenReference> = tokens.iter().map(|new| &new.token).collect();
    let locked = standing::lock(session, &references, now).await?;
    let held = |standing: Standing| (standing.token.reference.clone(), standing);
    let mut held: BTreeMap<TokenReference, Standing> = locked.into_iter().map(held).collect();
    let mut answers = Vec::with_capacity(tokens.len());
    for new in tokens {
        let standing = held
            .get_mut(&new.token)
            .ok_or_else(|| Error::Conflict("a token's row went away".to_owned()))?;
        answers.push(take(standing, new, now));
    }
    let rows: Vec<RegistrationRow> = held
        .values()
        .filter_map(|standing| Some(RegistrationRow::of(standing, standing.registration.as_ref()?, now)))
        .collect();
    session.execute_batch(REGISTER, &rows).await?;
    Ok(answers)
}

/// What is given holds from now on; what is not stays as it was.
fn take(standing: &mut Standing, new: &NewRegistration, now: OffsetDateTime) -> Registered {
    let answer = match &standing.registration {
        Some(_) => Registered::Again,
        None if standing.token.is_unheard() => Registered::New,
        None => Registered::Known,
    };
    let held = standing.registration.take().unwrap_or(Registration {
        requestor: None,
        merchant_reference: None,
        status: None,
        registered_at: now,
    });
    standing.registration = Some(Registration {
        requestor: new.requestor.clone().or(held.requestor),
        merchant_reference: new.merchant_reference.clone().or(held.merchant_reference),
        status: new.status.clone().or(held.status),
        registered_at: held.registered_at,
    });
    answer
}
