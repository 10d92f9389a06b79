//! The rows of a batch, as its statements take them: a field is a parameter, in this order.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::plan::{Entry, Line};
use crate::domain::id::{ContentHash, QuarantineId};
use crate::domain::notification::{Statement, UnreadableToken, Windows};
use crate::domain::token::Verdict;
use crate::store::batch::batch_row;
use crate::store::outbox::Standing;
use crate::store::values::{Bytes, Document, Id, Stamp};
use crate::store::{Error, Recording, SealedBy};

batch_row! {
    /// One notification.
    pub(super) struct NotificationRow<'a> {
        id: Id,
        request_id: &'a str,
        content_hash: Bytes<'a>,
        received_at: Stamp,
        peer: &'a str,
        organization: Option<&'a str>,
        peer_address: String,
        peer_certificate: &'a str,
        sealed_by: &'static str,
        key: &'a str,
        flags: Document,
        sealed_body: Bytes<'a>,
    }
}

impl<'a> NotificationRow<'a> {
    pub(super) fn of(recording: &'a Recording) -> Result<Self, Error> {
        Ok(NotificationRow {
            id: Id(recording.id.0),
            request_id: &recording.request_id,
            content_hash: Bytes(&recording.content.0),
            received_at: Stamp(recording.received_at),
            peer: &recording.peer.name,
            organization: recording.peer.organization.as_deref(),
            peer_address: recording.peer.address.to_string(),
            peer_certificate: &recording.peer.certificate_sha256,
            sealed_by: recording.sealed_by.as_str(),
            key: &recording.key,
            flags: Document::of(&recording.flags)?,
            sealed_body: Bytes(&recording.sealed_body),
        })
    }
}

batch_row! {
    /// Repeats of one notification, which only its identity tells.
    pub(super) struct AgainRow<'a> {
        request_id: &'a str,
        content_hash: Bytes<'a>,
        times: i64,
    }
}

impl<'a> AgainRow<'a> {
    pub(super) fn of(identity: &'a (&'a str, ContentHash), times: i64) -> Self {
        AgainRow {
            request_id: identity.0,
            content_hash: Bytes(&identity.1.0),
            times,
        }
    }
}

batch_row! {
    /// One statement that the journal may hold, and between which times of receipt that would matter.
    pub(super) struct AskedRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
        statement_hash: Bytes<'a>,
        since: Stamp,
        until: Stamp,
    }
}

impl<'a> AskedRow<'a> {
    pub(super) fn of(recording: &Recording, statement: &'a Statement, windows: &Windows) -> Self {
        let received_at = recording.received_at;
        let around = |by| Stamp(received_at.checked_add(by).unwrap_or(received_at));
        AskedRow {
            namespace: statement.token.namespace.as_str(),
            token_unique_reference: &statement.token.reference,
            statement_hash: Bytes(&statement.hash.0),
            since: around(-windows.retry),
            until: around(windows.retry),
        }
    }
}

batch_row! {
    /// One token as it is now.
    pub(super) struct TokenRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
        token_requestor_id: Option<&'a str>,
        status: Option<&'a str>,
        suspended_by: Document,
        status_at: Option<Stamp>,
        reason_code: Option<&'a str>,
        token_info: Document,
        product_config: Document,
        sequence: i64,
        provisional: bool,
        doubts: Document,
        number_notification_id: Option<Id>,
        state: Document,
        updated_at: Stamp,
    }
}

impl<'a> TokenRow<'a> {
    pub(super) fn of(standing: &'a Standing, now: OffsetDateTime) -> Result<Self, Error> {
        let token = &standing.token;
        Ok(TokenRow {
            namespace: token.reference.namespace.as_str(),
            token_unique_reference: &token.reference.reference,
            token_requestor_id: standing.requestor(),
            status: token.status().map(|status| status.as_str()),
            suspended_by: Document::of(&token.suspended_by().collect::<Vec<_>>())?,
            status_at: token.status_at().map(Stamp),
            reason_code: token.reason_code(),
            token_info: Document::of(&token.object("tokenInfo"))?,
            product_config: Document::of(&token.object("productConfig"))?,
            sequence: token.sequence.cast_signed(),
            provisional: token.is_provisional(),
            doubts: Document::of(token.doubts())?,
            number_notification_id: token.number_in().map(|id| Id(id.0)),
            state: Document::of(token)?,
            updated_at: Stamp(now),
        })
    }
}

