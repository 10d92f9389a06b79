//! What a batch makes of the tokens: decided in memory, between the locks and the writes.
//!
//! Pure: the locked tokens and what was heard before come in, rows come out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::values::{Id, Stamp};
use super::{Error, Outcome, Recorded, Recording};
use crate::domain::id::{ContentHash, NotificationId, TokenReference};
use crate::domain::notification::{Flag, Hearing, Statement, Windows};
use crate::domain::token::{Change, Decision, Doubt, Token, Verdict};

/// A statement's name in the journal: (notification, its place in `tokens[]`, its hash).
type Line = (NotificationId, u32, ContentHash);

/// What is known before a batch, and what is to be written after it.
pub(super) struct Plan<'a> {
    windows: &'a Windows,
    tokens: BTreeMap<TokenReference, Held>,
    heard: HashMap<(TokenReference, ContentHash), Vec<(OffsetDateTime, Line)>>,
    repeats: BTreeMap<Line, i64>,
    /// Journal rows.
    pub statements: Vec<StatementRow<'a>>,
    /// Applied changes.
    pub transitions: Vec<TransitionRow<'a>>,
    /// Tokens that could not be read.
    pub unreadable: Vec<UnreadableRow<'a>>,
}

struct Held {
    token: Token,
    changed: bool,
}

/// One journal row, as the database unfolds it.
#[derive(Serialize)]
pub(super) struct StatementRow<'a> {
    notification_id: Id,
    token_index: u32,
    statement_hash: ContentHash,
    namespace: &'static str,
    token_unique_reference: &'a str,
    verdict: Verdict,
    sequence: Option<u64>,
    status: Option<&'a str>,
    status_at: Option<Stamp>,
    reason_code: Option<&'a str>,
    flags: BTreeSet<Flag>,
    unrecognized: &'a Map<String, Value>,
    repeats: i64,
    received_at: Stamp,
}

/// One applied change.
#[derive(Serialize)]
pub(super) struct TransitionRow<'a> {
    namespace: &'static str,
    token_unique_reference: &'a str,
    sequence: u64,
    kind: &'static str,
    from_status: Option<String>,
    to_status: Option<String>,
    status_at: Option<Stamp>,
    reason_code: Option<&'a str>,
    changes: Vec<Change>,
    notification_id: Id,
}

/// One token as it is now.
#[derive(Serialize)]
pub(super) struct TokenRow<'p> {
    namespace: &'static str,
    token_unique_reference: &'p str,
    token_requestor_id: Option<&'p str>,
    status: Option<&'p str>,
    suspended_by: Vec<&'p str>,
    status_at: Option<Stamp>,
    reason_code: Option<&'p str>,
    token_info: Map<String, Value>,
    product_config: Map<String, Value>,
    sequence: u64,
    provisional: bool,
    doubts: &'p BTreeSet<Doubt>,
    number_notification_id: Option<Id>,
    state: &'p Token,
}

/// One token that could not be read.
#[derive(Serialize)]
pub(super) struct UnreadableRow<'a> {
    id: Id,
    received_at: Stamp,
    peer: &'a str,
    organization: Option<&'a str>,
    peer_address: String,
    peer_certificate: &'a str,
    body_bytes: usize,
    sealed_by: super::SealedBy,
    notification_id: Id,
    token_index: u32,
    detail: &'a str,
}

/// A journalled statement that was heard again.
#[derive(Serialize)]
pub(super) struct RepeatRow {
    notification_id: Id,
    token_index: u32,
    statement_hash: ContentHash,
    times: i64,
}

