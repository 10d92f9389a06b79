//! Logs, metrics, traces. Every metric's name stands in [`Metrics::new`], and nowhere else.
//!
//! No label is unbounded: each value is a word from this program, never one that a stranger chose.

mod flood;
mod history;
mod logs;
mod misses;
mod reports;
pub mod traces;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;

pub use self::flood::Flood;
use self::history::History;
pub use self::history::Minute;
pub use self::logs::init_logs;
pub use self::misses::{Gathered, Misses, Taken};
pub use self::reports::Reports;
use self::traces::{Span, Traces};
use crate::domain::alarm::{Alarm, Alert};
use crate::domain::missed::Missed;
use crate::domain::pace::Breaker;
use crate::domain::silence::Quiet;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Item {
    item: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    destination: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Delivered {
    destination: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Commanded {
    action: &'static str,
    service: &'static str,
    end: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    table: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct How {
    missed: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Needs {
    kind: &'static str,
    alert: &'static str,
}

/// What is counted. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    handshakes: Family<Outcome, Counter>,
    connections: Gauge,
    notifications: Family<Outcome, Counter>,
    tokenex_callbacks: Family<Outcome, Counter>,
    statements: Family<Outcome, Counter>,
    answer_seconds: Histogram,
    batch_size: Histogram,
    store_seconds: Histogram,
    quarantine_open: Gauge,
    gaps: Family<How, Counter>,
    last_notification: Gauge,
    silence: Gauge,
    silence_threshold: Gauge,
    alarms: Family<Needs, Gauge>,
    expires: Family<Item, Gauge>,
    reloads: Family<Outcome, Counter>,
    deliveries: Family<Delivered, Counter>,
    deliveries_open: Family<To, Gauge>,
    deliveries_parked: Family<To, Gauge>,
    delivery_oldest: Family<To, Gauge>,
    destination_paused: Family<To, Gauge>,
    destination_left: Family<To, Gauge>,
    breaker: Family<To, Gauge>,
    commands: Family<Commanded, Counter>,
    questions: Family<Outcome, Counter>,
    reconciled: Family<Outcome, Counter>,
    reconcile_ended: Gauge,
    retention: Family<Of, Counter>,
    admin_requests: Family<Outcome, Counter>,
    probes: Family<Outcome, Counter>,
    probe_seconds: Histogram,
    probe_reached: Gauge,
    probes_answered: Family<Outcome, Counter>,
    spans: Family<Outcome, Counter>,
    traces: Traces,
    history: History,
}

impl Metrics {
    /// All at zero, and no traces.
    pub fn new() -> Self {
        Metrics::beside(Traces::default(), Family::default())
    }

    /// All at zero, and one trace in so many; the other end gives its spans to the collector.
    pub fn tracing(one_in: u64) -> (Self, mpsc::Receiver<Span>) {
        let spans = Family::default();
        let (traces, waiting) = Traces::one_in(one_in, spans.clone());
        (Metrics::beside(traces, spans), waiting)
    }

    /// Where spans go.
    pub fn traces(&self) -> &Traces {
        &self.0.traces
    }

    fn beside(traces: Traces, spans: Family<Outcome, Counter>) -> Self {
        let seconds = || Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0]);
        let mut inner = Inner {
            registry: Registry::with_prefix("mdes_receiver"),
            handshakes: Family::default(),
            connections: Gauge::default(),
            notifications: Family::default(),
            tokenex_callbacks: Family::default(),
            statements: Family::default(),
            answer_seconds: seconds(),
            batch_size: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]),
            store_seconds: seconds(),
            quarantine_open: Gauge::default(),
            gaps: Family::default(),
            last_notification: Gauge::default(),
            silence: Gauge::default(),
            silence_threshold: Gauge::default(),
            alarms: Family::default(),
            expires: Family::default(),
            reloads: Family::default(),
            deliveries: Family::default(),
            deliveries_open: Family::default(),
            deliveries_parked: Family::default(),
            delivery_oldest: Family::default(),
            destination_paused: Family::default(),
            destination_left: Family::default(),
            breaker: Family::default(),
            commands: Family::default(),
            questions: Family::default(),
            reconciled: Family::default(),
            reconcile_ended: Gauge::default(),
            retention: Family::default(),
            admin_requests: Family::default(),
            probes: Family::default(),
            probe_seconds: seconds(),
            probe_reached: Gauge::default(),
            probes_answered: Family::default(),
            spans,
            traces,
            history: History::default(),
        };
        inner.register_receiving();
        inner.register_deliveries();
        inner.register_probes_and_spans();
        Metrics(Arc::new(inner))
    }

    /// A handshake ended: `accepted`, or the reason of the refusal.
    pub fn handshake(&self, outcome: &'static str) {
        self.0.handshakes.get_or_create(&Outcome { outcome }).inc();
    }

    /// A connection opened (+1) or closed (-1).
    pub fn connections(&self, by: i64) {
        self.0.connections.inc_by(by);
    }

    /// A request was answered: `recorded`, `repeat`, or the reason of the refusal.
    pub fn notification(&self, outcome: &'static str, took: Duration) {
        self.0.notifications.get_or_create(&Outcome { outcome }).inc();
        match outcome {
            "recorded" => self.0.history.recorded.fetch_add(1, Ordering::Relaxed),
            "repeat" => 0,
            _ => self.0.history.refused.fetch_add(1, Ordering::Relaxed),
        };
        self.0.answer_seconds.observe(took.as_secs_f64());
    }

    /// One of TokenEx's own notifications was answered: `recorded`, `repeat`, or why not.
    pub fn tokenex_callback(&self, outcome: &'static str) {
        self.0.tokenex_callbacks.get_or_create(&Outcome { outcome }).inc();
    }

    /// A statement was judged.
    pub fn statement(&self, verdict: &'static str) {
        self.0.statements.get_or_create(&Outcome { outcome: verdict }).inc();
    }

    /// A batch was committed.
    pub fn committed(&self, notifications: usize, took: Duration) {
        self.0.batch_size.observe(notifications as f64);
        self.0.store_seconds.observe(took.as_secs_f64());
    }

    /// A notification of Mastercard's came then, and is on disk; here or at another replica.
    pub fn heard(&self, at_unix: i64) {
        self.0.last_notification.inner().fetch_max(at_unix, Ordering::Relaxed);
    }

    /// How quiet it is; a threshold of `None` is never passed.
    pub fn quiet(&self, quiet: &Quiet) {
        let secs = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        self.0.silence.set(secs(quiet.age));
        self.0.silence_threshold.set(quiet.threshold.map_or(0, secs));
    }

    /// What needs a person now.
    pub fn alarms<'a>(&self, standing: impl Iterator<Item = &'a Alarm> + Clone) {
        for alert in Alert::ALL {
            let count = standing.clone().filter(|alarm| alarm.alert == *alert).count();
            let (kind, alert) = (alert.kind().as_str(), alert.as_str());
            let gauge = self.0.alarms.get_or_create(&Needs { kind, alert });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// When the last notification was recorded, in seconds since 1970; `None`: none that anybody knows of.
    pub fn last_notification(&self) -> Option<i64> {
        Some(self.0.last_notification.get()).filter(|at| *at > 0)
    }

    /// How many quarantined entries are open.
    pub fn quarantine_open(&self, entries: u64) {
        self.0.quarantine_open.set(entries.cast_signed());
    }

    /// A gap opened: a notification may have been missed.
    pub fn gap(&self, missed: Missed) {
        let missed = missed.as_str();
        self.0.gaps.get_or_create(&How { missed }).inc();
    }

    /// When a certificate or CRL (by its file) expires.
    pub fn expires(&self, item: &str, at_unix: i64) {
        let item = item.to_owned();
        self.0.expires.get_or_create(&Item { item }).set(at_unix);
    }

    /// A reload ended: `done` or `kept_old`.
    pub fn reload(&self, outcome: &'static str) {
        self.0.reloads.get_or_create(&Outcome { outcome }).inc();
    }

    /// An attempt ended: `delivered`, or why not. Destinations are few: the configuration names them.
    pub fn delivery(&self, destination: &str, outcome: &'static str) {
        let destination = destination.to_owned();
        let labels = Delivered { destination, outcome };
        self.0.deliveries.get_or_create(&labels).inc();
        let counted = match outcome {
            "delivered" => &self.0.history.delivered,
            _ => &self.0.history.failed,
        };
        counted.fetch_add(1, Ordering::Relaxed);
    }

    /// A destination's breaker moved.
    pub fn breaker(&self, destination: &str, breaker: Breaker) {
        let figure = match breaker {
            Breaker::Closed => 0,
            Breaker::HalfOpen => 1,
            Breaker::Open => 2,
        };
        self.0.breaker.get_or_create(&to(destination)).set(figure);
    }

    /// How a destination stands.
    pub fn destination(&self, destination: &str, standing: &Backlog) {
        let to = to(destination);
        self.0
            .deliveries_open
            .get_or_create(&to)
            .set(standing.open.cast_signed());
        self.0
            .deliveries_parked
            .get_or_create(&to)
            .set(standing.parked.cast_signed());
        self.0.delivery_oldest.get_or_create(&to).set(standing.oldest_secs);
        self.0
            .destination_paused
            .get_or_create(&to)
            .set(standing.is_paused.into());
        self.0
            .destination_left
            .get_or_create(&to)
            .set(standing.left.cast_signed());
    }

    /// A destination was let go of: nothing is said of it any more.
    pub fn forgotten(&self, destination: &str) {
        let (to, inner) = (to(destination), &self.0);
        for family in [
            &inner.deliveries_open,
            &inner.deliveries_parked,
            &inner.delivery_oldest,
            &inner.destination_paused,
            &inner.destination_left,
            &inner.breaker,
        ] {
            family.remove(&to);
        }
    }

    /// A command came to its end, or is `overdue`.
    pub fn command(&self, action: &'static str, service: &'static str, end: &'static str) {
        let labels = Commanded { action, service, end };
        self.0.commands.get_or_create(&labels).inc();
    }

    /// A question about a token in doubt was asked: what came of it.
    pub fn question(&self, finding: &'static str) {
        self.0.questions.get_or_create(&Outcome { outcome: finding }).inc();
    }

    /// A reconcile compared one token: what it found.
    pub fn reconciled(&self, finding: &'static str) {
        self.0.reconciled.get_or_create(&Outcome { outcome: finding }).inc();
    }

    /// A reconcile is through.
    pub fn reconcile_ended(&self, now_unix: i64) {
        self.0.reconcile_ended.set(now_unix);
    }

    /// Rows of that table went, since they were old.
    pub fn retention(&self, table: &'static str, rows: u64) {
        self.0.retention.get_or_create(&Of { table }).inc_by(rows);
    }

    /// A request under /v1 was `admitted`, or why it was not.
    pub fn admin_request(&self, outcome: &'static str) {
        self.0.admin_requests.get_or_create(&Outcome { outcome }).inc();
    }

    /// A probe of ours ended: `reached`, or why not.
    pub fn probe(&self, outcome: &'static str, took: Duration, now_unix: i64) {
        self.0.probes.get_or_create(&Outcome { outcome }).inc();
        if outcome == "reached" {
            self.0.probe_seconds.observe(took.as_secs_f64());
            self.0.probe_reached.set(now_unix);
        }
    }

    /// What a probe asked was `answered`, or it was told that we are `unavailable`, or it was `refused`.
    pub fn probe_answered(&self, outcome: &'static str) {
        self.0.probes_answered.get_or_create(&Outcome { outcome }).inc();
    }

    /// Gives what was counted since the last call to the minute of now.
    pub fn sample(&self, now_unix: i64) {
        self.0.history.sample(now_unix);
    }

    /// The last so many minutes of this process, oldest first; at most a day.
    pub fn last_minutes(&self, count: usize, now_unix: i64) -> Vec<Minute> {
        self.0.history.last(count, now_unix)
    }

    /// All of it in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0.registry).expect("a String takes any text");
        text
    }
}

