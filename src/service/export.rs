//! Hands spans to the collector, by OTLP over HTTP. Whatever becomes of it, nobody waits for it.
//!
//! What it cannot hand over is dropped and counted: a trace is worth no queue on disk. A crash loses what waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, new_id};
use crate::config::settings;
use crate::net::egress::{Client, Limits, Request, Target};
use crate::telemetry::Metrics;
use crate::telemetry::traces::{Resource, Span, written};

/// In one request.
const SPANS_MAX: usize = 512;
/// What comes within so long goes together.
const GATHER: Duration = Duration::from_secs(1);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(5);
/// What waits at a stop has so long to go.
const FLUSH: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: usize = 16 * 1024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NAME: HeaderValue = HeaderValue::from_static(concat!("mdes-receiver/", env!("CARGO_PKG_VERSION")));

/// The way to the collector.
pub(super) struct Exporter {
    client: Client,
    target: Arc<Target>,
    headers: HeaderMap,
    total: Duration,
    resource: Resource,
    spans: mpsc::Receiver<Span>,
    metrics: Metrics,
    /// What the log was told last.
    is_well: bool,
}

/// The running exporter.
pub(super) struct Exporting {
    closing: CancellationToken,
    task: JoinHandle<()>,
}

/// What is counted; and who hands over spans, if anybody is to. What the operator wrote wrong is an error; a collector
/// that is away is not.
pub(super) fn open(
    settings: Option<&settings::Traces>,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Metrics, Option<Exporter>)> {
    let Some(settings) = settings else {
        return Ok((Metrics::new(), None));
    };
    let named = |error: &dyn std::fmt::Display| anyhow::anyhow!("key `traces`: {error}");
    let client = Client::new(&settings.egress, clock.clone()).map_err(|error| named(&error))?;
    let target = Target::parse(settings.url.expose()).map_err(|error| named(&error))?;
    client.admits(&target).map_err(|error| named(&error))?;
    let mut headers: HeaderMap = settings.headers.iter().cloned().collect();
    headers.insert(CONTENT_TYPE, JSON);
    headers.insert(USER_AGENT, NAME);
    let (metrics, spans) = Metrics::tracing(settings.one_in);
    let exporter = Exporter {
        client,
        target: Arc::new(target),
        headers,
        total: settings.egress.total,
        resource: Resource {
            service: settings.service_name.clone(),
            instance: new_id(clock.now()).to_string(),
        },
        spans,
        metrics: metrics.clone(),
        is_well: true,
    };
    Ok((metrics, Some(exporter)))
}

impl Exporting {
    /// What waits goes, for a moment; then nothing does.
    pub(super) async fn close(self) {
        self.closing.cancel();
        let mut task = self.task;
        if timeout(FLUSH, &mut task).await.is_err() {
            tracing::warn!("the last spans did not go to the collector in time");
            task.abort();
        }
    }
}

impl Exporter {
    /// Begins.
    pub(super) fn start(self) -> Exporting {
        let closing = CancellationToken::new();
        let task = tokio::spawn(self.run(closing.clone()));
        Exporting { closing, task }
    }

    async fn run(mut self, closing: CancellationToken) {
        let mut batch = Vec::with_capacity(SPANS_MAX);
        loop {
            let first = closing
                .run_until_cancelled(self.spans.recv_many(&mut batch, SPANS_MAX))
                .await;
            if first.is_none_or(|spans| spans == 0) {
                break;
            }
            let _ = closing.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            self.gather(&mut batch);
            if !self.hand_over(std::mem::take(&mut batch)).await {
                let _ = closing.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
        self.gather(&mut batch);
        while !batch.is_empty() && self.hand_over(std::mem::take(&mut batch)).await {
            self.gather(&mut batch);
        }
    }

    /// What is there already, up to the bound.
    fn gather(&mut self, batch: &mut Vec<Span>) {
        while batch.len() < SPANS_MAX
            && let Ok(span) = self.spans.try_recv()
        {
            batch.push(span);
        }
    }

    /// Says whether the collector took them.
    async fn hand_over(&mut self, batch: Vec<Span>) -> bool {
        let request = Request {
            method: Method::POST,
            target: self.target.clone(),
            headers: self.headers.clone(),
            body: Bytes::from(written(&self.resource, &batch)),
        };
        let limits = Limits {
            total: self.total,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let refusal = match self.client.send(request, limits).await {
            Ok(answer) if answer.status.is_success() => None,
            Ok(answer) => Some(format!("HTTP {}", answer.status.as_u16())),
            Err(error) => Some(error.to_string()),
        };
        let outcome = if refusal.is_none() { "exported" } else { "refused" };
        let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        self.metrics.traces().counted(outcome, spans);
        self.tell(refusal)
    }

    /// One line for each change.
    fn tell(&mut self, refusal: Option<String>) -> bool {
        let is_well = refusal.is_none();
        match refusal {
            Some(why) if self.is_well => {
                tracing::warn!(why, "the collector takes no spans; they are dropped until it does");
            }
            None if !self.is_well => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        self.is_well = is_well;
        is_well
    }
}
