//! Times in which a notification may have been missed: what the doors gathered goes to disk, somebody says that we are
//! here, and what has been quiet for long enough is closed and asked after.
//!
//! What is gathered and not yet on disk is lost in a crash: at most `LOOK_EVERY` of it, and if nobody is back within
//! `AWAY`, the downtime stands for it.

use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::deliver::supervised;
use crate::clock::{Clock, new_id};
use crate::config::settings::Lifecycle;
use crate::domain::id::{GapId, Namespace, ReconcileId};
use crate::domain::missed::Missed;
use crate::lifecycle::reconcile::after_a_gap;
use crate::store::asking::{Cause, Ended, KeptGap, Miss, NewReconcile, Scope};
use crate::store::{Error, Memory, SharedAsking};
use crate::telemetry::{Gathered, Metrics, Misses};

/// How often what was gathered goes to disk.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Without any replica for longer, somebody may have called in vain; a restart is quicker.
const AWAY: Duration = Duration::from_mins(1);
/// A gap has ended when nothing was missed for so long.
const QUIET: Duration = Duration::from_mins(2);
/// What is missed again and again is asked after so often: it goes on as another gap.
const LONG: Duration = Duration::from_hours(1);
/// From the beginning of one reconcile after gaps to that of the next: a stranger who shows a known name's certificate
/// opens gaps as he pleases, and must not have us ask without end.
const APART: Duration = Duration::from_mins(15);
/// So many of the newest gaps are looked at after each opening, and of the newest reconciles before each closing.
const GAPS_MAX: u32 = 1_000;
const RECONCILES_MAX: u32 = 100;

