//! Reconciles: all that we hold, compared with what the network says, page by page.
//!
//! How far one is stands on disk after each page, with what was found. A crash, or a service that is down, costs one
//! page: it is asked about again, by this replica or another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::answer::{Answer, Purpose};
use super::{Enquiry, STORE_RETRY};
use crate::clock::new_id;
use crate::domain::id::{ReconcileId, TokenReference};
use crate::domain::question::Finding;
use crate::lifecycle::reconcile::{SCHEDULE, scheduled};
use crate::store;
use crate::store::asking::{ClaimedReconcile, Counts, Found, KeptReconcile, ReconciledPage, Scope, ToAsk};

/// Longer than a page takes at one question a second from a service that is slow to answer.
const LEASE: Duration = Duration::from_mins(5);
/// Tokens of a page: what a crash asks about once more.
const PAGE: u32 = 50;
/// So many are asked at once at most, however slow the service is.
const AT_ONCE_MAX: usize = 4;
/// So many in a row that nobody answers for: it is not the tokens, it is the service.
const TROUBLE_MAX: usize = 4;
/// So often a page is given back for that reason; then it stands as unanswered, and the next one is asked about.
const GIVEN_BACK_MAX: u32 = 10;
/// Between two looks for one to work on, and before a page that was given back.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const TROUBLE_WAIT: Duration = Duration::from_secs(30);
/// Between two looks whether its time has come.
const SCHEDULE_EVERY: Duration = Duration::from_mins(1);

