//! A token is a join of statements, not a log of arrivals.
//!
//! Each part of it takes the greatest statement heard, in a total order that does not depend on
//! arrival; so that any order and any repetition of timed statements ends in the same token.
//! The one door is [`Token::after`].

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::id::{ContentHash, NotificationId, TokenReference};
use super::notification::{FieldName, Flag, Hearing, Statement, TOKEN_NUMBER, Windows};

/// A token's status, in MDES's words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Status {
    /// Not yet activated.
    Inactive,
    /// Ready to transact.
    Active,
    /// Unable to transact, until every suspender lets go.
    Suspended,
    /// Gone for good.
    Deactivated,
    /// A word that we do not know, verbatim. Not chargeable until someone says so.
    Unknown(String),
}

impl Status {
    /// MDES's word, verbatim.
    pub fn as_str(&self) -> &str {
        match self {
            Status::Inactive => "INACTIVE",
            Status::Active => "ACTIVE",
            Status::Suspended => "SUSPENDED",
            Status::Deactivated => "DEACTIVATED",
            Status::Unknown(word) => word,
        }
    }

    /// How much it forbids: at equal instants the stricter statement wins.
    fn strictness(&self) -> u8 {
        match self {
            Status::Inactive => 0,
            Status::Active => 1,
            Status::Suspended => 2,
            Status::Unknown(_) => 3,
            Status::Deactivated => 4,
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match word.as_str() {
            "INACTIVE" => Status::Inactive,
            "ACTIVE" => Status::Active,
            "SUSPENDED" => Status::Suspended,
            "DEACTIVATED" => Status::Deactivated,
            _ => Status::Unknown(word),
        }
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        status.as_str().to_owned()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A `statusTimestamp`: an instant, and whether it was given only to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instant {
    /// The instant as stated, in UTC, to the microsecond.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// It had no fraction, so that it stands somewhere within its second.
    whole_second: bool,
}

impl Instant {
    /// The instant as stated; finer than a microsecond is dropped, since no store keeps it.
    pub fn new(at: OffsetDateTime, whole_second: bool) -> Self {
        let at = at.to_offset(time::UtcOffset::UTC);
        let micros = at.nanosecond() / 1_000 * 1_000;
        Instant {
            at: at.replace_nanosecond(micros).unwrap_or(at),
            whole_second,
        }
    }

    /// As stated.
    pub fn at(self) -> OffsetDateTime {
        self.at
    }

    /// Where in its second it stands for this status, so that the doubt falls on the safe side:
    /// at the end if it forbids, at the beginning if it allows.
    fn standing_for(self, status: &Status) -> OffsetDateTime {
        let forbids = status.strictness() >= Status::Suspended.strictness();
        if self.whole_second && forbids {
            self.at + time::Duration::microseconds(999_999)
        } else {
            self.at
        }
    }

    fn may_equal(self, other: Instant) -> bool {
        if self.whole_second || other.whole_second {
            self.at.unix_timestamp() == other.at.unix_timestamp()
        } else {
            self.at == other.at
        }
    }
}

/// Why what we hold may not be the truth; such a token is worth asking after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Two different statements share an instant; the stricter holds.
    Tie,
    /// Something was said without a readable instant.
    Untimed,
    /// Something was said with an instant far ahead of our clock.
    FromTheFuture,
    /// DEACTIVATED came with an older instant than what we held.
    DeactivatedOutOfOrder,
    /// A statement was heard again after another had come between.
    RepeatedAcross,
    /// Something else was said after DEACTIVATED.
    WokeAfterDeactivation,
}

/// One status statement, as far as it matters later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    status: Status,
    suspended_by: BTreeSet<String>,
    instant: Option<Instant>,
    reason_code: Option<String>,
}

impl Said {
    /// The total order of the rules: DEACTIVATED absorbs, then the instant, then strictness, then the word.
    fn rank(&self) -> (bool, Option<OffsetDateTime>, u8, &str) {
        (
            self.status == Status::Deactivated,
            self.standing(),
            self.status.strictness(),
            self.status.as_str(),
        )
    }

    fn standing(&self) -> Option<OffsetDateTime> {
        self.instant.map(|instant| instant.standing_for(&self.status))
    }

    /// The two may be of one instant and do not say the same.
    fn ties_with(&self, other: &Said) -> bool {
        let same_instant = match (self.instant, other.instant) {
            (Some(a), Some(b)) => a.may_equal(b),
            _ => false,
        };
        let suspenders_differ =
            self.suspended_by != other.suspended_by && !self.suspended_by.is_empty() && !other.suspended_by.is_empty();
        same_instant && (self.status != other.status || suspenders_differ)
    }
}

/// One metadata field and the stamp by which a later statement must exceed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Register {
    value: Option<Value>,
    #[serde(with = "time::serde::rfc3339::option")]
    instant: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    received_at: OffsetDateTime,
}

