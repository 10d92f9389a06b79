//! What a state that somebody saw says of a command.

use time::{Duration, OffsetDateTime};

use super::{Action, CausedBy, Command, Proof, Seen, Service};
use crate::domain::status::{Instant, Status};

/// Suspenders that no request of ours makes.
const NEVER_US: [&str; 2] = ["ISSUER", "MOBILE_PIN_LOCKED"];

/// What a state says of what is wanted, whenever it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It is as wanted.
    Wanted(Proof),
    /// It is not.
    Other,
    /// The token is deactivated, and that was not wanted.
    Gone,
}

impl Command {
    /// The word by which the network names us among the suspenders; TokenEx is told nothing of it.
    pub(super) fn our_suspender(&self) -> &str {
        match (&self.suspender, self.order.through) {
            (Some(shown), _) => shown,
            (None, Service::Mdes) => self.order.caused_by.as_str(),
            (None, Service::TokenEx) => CausedBy::TokenRequestor.as_str(),
        }
    }

    /// Whatever `causedBy` a resumption gives: who holds it as the token requestor is we.
    pub(super) fn is_held_by_us(&self, seen: &Seen) -> bool {
        let by = seen.suspended_by.as_ref();
        by.is_some_and(|by| by.contains(self.our_suspender()) || by.contains(CausedBy::TokenRequestor.as_str()))
    }

    /// Nobody documents that the word of `causedBy` is the suspender's. Where MDES's answer to our request does not name
    /// it, we are who came to the suspenders by a suspension, or left them by a resumption.
    pub(super) fn learn_suspender(&mut self, answered: &Seen) {
        let (Some(before), Some(after)) = (&self.held_by, &answered.suspended_by) else {
            return;
        };
        let given = self.our_suspender();
        let requestor = CausedBy::TokenRequestor.as_str();
        let shown = match self.order.action {
            Action::Suspend if !after.contains(given) => {
                let mut came = after
                    .difference(before)
                    .filter(|name| !NEVER_US.contains(&name.as_str()));
                came.next().filter(|_| came.next().is_none()).cloned()
            }
            Action::Resume if !before.contains(given) => match before.difference(after).next() {
                Some(left) => Some(left.clone()),
                None => after.get(requestor).cloned(),
            },
            _ => None,
        };
        self.suspender = shown.or(self.suspender.take());
    }

    /// A suspension has landed only if we are among the suspenders; a resumption, once we are no longer.
    pub(super) fn judge(&self, seen: &Seen) -> Judged {
        let ours = self.our_suspender();
        let by = seen.suspended_by.as_ref();
        match (self.order.action, &seen.status) {
            (Action::Delete, Status::Deactivated) => Judged::Wanted(Proof::Satisfied),
            (_, Status::Deactivated) => Judged::Gone,
            (Action::Suspend, Status::Suspended) => match by {
                None => Judged::Wanted(Proof::Satisfied),
                Some(by) if by.contains(ours) => Judged::Wanted(Proof::Ours),
                Some(_) => Judged::Other,
            },
            (Action::Resume, Status::Active) => Judged::Wanted(match by {
                None => Proof::Satisfied,
                Some(_) => Proof::Ours,
            }),
            (Action::Resume, Status::Suspended) => match by {
                Some(by) if !by.is_empty() && !by.contains(ours) => Judged::Wanted(Proof::HeldByOthers),
                _ => Judged::Other,
            },
            _ => Judged::Other,
        }
    }

    /// A told state is newer than what was known before the sending; where its instant is given to the second only, the
    /// doubt falls on the safe side.
    pub(super) fn is_newer(&self, seen: &Seen) -> bool {
        let stands = seen
            .at
            .map(|at| Instant::new(at, at.nanosecond() == 0).standing_for(&seen.status));
        matches!((stands, self.baseline), (Some(at), Some(baseline)) if at > baseline)
    }

    /// Even an answer of just now may come from a place that lags behind: it is older than what was known before.
    pub(super) fn is_stale(&self, seen: &Seen) -> bool {
        let latest = seen.at.map(|at| match at.nanosecond() {
            0 => at + Duration::microseconds(999_999),
            _ => at,
        });
        matches!((latest, self.baseline), (Some(at), Some(baseline)) if at < baseline)
    }

    /// What was known before the first sending grows until then, and never after.
    pub(super) fn known_before(&mut self, at: Option<OffsetDateTime>) {
        if self.sends == 0 {
            self.baseline = self.baseline.max(at);
        }
    }

    /// Remembers a newer state that is not what is wanted, if it is the newest such.
    pub(super) fn note_otherwise(&mut self, seen: &Seen) {
        let noted = self.otherwise.as_ref().and_then(|noted| noted.at);
        if self.is_newer(seen) && seen.at > noted {
            self.otherwise = Some(seen.clone());
        }
    }
}
