//! Destinations and their deliveries.

use time::OffsetDateTime;

use super::Error;
use super::outbox::{DeliveryFilter, KeptDelivery, KeptDestination, ReplayFilter, Start, Turn, Turned};
use super::session::Session;
use crate::domain::id::DeliveryId;

/// Makes a destination's cursor if it has none.
pub(super) async fn enrol(
    session: &mut Session,
    destination: &str,
    start: Start,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let _ = (session, destination, start, now);
    todo!()
}

/// All destinations that were ever enrolled.
pub(super) async fn destinations(session: &mut Session) -> Result<Vec<KeptDestination>, Error> {
    let _ = session;
    todo!()
}

/// Stops sending to a destination, or goes on with it.
pub(super) async fn pause(
    session: &mut Session,
    destination: &str,
    why: Option<&str>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let _ = (session, destination, why, now);
    todo!()
}

/// One turn of a destination's worker.
pub(super) async fn turn(session: &mut Session, turn: &Turn<'_>, now: OffsetDateTime) -> Result<Turned, Error> {
    let _ = (session, turn, now);
    todo!()
}

/// A page of deliveries.
pub(super) async fn page(
    session: &mut Session,
    which: &DeliveryFilter,
    after: Option<DeliveryId>,
    limit: i64,
) -> Result<Vec<KeptDelivery>, Error> {
    let _ = (session, which, after, limit);
    todo!()
}

/// Makes them due now.
pub(super) async fn retry(
    session: &mut Session,
    which: &DeliveryFilter,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let _ = (session, which, dry_run, now);
    todo!()
}

/// Sets them aside for good.
pub(super) async fn skip(
    session: &mut Session,
    which: &DeliveryFilter,
    by: &str,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let _ = (session, which, by, dry_run, now);
    todo!()
}

/// Makes past events due once more.
pub(super) async fn replay(
    session: &mut Session,
    which: &ReplayFilter,
    dry_run: bool,
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let _ = (session, which, dry_run, now);
    todo!()
}