impl Register {
    fn exceeds(&self, held: &Register) -> bool {
        let stamp = (self.instant, self.received_at);
        let held_stamp = (held.instant, held.received_at);
        // The last resort only makes two statements of one receipt fall out the same everywhere.
        match stamp.cmp(&held_stamp) {
            Ordering::Equal => self.printed() > held.printed(),
            order => order == Ordering::Greater,
        }
    }

    fn printed(&self) -> String {
        self.value.as_ref().map(Value::to_string).unwrap_or_default()
    }
}

/// What we know of one token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Token {
    /// Its identity.
    pub reference: TokenReference,
    /// How many changes were applied; the `sequence` of the newest transition, 0 before the first.
    pub sequence: u64,
    timed: Option<Said>,
    untimed: Option<Said>,
    doubts: BTreeSet<Doubt>,
    fields: BTreeMap<FieldName, Register>,
    number_in: Option<NotificationId>,
    latest: Option<ContentHash>,
}

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Something changed, and the sequence moved by one.
    Advanced,
    /// It said what we knew; at most the instant of the status moved.
    Unchanged,
    /// It was older than what we hold.
    Stale,
    /// It had no readable instant and would have loosened the status, so that it was not applied.
    Untimed,
    /// It spoke of a deactivated token as if it lived.
    Anomaly,
    /// It had been heard before, within the retry window.
    Repeat,
}

impl Verdict {
    /// The word that the store, the logs and the metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Advanced => "advanced",
            Verdict::Unchanged => "unchanged",
            Verdict::Stale => "stale",
            Verdict::Untimed => "untimed",
            Verdict::Anomaly => "anomaly",
            Verdict::Repeat => "repeat",
        }
    }
}

/// One thing that is other than it was: `status`, `suspendedBy`, or a metadata field by MDES's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What changed.
    pub field: FieldName,
    /// What it was; `None` if we did not know, or it was not set.
    pub from: Option<Value>,
    /// What it is; `None` if it was cleared.
    pub to: Option<Value>,
}

/// The answer of [`Token::after`].
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The token as it is now (whatever the verdict, this is what is to be kept).
    pub token: Token,
    /// What became of the statement.
    pub verdict: Verdict,
    /// Everything that changed; empty unless the verdict is [`Verdict::Advanced`].
    pub changes: Vec<Change>,
    /// The statement's flags and those that the rules add.
    pub flags: BTreeSet<Flag>,
}

impl Decision {
    /// What kind of transition it is: `status`, `suspenders` or `metadata`; `None` if nothing changed.
    pub fn kind(&self) -> Option<&'static str> {
        let changed = |field| self.changes.iter().any(|change| change.field == field);
        match self.verdict {
            Verdict::Advanced if changed("status") => Some("status"),
            Verdict::Advanced if changed("suspendedBy") => Some("suspenders"),
            Verdict::Advanced => Some("metadata"),
            _ => None,
        }
    }
}

/// What happened to the status part.
enum Heard {
    Nothing,
    Taken,
    TooOld,
    CannotOrder,
    Woke,
}

impl Token {
    /// A token of which nothing was heard yet.
    pub fn unheard(reference: TokenReference) -> Self {
        Token {
            reference,
            sequence: 0,
            timed: None,
            untimed: None,
            doubts: BTreeSet::new(),
            fields: BTreeMap::new(),
            number_in: None,
            latest: None,
        }
    }

    /// The token after this statement, and what became of it.
    ///
    /// Pure: the same token, statement and hearing always give the same decision.
    pub fn after(&self, statement: &Statement, hearing: &Hearing, windows: &Windows) -> Decision {
        let mut flags = statement.flags.clone();
        if hearing
            .heard_before
            .is_some_and(|before| (hearing.received_at - before).abs() <= windows.retry)
        {
            return self.after_repeat(statement, flags);
        }

        let mut token = self.clone();
        let instant = readable(statement, hearing, windows, &mut flags);
        let heard = token.hear_status(statement, instant, &mut flags);
        let mut changes = self.status_changes_to(&token);
        changes.extend(token.hear_metadata(statement, instant, hearing));
        token.latest = Some(statement.hash);

        let verdict = match heard {
            _ if !changes.is_empty() => Verdict::Advanced,
            Heard::Woke => Verdict::Anomaly,
            Heard::TooOld => Verdict::Stale,
            Heard::CannotOrder => Verdict::Untimed,
            Heard::Nothing | Heard::Taken => Verdict::Unchanged,
        };
        if matches!(heard, Heard::TooOld) {
            flags.insert(Flag::StaleStatus);
        }
        if verdict == Verdict::Advanced {
            token.sequence += 1;
        }
        Decision {
            token,
            verdict,
            changes,
            flags,
        }
    }