impl<'a> Plan<'a> {
    /// Over these tokens, locked.
    pub(super) fn new(tokens: Vec<Token>, windows: &'a Windows) -> Self {
        let held = |token: Token| (token.reference.clone(), Held { token, changed: false });
        Plan {
            windows,
            tokens: tokens.into_iter().map(held).collect(),
            heard: HashMap::new(),
            repeats: BTreeMap::new(),
            statements: Vec::new(),
            transitions: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// A statement that the journal holds.
    pub(super) fn remember(&mut self, token: TokenReference, at: OffsetDateTime, line: Line) {
        self.heard.entry((token, line.2)).or_default().push((at, line));
    }

    /// Takes in one notification that was not told before.
    pub(super) fn take(&mut self, recording: &'a Recording) -> Result<Recorded, Error> {
        let id = recording.notification();
        let outcomes: Result<Vec<Outcome>, Error> = recording
            .statements
            .iter()
            .map(|statement| self.hear(id, recording, statement))
            .collect();
        self.unreadable.extend(unreadable(id, recording));
        Ok(Recorded::New {
            id,
            outcomes: outcomes?,
        })
    }

    fn hear(
        &mut self,
        notification: NotificationId,
        recording: &Recording,
        statement: &'a Statement,
    ) -> Result<Outcome, Error> {
        let received_at = micros(recording.received_at);
        let before = self.heard_before(statement, received_at);
        let hearing = Hearing {
            received_at,
            notification,
            heard_before: before.map(|(at, _)| at),
        };
        let held = self
            .tokens
            .get_mut(&statement.token)
            .ok_or_else(|| Error::Conflict("a token's row went away".to_owned()))?;
        let decision = held.token.after(statement, &hearing, self.windows);
        let outcome = Outcome {
            token: statement.token.clone(),
            verdict: decision.verdict,
            status: decision.token.status().cloned(),
            sequence: decision.token.sequence,
            flags: decision.flags.clone(),
        };
        held.changed |= decision.token != held.token;
        let was = std::mem::replace(&mut held.token, decision.token.clone());
        match (decision.verdict, before) {
            (Verdict::Repeat, Some((_, line))) => *self.repeats.entry(line).or_default() += 1,
            _ => self.journal(&was, decision, statement, &hearing),
        }
        Ok(outcome)
    }

    /// When it was latest counted as new, within the retry window of this hearing either way.
    fn heard_before(&self, statement: &Statement, received_at: OffsetDateTime) -> Option<(OffsetDateTime, Line)> {
        self.heard
            .get(&(statement.token.clone(), statement.hash))?
            .iter()
            .filter(|(at, _)| (received_at - *at).abs() <= self.windows.retry)
            .max()
            .copied()
    }

    fn journal(&mut self, was: &Token, decision: Decision, statement: &'a Statement, hearing: &Hearing) {
        let now = &decision.token;
        if let Some(kind) = decision.kind() {
            self.transitions.push(TransitionRow {
                namespace: statement.token.namespace.as_str(),
                token_unique_reference: &statement.token.reference,
                sequence: now.sequence,
                kind,
                from_status: was.status().map(ToString::to_string),
                to_status: now.status().map(ToString::to_string),
                status_at: now.status_at().map(Stamp),
                reason_code: statement.reason_code.as_deref(),
                changes: decision.changes,
                notification_id: Id(hearing.notification.0),
            });
        }
        self.statements.push(StatementRow {
            notification_id: Id(hearing.notification.0),
            token_index: statement.index,
            statement_hash: statement.hash,
            namespace: statement.token.namespace.as_str(),
            token_unique_reference: &statement.token.reference,
            verdict: decision.verdict,
            sequence: (decision.verdict == Verdict::Advanced).then_some(now.sequence),
            status: statement.status.as_ref().map(|status| status.as_str()),
            status_at: statement.instant.map(|instant| Stamp(instant.at())),
            reason_code: statement.reason_code.as_deref(),
            flags: decision.flags,
            unrecognized: &statement.unrecognized,
            repeats: 0,
            received_at: Stamp(hearing.received_at),
        });
        let line = (hearing.notification, statement.index, statement.hash);
        self.remember(statement.token.clone(), hearing.received_at, line);
    }

    /// Counts repeats of this batch's own rows on them, and gives those of rows that rest already.
    pub(super) fn settle_repeats(&mut self) -> Vec<RepeatRow> {
        for row in &mut self.statements {
            let line = (
                NotificationId(row.notification_id.0),
                row.token_index,
                row.statement_hash,
            );
            row.repeats = self.repeats.remove(&line).unwrap_or_default();
        }
        let row = |((notification, token_index, statement_hash), times): (Line, i64)| RepeatRow {
            notification_id: Id(notification.0),
            token_index,
            statement_hash,
            times,
        };
        std::mem::take(&mut self.repeats).into_iter().map(row).collect()
    }

    /// The tokens that are other than they were.
    pub(super) fn changed_tokens(&self) -> Vec<TokenRow<'_>> {
        let changed = self.tokens.values().filter(|held| held.changed);
        changed.map(|held| token_row(&held.token)).collect()
    }
}

fn token_row(token: &Token) -> TokenRow<'_> {
    TokenRow {
        namespace: token.reference.namespace.as_str(),
        token_unique_reference: &token.reference.reference,
        token_requestor_id: token.requestor(),
        status: token.status().map(|status| status.as_str()),
        suspended_by: token.suspended_by().collect(),
        status_at: token.status_at().map(Stamp),
        reason_code: token.reason_code(),
        token_info: token.object("tokenInfo"),
        product_config: token.object("productConfig"),
        sequence: token.sequence,
        provisional: token.is_provisional(),
        doubts: token.doubts(),
        number_notification_id: token.number_in().map(|id| Id(id.0)),
        state: token,
    }
}

fn unreadable(notification: NotificationId, recording: &Recording) -> impl Iterator<Item = UnreadableRow<'_>> {
    recording.unreadable.iter().map(move |(id, token)| UnreadableRow {
        id: Id(id.0),
        received_at: Stamp(recording.received_at),
        peer: &recording.peer.name,
        organization: recording.peer.organization.as_deref(),
        peer_address: recording.peer.address.to_string(),
        peer_certificate: &recording.peer.certificate_sha256,
        body_bytes: recording.sealed_body.len(),
        sealed_by: recording.sealed_by,
        notification_id: Id(notification.0),
        token_index: token.index,
        detail: &token.reason,
    })
}

/// No finer than a database keeps it, so that what is read back compares equal.
fn micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}
