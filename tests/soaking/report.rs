//! What a run came to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::faults::{Kind, Struck};
use crate::model::{Fault, Finding};

/// How many findings are shown.
const SHOWN_MAX: usize = 20;
/// How much memory a receiver may hold when all is quiet again.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

pub struct Report {
    pub said: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub unanswered: u64,
    pub unsent: u64,
    pub attempts: BTreeMap<String, u64>,
    pub stored: usize,
    pub events: usize,
    pub heard: usize,
    pub outages: BTreeMap<Kind, (usize, Duration)>,
    pub findings: Vec<Finding>,
    /// Of each receiver, when all was quiet again.
    pub memory_bytes: Vec<u64>,
    pub connections: Vec<u64>,
}

impl Report {
    /// Nothing is wrong.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
            && self.acknowledged > 0
            && self.memory_bytes.iter().all(|bytes| *bytes <= MEMORY_BYTES_MAX)
            && self.connections.iter().all(|open| *open == 0)
    }

    fn found(&self, fault: Fault) -> usize {
        self.findings.iter().filter(|one| one.fault == fault).count()
    }
}

/// How often each kind struck, and the longest time without any 200 that touches it.
pub fn outages(struck: &[Struck], acknowledged: &mut [Instant]) -> BTreeMap<Kind, (usize, Duration)> {
    acknowledged.sort_unstable();
    let mut outages: BTreeMap<Kind, (usize, Duration)> = BTreeMap::new();
    for one in struck {
        let touching = |pair: &&[Instant]| pair[0] <= one.until && pair[1] >= one.from;
        let longest = acknowledged
            .windows(2)
            .filter(touching)
            .map(|pair| pair[1] - pair[0])
            .max();
        let (times, outage) = outages.entry(one.kind).or_default();
        *times += 1;
        *outage = longest.unwrap_or_default().max(*outage);
    }
    outages
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  said {}, acknowledged {}, refused {}, given up {}, unsent {}; attempts by answer: {:?}",
            self.said, self.acknowledged, self.refused, self.unanswered, self.unsent, self.attempts
        )?;
        writeln!(
            f,
            "  stored {}, events {}, told {} times",
            self.stored, self.events, self.heard
        )?;
        writeln!(
            f,
            "  lost {}, doubled {}, invented {}, gaps {}, wrong states {}, wrong events {}, undelivered {}, reordered {}, not in quarantine {}",
            self.found(Fault::Lost),
            self.found(Fault::Doubled),
            self.found(Fault::Invented),
            self.found(Fault::Gap),
            self.found(Fault::State),
            self.found(Fault::Events),
            self.found(Fault::Undelivered),
            self.found(Fault::Reordered),
            self.found(Fault::Unquarantined),
        )?;
        let mebibytes: Vec<u64> = self.memory_bytes.iter().map(|bytes| bytes >> 20).collect();
        writeln!(
            f,
            "  at the end: memory {mebibytes:?} MiB, connections {:?}",
            self.connections
        )?;
        for (kind, (times, outage)) in &self.outages {
            writeln!(
                f,
                "  {kind:?}: {times} times, longest without a 200: {} ms",
                outage.as_millis()
            )?;
        }
        for one in self.findings.iter().take(SHOWN_MAX) {
            writeln!(f, "  {:?}: {}", one.fault, one.what)?;
        }
        Ok(())
    }
}