    fn after_repeat(&self, statement: &Statement, flags: BTreeSet<Flag>) -> Decision {
        let mut token = self.clone();
        if self.latest != Some(statement.hash) {
            token.doubts.insert(Doubt::RepeatedAcross);
        }
        Decision {
            token,
            verdict: Verdict::Repeat,
            changes: Vec::new(),
            flags,
        }
    }

    fn hear_status(&mut self, statement: &Statement, instant: Option<Instant>, flags: &mut BTreeSet<Flag>) -> Heard {
        let Some(status) = statement.status.clone() else {
            return Heard::Nothing;
        };
        let said = Said {
            status,
            suspended_by: statement.suspended_by.clone(),
            instant,
            reason_code: statement.reason_code.clone(),
        };
        let undated = match flags.contains(&Flag::FromTheFuture) {
            true => Doubt::FromTheFuture,
            false => Doubt::Untimed,
        };
        let deactivates = said.status == Status::Deactivated;
        let deactivated = self
            .timed
            .as_ref()
            .is_some_and(|held| held.status == Status::Deactivated);
        match () {
            () if deactivated && !deactivates => self.hear_life_after_deactivation(&said, flags),
            () if said.instant.is_none() && !deactivates => self.hear_untimed(said, undated),
            () => self.hear_timed(said, undated, flags),
        }
    }

    /// Also takes a DEACTIVATED without an instant: it absorbs whatever its time.
    fn hear_timed(&mut self, said: Said, undated: Doubt, flags: &mut BTreeSet<Flag>) -> Heard {
        let Some(held) = &mut self.timed else {
            self.settle(said, undated);
            return Heard::Taken;
        };
        let tie = said.ties_with(held);
        match said.rank().cmp(&held.rank()) {
            Ordering::Less => {
                if tie && held.status != Status::Deactivated {
                    self.doubts.insert(Doubt::Tie);
                }
                return Heard::TooOld;
            }
            Ordering::Equal => held.suspended_by.extend(said.suspended_by),
            Ordering::Greater => {
                let later = said.standing() > held.standing();
                let deactivates = said.status == Status::Deactivated && held.status != Status::Deactivated;
                let out_of_order = deactivates && said.instant.is_some() && said.standing() < held.standing();
                if later || deactivates {
                    self.settle(said, undated);
                } else {
                    self.timed = Some(said);
                }
                if out_of_order {
                    flags.insert(Flag::DeactivatedOutOfOrder);
                    self.doubts.insert(Doubt::DeactivatedOutOfOrder);
                }
            }
        }
        self.merge_untimed();
        if tie && self.status() != Some(&Status::Deactivated) {
            self.doubts.insert(Doubt::Tie);
        }
        Heard::Taken
    }

    /// A later statement (or DEACTIVATED) ends the doubts of before.
    fn settle(&mut self, said: Said, undated: Doubt) {
        self.untimed = None;
        self.doubts.clear();
        if said.instant.is_none() {
            self.doubts.insert(undated);
        }
        self.timed = Some(said);
    }

    /// Keeps the untimed statement at least as strict as the timed one below it.
    fn merge_untimed(&mut self) {
        let Some((timed, untimed)) = self.timed.as_ref().zip(self.untimed.as_mut()) else {
            return;
        };
        if timed.status == untimed.status {
            untimed.suspended_by.extend(timed.suspended_by.iter().cloned());
        } else if timed.status.strictness() >= untimed.status.strictness() {
            self.untimed = None;
        }
    }

    /// May tighten the status provisionally, never loosen it; moves no clock.
    fn hear_untimed(&mut self, said: Said, undated: Doubt) -> Heard {
        let (heard, tightened) = match self.said() {
            None => (Heard::Taken, Some(said)),
            Some(held) if said.status.strictness() > held.status.strictness() => (Heard::Taken, Some(said)),
            Some(held) if said.status != held.status => (Heard::CannotOrder, None),
            Some(held) if said.suspended_by.is_subset(&held.suspended_by) => return Heard::Nothing,
            Some(held) => {
                let suspended_by = &held.suspended_by | &said.suspended_by;
                (Heard::Taken, Some(Said { suspended_by, ..said }))
            }
        };
        self.doubts.insert(undated);
        if tightened.is_some() {
            self.untimed = tightened;
        }
        heard
    }

