//! Hints: what is said by somebody who cannot prove it.
//!
//! A hint by itself changes nothing of what we hold. It raises a doubt and waits, privately, for an answer to a question
//! of ours: what the answer agrees with is taken with the hint's own instant, suspenders and reason, what it denies is
//! dropped. Of several hints the greatest waits, in the order of the rules, so that their arrival does not matter.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use super::rules::{Heard, readable};
use super::said::{Register, Said};
use super::{Change, Decision, Doubt, Token, Verdict};
use crate::domain::notification::{CARD_METADATA, FieldName, Flag, Hearing, Statement, TOKEN_REFERENCE_ID, Windows};
use crate::domain::status::{Instant, Status};

/// An answer that came so soon after a hint may have been given before what the hint speaks of: no call of ours takes
/// longer. It agrees with the hint, or says nothing of it.
const SOON: Duration = Duration::seconds(30);

/// What was hinted at, and waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Hint {
    /// The status; `None`: only fields.
    said: Option<Said>,
    fields: BTreeMap<FieldName, Register>,
    /// When the newest of it came.
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
    /// It is other than what we hold: worth a question.
    #[serde(default)]
    is_news: bool,
}

impl Token {
    /// The token after this hint, and what became of it. Pure, as [`Token::after`]; the status, its suspenders and every
    /// field stay as they are, and so does the sequence. What says what we hold, or is older, raises no doubt; what says
    /// anew what we hold waits silently, so that of several hints the greatest is known, whichever came first.
    pub fn hinted(&self, statement: &Statement, hearing: &Hearing, windows: &Windows) -> Decision {
        let is_repeat = |before: OffsetDateTime| (hearing.received_at - before).abs() <= windows.retry;
        let decided = |token: Token, verdict, flags| Decision {
            token,
            verdict,
            changes: Vec::new(),
            flags,
        };
        if hearing.heard_before.is_some_and(is_repeat) {
            return decided(self.clone(), Verdict::Repeat, statement.flags.clone());
        }
        if self.is_of_another(statement) {
            return self.with_another(statement);
        }
        let believed = self.after(statement, hearing, windows);
        let is_news = believed.changes.iter().any(|change| change.field != REQUESTOR);
        let mut token = self.clone();
        token.name_network_token(statement, hearing);
        let instant = readable(statement, hearing, windows, &mut believed.flags.clone());
        match believed.verdict {
            Verdict::Advanced if is_news => {}
            Verdict::Untimed | Verdict::Anomaly => {}
            _ if believed.flags.contains(&Flag::StaleStatus) => {
                return decided(token, Verdict::Stale, believed.flags);
            }
            _ => {
                token.hint_again(statement, instant, hearing);
                return decided(token, Verdict::Unchanged, believed.flags);
            }
        }
        token.keep_hint(statement, instant, hearing);
        token.mark();
        decided(token, Verdict::Hinted, believed.flags)
    }

    fn hint_from(&mut self, hearing: &Hearing) -> &mut Hint {
        let hint = self.hint.get_or_insert_with(|| Hint {
            said: None,
            fields: BTreeMap::new(),
            received_at: hearing.received_at,
            is_news: false,
        });
        hint.received_at = hint.received_at.max(hearing.received_at);
        hint
    }

    /// The status that we hold was said anew, and newer: a hint that waits says no more than the greater of the two.
    fn hint_again(&mut self, statement: &Statement, instant: Option<Instant>, hearing: &Hearing) {
        let said = said_by(statement, instant).filter(|said| said.instant.is_some());
        let is_newer = |said: &Said| self.timed.as_ref().is_none_or(|held| said.rank() > held.rank());
        if let Some(said) = said.filter(is_newer) {
            self.hint_from(hearing).join(said);
        }
    }

    fn keep_hint(&mut self, statement: &Statement, instant: Option<Instant>, hearing: &Hearing) {
        let hint = self.hint_from(hearing);
        hint.is_news = true;
        if let Some(said) = said_by(statement, instant) {
            hint.join(said);
        }
        for (field, value) in &statement.metadata {
            let register = Register {
                value: value.clone(),
                instant: instant.map(Instant::at),
                received_at: hearing.received_at,
            };
            let held = hint.fields.get(field);
            if field != TOKEN_REFERENCE_ID && held.is_none_or(|held| register.exceeds(held)) {
                hint.fields.insert(field.clone(), register);
            }
        }
    }

    /// What the answer leaves unsaid, the hint that it agrees with has said: its suspenders, its reason, and its
    /// instant if that is newer than what we hold.
    pub(super) fn as_hinted(&self, mut said: Said) -> Said {
        let hinted = self.hint.as_ref().and_then(|hint| hint.said.as_ref());
        let Some(hinted) = hinted.filter(|hinted| hinted.status == said.status) else {
            return said;
        };
        let newest = self.timed.as_ref().and_then(Said::standing);
        if said.suspended_by.is_empty() {
            said.suspended_by.clone_from(&hinted.suspended_by);
        }
        if said.instant.is_none() && hinted.standing() > newest {
            said.instant = hinted.instant;
        }
        said.reason_code = said.reason_code.or_else(|| hinted.reason_code.clone());
        said
    }

