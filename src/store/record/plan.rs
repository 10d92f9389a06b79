//! What a batch makes of the tokens: decided in memory, between the locks and the writes.
//!
//! Pure: the locked tokens and what was heard before come in; what is to be written comes out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::OffsetDateTime;

use super::telling;
use crate::domain::event::{EventData, EventType};
use crate::domain::id::{ContentHash, NotificationId, QuarantineId, TokenReference};
use crate::domain::notification::{Flag, Hearing, Statement, UnreadableToken, Windows};
use crate::domain::status::Status;
use crate::domain::token::{Change, Manner, Verdict};
use crate::store::outbox::Standing;
use crate::store::{Error, Outcome, Recorded, Recording};

/// A statement's name in the journal: (notification, its place in `tokens[]`, its hash).
pub(super) type Line = (NotificationId, u32, ContentHash);

/// What is known before a batch, and what is to be written after it.
pub(super) struct Plan<'a> {
    windows: &'a Windows,
    tokens: BTreeMap<TokenReference, Held>,
    heard: HashMap<(TokenReference, ContentHash), Vec<(OffsetDateTime, Line)>>,
    /// What is new in the journal.
    pub journal: Vec<Entry<'a>>,
    /// How often lines of the journal were heard again, those of this batch among them.
    pub repeats: BTreeMap<Line, i64>,
    /// Tokens that could not be read, each with the notification that it stands in.
    pub unreadable: Vec<(&'a Recording, &'a (QuarantineId, UnreadableToken))>,
}

struct Held {
    standing: Standing,
    changed: bool,
}

/// One statement that was not a repeat, and what became of it.
pub(super) struct Entry<'a> {
    pub statement: &'a Statement,
    pub hearing: Hearing,
    pub verdict: Verdict,
    /// `None` unless it changed something.
    pub kind: Option<&'static str>,
    /// The token's, after it.
    pub sequence: u64,
    pub from_status: Option<Status>,
    pub to_status: Option<Status>,
    /// When the status became what it is.
    pub status_at: Option<OffsetDateTime>,
    /// Why it changed.
    pub reason_code: Option<String>,
    pub changes: Vec<Change>,
    pub flags: BTreeSet<Flag>,
    /// What a merchant is told of it, in this order.
    pub told: Vec<(EventType, EventData)>,
}

impl Entry<'_> {
    /// Its name in the journal.
    pub(super) fn line(&self) -> Line {
        (self.hearing.notification, self.statement.index, self.statement.hash)
    }
}

impl<'a> Plan<'a> {
    /// Over these tokens, locked.
    pub(super) fn new(tokens: Vec<Standing>, windows: &'a Windows) -> Self {
        let held = |standing: Standing| {
            (
                standing.token.reference.clone(),
                Held {
                    standing,
                    changed: false,
                },
            )
        };
        Plan {
            windows,
            tokens: tokens.into_iter().map(held).collect(),
            heard: HashMap::new(),
            journal: Vec::new(),
            repeats: BTreeMap::new(),
            unreadable: Vec::new(),
        }
    }

    /// A statement that the journal holds.
    pub(super) fn remember(&mut self, token: TokenReference, at: OffsetDateTime, line: Line) {
        self.heard.entry((token, line.2)).or_default().push((at, line));
    }

    /// Takes in one notification that was not told before.
    pub(super) fn take(&mut self, recording: &'a Recording) -> Result<Recorded, Error> {
        let outcomes: Result<Vec<Outcome>, Error> = recording
            .statements
            .iter()
            .map(|statement| self.hear(recording, statement))
            .collect();
        self.unreadable
            .extend(recording.unreadable.iter().map(|token| (recording, token)));
        Ok(Recorded::New {
            id: recording.notification(),
            outcomes: outcomes?,
        })
    }

    fn hear(&mut self, recording: &Recording, statement: &'a Statement) -> Result<Outcome, Error> {
        let received_at = micros(recording.received_at);
        let before = self.heard_before(statement, received_at);
        let hearing = Hearing {
            received_at,
            notification: recording.notification(),
            heard_before: before.map(|(at, _)| at),
        };
        let held = self
            .tokens
            .get_mut(&statement.token)
            .ok_or_else(|| Error::Conflict("a token's row went away".to_owned()))?;

        let entry = held.hear(statement, hearing, &recording.manner, self.windows);
        let outcome = entry.outcome();
        match (entry.verdict, before) {
            (Verdict::Repeat, Some((_, line))) => *self.repeats.entry(line).or_default() += 1,
            // Nothing of it was applied: who says the same as a statement is heard for the first time.
            (Verdict::Late, _) => self.journal.push(entry),
            _ => {
                self.remember(statement.token.clone(), received_at, entry.line());
                self.journal.push(entry);
            }
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

    /// The tokens that are other than they were, in the order of their identity.
    pub(super) fn changed_tokens(&self) -> impl Iterator<Item = &Standing> {
        self.tokens
            .values()
            .filter(|held| held.changed)
            .map(|held| &held.standing)
    }
}

impl Held {
    fn hear<'a>(
        &mut self,
        statement: &'a Statement,
        hearing: Hearing,
        manner: &Manner,
        windows: &Windows,
    ) -> Entry<'a> {
        let token = &self.standing.token;
        let mut decision = token.heard(statement, &hearing, manner, windows);
        if token.is_unheard() && self.standing.registration.is_none() {
            decision.flags.insert(Flag::Unregistered);
        }
        let told = telling::told(&self.standing, &decision, statement, &hearing);
        let kind = decision.kind();
        let reason_code = decision.reason_code(statement);
        let from_status = token.status().cloned();
        self.changed |= decision.token != *token;
        let token = decision.token;
        let entry = Entry {
            statement,
            hearing,
            verdict: decision.verdict,
            kind,
            sequence: token.sequence,
            from_status,
            to_status: token.status().cloned(),
            status_at: token.status_at(),
            reason_code,
            changes: decision.changes,
            flags: decision.flags,
            told,
        };
        self.standing.token = token;
        entry
    }
}

impl Entry<'_> {
    fn outcome(&self) -> Outcome {
        Outcome {
            token: self.statement.token.clone(),
            verdict: self.verdict,
            status: self.to_status.clone(),
            sequence: self.sequence,
            flags: self.flags.clone(),
            adds_only: self.changes.iter().all(|change| change.from.is_none()),
        }
    }
}

/// No finer than a database keeps it, so that what is read back compares equal.
fn micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_microsecond(at.microsecond()).unwrap_or(at)
}
