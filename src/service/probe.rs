//! The self-probe: we call our own public name as Mastercard would, so that quiet and broken differ.
//!
//! The whole way is walked each time: the name, the balancer, the handshake with a client certificate, the door, the
//! store. It shows a certificate that reaches the probe's path alone, follows no redirect, and keeps nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::header::{HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, StatusCode};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::deliver::supervised;
use crate::clock::Clock;
use crate::config::settings;
use crate::domain::alarm::{Alarm, Alert};
use crate::net::egress::{Class, Client, Error, Limits, Request, Target};
use crate::telemetry::{Metrics, Reports};

/// That a receiver which has just started is not ready yet is no news.
const FIRST_AFTER: Duration = Duration::from_secs(1);
const NAME: HeaderValue = HeaderValue::from_static(concat!("mdes-receiver/", env!("CARGO_PKG_VERSION")));
/// The answer has none; of a stranger's, no more than it takes to be polite.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
const REACHED: &str = "reached";

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    /// When.
    pub at: OffsetDateTime,
    /// `reached`, or why not, in the metrics' word.
    pub outcome: &'static str,
    /// The same for a person; empty if it was reached.
    pub why: String,
    /// When probes last began to end in this way.
    pub since: OffsetDateTime,
}

impl Probed {
    /// It came through to a receiver that would keep a notification.
    pub fn is_well(&self) -> bool {
        self.outcome == REACHED
    }
}

/// Probes, again and again.
pub(super) struct Prober {
    client: Client,
    target: Arc<Target>,
    every: Duration,
    total: Duration,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    reports: Reports,
    told: watch::Sender<Option<Probed>>,
}

impl Prober {
    /// Begins among the workers, if there is to be one, and at once: that the store is away is what it is there to find.
    pub(super) fn start(
        settings: Option<&settings::Probe>,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
        reports: &Reports,
        stop: &CancellationToken,
        workers: &mut JoinSet<()>,
    ) -> anyhow::Result<Option<Arc<Self>>> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let prober = Prober::load(settings, clock, metrics, reports)?;
        let (one, stop_of_one) = (prober.clone(), stop.clone());
        let work = move || one.clone().run(stop_of_one.clone());
        let panicked = || tracing::error!("the prober panicked; another one begins");
        let at_once = CancellationToken::new();
        at_once.cancel();
        workers.spawn(supervised(work, panicked, at_once, stop.clone()));
        Ok(Some(prober))
    }

    /// Reads its certificate; an address in the URL that the guard would refuse is refused now.
    fn load(
        settings: &settings::Probe,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
        reports: &Reports,
    ) -> anyhow::Result<Arc<Self>> {
        let named = |error: &dyn std::fmt::Display| anyhow::anyhow!("key `probe`: {error}");
        let client = Client::new(&settings.egress, clock.clone()).map_err(|error| named(&error))?;
        let target = Target::parse(&settings.url).map_err(|error| named(&error))?;
        client.admits(&target).map_err(|error| named(&error))?;
        Ok(Arc::new(Prober {
            client,
            target: Arc::new(target),
            every: settings.every,
            total: settings.egress.total,
            clock: clock.clone(),
            metrics: metrics.clone(),
            reports: reports.clone(),
            told: watch::Sender::default(),
        }))
    }

    /// What it goes out by.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What it finds: the last, and each from now on.
    pub(super) fn probed(&self) -> watch::Receiver<Option<Probed>> {
        self.told.subscribe()
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) {
        let probing = async {
            tokio::time::sleep(FIRST_AFTER).await;
            loop {
                self.tell(self.probe().await);
                tokio::time::sleep(self.every).await;
            }
        };
        stop.run_until_cancelled(probing).await;
    }

    async fn probe(&self) -> (&'static str, String) {
        let began = Instant::now();
        let request = Request {
            method: Method::GET,
            target: self.target.clone(),
            headers: HeaderMap::from_iter([(USER_AGENT, NAME)]),
            body: Bytes::new(),
        };
        let limits = Limits {
            total: self.total,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let (outcome, why) = match self.client.send(request, limits).await {
            Ok(response) => heard(response.status),
            Err(error) => (word(&error), error.to_string()),
        };
        self.metrics
            .probe(outcome, began.elapsed(), self.clock.now().unix_timestamp());
        (outcome, why)
    }

    /// One line for each change, and none for what goes on as before.
    fn tell(&self, (outcome, why): (&'static str, String)) {
        let at = self.clock.now();
        let before = self.told.borrow().clone();
        let failed_before = before.as_ref().is_some_and(|before| !before.is_well());
        self.report(outcome, &why, failed_before);
        let same = before.filter(|before| before.outcome == outcome);
        match (&same, outcome) {
            (Some(_), _) => {}
            (None, REACHED) => tracing::info!(outcome, "our public name leads to us"),
            (None, _) => tracing::error!(outcome, why, "our public name does not lead to a receiver that keeps"),
        }
        self.told.send_replace(Some(Probed {
            at,
            outcome,
            why,
            since: same.map_or(at, |before| before.since),
        }));
    }
}

impl Prober {
    /// What fails twice in a row needs a person; one call may be lost on any way.
    fn report(&self, outcome: &'static str, why: &str, failed_before: bool) {
        let about = self.target.host().to_string();
        match outcome {
            REACHED => self.reports.withdraw(Alert::ProbeFails, &about),
            _ if failed_before => {
                let says = format!("our public name does not lead to a receiver that keeps: {why}");
                self.reports.report(Alarm::new(Alert::ProbeFails, &about, says));
            }
            _ => {}
        }
    }
}

/// What an answer means.
fn heard(status: StatusCode) -> (&'static str, String) {
    let status_is = |what: &str| format!("HTTP {}: {what}", status.as_u16());
    match status {
        StatusCode::NO_CONTENT => (REACHED, String::new()),
        StatusCode::SERVICE_UNAVAILABLE => (
            "not_ready",
            status_is("nobody there would keep a notification; look at the store, or at the balancer"),
        ),
        StatusCode::FORBIDDEN => (
            "forbidden",
            status_is(
                "our certificate is not taken for a probe's; look at `callback.probe`, and at what the balancer forwards",
            ),
        ),
        _ => (
            "another_answer",
            status_is("no answer of ours; look where the name leads"),
        ),
    }
}

fn word(error: &Error) -> &'static str {
    match error.class {
        Class::Unusable | Class::Guarded => "guarded",
        Class::Unresolved => "unresolved",
        Class::Connection => "connection",
        Class::Tls => "tls",
        Class::TlsTooOld => "tls_too_old",
        Class::Timeout => "timeout",
    }
}
