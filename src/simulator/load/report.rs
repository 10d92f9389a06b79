//! What a load measured.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::Duration;

use super::Plan;
use crate::simulator::refusal::SendError;

/// What was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// How many requests were answered.
    pub answered: usize,
    /// How many were answered with 200 and no error in the body.
    pub accepted: usize,
    /// How many were never sent, for want of time or of connections.
    pub unsent: usize,
    /// From the first request to the last answer, in seconds.
    pub seconds: f64,
    /// Answers a second.
    pub per_second: f64,
    /// Half of the answers came within this, in milliseconds.
    pub p50_ms: f64,
    /// 95 of a hundred did.
    pub p95_ms: f64,
    /// 99 of a hundred did.
    pub p99_ms: f64,
    /// 999 of a thousand did.
    pub p999_ms: f64,
    /// All did.
    pub max_ms: f64,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, usize>,
    /// Requests without an answer, by what happened.
    pub errors: BTreeMap<String, usize>,
    /// The `requestId`s of what was accepted: nothing of it may be lost.
    #[serde(skip)]
    pub acknowledged: Vec<String>,
}

impl Report {
    /// Whether every request was sent and accepted.
    pub fn passed(&self, plan: &Plan) -> bool {
        self.accepted == plan.requests
    }
}

/// What one connection's worker saw.
#[derive(Default)]
pub(super) struct Seen {
    micros: Vec<u32>,
    acknowledged: Vec<String>,
    statuses: BTreeMap<u16, usize>,
    errors: BTreeMap<String, usize>,
}

impl Seen {
    /// `acknowledged`: the `requestId`, if it was accepted.
    pub(super) fn answered(&mut self, status: u16, acknowledged: Option<String>, took: Duration) {
        self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.acknowledged.extend(acknowledged);
        *self.statuses.entry(status).or_default() += 1;
    }

    pub(super) fn failed(&mut self, error: &SendError) {
        *self.errors.entry(error.to_string()).or_default() += 1;
    }
}

/// All of it together, over so long a time.
pub(super) fn report(all: Vec<Seen>, took: Duration) -> Report {
    let mut report = Report::default();
    let mut micros = Vec::new();
    for seen in all {
        micros.extend(seen.micros);
        report.accepted += seen.acknowledged.len();
        report.acknowledged.extend(seen.acknowledged);
        for (status, count) in seen.statuses {
            *report.statuses.entry(status).or_default() += count;
        }
        for (error, count) in seen.errors {
            *report.errors.entry(error).or_default() += count;
        }
    }
    micros.sort_unstable();
    report.answered = micros.len();
    report.seconds = took.as_secs_f64();
    report.per_second = micros.len() as f64 / took.as_secs_f64().max(f64::EPSILON);
    report.p50_ms = percentile(&micros, 500);
    report.p95_ms = percentile(&micros, 950);
    report.p99_ms = percentile(&micros, 990);
    report.p999_ms = percentile(&micros, 999);
    report.max_ms = percentile(&micros, 1000);
    report
}

/// The nearest rank, in milliseconds; 0 if there is none.
fn percentile(sorted_micros: &[u32], per_mille: usize) -> f64 {
    let rank = (sorted_micros.len() * per_mille).div_ceil(1000);
    let micros = sorted_micros.get(rank.saturating_sub(1)).copied();
    f64::from(micros.unwrap_or(0)) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let sorted: Vec<u32> = (1..=200).map(|n| n * 1000).collect();
        assert_eq!(
            [500, 950, 990, 1000].map(|p| percentile(&sorted, p)),
            [100.0, 190.0, 198.0, 200.0]
        );
        assert_eq!(percentile(&[], 990), 0.0);
    }
}
