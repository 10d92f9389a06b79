//! What must be so after any faults, worked out from the senders' side alone.
//!
//! Written from the README ("The state rules") and `docs/events`; it reads nothing of the receiver's `domain`. What was
//! sent and not answered may be stored or not: acknowledged ⊆ stored ⊆ sent.

use std::collections::{BTreeMap, BTreeSet};

mod replay;

/// MDES's words that the soak says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Suspended,
    Deactivated,
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Status::Active => "ACTIVE",
            Status::Suspended => "SUSPENDED",
            Status::Deactivated => "DEACTIVATED",
        }
    }
}

/// One notification about one token. No two about one token have the same instant, and none is of a whole second.
#[derive(Clone, Debug)]
pub struct Said {
    pub request_id: String,
    pub token: String,
    pub status: Status,
    /// Microseconds since 1970.
    pub at: i64,
    pub suspended_by: BTreeSet<String>,
    /// `tokenInfo.tokenExpiry`; every statement brings it but those that deactivate.
    pub expiry: Option<String>,
    /// Some attempt was answered with 200.
    pub acknowledged: bool,
}

/// A body that nobody can read, and that was answered with a refusal.
#[derive(Clone, Debug)]
pub struct Refused {
    pub request_id: String,
    /// SHA-256 of the body.
    pub body: [u8; 32],
}

/// What the store holds at the end.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// (id, requestId).
    pub notifications: Vec<(String, String)>,
    pub tokens: Vec<KeptToken>,
    /// By token and sequence.
    pub transitions: Vec<Transition>,
    /// Positions of the events that are about no token: what the receiver says of itself.
    pub others: Vec<u64>,
    /// By position.
    pub events: Vec<Event>,
    /// SHA-256 of each body in quarantine.
    pub quarantined: BTreeSet<[u8; 32]>,
}

#[derive(Clone, Debug)]
pub struct KeptToken {
    pub reference: String,
    pub status: Option<String>,
    pub suspended_by: BTreeSet<String>,
    pub at: Option<i64>,
    pub expiry: Option<String>,
    pub sequence: u64,
}

#[derive(Clone, Debug)]
pub struct Transition {
    pub token: String,
    pub sequence: u64,
    pub from: Option<String>,
    pub to: Option<String>,
    /// The id of the notification that said so.
    pub notification: String,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub position: u64,
    pub id: String,
    pub kind: String,
    pub token: String,
    pub sequence: u64,
    pub index: u64,
    pub of: u64,
    pub state_changed: bool,
    /// The id of the notification that said so.
    pub notification: String,
}

/// What the merchant's endpoint was told once.
#[derive(Clone, Debug)]
pub struct Heard {
    pub id: String,
    pub token: String,
    pub sequence: u64,
    pub index: u64,
    pub out_of_order: bool,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Acknowledged, and not stored.
    Lost,
    /// Stored twice.
    Doubled,
    /// Stored, told or changed, and nobody said so.
    Invented,
    /// A sequence or the row of positions has a gap.
    Gap,
    /// A token is not what was said of it.
    State,
    /// A change has not its events, each once.
    Events,
    /// An event never arrived, or not as it was written.
    Undelivered,
    /// An event arrived after a later one of its token, unmarked.
    Reordered,
    /// A body was refused and is not in quarantine.
    Unquarantined,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug)]
pub struct Finding {
    pub fault: Fault,
    pub what: String,
}

/// Everything that is wrong.
pub fn judge(said: &[Said], refused: &[Refused], kept: &Kept, heard: &[Heard]) -> Vec<Finding> {
    let mut findings = Findings::default();
    stored_once(said, kept, &mut findings);
    gapless(kept, &mut findings);
    let stored = replay::Stored::of(said, kept);
    stored.folded(&kept.tokens, &mut findings);
    stored.replayed(kept, &mut findings);
    delivered(kept, heard, &mut findings);
    in_order(kept, heard, &mut findings);
    for one in refused.iter().filter(|one| !kept.quarantined.contains(&one.body)) {
        findings.add(Fault::Unquarantined, &one.request_id);
    }
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, fault: Fault, what: impl Into<String>) {
        let what = what.into();
        self.0.push(Finding { fault, what });
    }
}

fn stored_once(said: &[Said], kept: &Kept, findings: &mut Findings) {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, request_id) in &kept.notifications {
        *times.entry(request_id).or_default() += 1;
    }
    for (request_id, times) in times.iter().filter(|(_, times)| **times > 1) {
        findings.add(Fault::Doubled, format!("{request_id} stands {times} times"));
    }
    for one in said.iter().filter(|one| one.acknowledged) {
        if !times.contains_key(one.request_id.as_str()) {
            findings.add(Fault::Lost, &one.request_id);
        }
    }
    let known: BTreeSet<&str> = said.iter().map(|one| one.request_id.as_str()).collect();
    for request_id in times.keys().filter(|request_id| !known.contains(**request_id)) {
        findings.add(Fault::Invented, *request_id);
    }
}

fn gapless(kept: &Kept, findings: &mut Findings) {
    let mut sequences: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for one in &kept.transitions {
        sequences.entry(&one.token).or_default().push(one.sequence);
    }
    for token in &kept.tokens {
        let sequences = sequences.remove(token.reference.as_str()).unwrap_or_default();
        if !sequences.iter().copied().eq(1..=token.sequence) {
            let what = format!("{} is at {} by {sequences:?}", token.reference, token.sequence);
            findings.add(Fault::Gap, what);
        }
    }
    let of_tokens = kept.events.iter().map(|one| one.position);
    let mut positions: Vec<u64> = of_tokens.chain(kept.others.iter().copied()).collect();
    positions.sort_unstable();
    for (expected, position) in (1..).zip(positions) {
        if position != expected {
            return findings.add(Fault::Gap, format!("position {position} instead of {expected}"));
        }
    }
}

fn delivered(kept: &Kept, heard: &[Heard], findings: &mut Findings) {
    let mut missing: BTreeMap<&str, &Event> = kept.events.iter().map(|one| (one.id.as_str(), one)).collect();
    let written = missing.clone();
    for one in heard {
        missing.remove(one.id.as_str());
        match written.get(one.id.as_str()) {
            None => findings.add(Fault::Invented, format!("event {}", one.id)),
            Some(event) if (&event.token, event.sequence, event.index) != (&one.token, one.sequence, one.index) => {
                findings.add(Fault::Undelivered, format!("{} came as another event", one.id));
            }
            Some(_) => {}
        }
    }
    for event in missing.values() {
        let what = format!(
            "{} {} of {}, position {}",
            event.kind, event.id, event.token, event.position
        );
        findings.add(Fault::Undelivered, what);
    }
}

/// First arrivals, token by token: none after a later one, but for a later one that is marked as having overtaken it.
fn in_order(kept: &Kept, heard: &[Heard], findings: &mut Findings) {
    let positions: BTreeMap<&str, u64> = kept.events.iter().map(|one| (one.id.as_str(), one.position)).collect();
    let (mut seen, mut latest) = (BTreeSet::new(), BTreeMap::<&str, u64>::new());
    for one in heard {
        let Some(&position) = positions.get(one.id.as_str()).filter(|_| seen.insert(&one.id)) else {
            continue;
        };
        let latest = latest.entry(&one.token).or_default();
        if position < *latest {
            let what = format!("{} of {}: position {position} after {latest}", one.id, one.token);
            findings.add(Fault::Reordered, what);
        } else if !one.out_of_order {
            *latest = position;
        }
    }
}