/// What waits for a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Deliveries that are open, and events that were not looked at.
    pub open: u64,
    /// Of them, those that wait for a person.
    pub parked: u64,
    /// Age of the oldest, in seconds.
    pub oldest_secs: i64,
    /// Nothing is sent to it.
    pub is_paused: bool,
    /// Events that wait for it although it is in no configuration any more.
    pub left: u64,
}

fn to(destination: &str) -> To {
    To {
        destination: destination.to_owned(),
    }
}

impl Inner {
    fn register_receiving(&mut self) {
        let r = &mut self.registry;
        let text = "Handshakes by outcome: accepted, or why refused";
        r.register("handshakes", text, self.handshakes.clone());
        r.register("connections", "Open connections at the door", self.connections.clone());
        r.register("notifications", "Requests by outcome", self.notifications.clone());
        r.register(
            "statements",
            "Statements about tokens by verdict",
            self.statements.clone(),
        );
        r.register(
            "answer_seconds",
            "From a complete body to its answer",
            self.answer_seconds.clone(),
        );
        r.register("batch_size", "Notifications in one commit", self.batch_size.clone());
        r.register("store_seconds", "Duration of one commit", self.store_seconds.clone());
        r.register(
            "quarantine_open",
            "Open entries in quarantine",
            self.quarantine_open.clone(),
        );
        r.register(
            "last_notification_timestamp_seconds",
            "When the last notification was recorded, by any replica",
            self.last_notification.clone(),
        );
        r.register(
            "expires_timestamp_seconds",
            "When a certificate or CRL of ours expires",
            self.expires.clone(),
        );
        r.register(
            "reloads",
            "Reloads of certificates, CRLs and keys by outcome",
            self.reloads.clone(),
        );
    }

