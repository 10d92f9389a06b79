//! Each kind of fault is planted once, and found.

use std::collections::BTreeSet;

use super::model::*;

/// Two tokens' lives as they must be: one active, suspended by one and by another, and active with another expiry;
/// one active and gone, and spoken of as if it lived.
struct Lives {
    said: Vec<Said>,
    refused: Vec<Refused>,
    kept: Kept,
    heard: Vec<Heard>,
}

impl Lives {
    fn good() -> Self {
        let mut lives = Lives {
            said: Vec::new(),
            refused: Vec::new(),
            kept: Kept::default(),
            heard: Vec::new(),
        };
        lives.change(
            "one",
            Status::Active,
            "",
            "1129",
            &["token.observed", "token.activated"],
        );
        lives.change(
            "two",
            Status::Active,
            "",
            "1129",
            &["token.observed", "token.activated"],
        );
        lives.change("one", Status::Suspended, "ISSUER", "1129", &["token.suspended"]);
        lives.change(
            "one",
            Status::Suspended,
            "CARDHOLDER",
            "1129",
            &["token.suspension_changed"],
        );
        lives.change("two", Status::Deactivated, "", "", &["token.deactivated"]);
        lives.change(
            "one",
            Status::Active,
            "",
            "1132",
            &["token.reactivated", "token.expiry_changed"],
        );
        lives.change(
            "two",
            Status::Active,
            "",
            "1132",
            &["token.anomaly", "token.expiry_changed"],
        );
        lives.refused.push(Refused {
            request_id: "unreadable".to_owned(),
            body: [7; 32],
        });
        lives.kept.quarantined.insert([7; 32]);
        lives
    }

    /// Said, acknowledged, stored, told.
    fn change(&mut self, token: &str, status: Status, by: &str, expiry: &str, kinds: &[&str]) {
        let number = self.said.len();
        let said = Said {
            request_id: format!("said-{number}"),
            token: token.to_owned(),
            status,
            at: 1_000 + number as i64,
            suspended_by: by.split_whitespace().map(str::to_owned).collect(),
            expiry: Some(expiry.to_owned()).filter(|expiry| !expiry.is_empty()),
            acknowledged: true,
        };
        let notification = format!("id-{number}");
        self.kept
            .notifications
            .push((notification.clone(), said.request_id.clone()));
        let (from, sequence) = self.applied(&said);
        let to = self.token(token).status.clone();
        self.kept.transitions.push(Transition {
            token: token.to_owned(),
            sequence,
            from,
            to,
            notification: notification.clone(),
        });
        self.kept
            .transitions
            .sort_by_key(|one| (one.token.clone(), one.sequence));
        for (index, kind) in (1..).zip(kinds) {
            self.told(token, sequence, index, kinds.len(), kind, &notification);
        }
        self.said.push(said);
    }

    /// The status before, and the new sequence.
    fn applied(&mut self, said: &Said) -> (Option<String>, u64) {
        if !self.kept.tokens.iter().any(|one| one.reference == said.token) {
            self.kept.tokens.push(KeptToken {
                reference: said.token.clone(),
                status: None,
                suspended_by: BTreeSet::new(),
                at: None,
                expiry: None,
                sequence: 0,
            });
        }
        let held = self.token(&said.token);
        let from = held.status.clone();
        held.sequence += 1;
        held.expiry = said.expiry.clone().or(held.expiry.take());
        if from.as_deref() != Some("DEACTIVATED") {
            held.status = Some(said.status.word().to_owned());
            held.suspended_by = said.suspended_by.clone();
            held.at = Some(said.at);
        }
        (from, held.sequence)
    }

    fn told(&mut self, token: &str, sequence: u64, index: u64, of: usize, kind: &str, notification: &str) {
        let position = self.kept.events.len() as u64 + 1;
        let id = format!("event-{position}");
        self.heard.push(Heard {
            id: id.clone(),
            token: token.to_owned(),
            sequence,
            index,
            out_of_order: false,
        });
        self.kept.events.push(Event {
            position,
            id,
            kind: kind.to_owned(),
            token: token.to_owned(),
            sequence,
            index,
            of: of as u64,
            state_changed: true,
            notification: notification.to_owned(),
        });
    }

    fn token(&mut self, reference: &str) -> &mut KeptToken {
        let held = self.kept.tokens.iter_mut().find(|one| one.reference == reference);
        held.expect("it was said")
    }

    fn faults(&self) -> BTreeSet<Fault> {
        let findings = judge(&self.said, &self.refused, &self.kept, &self.heard);
        findings.iter().map(|one| one.fault).collect()
    }

    /// The faults after this was done to them.
    fn after(harm: impl FnOnce(&mut Lives)) -> BTreeSet<Fault> {
        let mut lives = Lives::good();
        harm(&mut lives);
        lives.faults()
    }
}

#[test]
fn what_is_as_it_must_be_has_no_fault() {
    let lives = Lives::good();
    let findings = judge(&lives.said, &lives.refused, &lives.kept, &lives.heard);
    let words: Vec<&str> = findings.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(words, Vec::<&str>::new());
}

