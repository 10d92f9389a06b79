//! The rules: what a statement does to a token. The README has them as a table.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::Value;

use super::said::{Register, Said};
use super::{Change, Decision, Doubt, Token, Verdict};
use crate::domain::notification::{Flag, Hearing, Statement, TOKEN_NUMBER, TOKEN_REFERENCE_ID, Windows};
use crate::domain::status::{Instant, Status};

/// What happened to the status part.
pub(super) enum Heard {
    Nothing,
    Taken,
    TooOld,
    CannotOrder,
    Woke,
}

impl Token {
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
        if self.is_of_another(statement) {
            return self.with_another(statement);
        }

        let mut token = self.clone();
        token.name_network_token(statement, hearing);
        let instant = readable(statement, hearing, windows, &mut flags);
        let heard = token.hear_status(statement, instant, &mut flags);
        token.outgrow_hint(&heard);
        if matches!(heard, Heard::Taken) && matches!(token.status(), Some(Status::Unknown(_))) {
            token.doubts.insert(Doubt::Unrecognized);
        }
        let mut changes = self.status_changes_to(&token);
        changes.extend(token.hear_metadata(statement, instant, hearing));
        token.latest = Some(statement.hash);
        decided(token, &heard, changes, flags)
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
            bar: None,
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
        if deactivates {
            self.contrary = None;
        }
        match () {
            () if deactivates && self.has_survived(&said) => Heard::TooOld,
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

    pub(super) fn hear_metadata(
        &mut self,
        statement: &Statement,
        instant: Option<Instant>,
        hearing: &Hearing,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let replaced = self.replacement(statement, instant, hearing);
        // Which network token it is was looked at before: a name, and no change.
        let stated = statement
            .metadata
            .iter()
            .filter(|(field, _)| *field != TOKEN_REFERENCE_ID);
        for (field, value) in stated {
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
        if let Some(replaced) = replaced {
            self.expect_number(replaced, hearing);
        }
        if instant.is_none() && !changes.is_empty() {
            self.doubts.insert(Doubt::Untimed);
        }
        changes
    }

    pub(super) fn status_changes_to(&self, now: &Token) -> Vec<Change> {
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
}

/// What became of a statement, as a whole.
pub(super) fn decided(mut token: Token, heard: &Heard, changes: Vec<Change>, mut flags: BTreeSet<Flag>) -> Decision {
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
    token.mark();
    Decision {
        token,
        verdict,
        changes,
        flags,
    }
}

/// The statement's instant, unless it lies too far ahead of the time of receipt.
pub(super) fn readable(
    statement: &Statement,
    hearing: &Hearing,
    windows: &Windows,
    flags: &mut BTreeSet<Flag>,
) -> Option<Instant> {
    let instant = statement.instant?;
    if instant.at() - hearing.received_at > windows.ahead {
        flags.insert(Flag::FromTheFuture);
        return None;
    }
    Some(instant)
}
