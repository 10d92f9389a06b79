//! The destinations: each could be spoken to as it is configured, is not paused, and nothing of it waits for a person.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::findings::Findings;
use super::memory;
use crate::clock::{Clock, SystemClock};
use crate::config::settings::{Destination, Settings};
use crate::delivery;
use crate::store::outbox::{KeptDestination, Outbox};
use crate::store::{self, Store as _};

const ASK_WITHIN: Duration = Duration::from_secs(10);

pub(super) async fn examine(settings: &Settings, now: OffsetDateTime, findings: &mut Findings) {
    if settings.destinations.is_empty() {
        return;
    }
    let kept = tokio::time::timeout(ASK_WITHIN, kept(settings))
        .await
        .unwrap_or_default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for destination in &settings.destinations {
        let about = format!("destination {}", destination.name);
        match delivery::open(destination, &clock) {
            Ok(_) => findings.ok(&about, what(destination)),
            Err(error) => findings.fail(
                &about,
                error.to_string(),
                "`destinations test` sends it one event that means nothing",
            ),
        }
        if let Some(kept) = kept.iter().find(|kept| kept.name == destination.name) {
            standing(&about, kept, now, findings);
        }
    }
}

/// What the store knows of them; whether it answers is another finding.
async fn kept(settings: &Settings) -> Vec<KeptDestination> {
    if memory::missing_file(&settings.store).is_some() {
        return Vec::new();
    }
    let Ok(memory) = store::open(&settings.store, Arc::new(SystemClock)).await else {
        return Vec::new();
    };
    let kept = memory.destinations().await.unwrap_or_default();
    memory.close().await;
    kept
}

fn what(destination: &Destination) -> String {
    let kind = destination.kind.as_str();
    format!("{kind}: its settings and files are good; whether it answers, `destinations test` shows")
}

fn standing(about: &str, kept: &KeptDestination, now: OffsetDateTime, findings: &mut Findings) {
    let name = &kept.name;
    if let Some((since, why)) = &kept.paused {
        let hint = format!("`mdes-receiver destinations resume {name}`, once it is well");
        findings.warn(about, format!("paused since {since}: {why}"), hint);
    }
    if kept.parked > 0 {
        let hint =
            format!("`mdes-receiver deliveries list --destination {name} --state parked` says why; retry or skip them");
        findings.warn(about, format!("{} deliveries wait for a person", kept.parked), hint);
    }
    let waits = kept.oldest_open.map_or(time::Duration::ZERO, |since| now - since);
    if waits > time::Duration::hours(1) {
        let text = format!(
            "the oldest of {} open deliveries is {} h old",
            kept.open,
            waits.whole_hours()
        );
        findings.warn(
            about,
            text,
            "is the other side down? its answers stand in `deliveries list`",
        );
    }
}
