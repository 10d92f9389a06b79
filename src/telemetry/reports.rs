//! What other parts of this process say needs a person, until they say otherwise.
//!
//! Whoever reports does not wait for a disk: the watch takes what stands here with what it sees itself, raises it once
//! among all replicas, and clears it when none of them says it any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::alarm::{Alarm, Alert};

/// So many stand at once; what comes after them is in the log alone.
const REPORTS_MAX: usize = 100;

/// What is reported. Cheap to clone; all clones report together.
#[derive(Clone, Default)]
pub struct Reports(Arc<Mutex<BTreeMap<(Alert, String), Alarm>>>);

impl Reports {
    /// It is so from now on; said again (of the same alert, about the same) it takes the place of what was said before.
    pub fn report(&self, alarm: Alarm) {
        let mut standing = self.standing_now();
        let key = (alarm.alert, alarm.about.clone());
        if standing.len() < REPORTS_MAX || standing.contains_key(&key) {
            standing.insert(key, alarm);
        }
    }

    /// It is not so any more.
    pub fn withdraw(&self, alert: Alert, about: &str) {
        let about = Alarm::new(alert, about, "").about;
        self.standing_now().remove(&(alert, about));
    }

    /// Nothing of this alert is so any more.
    pub fn withdraw_all(&self, alert: Alert) {
        self.standing_now().retain(|(standing, _), _| *standing != alert);
    }

    /// Everything that is so.
    pub fn standing(&self) -> Vec<Alarm> {
        self.standing_now().values().cloned().collect()
    }

    fn standing_now(&self) -> MutexGuard<'_, BTreeMap<(Alert, String), Alarm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_stands_once_and_what_is_withdrawn_does_not_stand() {
        let reports = Reports::default();
        reports.report(Alarm::new(Alert::ProbeFails, "tokens.merchant.example", "no route"));
        reports.report(Alarm::new(Alert::ProbeFails, "tokens.merchant.example", "timed out"));
        let standing = reports.clone().standing();
        assert_eq!((standing.len(), standing[0].says.as_str()), (1, "timed out"));
        reports.withdraw(Alert::ProbeFails, "tokens.merchant.example");
        assert_eq!(reports.standing(), []);
        reports.report(Alarm::new(Alert::ReloadKeptOld, "keys", "half a file"));
        reports.withdraw_all(Alert::ProbeFails);
        assert_eq!(reports.standing().len(), 1);
        reports.withdraw_all(Alert::ReloadKeptOld);
        assert_eq!(reports.standing(), []);
    }

    #[test]
    fn however_much_is_reported_it_does_not_grow_without_end() {
        let reports = Reports::default();
        for place in 0..10_000 {
            reports.report(Alarm::new(Alert::ProbeFails, &place.to_string(), "no route"));
        }
        assert_eq!(reports.standing().len(), REPORTS_MAX);
    }
}
