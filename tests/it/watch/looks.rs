//! Looks of one replica and of several, with a clock that is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::domain::alarm::{Alarm, Alert, State};
use mdes_receiver::domain::command::{Action, Service, Stage};
use mdes_receiver::domain::delivery::Outcome;
use mdes_receiver::domain::event::Subscription;
use mdes_receiver::domain::missed::Missed;
use mdes_receiver::service::watch::{Holds, Watch};
use mdes_receiver::store::asking::{Cause, NewReconcile, SettledQuestion};
use mdes_receiver::store::desk::{Approved, NewCommand};
use mdes_receiver::store::outbox::{Settlement, Start, Turn, Turned};
use mdes_receiver::store::{
    Alarms as _, Asking as _, Desk as _, NewQuarantine, Outbox as _, Resolution, SealedBy, Store as _,
};
use mdes_receiver::telemetry::Metrics;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{go_on, look, standing, start, told};
use crate::store::asking::scene::*;
use crate::store::commands::scene::{at_stage, suspend, wanted};
use crate::support::Database;

promises!(
    an_open_entry_in_quarantine_is_an_alarm_until_it_is_resolved,
    a_gap_is_an_alarm_while_it_is_open_and_until_somebody_asks_after_it,
    a_doubt_that_was_given_up_is_an_alarm_until_it_is_settled,
    a_deactivated_token_that_is_spoken_of_is_an_alarm_for_a_week,
    a_certificate_is_an_alarm_until_it_is_renewed,
    a_key_is_an_alarm_until_it_is_certified_anew,
    a_command_that_waits_for_approval_is_an_alarm_until_it_has_it,
    a_command_without_its_proof_is_an_alarm_until_there_is_one,
    a_destination_that_left_is_an_alarm_until_it_is_let_go_of,
    a_paused_destination_is_an_alarm_until_it_is_resumed,
    a_destination_that_is_not_told_is_an_alarm_until_it_is,
    what_others_report_is_an_alarm_until_they_withdraw_it,
    two_replicas_that_see_the_same_raise_it_once,
    replicas_with_other_files_than_the_others_do_not_flap,
    who_dies_after_raising_leaves_it_to_the_next_to_clear,
    a_look_that_cannot_tell_leaves_nothing_behind,
    what_somebody_looks_at_now_does_not_wait_for_a_look,
    nobody_is_told_of_the_same_alarm_again,
    what_a_newer_program_raised_stands_until_nobody_sees_it,
);

struct Replica {
    scene: Scene,
    watch: Arc<Watch>,
    metrics: Metrics,
}

impl Replica {
    async fn over(database: Database) -> Self {
        let (scene, metrics) = (Scene::new(database).await, Metrics::new());
        let watch = start(&scene, &scene.memory, &metrics);
        look(&watch).await;
        assert_eq!(standing(&scene).await, []);
        Replica { scene, watch, metrics }
    }

    /// One look finds it, and tells of it.
    async fn raises(&self, alert: Alert, about: &str) {
        self.scene.wait(15);
        look(&self.watch).await;
        assert_eq!(standing(&self.scene).await, [(alert.as_str(), about.to_owned())]);
        let kind = alert.kind();
        let told = told(&self.scene).await.pop().expect("it is told");
        assert_eq!(told, (kind.event().as_str(), State::Raised, about.to_owned()));
        let series = format!(
            "mdes_receiver_alarms{{kind=\"{}\",alert=\"{}\"}} 1\n",
            kind.as_str(),
            alert.as_str()
        );
        assert!(self.metrics.text().contains(&series), "{series}");
    }

    /// It is over, and soon nobody sees it.
    async fn clears(&self, alert: Alert, about: &str) {
        go_on(&self.scene, &[&self.watch], 180).await;
        assert_eq!(standing(&self.scene).await, []);
        let told = told(&self.scene).await.pop().expect("it is told");
        assert_eq!(told, (alert.kind().event().as_str(), State::Cleared, about.to_owned()));
    }

    fn holds(&self, days: i64) -> Holds {
        let at = self.scene.now() + time::Duration::days(days);
        Holds {
            certificates: vec![("server.pem".to_owned(), at)],
            keys: vec![("decrypt.pem".to_owned(), at)],
        }
    }