/// Keeps watch over what may have been missed.
pub struct Gaps {
    asking: SharedAsking,
    misses: Misses,
    after: After,
    replica: String,
    looked: Mutex<Looked>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// What this replica did until now.
#[derive(Default)]
struct Looked {
    /// It has said that it is here.
    before: bool,
    /// Since it last could say so, it answered with 503.
    unavailable: bool,
}

/// What follows when gaps have ended.
enum After {
    /// These are asked about.
    Reconcile(Vec<Namespace>),
    /// A person may have them asked about.
    Person,
    /// There is nobody to ask.
    Nobody,
}

impl After {
    fn by(lifecycle: &Lifecycle) -> Self {
        let mdes = lifecycle.mdes.is_some().then_some(Namespace::Mdes);
        let tokenex = lifecycle.tokenex.is_some().then_some(Namespace::TokenEx);
        match mdes.into_iter().chain(tokenex).collect::<Vec<_>>() {
            none if none.is_empty() => After::Nobody,
            namespaces if lifecycle.reconcile.after_gaps => After::Reconcile(namespaces),
            _ => After::Person,
        }
    }
}

impl Gaps {
    /// For one start of one replica.
    pub fn new(
        lifecycle: &Lifecycle,
        memory: &Arc<Memory>,
        misses: Misses,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Arc<Self> {
        Arc::new(Gaps {
            asking: memory.clone(),
            misses,
            after: After::by(lifecycle),
            replica: new_id(clock.now()).to_string(),
            looked: Mutex::default(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        })
    }

    /// Looks now and every [`LOOK_EVERY`], once the store is there, until the stop.
    pub(super) fn started(
        self: Arc<Self>,
        [store_is_there, stop]: [&CancellationToken; 2],
        workers: &mut JoinSet<()>,
    ) -> Arc<Self> {
        let (gaps, until) = (self.clone(), stop.clone());
        let work = move || {
            let (gaps, until) = (gaps.clone(), until.clone());
            async move { gaps.look_until(&until).await }
        };
        let panicked = || tracing::error!("the watch over gaps panicked; another one begins");
        workers.spawn(supervised(work, panicked, store_is_there.clone(), stop.clone()));
        self
    }

    async fn look_until(&self, stop: &CancellationToken) {
        let looking = async {
            loop {
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "cannot keep what may have been missed; trying again");
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        // Cut off in the middle, it leaves to the last look of the stop what it had taken.
        let _: Option<()> = stop.run_until_cancelled(looking).await;
    }

    /// Everything that is due: keeps what was gathered, says that this replica is here, closes what has been quiet.
    /// After an error what could not be kept is still gathered.
    pub async fn look(&self) -> Result<(), Error> {
        let mut looked = self.looked.lock().await;
        looked.unavailable |= self.keep().await?;
        self.be_here(&mut looked).await?;
        self.close().await
    }

    /// Writes down what was gathered; says whether a 503 was among it.
    ///
    /// A crash before the commit loses it. If only the commit's answer is lost, the same misses are counted twice.
    async fn keep(&self) -> Result<bool, Error> {
        let gathered = self.misses.take();
        let misses: Vec<Miss> = gathered.lines().iter().map(|one| self.miss(one)).collect();
        if misses.is_empty() {
            return Ok(false);
        }
        self.asking.missed(&misses).await?;
        gathered.kept();
        let ids: Vec<GapId> = misses.iter().map(|miss| miss.id).collect();
        self.tell_opened(&ids).await?;
        Ok(misses.iter().any(|miss| miss.missed == Missed::Unavailable))
    }

    fn miss(&self, gathered: &Gathered) -> Miss {
        Miss {
            id: self.gap_id(),
            missed: gathered.missed,
            peer: gathered.peer.clone(),
            reason: gathered.reason.to_owned(),
            count: gathered.count,
            from: gathered.from,
            until: gathered.until,
        }
    }

    /// A replica that answered 503 all the while was not down: those answers stand for the time that the store was away.
    async fn be_here(&self, looked: &mut Looked) -> Result<(), Error> {
        let away = match looked.before && looked.unavailable {
            true => Duration::MAX,
            false => AWAY,
        };
        let id = self.gap_id();
        let before = self.asking.here(&self.replica, id, away).await?;
        *looked = Looked {
            before: true,
            unavailable: false,
        };
        match before {
            Some(before) if self.clock.now() - before > away => self.tell_opened(&[id]).await,
            _ => Ok(()),
        }
    }

    /// Those of these that opened a gap, and did not lengthen one, are told of and counted.
    async fn tell_opened(&self, ids: &[GapId]) -> Result<(), Error> {
        let newest = self.asking.gaps(None, GAPS_MAX).await?;
        for gap in newest.iter().filter(|gap| ids.contains(&gap.id)) {
            self.metrics.gap(gap.missed);
            let (missed, from) = (gap.missed.as_str(), rfc3339(gap.from));
            let (peer, reason, count) = (&gap.peer, &gap.reason, gap.count);
            tracing::warn!(
                missed,
                peer,
                reason,
                count,
                from,
                "a gap: a notification may have been missed"
            );
        }
        Ok(())
    }

    /// Closes what has been quiet, or has gone on for long. What follows it is kept in the same transaction.
    async fn close(&self) -> Result<(), Error> {
        let now = self.clock.now();
        let reconcile = self.reconcile(now);
        if reconcile.is_some() && !self.may_begin(now).await? {
            return Ok(());
        }
        let ended = Ended {
            quiet_since: now - QUIET,
            begun_before: now - LONG,
        };
        let closed = self.asking.close_gaps(ended, reconcile.as_ref()).await?;
        closed.iter().for_each(|gap| self.tell_closed(gap));
        // What was heard within a gap may be older than what was missed.
        if let Some(since) = closed.iter().map(|gap| gap.until).max() {
            self.tell_what_follows(rfc3339(since));
        }
        Ok(())
    }

    fn reconcile(&self, now: OffsetDateTime) -> Option<NewReconcile> {
        let After::Reconcile(namespaces) = &self.after else {
            return None;
        };
        let scope = Scope {
            namespaces: namespaces.clone(),
            since: None, // the store knows when the last of them ended
        };
        Some(after_a_gap(ReconcileId(new_id(now)), scope))
    }

    /// One after the other, and not too soon: gaps that have ended wait, and go together.
    async fn may_begin(&self, now: OffsetDateTime) -> Result<bool, Error> {
        let newest = self.asking.reconciles(None, RECONCILES_MAX).await?;
        let mut after_gaps = newest.iter().filter(|one| one.cause == Cause::Gap);
        Ok(after_gaps.all(|one| one.ended_at.is_some() && now - one.created_at >= APART))
    }

    fn tell_closed(&self, gap: &KeptGap) {
        let (missed, from, until) = (gap.missed.as_str(), rfc3339(gap.from), rfc3339(gap.until));
        let (peer, reason, count) = (&gap.peer, &gap.reason, gap.count);
        let reconcile = gap.reconcile.map_or("-".to_owned(), |id| id.to_string());
        tracing::info!(missed, peer, reason, count, from, until, reconcile, "a gap has ended");
    }

    fn tell_what_follows(&self, since: String) {
        match self.after {
            After::Reconcile(_) => tracing::info!(since, "what may have been missed is asked after"),
            After::Person => {
                tracing::warn!(
                    since,
                    "something may have been missed; run `mdes-receiver reconcile --since` with it"
                );
            }
            After::Nobody => tracing::warn!(
                since,
                "something may have been missed, and there is nobody to ask: ask Mastercard's getToken about your tokens \
                 by hand, or configure `[lifecycle.mdes]` or `[lifecycle.tokenex]`"
            ),
        }
    }

    fn gap_id(&self) -> GapId {
        GapId(new_id(self.clock.now()))
    }
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}
