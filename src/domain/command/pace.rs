//! How long a command waits before it is asked after again. Counted in questions, so that no clock is needed: the
//! confirm time is over when as many were asked in vain as fit into it.

use std::time::Duration;

use super::{Command, Stage};

/// What an operator may set of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// For how long a confirmation is waited for before the command is overdue.
    pub confirm_within: Duration,
    /// How often one command is sent at most.
    pub sends_max: u32,
}

/// Between questions while a confirmation is waited for; the last one repeats.
const SOON: &[u64] = &[1, 2, 5, 15, 30, 60];
/// Between questions once it is overdue; the last one repeats.
pub(super) const LATER: &[u64] = &[300, 900, 3_600, 21_600, 86_400];
/// Before a lost request is asked after: it may still be on its way.
pub(super) const LOST: Duration = Duration::from_secs(2);

impl Command {
    /// The wait after so many questions in vain; `None`: the confirm time is over.
    pub(super) fn pause(&self, rules: &Rules) -> Option<Duration> {
        let asked = self.asks.max(1) as usize - 1;
        if self.stage == Stage::Overdue {
            return Some(nth(LATER, asked));
        }
        let left = rules.confirm_within.checked_sub(waited(asked))?;
        (!left.is_zero()).then(|| nth(SOON, asked).min(left))
    }
}

/// All waits before the one after so many questions.
fn waited(asked: usize) -> Duration {
    let in_full: Duration = (0..asked.min(SOON.len())).map(|at| nth(SOON, at)).sum();
    let beyond = u32::try_from(asked.saturating_sub(SOON.len())).unwrap_or(u32::MAX);
    in_full.saturating_add(nth(SOON, asked).saturating_mul(beyond))
}

pub(super) fn nth(waits: &[u64], at: usize) -> Duration {
    Duration::from_secs(waits[at.min(waits.len() - 1)])
}