    async fn turned(&self, settle: &[Settlement], claim: u32) -> Turned {
        let turn = Turn {
            destination: "orders",
            subscription: &Subscription::all(),
            settle,
            claim,
            lease: LEASE,
            stop_overtakes_after: LEASE,
            pause: None,
        };
        self.scene.memory.turn(&turn).await.expect("the store answers")
    }
}

fn entry() -> NewQuarantine {
    NewQuarantine {
        id: quarantine_id(),
        received_at: noon(),
        peer: peer(),
        body: b"not JSON".to_vec(),
        sealed_by: SealedBy::Us,
        body_bytes: 8,
        reason: "INVALID_JSON".to_owned(),
        detail: "it is not JSON".to_owned(),
        keys_tried: String::new(),
    }
}

async fn an_open_entry_in_quarantine_is_an_alarm_until_it_is_resolved(database: Database) {
    let replica = Replica::over(database).await;
    let (memory, entry) = (&replica.scene.memory, entry());
    memory.quarantine(&entry).await.expect("it is kept");
    replica.raises(Alert::QuarantineOpen, "").await;

    let set_aside = Resolution::SetAside("a probe".to_owned());
    let resolved = memory.resolve(entry.id, &set_aside, replica.scene.now()).await;
    assert!(resolved.expect("the store answers"));
    replica.clears(Alert::QuarantineOpen, "").await;
}

async fn a_gap_is_an_alarm_while_it_is_open_and_until_somebody_asks_after_it(database: Database) {
    let replica = Replica::over(database).await;
    let memory = &replica.scene.memory;
    let missed = miss(Missed::Refused, "ws.mastercard.com", "11:50", "11:55");
    memory.missed(&[missed]).await.expect("the store answers");
    replica.raises(Alert::Gap, "refused ws.mastercard.com").await;

    let closed = memory.close_gaps(quiet(replica.scene.now()), None).await;
    assert_eq!(closed.expect("the store answers").len(), 1);
    go_on(&replica.scene, &[&replica.watch], 180).await;
    assert_eq!(
        standing(&replica.scene).await,
        [(Alert::Gap.as_str(), "unfollowed".to_owned())]
    );

    let looks_only = NewReconcile {
        dry_run: true,
        ..reconcile_by(Cause::Person)
    };
    assert!(replica.scene.begin(&looks_only).await);
    go_on(&replica.scene, &[&replica.watch], 60).await;
    assert_eq!(
        standing(&replica.scene).await.len(),
        1,
        "who only looks puts nothing right"
    );
    assert!(replica.scene.begin(&reconcile_by(Cause::Person)).await);
    replica.clears(Alert::Gap, "unfollowed").await;
}

async fn a_doubt_that_was_given_up_is_an_alarm_until_it_is_settled(database: Database) {
    let replica = Replica::over(database).await;
    let scene = &replica.scene;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    let claimed = scene.claimed().await;
    let given_up = SettledQuestion {
        given_up: true,
        ..unanswered(&claimed)
    };
    assert!(scene.settle(&given_up).await);
    replica.raises(Alert::DoubtGivenUp, "").await;

    scene.settle_doubt(&token("A")).await;
    scene.wait(61);
    assert_eq!(scene.claim(10).await.claimed, []);
    replica.clears(Alert::DoubtGivenUp, "").await;
}

async fn a_deactivated_token_that_is_spoken_of_is_an_alarm_for_a_week(database: Database) {
    let replica = Replica::over(database).await;
    replica.scene.hear(&token("A"), "DEACTIVATED", "10:00").await;
    replica.scene.hear(&token("A"), "ACTIVE", "11:00").await;
    replica.raises(Alert::TokenAnomaly, "").await;
    replica.scene.wait(8 * 86_400);
    go_on(&replica.scene, &[&replica.watch], 60).await;
    let left: Vec<&str> = standing(&replica.scene)
        .await
        .into_iter()
        .map(|(alert, _)| alert)
        .collect();
    assert_eq!(left, [Alert::Silent.as_str()], "by now it is known");
}

