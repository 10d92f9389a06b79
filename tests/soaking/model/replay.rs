//! The state rules and the table of events, once more: what each token must have become, and what each change tells.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, Fault, Findings, Kept, KeptToken, Said, Status, Transition};

/// What was said and is stored.
pub struct Stored<'a> {
    by_notification: BTreeMap<&'a str, &'a Said>,
    by_token: BTreeMap<&'a str, Vec<&'a Said>>,
}

/// A token, as far as its changes are replayed.
#[derive(Default)]
struct Replayed<'a> {
    said: Option<&'a Said>,
    deactivated: Option<&'a Said>,
    expiry: Option<&'a str>,
}

impl<'a> Stored<'a> {
    pub fn of(said: &'a [Said], kept: &'a Kept) -> Self {
        let said: BTreeMap<&str, &Said> = said.iter().map(|one| (one.request_id.as_str(), one)).collect();
        let (mut by_notification, mut by_token) = (BTreeMap::new(), BTreeMap::<_, Vec<_>>::new());
        for (id, request_id) in &kept.notifications {
            if let Some(one) = said.get(request_id.as_str()) {
                by_notification.insert(id.as_str(), *one);
                by_token.entry(one.token.as_str()).or_default().push(*one);
            }
        }
        Stored {
            by_notification,
            by_token,
        }
    }

    /// Each token is the fold of what is stored of it.
    pub fn folded(&self, tokens: &[KeptToken], findings: &mut Findings) {
        let held: BTreeMap<&str, &KeptToken> = tokens.iter().map(|one| (one.reference.as_str(), one)).collect();
        for (token, said) in &self.by_token {
            let Some(held) = held.get(token) else {
                findings.add(Fault::State, format!("{token} was told of and is not there"));
                continue;
            };
            if let Some(difference) = difference(said, held) {
                findings.add(Fault::State, format!("{token}: {difference}"));
            }
        }
        for token in held.keys().filter(|token| !self.by_token.contains_key(*token)) {
            findings.add(Fault::Invented, format!("token {token}"));
        }
    }

    /// Each change follows from the one before by what was said, and has its events, each once.
    pub fn replayed(&self, kept: &Kept, findings: &mut Findings) {
        let mut told: BTreeMap<(&str, u64), Vec<&Event>> = BTreeMap::new();
        let mut unchanged = BTreeSet::new();
        for event in &kept.events {
            if event.state_changed {
                told.entry((&event.token, event.sequence)).or_default().push(event);
            } else if event.kind != "token.anomaly" || !unchanged.insert(&event.notification) {
                findings.add(Fault::Events, format!("{} {} tells of no change", event.kind, event.id));
            }
        }
        let mut tokens: BTreeMap<&str, Replayed> = BTreeMap::new();
        for one in &kept.transitions {
            let Some(said) = self.by_notification.get(one.notification.as_str()) else {
                findings.add(Fault::Invented, format!("change {} of {}", one.sequence, one.token));
                continue;
            };
            let expected = tokens.entry(&one.token).or_default().change(said, one, findings);
            let told = told.remove(&(one.token.as_str(), one.sequence)).unwrap_or_default();
            if !fits(&told, &expected) {
                let told: Vec<&str> = told.iter().map(|event| event.kind.as_str()).collect();
                let what = format!("{} at {}: {told:?} instead of {expected:?}", one.token, one.sequence);
                findings.add(Fault::Events, what);
            }
        }
        for (token, sequence) in told.keys() {
            findings.add(Fault::Events, format!("{token} at {sequence}: events without a change"));
        }
    }
}

/// What is other than it must be, in words.
fn difference(said: &[&Said], held: &KeptToken) -> Option<String> {
    let latest = said.iter().max_by_key(|one| one.at)?;
    let gone = said.iter().find(|one| one.status == Status::Deactivated);
    let winner = gone.unwrap_or(latest);
    let expiry = said.iter().filter(|one| one.expiry.is_some()).max_by_key(|one| one.at);
    let must = (
        Some(winner.status.word()),
        &winner.suspended_by,
        Some(winner.at),
        expiry.and_then(|one| one.expiry.as_deref()),
    );
    let is = (
        held.status.as_deref(),
        &held.suspended_by,
        held.at,
        held.expiry.as_deref(),
    );
    (is != must).then(|| format!("{is:?} instead of {must:?}"))
}

/// The events are exactly these, in this order, and number themselves.
fn fits(told: &[&Event], expected: &[&str]) -> bool {
    let of = expected.len() as u64;
    told.len() == expected.len()
        && (1..)
            .zip(told.iter().zip(expected))
            .all(|(index, (event, kind))| event.kind == *kind && (event.index, event.of) == (index, of))
}

impl<'a> Replayed<'a> {
    /// Takes the change that this statement made; the types of its events.
    fn change(&mut self, said: &'a Said, change: &Transition, findings: &mut Findings) -> Vec<&'static str> {
        let from = self.status();
        let mut kinds = match (self.deactivated, self.said) {
            (Some(gone), _) if said.at > gone.at => vec!["token.anomaly"],
            (Some(_), _) => Vec::new(),
            (None, None) => vec!["token.observed", entered(said.status)],
            (None, Some(before)) => told(before, said),
        };
        if self.said.is_some() && said.expiry.is_some() && said.expiry.as_deref() != self.expiry {
            kinds.push("token.expiry_changed");
        }
        self.expiry = said.expiry.as_deref().or(self.expiry);
        self.said = Some(said);
        if said.status == Status::Deactivated {
            self.deactivated = Some(said);
        }
        if (change.from.as_deref(), change.to.as_deref()) != (from, self.status()) {
            let what = format!(
                "{} at {}: {:?} to {:?}",
                change.token, change.sequence, change.from, change.to
            );
            findings.add(Fault::State, what);
        }
        kinds
    }

    fn status(&self) -> Option<&'static str> {
        self.deactivated.or(self.said).map(|said| said.status.word())
    }
}

fn entered(status: Status) -> &'static str {
    match status {
        Status::Active => "token.activated",
        Status::Suspended => "token.suspended",
        Status::Deactivated => "token.deactivated",
    }
}

/// `docs/events`, from one status to another.
fn told(before: &Said, said: &Said) -> Vec<&'static str> {
    match (before.status, said.status) {
        (Status::Suspended, Status::Active) => vec!["token.reactivated"],
        (Status::Suspended, Status::Suspended) if before.suspended_by != said.suspended_by => {
            vec!["token.suspension_changed"]
        }
        (before, status) if before == status => Vec::new(),
        (_, status) => vec![entered(status)],
    }
}