    /// An answer was taken that says this status: the hint is over, one way or the other, and what it said of fields
    /// is taken if the answer does not deny it. That a card is worth fetching nobody can deny.
    pub(super) fn settle_hint(&mut self, status: &Status, hearing: &Hearing) -> Vec<Change> {
        let Some(hint) = self.hint.take() else {
            return Vec::new();
        };
        let is_denied = hint.said.as_ref().is_some_and(|said| said.status != *status);
        if is_denied && hint.is_soon(hearing) {
            self.hint = Some(Hint { is_news: true, ..hint });
            return Vec::new();
        }
        let fields = hint.fields.into_iter();
        let taken = fields.filter(|(field, _)| !is_denied || field == CARD_METADATA);
        taken
            .filter_map(|(field, register)| self.take_field(field, register))
            .collect()
    }

    /// What we hold, or something stricter than the answer, was hinted at just now: who answers may not know of it, and
    /// must not loosen it. Ask again.
    pub(super) fn is_overtaken(&self, statement: &Statement, hearing: &Hearing) -> bool {
        let Some((status, held)) = statement.status.as_ref().zip(self.status()) else {
            return false;
        };
        let denies = |hint: &Hint| hint.said.as_ref().is_some_and(|said| said.status != *status);
        let loosens = status.strictness() < held.strictness();
        loosens
            && self
                .hint
                .as_ref()
                .is_some_and(|hint| hint.is_soon(hearing) && denies(hint))
    }

    fn take_field(&mut self, field: FieldName, register: Register) -> Option<Change> {
        let held = self.fields.get(&field);
        if held.is_some_and(|held| !register.exceeds(held)) {
            return None;
        }
        let from = held.and_then(|held| held.value.clone());
        let to = register.value.clone();
        self.fields.insert(field.clone(), register);
        (from != to).then_some(Change { field, from, to })
    }

    /// A statement was taken: a hint that is not greater than it says nothing any more.
    pub(super) fn outgrow_hint(&mut self, heard: &Heard) {
        let Some((hint, held)) = self.hint.as_mut().zip(self.timed.as_ref()) else {
            return;
        };
        if !matches!(heard, Heard::Taken) {
            return;
        }
        hint.said = hint.said.take().filter(|said| said.rank() > held.rank());
        if hint.said.is_none() && !hint.fields.contains_key(CARD_METADATA) {
            self.hint = None;
        }
    }

    /// The doubts that follow from what else we hold.
    pub(super) fn mark(&mut self) {
        let standing = [
            (Doubt::Hinted, self.hint.as_ref().is_some_and(|hint| hint.is_news)),
            (Doubt::SeveralNetworkTokens, self.several_network_tokens),
            (Doubt::NumberMissing, self.lacks_number()),
        ];
        for (doubt, is_there) in standing {
            match is_there {
                true => self.doubts.insert(doubt),
                false => self.doubts.remove(&doubt),
            };
        }
    }
}

/// Several network tokens of one TokenEx token share a name and nothing else.
impl Token {
    /// It speaks of another network token than the one that we hold the state of. Once that one is gone, another may
    /// come after it.
    pub(super) fn is_of_another(&self, statement: &Statement) -> bool {
        let held = self.field(TOKEN_REFERENCE_ID);
        let said = statement.metadata.get(TOKEN_REFERENCE_ID).and_then(Option::as_ref);
        !self.is_gone() && held.zip(said).is_some_and(|(held, said)| held != said)
    }

    /// Nothing of it is applied; but from now on nobody can tell of which network token an answer speaks.
    pub(super) fn with_another(&self, statement: &Statement) -> Decision {
        let mut token = self.clone();
        token.several_network_tokens = true;
        token.mark();
        let mut flags = statement.flags.clone();
        flags.insert(Flag::SeveralNetworkTokens);
        Decision {
            token,
            verdict: Verdict::Hinted,
            changes: Vec::new(),
            flags,
        }
    }

    /// Which network token we hold the state of: the first that was spoken of. That is a name and no change.
    pub(super) fn name_network_token(&mut self, statement: &Statement, hearing: &Hearing) {
        let Some(Some(id)) = statement.metadata.get(TOKEN_REFERENCE_ID) else {
            return;
        };
        if self.field(TOKEN_REFERENCE_ID).is_none() || self.is_gone() {
            let register = Register {
                value: Some(id.clone()),
                instant: None,
                received_at: hearing.received_at,
            };
            self.fields.insert(TOKEN_REFERENCE_ID.to_owned(), register);
        }
    }

    /// TokenEx's name of the network token that we hold the state of, if it ever told one.
    pub fn token_reference_id(&self) -> Option<&str> {
        self.field(TOKEN_REFERENCE_ID).and_then(Value::as_str)
    }
}

const REQUESTOR: &str = "tokenRequestorId";

fn said_by(statement: &Statement, instant: Option<Instant>) -> Option<Said> {
    Some(Said {
        status: statement.status.clone()?,
        suspended_by: statement.suspended_by.clone(),
        instant,
        reason_code: statement.reason_code.clone(),
        bar: None,
    })
}

impl Hint {
    fn is_soon(&self, hearing: &Hearing) -> bool {
        hearing.received_at - self.received_at < SOON
    }

    /// The greater one waits; two of one rank add up.
    fn join(&mut self, said: Said) {
        let Some(held) = &mut self.said else {
            self.said = Some(said);
            return;
        };
        match said.rank().cmp(&held.rank()) {
            Ordering::Less => {}
            Ordering::Greater => *held = said,
            Ordering::Equal => {
                held.suspended_by.extend(said.suspended_by);
                held.reason_code = held.reason_code.take().max(said.reason_code);
            }
        }
    }
}