    fn hear_life_after_deactivation(&mut self, said: &Said, flags: &mut BTreeSet<Flag>) -> Heard {
        let gone = self.timed.as_ref().and_then(Said::standing);
        let older = matches!((said.standing(), gone), (Some(said), Some(gone)) if said <= gone);
        if older {
            return Heard::TooOld;
        }
        flags.insert(Flag::WokeAfterDeactivation);
        self.doubts.insert(Doubt::WokeAfterDeactivation);
        Heard::Woke
    }

    fn hear_metadata(&mut self, statement: &Statement, instant: Option<Instant>, hearing: &Hearing) -> Vec<Change> {
        let mut changes = Vec::new();
        for (field, value) in &statement.metadata {
            let held = self.fields.get(field);
            let register = Register {
                value: value.clone(),
                // Without an instant of its own it repeats the one we hold: it moves no clock.
                instant: instant.map(Instant::at).or_else(|| held.and_then(|held| held.instant)),
                received_at: hearing.received_at,
            };
            if held.is_some_and(|held| !register.exceeds(held)) {
                continue;
            }
            let from = held.and_then(|held| held.value.clone());
            // We hold a number masked, so that only its presence tells that it changed.
            if from != *value || field == TOKEN_NUMBER {
                changes.push(Change {
                    field: field.clone(),
                    from,
                    to: value.clone(),
                });
            }
            if field == TOKEN_NUMBER {
                self.number_in = Some(hearing.notification);
            }
            self.fields.insert(field.clone(), register);
        }
        if instant.is_none() && !changes.is_empty() {
            self.doubts.insert(Doubt::Untimed);
        }
        changes
    }

    fn status_changes_to(&self, now: &Token) -> Vec<Change> {
        let change = |field: &str, from: Option<Value>, to: Option<Value>| {
            (from != to).then(|| Change {
                field: field.to_owned(),
                from,
                to,
            })
        };
        let status = |token: &Token| token.status().map(|status| Value::from(status.as_str()));
        let suspenders = |token: &Token| {
            let names: Vec<&str> = token.suspended_by().collect();
            (!names.is_empty()).then(|| Value::from(names))
        };
        [
            change("status", status(self), status(now)),
            change("suspendedBy", suspenders(self), suspenders(now)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The statement that holds: the untimed one where it tightens the timed one.
    fn said(&self) -> Option<&Said> {
        self.untimed.as_ref().or(self.timed.as_ref())
    }

    /// The status that holds; `None` as long as nothing was said of it.
    pub fn status(&self) -> Option<&Status> {
        self.said().map(|said| &said.status)
    }

    /// Who suspended it, as the statement that holds says.
    pub fn suspended_by(&self) -> impl Iterator<Item = &str> {
        self.said()
            .into_iter()
            .flat_map(|said| said.suspended_by.iter().map(String::as_str))
    }

    /// When the status became what it is, as the network says.
    pub fn status_at(&self) -> Option<OffsetDateTime> {
        self.said().and_then(|said| said.instant).map(Instant::at)
    }

    /// The reason that came with the status.
    pub fn reason_code(&self) -> Option<&str> {
        self.said().and_then(|said| said.reason_code.as_deref())
    }

    /// Why what we hold may not be the truth; empty if nothing speaks against it.
    pub fn doubts(&self) -> &BTreeSet<Doubt> {
        &self.doubts
    }

    /// What we hold is marked so as to be asked after.
    pub fn is_provisional(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// The value of one metadata field, by MDES's name with its object: `tokenInfo.tokenExpiry`.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).and_then(|register| register.value.as_ref())
    }

    /// The fields of one object (`tokenInfo`, `productConfig`) that are set, by their names within it.
    pub fn object(&self, name: &str) -> serde_json::Map<String, Value> {
        self.fields
            .iter()
            .filter_map(|(field, register)| {
                let inner = field.strip_prefix(name)?.strip_prefix('.')?;
                Some((inner.to_owned(), register.value.clone()?))
            })
            .collect()
    }

    /// The token requestor (TRID) whose token it is, if it was ever said.
    pub fn requestor(&self) -> Option<&str> {
        self.field("tokenRequestorId").and_then(Value::as_str)
    }

    /// The notification whose sealed body holds the token's current number.
    pub fn number_in(&self) -> Option<NotificationId> {
        self.number_in
    }
}

/// The statement's instant, unless it lies too far ahead of the time of receipt.
fn readable(
    statement: &Statement,
    hearing: &Hearing,
    windows: &Windows,
    flags: &mut BTreeSet<Flag>,
) -> Option<Instant> {
    let instant = statement.instant?;
    if instant.at - hearing.received_at > windows.ahead {
        flags.insert(Flag::FromTheFuture);
        return None;
    }
    Some(instant)
}

#[cfg(test)]
mod tests;