    fn register_deliveries(&mut self) {
        let r = &mut self.registry;
        let text = "Attempts by destination and outcome: delivered, or why not";
        r.register("deliveries", text, self.deliveries.clone());
        let text = "Deliveries that are open, and events not yet looked at, by destination";
        r.register("deliveries_open", text, self.deliveries_open.clone());
        let text = "Deliveries that wait for a person, by destination";
        r.register("deliveries_parked", text, self.deliveries_parked.clone());
        let text = "Age of the oldest open delivery, by destination";
        r.register("delivery_oldest_seconds", text, self.delivery_oldest.clone());
        let text = "1 if nothing is sent to the destination until someone resumes it";
        r.register("destination_paused", text, self.destination_paused.clone());
        let text = "Events that wait for the destination although it is not in the configuration any more";
        r.register("destination_left", text, self.destination_left.clone());
        let text = "A destination's breaker: 0 closed, 1 half open, 2 open";
        r.register("destination_breaker", text, self.breaker.clone());
        let text = "Commands by action, service and end: confirmed, refused, contradicted, or overdue on the way there";
        r.register("commands", text, self.commands.clone());
        let text = "Times in which a notification may have been missed: downtime, refused, unavailable";
        r.register("gaps", text, self.gaps.clone());
        let text = "Questions asked about tokens in doubt, by what came of them";
        r.register("questions", text, self.questions.clone());
        let text = "Tokens that reconciles compared with the network, by what they found";
        r.register("reconciled", text, self.reconciled.clone());
        let text = "When the last reconcile came through";
        r.register("last_reconcile_timestamp_seconds", text, self.reconcile_ended.clone());
        let text = "Rows that went by age, by table";
        r.register("retention_rows", text, self.retention.clone());
        let text = "TokenEx's own notifications by outcome: recorded, repeat, or why not";
        r.register("tokenex_callbacks", text, self.tokenex_callbacks.clone());
        let text = "For how long no notification came, in seconds; none ever: since the first start";
        r.register("silence_seconds", text, self.silence.clone());
        let text = "Longer than this is longer than usual, in seconds; 0: nothing is too long";
        r.register("silence_threshold_seconds", text, self.silence_threshold.clone());
        let text = "What needs a person now, by kind and alert, as all replicas see it";
        r.register("alarms", text, self.alarms.clone());
        let text = "Requests under /v1 by outcome: admitted, or why not; tokenex_… of the TokenEx contract";
        r.register("admin_requests", text, self.admin_requests.clone());
    }
}

impl Inner {
    fn register_probes_and_spans(&mut self) {
        let r = &mut self.registry;
        let text = "Probes of our own public name by outcome: reached, or why not";
        r.register("probes", text, self.probes.clone());
        let text = "From resolving the public name to the probe's answer";
        r.register("probe_seconds", text, self.probe_seconds.clone());
        let text = "When a probe last came through our public name to a receiver that keeps";
        r.register("probe_last_success_timestamp_seconds", text, self.probe_reached.clone());
        let text = "What probes asked at the door: answered, unavailable, refused";
        r.register("probes_answered", text, self.probes_answered.clone());
        let text = "Spans of traces: exported, dropped for want of room, or refused by the collector";
        r.register("spans", text, self.spans.clone());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}
