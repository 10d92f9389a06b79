//! The watch over what needs a person: looks every so often at what stands in the memory and in files, with what others
//! in this process report, and keeps it in the memory, where it is one alarm for all replicas.
//!
//! A look changes nothing but alarms and figures, and nobody waits for it. A crash between two looks leaves the alarms
//! as they were: the next look of any replica goes on with them. What was heard since the last look is said by the next
//! notification.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::deliver::supervised;
use crate::clock::Clock;
use crate::config::settings;
use crate::domain::alarm::{Alarm, rules};
use crate::store::alarms::{KeptAlarm, Looked, Standing};
use crate::store::asking::{KeptGap, KeptReconcile};
use crate::store::outbox::KeptDestination;
use crate::store::{Alarms as _, Asking as _, Error, Memory, Outbox as _, Store as _};
use crate::telemetry::{Backlog, Metrics, Reports};

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Who has not looked for so long does not know yet what the others see, and clears nothing.
const NEW_FOR: Duration = Duration::from_mins(2);
/// So many of the newest gaps and reconciles are looked at.
const GAPS_MAX: u32 = 1_000;
const RECONCILES_MAX: u32 = 100;

/// Keeps watch over what needs a person.
pub struct Watch {
    memory: Arc<Memory>,
    settings: settings::Watch,
    /// The destinations of the configuration.
    configured: BTreeSet<String>,
    /// Those that were there at the last look.
    met: Mutex<BTreeSet<String>>,
    reports: Reports,
    dates: Dates,
    began: Mutex<Option<OffsetDateTime>>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// Until when what is in force holds: certificates and lists, and the certificates of decryption keys; each by its file.
#[derive(Clone, Default)]
pub struct Dates(Arc<Mutex<Holds>>);

/// What [`Dates`] holds.
#[derive(Clone, Default)]
pub struct Holds {
    /// Certificates and revocation lists of all doors and ways out.
    pub certificates: Vec<(String, OffsetDateTime)>,
    /// Certificates of decryption keys.
    pub keys: Vec<(String, OffsetDateTime)>,
}

impl Dates {
    /// These are in force now.
    pub fn are(&self, holds: Holds) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = holds;
    }

    fn alarms(&self, now: OffsetDateTime) -> Vec<Alarm> {
        let holds = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let certificates = holds.certificates.iter();
        let certificates = certificates.filter_map(|(file, at)| rules::expiring(file, *at, now));
        let keys = holds.keys.iter();
        let keys = keys.filter_map(|(file, at)| rules::key_expiring(file, *at, now));
        certificates.chain(keys).collect()
    }
}