batch_row! {
    /// One line of the journal.
    pub(super) struct StatementRow<'a> {
        notification_id: Id,
        token_index: i32,
        statement_hash: Bytes<'a>,
        namespace: &'static str,
        token_unique_reference: &'a str,
        verdict: &'static str,
        sequence: Option<i64>,
        status: Option<&'a str>,
        status_at: Option<Stamp>,
        reason_code: Option<&'a str>,
        flags: Document,
        unrecognized: Document,
        repeats: i64,
        received_at: Stamp,
    }
}

impl<'a> StatementRow<'a> {
    /// Takes the entry's own repeats out of `repeats`.
    pub(super) fn of(entry: &Entry<'a>, repeats: &mut BTreeMap<Line, i64>) -> Result<Self, Error> {
        let statement = entry.statement;
        Ok(StatementRow {
            notification_id: Id(entry.hearing.notification.0),
            token_index: place(statement.index),
            statement_hash: Bytes(&statement.hash.0),
            namespace: statement.token.namespace.as_str(),
            token_unique_reference: &statement.token.reference,
            verdict: entry.verdict.as_str(),
            sequence: (entry.verdict == Verdict::Advanced).then_some(entry.sequence.cast_signed()),
            status: statement.status.as_ref().map(|status| status.as_str()),
            status_at: statement.instant.map(|instant| Stamp(instant.at())),
            reason_code: statement.reason_code.as_deref(),
            flags: Document::of(&entry.flags)?,
            unrecognized: Document::of(&statement.unrecognized)?,
            repeats: repeats.remove(&entry.line()).unwrap_or_default(),
            received_at: Stamp(entry.hearing.received_at),
        })
    }
}

batch_row! {
    /// One applied change.
    pub(super) struct TransitionRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
        sequence: i64,
        kind: &'static str,
        from_status: Option<&'a str>,
        to_status: Option<&'a str>,
        status_at: Option<Stamp>,
        reason_code: Option<&'a str>,
        changes: Document,
        notification_id: Id,
        recorded_at: Stamp,
    }
}

impl<'a> TransitionRow<'a> {
    /// Of an entry that changed something.
    pub(super) fn of(entry: &'a Entry<'a>, kind: &'static str, now: OffsetDateTime) -> Result<Self, Error> {
        let token = &entry.statement.token;
        Ok(TransitionRow {
            namespace: token.namespace.as_str(),
            token_unique_reference: &token.reference,
            sequence: entry.sequence.cast_signed(),
            kind,
            from_status: entry.from_status.as_ref().map(|status| status.as_str()),
            to_status: entry.to_status.as_ref().map(|status| status.as_str()),
            status_at: entry.status_at.map(Stamp),
            reason_code: entry.reason_code.as_deref(),
            changes: Document::of(&entry.changes)?,
            notification_id: Id(entry.hearing.notification.0),
            recorded_at: Stamp(now),
        })
    }
}

batch_row! {
    /// Repeats of one line of the journal.
    pub(super) struct RepeatRow<'a> {
        notification_id: Id,
        token_index: i32,
        statement_hash: Bytes<'a>,
        times: i64,
    }
}

impl<'a> RepeatRow<'a> {
    pub(super) fn of((notification, index, hash): &'a Line, times: i64) -> Self {
        RepeatRow {
            notification_id: Id(notification.0),
            token_index: place(*index),
            statement_hash: Bytes(&hash.0),
            times,
        }
    }
}

batch_row! {
    /// One token that could not be read.
    pub(super) struct UnreadableRow<'a> {
        id: Id,
        received_at: Stamp,
        peer: &'a str,
        organization: Option<&'a str>,
        peer_address: String,
        peer_certificate: &'a str,
        body_bytes: i64,
        sealed_by: &'static str,
        notification_id: Id,
        token_index: i32,
        detail: &'a str,
    }
}

impl<'a> UnreadableRow<'a> {
    pub(super) fn of(recording: &'a Recording, (id, token): &'a (QuarantineId, UnreadableToken)) -> Self {
        UnreadableRow {
            id: Id(id.0),
            received_at: Stamp(recording.received_at),
            peer: &recording.peer.name,
            organization: recording.peer.organization.as_deref(),
            peer_address: recording.peer.address.to_string(),
            peer_certificate: &recording.peer.certificate_sha256,
            body_bytes: recording.sealed_body.len() as i64,
            sealed_by: recording.sealed_by.as_str(),
            notification_id: Id(recording.notification().0),
            token_index: place(token.index),
            detail: &token.reason,
        }
    }
}

impl SealedBy {
    /// The word that the store uses.
    pub(in crate::store) fn as_str(self) -> &'static str {
        match self {
            SealedBy::Sender => "sender",
            SealedBy::Us => "us",
        }
    }
}

/// A place in `tokens[]`, which no body is long enough to bring near the bound.
fn place(index: u32) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}