#[test]
fn what_was_sent_and_not_answered_may_be_stored_or_not() {
    let answered_by_none = Lives::after(|lives| lives.said.iter_mut().for_each(|one| one.acknowledged = false));
    assert_eq!(answered_by_none, BTreeSet::new());
    let not_stored = Lives::after(|lives| {
        let unanswered = Said {
            request_id: "never-arrived".to_owned(),
            acknowledged: false,
            ..lives.said[0].clone()
        };
        lives.said.push(unanswered);
    });
    assert_eq!(not_stored, BTreeSet::new());
}

#[test]
fn an_acknowledged_one_that_is_not_stored_is_lost() {
    let lost = Lives::after(|lives| {
        let acknowledged = Said {
            request_id: "gone".to_owned(),
            ..lives.said[0].clone()
        };
        lives.said.push(acknowledged);
    });
    assert_eq!(lost, BTreeSet::from([Fault::Lost]));
}

#[test]
fn one_that_stands_twice_is_doubled() {
    let doubled = Lives::after(|lives| {
        let again = ("id-again".to_owned(), lives.kept.notifications[0].1.clone());
        lives.kept.notifications.push(again);
    });
    assert_eq!(doubled, BTreeSet::from([Fault::Doubled]));
}

#[test]
fn one_that_nobody_sent_is_invented() {
    let invented = Lives::after(|lives| {
        let nobodys = ("id-x".to_owned(), "nobodys".to_owned());
        lives.kept.notifications.push(nobodys);
    });
    assert_eq!(invented, BTreeSet::from([Fault::Invented]));
}

#[test]
fn a_sequence_that_is_missing_is_a_gap() {
    let gap = Lives::after(|lives| drop(lives.kept.transitions.remove(1)));
    assert!(gap.contains(&Fault::Gap), "{gap:?}");
    let positions = Lives::after(|lives| lives.kept.events[3].position = 99);
    assert!(positions.contains(&Fault::Gap), "{positions:?}");
}

#[test]
fn a_token_that_is_not_what_was_said_is_found() {
    for harm in [
        (|held| held.status = Some("SUSPENDED".to_owned())) as fn(&mut KeptToken),
        |held| held.suspended_by = BTreeSet::from(["ISSUER".to_owned()]),
        |held| held.at = Some(1),
        |held| held.expiry = Some("0101".to_owned()),
    ] {
        assert_eq!(
            Lives::after(|lives| harm(lives.token("one"))),
            BTreeSet::from([Fault::State])
        );
    }
    let woken = Lives::after(|lives| lives.token("two").status = Some("ACTIVE".to_owned()));
    assert_eq!(woken, BTreeSet::from([Fault::State]));
}

#[test]
fn a_change_from_what_was_not_is_found() {
    let leap = Lives::after(|lives| lives.kept.transitions[1].from = Some("DEACTIVATED".to_owned()));
    assert_eq!(leap, BTreeSet::from([Fault::State]));
}

#[test]
fn an_event_that_is_missing_or_there_twice_is_found() {
    let missing = Lives::after(|lives| {
        lives.kept.events.pop();
        lives.heard.pop();
    });
    assert_eq!(missing, BTreeSet::from([Fault::Events]));
    let twice = Lives::after(|lives| {
        lives.told("two", 3, 2, 2, "token.expiry_changed", "id-6");
    });
    assert_eq!(twice, BTreeSet::from([Fault::Events]));
}

#[test]
fn an_event_that_never_arrived_is_found() {
    let undelivered = Lives::after(|lives| drop(lives.heard.remove(2)));
    assert_eq!(undelivered, BTreeSet::from([Fault::Undelivered]));
}

#[test]
fn an_event_under_anothers_id_is_found() {
    let mistaken = Lives::after(|lives| lives.heard[0].sequence = 3);
    assert_eq!(mistaken, BTreeSet::from([Fault::Undelivered]));
}

#[test]
fn an_event_after_a_later_one_is_reordered_unless_that_was_marked() {
    let swap = |lives: &mut Lives| {
        let places: Vec<usize> = (0..lives.heard.len())
            .filter(|n| lives.heard[*n].token == "one")
            .collect();
        lives.heard.swap(places[2], places[3]);
        lives.heard[places[2]].clone()
    };
    let reordered = Lives::after(|lives| drop(swap(lives)));
    assert_eq!(reordered, BTreeSet::from([Fault::Reordered]));
    let marked = Lives::after(|lives| {
        let overtook = swap(lives).id;
        let marked = lives.heard.iter_mut().filter(|one| one.id == overtook);
        marked.for_each(|one| one.out_of_order = true);
    });
    assert_eq!(marked, BTreeSet::new());
}

#[test]
fn an_event_that_came_again_is_no_fault() {
    let again = Lives::after(|lives| lives.heard.push(lives.heard[0].clone()));
    assert_eq!(again, BTreeSet::new());
}

#[test]
fn a_refused_body_that_is_not_in_quarantine_is_found() {
    let dropped = Lives::after(|lives| lives.kept.quarantined.clear());
    assert_eq!(dropped, BTreeSet::from([Fault::Unquarantined]));
}