async fn a_certificate_is_an_alarm_until_it_is_renewed(database: Database) {
    let replica = Replica::over(database).await;
    let of = |holds: Holds| Holds {
        keys: Vec::new(),
        ..holds
    };
    replica.watch.dates().are(of(replica.holds(29)));
    replica.raises(Alert::CertificateExpires, "server.pem").await;
    replica.watch.dates().are(of(replica.holds(2)));
    go_on(&replica.scene, &[&replica.watch], 180).await;
    let now = (Alert::CertificateExpiresNow.as_str(), "server.pem".to_owned());
    assert_eq!(standing(&replica.scene).await, [now]);
    replica.watch.dates().are(of(replica.holds(365)));
    replica.clears(Alert::CertificateExpiresNow, "server.pem").await;
}

async fn a_key_is_an_alarm_until_it_is_certified_anew(database: Database) {
    let replica = Replica::over(database).await;
    let of = |holds: Holds| Holds {
        certificates: Vec::new(),
        ..holds
    };
    replica.watch.dates().are(of(replica.holds(29)));
    replica.raises(Alert::KeyExpires, "decrypt.pem").await;
    replica.watch.dates().are(of(replica.holds(365)));
    replica.clears(Alert::KeyExpires, "decrypt.pem").await;
}

async fn a_command_that_waits_for_approval_is_an_alarm_until_it_has_it(database: Database) {
    let replica = Replica::over(database).await;
    let memory = &replica.scene.memory;
    let deletion = NewCommand {
        approve_within: Some(Duration::from_hours(24)),
        ..wanted(Action::Delete, "A")
    };
    memory.order(&deletion).await.expect("the store answers");
    replica.raises(Alert::CommandWaits, "").await;
    let approved = memory.approve(deletion.id, "ben").await.expect("the store answers");
    assert_eq!(approved, Approved::Now);
    replica.clears(Alert::CommandWaits, "").await;
}

async fn a_command_without_its_proof_is_an_alarm_until_there_is_one(database: Database) {
    let replica = Replica::over(database).await;
    let memory = &replica.scene.memory;
    memory.order(&suspend("A")).await.expect("the store answers");
    let claims = memory.claim(Service::Mdes, Duration::from_hours(1), 1).await;
    let claimed = claims.expect("the store answers").claimed.remove(0);
    for (stage, raises) in [(Stage::Overdue, true), (Stage::Confirmed, false)] {
        let there = memory.progress(&at_stage(&claimed, stage)).await;
        assert!(there.expect("the store answers"), "{stage:?}");
        match raises {
            true => replica.raises(Alert::CommandOverdue, "").await,
            false => replica.clears(Alert::CommandOverdue, "").await,
        }
    }
}

async fn a_destination_that_left_is_an_alarm_until_it_is_let_go_of(database: Database) {
    let replica = Replica::over(database).await;
    let memory = &replica.scene.memory;
    memory.enrol("gone", Start::Now).await.expect("the store answers");
    look(&replica.watch).await;
    assert_eq!(standing(&replica.scene).await, [], "nothing waits for it yet");
    replica.scene.hear(&token("A"), "ACTIVE", "09:00").await;
    replica.raises(Alert::DestinationLeft, "gone").await;
    let metric = "mdes_receiver_destination_left{destination=\"gone\"}";
    assert!(replica.metrics.text().contains(metric));
    let forgotten = memory.forget("gone", "ana: they closed").await;
    assert!(forgotten.expect("the store answers").is_some());
    replica.clears(Alert::DestinationLeft, "gone").await;
    assert!(
        !replica.metrics.text().contains("\"gone\""),
        "nothing is said of it any more"
    );
    assert_eq!(memory.forget("gone", "ana").await.expect("the store answers"), None);
}

async fn a_paused_destination_is_an_alarm_until_it_is_resumed(database: Database) {
    let replica = Replica::over(database).await;
    let memory = &replica.scene.memory;
    assert!(memory.enrol("orders", Start::Now).await.expect("the store answers"));
    assert!(
        memory
            .pause("orders", Some("they deploy"))
            .await
            .expect("the store answers")
    );
    replica.raises(Alert::DestinationPaused, "orders").await;
    let says = memory
        .alarms()
        .await
        .expect("the store answers")
        .alarms
        .remove(0)
        .alarm
        .says;
    assert_eq!(says, "orders is paused: they deploy");
    assert!(memory.pause("orders", None).await.expect("the store answers"));
    replica.clears(Alert::DestinationPaused, "orders").await;
}