/// Until the stop.
pub(super) async fn run(enquiry: Arc<Enquiry>, stop: CancellationToken) {
    let mut pace = interval(Duration::from_secs(1) / enquiry.sweeps.calls_per_second.max(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut schedule = interval(SCHEDULE_EVERY);
    schedule.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut given_back = None;
    loop {
        let waited = async {
            tokio::select! {
                _ = schedule.tick() => begin_scheduled(&enquiry).await,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        };
        if stop.run_until_cancelled(waited).await.is_none() {
            return;
        }
        let wait = match enquiry.asking.claim_reconcile(LEASE).await {
            Ok(None) => continue,
            Ok(Some(claimed)) => match Sweep::of(&enquiry, claimed, &mut pace, &mut given_back)
                .run(&stop)
                .await
            {
                Ok(Ended::GivenBack) => TROUBLE_WAIT,
                Ok(Ended::Over) => continue,
                Err(error) => stumbled(&error),
            },
            Err(error) => stumbled(&error),
        };
        let _ = stop.run_until_cancelled(tokio::time::sleep(wait)).await;
    }
}

fn stumbled(error: &store::Error) -> Duration {
    tracing::warn!(%error, "cannot go on with a reconcile; it is taken up again when its lease ends");
    STORE_RETRY
}

/// Keeps one, if it is time and no replica has.
async fn begin_scheduled(enquiry: &Enquiry) {
    let Some(every) = enquiry.sweeps.every else {
        return;
    };
    let now = enquiry.clock.now();
    let scope = Scope {
        namespaces: enquiry.namespaces(),
        since: None,
    };
    let reconcile = scheduled(ReconcileId(new_id(now)), scope);
    match enquiry.asking.begin_reconcile(&reconcile, Some(now - every)).await {
        Ok(true) => tracing::info!(reconcile = %reconcile.id, by = SCHEDULE, "a reconcile begins"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "cannot begin the reconcile that it is time for; trying again"),
    }
}

enum Ended {
    /// It is through, or another's, or stopped.
    Over,
    /// Nobody answers: its cursor stands, and its lease ends by itself.
    GivenBack,
}

/// Where a page was given back, and how often.
type GivenBack = Option<(ReconcileId, Option<TokenReference>, u32)>;

/// One reconcile that this replica has the lease of.
struct Sweep<'a> {
    enquiry: &'a Arc<Enquiry>,
    kept: KeptReconcile,
    claim: u32,
    pace: &'a mut Interval,
    given_back: &'a mut GivenBack,
}

impl<'a> Sweep<'a> {
    fn of(
        enquiry: &'a Arc<Enquiry>,
        claimed: ClaimedReconcile,
        pace: &'a mut Interval,
        given_back: &'a mut GivenBack,
    ) -> Self {
        Sweep {
            enquiry,
            kept: claimed.kept,
            claim: claimed.claim,
            pace,
            given_back,
        }
    }

    async fn run(mut self, stop: &CancellationToken) -> Result<Ended, store::Error> {
        let asking = self.enquiry.asking.clone();
        if self.kept.total.is_none() {
            self.kept.total = Some(asking.how_many_to_ask(&self.kept.scope).await?);
        }
        while !stop.is_cancelled() {
            let after = self.kept.cursor.clone();
            let page = asking.to_ask(&self.kept.scope, after.as_ref(), PAGE).await?;
            let Some(found) = self.compare(page.tokens, stop).await else {
                return match stop.is_cancelled() {
                    // Whoever is there goes on at once.
                    true => self.write(Vec::new(), false, Duration::ZERO).await.map(|_| Ended::Over),
                    false => self.give_back().await,
                };
            };
            let is_last = page.next.is_none();
            if page.next.is_some() {
                self.kept.cursor = page.next;
            }
            if !self.write(found, is_last, LEASE).await? {
                let reconcile = self.kept.id;
                tracing::info!(%reconcile, "the reconcile was stopped, or another replica has it");
                return Ok(Ended::Over);
            }
            if is_last {
                self.over();
                return Ok(Ended::Over);
            }
        }
        Ok(Ended::Over)
    }

    /// The durable step: a crash before it asks about this page once more.
    async fn write(&mut self, found: Vec<(Found, bool)>, ended: bool, lease: Duration) -> Result<bool, store::Error> {
        for (one, _) in &found {
            self.kept.counts.count(one.finding);
            self.enquiry.metrics.reconciled(one.finding.as_str());
        }
        let seen = |(one, _): (Found, bool)| (one.finding != Finding::Agrees).then_some(one);
        let page = ReconciledPage {
            id: self.kept.id,
            claim: self.claim,
            total: self.kept.total,
            cursor: self.kept.cursor.clone(),
            counts: self.kept.counts,
            found: found.into_iter().filter_map(seen).collect(),
            ended,
            lease,
        };
        self.enquiry.asking.reconciled(&page).await
    }

    /// Asks about a page; `None` if nobody answers, or the stop came.
    async fn compare(&mut self, page: Vec<ToAsk>, stop: &CancellationToken) -> Option<Vec<(Found, bool)>> {
        let mut waiting: VecDeque<ToAsk> = page.into();
        let mut cases = JoinSet::new();
        let (mut found, mut trouble) = (Vec::new(), 0);
        loop {
            while cases.len() < AT_ONCE_MAX
                && trouble < TROUBLE_MAX
                && !stop.is_cancelled()
                && let Some(one) = waiting.pop_front()
            {
                self.pace.tick().await;
                cases.spawn(case(self.enquiry.clone(), one, self.purpose()));
            }
            let Some(ended) = cases.join_next().await else {
                break;
            };
            // A defect of ours: the page is given back like any other trouble.
            let (one, is_trouble) = ended.ok()?;
            trouble = if is_trouble { trouble + 1 } else { 0 };
            found.push((one, is_trouble));
        }
        let is_whole = waiting.is_empty() && trouble < TROUBLE_MAX;
        match is_whole || (self.is_given_back_too_often() && !stop.is_cancelled()) {
            true => Some(found),
            false => None,
        }
    }

    fn purpose(&self) -> Purpose {
        match self.kept.dry_run {
            true => Purpose::DryRun,
            false => Purpose::Reconcile,
        }
    }

    fn is_given_back_too_often(&self) -> bool {
        let here = (self.kept.id, &self.kept.cursor);
        let times = self.given_back.as_ref().filter(|(id, cursor, _)| (*id, cursor) == here);
        times.is_some_and(|(.., times)| *times >= GIVEN_BACK_MAX)
    }

    /// For a while nobody works on it; then whoever comes first asks about this page again.
    async fn give_back(&mut self) -> Result<Ended, store::Error> {
        let (id, cursor) = (self.kept.id, self.kept.cursor.clone());
        let before = self
            .given_back
            .take()
            .filter(|(other, at, _)| (*other, at) == (id, &cursor));
        let times = before.map_or(0, |(.., times)| times) + 1;
        *self.given_back = Some((id, cursor, times));
        tracing::warn!(reconcile = %id, times, "nobody answers: the reconcile waits, and goes on where it is");
        self.write(Vec::new(), false, TROUBLE_WAIT).await?;
        Ok(Ended::GivenBack)
    }

    fn over(&self) {
        let Counts {
            agrees,
            repaired,
            differs,
            moved,
            not_there,
            unanswered,
        } = self.kept.counts;
        let (reconcile, dry_run) = (self.kept.id, self.kept.dry_run);
        self.enquiry
            .metrics
            .reconcile_ended(self.enquiry.clock.now().unix_timestamp());
        tracing::info!(%reconcile, dry_run, agrees, repaired, differs, moved, not_there, unanswered, "reconciled");
    }
}

async fn case(enquiry: Arc<Enquiry>, one: ToAsk, purpose: Purpose) -> (Found, bool) {
    let answer = enquiry.ask(&one.token, purpose).await;
    let is_trouble = answer.is_trouble;
    (found(one, answer, &enquiry), is_trouble)
}

fn found(one: ToAsk, answer: Answer, enquiry: &Enquiry) -> Found {
    let notification = answer.notification();
    let sequence = answer.taken.and_then(|taken| taken.sequence);
    Found {
        finding: answer.finding,
        held: one.token.status().cloned().or(one.registered_as),
        seen: answer.seen.as_ref().map(|seen| seen.status.clone()),
        seen_at: answer.seen.as_ref().and_then(|seen| seen.at),
        notification,
        sequence: sequence.unwrap_or(one.token.sequence),
        why: answer.why,
        at: enquiry.clock.now(),
        token: one.token.reference,
    }
}