impl Watch {
    /// For one start of one replica.
    pub fn new(
        settings: settings::Watch,
        destinations: impl IntoIterator<Item = String>,
        memory: &Arc<Memory>,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Arc<Self> {
        Arc::new(Watch {
            memory: memory.clone(),
            settings,
            configured: destinations.into_iter().collect(),
            met: Mutex::default(),
            reports: Reports::default(),
            dates: Dates::default(),
            began: Mutex::default(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        })
    }

    /// Where others in this process report what needs a person.
    pub fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Where it is said until when what is in force holds.
    pub fn dates(&self) -> &Dates {
        &self.dates
    }

    /// Looks now and every [`LOOK_EVERY`], once the store is there, until the stop.
    pub(super) fn started(self: Arc<Self>, [store_is_there, stop]: [&CancellationToken; 2], workers: &mut JoinSet<()>) {
        let (watch, until) = (self, stop.clone());
        let work = move || {
            let (watch, until) = (watch.clone(), until.clone());
            async move {
                let _: Option<()> = until.run_until_cancelled(watch.look_for_ever()).await;
            }
        };
        let panicked = || tracing::error!("the watch over what needs a person panicked; another one begins");
        workers.spawn(supervised(work, panicked, store_is_there.clone(), stop.clone()));
    }

    async fn look_for_ever(&self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "cannot look at what needs a person; trying again, and the gauges stand still");
            }
            self.metrics.sample(self.clock.now().unix_timestamp());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// One look. After an error what was raised before still stands, and nothing is cleared.
    pub async fn look(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let seen = self.seen(now).await?;
        let looked = self.memory.look(&seen, self.may_clear(now)).await?;
        tell(&looked);
        let standing = self.memory.alarms().await?;
        self.metrics.alarms(standing.alarms.iter().map(|kept| &kept.alarm));
        Ok(())
    }

    /// What needs a person at this moment, as this replica sees it, and what others see that may be theirs alone. A look
    /// may not have said so yet, and says so a while after it is over.
    pub async fn needs(&self) -> Result<Standing, Error> {
        let now = self.clock.now();
        let seen = self.seen(now).await?;
        let mut standing = self.memory.alarms().await?;
        let is_seen = |kept: &KeptAlarm| seen.iter().any(|alarm| is_same(alarm, &kept.alarm));
        let may_be_anothers = |kept: &KeptAlarm| kept.alarm.alert.kind().is_a_replicas_own();
        standing.alarms.retain(|kept| is_seen(kept) || may_be_anothers(kept));
        for alarm in seen {
            match standing.alarms.iter_mut().find(|kept| is_same(&alarm, &kept.alarm)) {
                Some(kept) => (kept.alarm, kept.seen_at) = (alarm, now),
                None => standing.alarms.push(KeptAlarm::new(alarm, now)),
            }
        }
        Ok(standing)
    }

    async fn seen(&self, now: OffsetDateTime) -> Result<Vec<Alarm>, Error> {
        let mut seen = self.in_the_memory(now).await?;
        seen.extend(self.dates.alarms(now));
        seen.extend(self.reports.standing());
        Ok(seen)
    }

    /// Who has just come has not seen what the others see, nor read again what was renewed meanwhile.
    fn may_clear(&self, now: OffsetDateTime) -> bool {
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        now - *began.get_or_insert(now) >= NEW_FOR
    }

    async fn in_the_memory(&self, now: OffsetDateTime) -> Result<Vec<Alarm>, Error> {
        let open = self.memory.quarantine_open().await?;
        self.metrics.quarantine_open(open);
        let mut seen: Vec<Alarm> = rules::quarantine(open).into_iter().collect();
        seen.extend(self.destinations(now).await?);
        let counts = self.memory.counts().await?;
        seen.extend(rules::anomalies(counts.woken, counts.given_up));
        seen.extend(rules::commands(counts.waiting, counts.overdue));
        seen.extend(self.gaps(now).await?);
        seen.extend(self.silence(now).await?);
        Ok(seen)
    }

    async fn destinations(&self, now: OffsetDateTime) -> Result<Vec<Alarm>, Error> {
        let kept = self.memory.destinations().await?;
        let mut alarms = Vec::new();
        for one in &kept {
            let oldest = one.oldest_open.map_or(time::Duration::ZERO, |since| now - since);
            let left = match self.configured.contains(&one.name) {
                true => 0,
                false => one.open + one.behind,
            };
            tell_backlog(one, oldest, left, &self.metrics);
            alarms.extend(rules::destination(&rules::Backlog {
                name: &one.name,
                paused: one.paused.as_ref().map(|(_, why)| why.as_str()),
                parked: one.parked,
                oldest: Duration::try_from(oldest).unwrap_or_default(),
                left,
            }));
        }
        let there: BTreeSet<String> = kept.into_iter().map(|one| one.name).collect();
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        for name in met.difference(&there) {
            self.metrics.forgotten(name);
        }
        *met = there;
        Ok(alarms)
    }

    async fn gaps(&self, now: OffsetDateTime) -> Result<Vec<Alarm>, Error> {
        let gaps = self.memory.gaps(None, GAPS_MAX).await?;
        let reconciles = match gaps.iter().any(|gap| gap.closed && gap.reconcile.is_none()) {
            true => self.memory.reconciles(None, RECONCILES_MAX).await?,
            false => Vec::new(),
        };
        let gaps = gaps.iter().map(|gap| rules::Gap {
            missed: gap.missed,
            peer: &gap.peer,
            count: gap.count,
            until: gap.until,
            closed: gap.closed,
            followed: gap.reconcile.is_some() || reconciles.iter().any(|one| follows(one, gap)),
        });
        Ok(rules::gaps(gaps, now))
    }

    async fn silence(&self, now: OffsetDateTime) -> Result<Option<Alarm>, Error> {
        let heard = self.metrics.last_notification();
        let heard = heard.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        let mut hearing = self.memory.hear(None).await?;
        if heard.is_some_and(|heard| hearing.last().is_none_or(|last| heard > last)) {
            hearing = self.memory.hear(heard).await?;
        }
        if let Some(last) = hearing.last() {
            self.metrics.heard(last.unix_timestamp());
        }
        let quiet = hearing.quiet(self.settings.silence, self.settings.first_within, now);
        self.metrics.quiet(&quiet);
        Ok(rules::silence(&quiet))
    }
}

fn is_same(one: &Alarm, other: &Alarm) -> bool {
    (one.alert, &one.about) == (other.alert, &other.about)
}

/// Somebody asked after a gap by hand: later than it, and not only to look.
fn follows(reconcile: &KeptReconcile, gap: &KeptGap) -> bool {
    !reconcile.dry_run && reconcile.created_at >= gap.until
}

fn tell_backlog(one: &KeptDestination, oldest: time::Duration, left: u64, metrics: &Metrics) {
    let backlog = Backlog {
        open: one.open + one.behind,
        parked: one.parked,
        oldest_secs: oldest.whole_seconds(),
        is_paused: one.paused.is_some(),
        left,
    };
    metrics.destination(&one.name, &backlog);
}

fn tell(looked: &Looked) {
    let words = |kept: &KeptAlarm| (kept.alarm.alert, kept.alarm.about.clone(), kept.alarm.says.clone());
    for (alert, about, says) in looked.raised.iter().map(words) {
        let next = alert.next_step();
        tracing::warn!(alert = alert.as_str(), about, says, next, "needs a person");
    }
    for (alert, about, says) in looked.cleared.iter().map(words) {
        tracing::info!(alert = alert.as_str(), about, says, "needs nobody any more");
    }
}