async fn a_destination_that_is_not_told_is_an_alarm_until_it_is(database: Database) {
    let replica = Replica::over(database).await;
    let (memory, scene) = (&replica.scene.memory, &replica.scene);
    assert!(memory.enrol("orders", Start::Now).await.expect("the store answers"));
    scene.hear(&token("A"), "SUSPENDED", "10:00").await;
    let first = replica.turned(&[], 10).await.claimed;
    assert!(!first.is_empty());
    scene.wait(900);
    look(&replica.watch).await;
    assert_eq!(standing(scene).await, []);
    replica.raises(Alert::DeliveriesLate, "orders").await;

    let (mut open, mut outcome) = (first, Outcome::Parked);
    while !open.is_empty() {
        let settle: Vec<Settlement> = open.iter().map(|one| settlement(one, &outcome)).collect();
        replica.turned(&settle, 0).await;
        if outcome == Outcome::Parked {
            look(&replica.watch).await;
            let alerts: Vec<&str> = standing(scene).await.into_iter().map(|(alert, _)| alert).collect();
            assert!(alerts.contains(&Alert::DeliveriesParked.as_str()), "{alerts:?}");
            memory
                .retry(&Default::default(), false)
                .await
                .expect("the store answers");
        }
        (open, outcome) = (replica.turned(&[], 10).await.claimed, Outcome::Delivered);
    }
    go_on(scene, &[&replica.watch], 180).await;
    assert_eq!(standing(scene).await, []);
}

fn settlement(claimed: &mdes_receiver::store::outbox::Claimed, outcome: &Outcome) -> Settlement {
    Settlement {
        delivery: claimed.delivery,
        position: claimed.event.position,
        attempt: claimed.attempt,
        outcome: outcome.clone(),
        status: Some(500),
        answer: "no".to_owned(),
    }
}

async fn what_others_report_is_an_alarm_until_they_withdraw_it(database: Database) {
    let replica = Replica::over(database).await;
    let reports = replica.watch.reports().clone();
    reports.report(Alarm::new(
        Alert::ProbeFails,
        "tokens.merchant.example",
        "no route to it",
    ));
    replica.raises(Alert::ProbeFails, "tokens.merchant.example").await;
    reports.withdraw(Alert::ProbeFails, "tokens.merchant.example");
    replica.clears(Alert::ProbeFails, "tokens.merchant.example").await;
}

async fn two_replicas_that_see_the_same_raise_it_once(database: Database) {
    let replica = Replica::over(database).await;
    let scene = &replica.scene;
    scene.memory.quarantine(&entry()).await.expect("it is kept");
    let missed = miss(Missed::Refused, "ws.mastercard.com", "11:50", "11:55");
    scene.memory.missed(&[missed]).await.expect("the store answers");
    let together = Arc::new(Barrier::new(4));
    let mut looking = JoinSet::new();
    for _ in 0..4 {
        let memory = scene.replica().await;
        let (watch, together) = (start(scene, &memory, &Metrics::new()), Arc::clone(&together));
        looking.spawn(async move {
            together.wait().await;
            for _ in 0..5 {
                look(&watch).await;
            }
        });
    }
    looking.join_all().await;
    let mut kinds: Vec<&str> = told(scene).await.into_iter().map(|(kind, ..)| kind).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["ops.gap", "ops.quarantine"]);
}

async fn replicas_with_other_files_than_the_others_do_not_flap(database: Database) {
    let replica = Replica::over(database).await;
    let scene = &replica.scene;
    let other = start(scene, &scene.memory, &Metrics::new());
    replica.watch.dates().are(replica.holds(2));
    go_on(scene, &[&replica.watch, &other], 600).await;
    assert_eq!(told(scene).await.len(), 2, "the certificate and the key, once each");

    go_on(scene, &[&other], 90).await;
    assert_eq!(told(scene).await.len(), 2, "its replica may only be slow");
    go_on(scene, &[&other], 90).await;
    assert_eq!((told(scene).await.len(), standing(scene).await), (4, vec![]));
}

