//! What a merchant is told of a command, with its token as it stands.

use time::OffsetDateTime;

use crate::clock::new_id;
use crate::domain::command::Command;
use crate::domain::event::{Advice, Event, EventData, EventType, OfCommand, VERSION};
use crate::domain::id::EventId;
use crate::store::Error;
use crate::store::events::{self, EventRow};
use crate::store::row::row;
use crate::store::session::{Session, Sql, fetch};
use crate::store::values::{Stamp, Words};

const TOKEN: Sql = Sql {
    postgres: "\
-- told: the token as it stands, locked so that nothing is told of it in between
select coalesce(token_requestor_id, registered_requestor_id) as requestor, merchant_reference, status, suspended_by,
  status_at, reason_code, sequence
from tokens
where namespace = $1
  and token_unique_reference = $2
for no key update
",
    sqlite: "\
-- told: the token as it stands
select coalesce(token_requestor_id, registered_requestor_id) as requestor, merchant_reference, status, suspended_by,
  status_at, reason_code, sequence
from tokens
where namespace = $1
  and token_unique_reference = $2
",
};

row! {
    struct TokenRow {
        requestor: Option<String>,
        merchant_reference: Option<String>,
        status: Option<String>,
        suspended_by: Words,
        status_at: Option<Stamp>,
        reason_code: Option<String>,
        sequence: i64,
    }
}

impl TokenRow {
    /// Of a token that nothing was ever heard of.
    fn unheard() -> Self {
        TokenRow {
            requestor: None,
            merchant_reference: None,
            status: None,
            suspended_by: Words(Vec::new()),
            status_at: None,
            reason_code: None,
            sequence: 0,
        }
    }
}

/// Tells of a command as it stands now.
pub(super) async fn tell(
    session: &mut Session,
    kind: EventType,
    command: &Command,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let token = &command.order.token;
    let rows: Vec<TokenRow> = fetch!(session, TOKEN, token.namespace.as_str(), &token.reference)?;
    let standing = rows.into_iter().next().unwrap_or_else(TokenRow::unheard);
    let event = event(kind, command, standing, now);
    events::append(session, &[EventRow::of(&event, None, None)?]).await
}

fn event(kind: EventType, command: &Command, token: TokenRow, now: OffsetDateTime) -> Event {
    let reference = &command.order.token;
    Event {
        id: EventId(new_id(now)),
        kind,
        version: VERSION,
        timestamp: now,
        data: EventData {
            namespace: reference.namespace,
            token_unique_reference: reference.reference.clone(),
            token_requestor_id: token.requestor,
            merchant_reference: token.merchant_reference,
            sequence: token.sequence.unsigned_abs(),
            index: 1,
            of: 1,
            state_changed: false,
            status: token.status,
            previous_status: None,
            suspended_by: token.suspended_by.0,
            reason_code: token.reason_code,
            status_at: token.status_at.map(|at| at.0),
            received_at: now,
            changes: Vec::new(),
            notification_id: None,
            flags: Vec::new(),
            advice: Advice::on_command(kind),
            command: Some(OfCommand::of(command)),
            alarm: None,
        },
    }
}