async fn who_dies_after_raising_leaves_it_to_the_next_to_clear(database: Database) {
    let Replica { scene, watch, .. } = Replica::over(database).await;
    watch.dates().are(Holds {
        certificates: vec![("server.pem".to_owned(), scene.now())],
        keys: Vec::new(),
    });
    look(&watch).await;
    drop(watch);
    scene.wait(3_600);
    let next = start(&scene, &scene.replica().await, &Metrics::new());
    go_on(&scene, &[&next], 120).await;
    assert_eq!(
        told(&scene).await.len(),
        1,
        "who has just come does not know what others see"
    );
    go_on(&scene, &[&next], 30).await;
    let states: Vec<State> = told(&scene).await.into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, [State::Raised, State::Cleared]);
}

/// As a crash before the commit would.
async fn a_look_that_cannot_tell_leaves_nothing_behind(database: Database) {
    let replica = Replica::over(database).await;
    let scene = &replica.scene;
    scene.memory.quarantine(&entry()).await.expect("it is kept");
    scene.database.execute("alter table events rename to elsewhere").await;
    assert!(replica.watch.look().await.is_err());
    assert_eq!(standing(scene).await, []);
    scene.database.execute("alter table elsewhere rename to events").await;
    replica.raises(Alert::QuarantineOpen, "").await;
    assert_eq!(told(scene).await.len(), 1);
}

async fn what_somebody_looks_at_now_does_not_wait_for_a_look(database: Database) {
    let replica = Replica::over(database).await;
    let (scene, watch) = (&replica.scene, &replica.watch);
    let alerts = async || {
        let needs = watch.needs().await.expect("the store answers");
        needs.alarms.iter().map(|kept| kept.alarm.alert).collect::<Vec<_>>()
    };
    let entry = entry();
    scene.memory.quarantine(&entry).await.expect("it is kept");
    assert_eq!(alerts().await, [Alert::QuarantineOpen]);
    assert_eq!(told(scene).await, [], "who only asks raises nothing");
    look(watch).await;
    let other = start(scene, &scene.memory, &Metrics::new());
    other.reports().report(Alarm::new(Alert::ProbeFails, "", "no route"));
    look(&other).await;
    let set_aside = Resolution::SetAside("a probe".to_owned());
    scene
        .memory
        .resolve(entry.id, &set_aside, scene.now())
        .await
        .expect("it is resolved");
    assert_eq!(
        alerts().await,
        [Alert::ProbeFails],
        "what another replica alone sees stands, too"
    );
}

async fn nobody_is_told_of_the_same_alarm_again(database: Database) {
    let replica = Replica::over(database).await;
    let (scene, memory) = (&replica.scene, &replica.scene.memory);
    assert!(memory.enrol("orders", Start::Now).await.expect("the store answers"));
    assert!(
        memory
            .pause("orders", Some("they deploy"))
            .await
            .expect("the store answers")
    );
    for _ in 0..3 {
        memory.quarantine(&entry()).await.expect("it is kept");
        go_on(scene, &[&replica.watch], 300).await;
    }
    assert_eq!(told(scene).await.len(), 2);
    let standing = memory.alarms().await.expect("the store answers").alarms;
    let quarantine = standing.iter().find(|kept| kept.alarm.alert == Alert::QuarantineOpen);
    assert_eq!(
        quarantine.expect("it stands").alarm.count,
        3,
        "what is shown is as it is now"
    );
}

async fn what_a_newer_program_raised_stands_until_nobody_sees_it(database: Database) {
    let replica = Replica::over(database).await;
    let scene = &replica.scene;
    scene
        .database
        .execute(
            "insert into alarms (alert, about, id, says, count, raised_at, seen_at) values \
             ('MdesUnheardOf', '', '019aaaaa-0000-7000-8000-000000000001', 'so', 1, '2026-11-22T11:59:00.000000Z', \
             '2026-11-22T12:00:00.000000Z')",
        )
        .await;
    look(&replica.watch).await;
    go_on(scene, &[&replica.watch], 300).await;
    assert_eq!((standing(scene).await, told(scene).await), (vec![], vec![]));
    let left = scene.database.text("select cast(count(*) as text) from alarms").await;
    assert_eq!(left.as_deref(), Some("0"));
}
