//! Reconciles: all that we hold, compared with what the network says, page by page.
//!
//! How far one is stands on disk after each page, with what was found. A crash, or a service that is down, costs one
//! page: it is asked about again, by this replica or another.

use std::collections::{BTreeMap, HashMap};
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
use crate::store::asking::{Counts, Found, KeptReconcile, ReconciledPage, Scope, ToAsk};

/// Longer than a page takes from a service that is slow to answer, and has no turn for us.
const LEASE: Duration = Duration::from_mins(10);
/// Tokens of a page: what a crash asks about once more.
const PAGE: u32 = 25;
/// So many are asked at once at most, however slow the service is.
const AT_ONCE_MAX: usize = 4;
/// So many in a row that nobody answers for: it is not the tokens, it is the service.
const TROUBLE_MAX: usize = 4;
/// So often it is given back at one token; then those that were asked in vain stand as unanswered, and it goes on after them.
const GIVEN_BACK_MAX: u32 = 10;
/// Between two looks for one to work on.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Nobody works on one that was given back for so long.
const TROUBLE_WAIT: Duration = Duration::from_secs(30);
/// Between two looks whether its time has come.
const SCHEDULE_EVERY: Duration = Duration::from_mins(1);

/// Until the stop.
pub(super) async fn run(enquiry: Arc<Enquiry>, stop: CancellationToken) {
    let mut pace = interval(Duration::from_secs(1) / enquiry.sweeps.calls_per_second.max(1));
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut schedule = interval(SCHEDULE_EVERY);
    schedule.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut given_back = GivenBack::new();
    while !stop.is_cancelled() {
        let wait = match page(&enquiry, &mut pace, &mut given_back, &stop).await {
            Ok(true) => Duration::ZERO,
            Ok(false) => LOOK_EVERY,
            Err(error) => {
                tracing::warn!(%error, "cannot go on with a reconcile; it is taken up again when its lease ends");
                STORE_RETRY
            }
        };
        let waited = async {
            tokio::select! {
                _ = schedule.tick() => begin_scheduled(&enquiry).await,
                () = tokio::time::sleep(wait) => {}
            }
        };
        let _ = stop.run_until_cancelled(waited).await;
    }
}

/// One page of the one that has waited longest, so that a long one holds up no other; says whether there was one.
async fn page(
    enquiry: &Arc<Enquiry>,
    pace: &mut Interval,
    given_back: &mut GivenBack,
    stop: &CancellationToken,
) -> Result<bool, store::Error> {
    let Some(claimed) = enquiry.asking.claim_reconcile(LEASE).await? else {
        return Ok(false);
    };
    let sweep = Sweep {
        enquiry,
        kept: claimed.kept,
        claim: claimed.claim,
        pace,
        given_back,
    };
    sweep.page(stop).await?;
    Ok(true)
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

/// Where each reconcile was given back, and how often there.
type GivenBack = HashMap<ReconcileId, (Option<TokenReference>, u32)>;

/// One reconcile that this replica has the lease of.
struct Sweep<'a> {
    enquiry: &'a Arc<Enquiry>,
    kept: KeptReconcile,
    claim: u32,
    pace: &'a mut Interval,
    given_back: &'a mut GivenBack,
}

/// What came of the tokens of a page: of all of them, or of those that were asked about before nobody answered any more.
struct Compared {
    found: Vec<(Found, bool)>,
    is_whole: bool,
}

impl Sweep<'_> {
    /// Compares a page and writes how far it is; then whoever comes first goes on.
    async fn page(mut self, stop: &CancellationToken) -> Result<(), store::Error> {
        let asking = self.enquiry.asking.clone();
        if self.kept.total.is_none() {
            self.kept.total = Some(asking.how_many_to_ask(&self.kept.scope).await?);
        }
        let before = self.kept.cursor.clone();
        let page = asking.to_ask(&self.kept.scope, before.as_ref(), PAGE).await?;
        let Compared { found, is_whole } = self.compare(page.tokens, stop).await;
        let is_last = is_whole && page.next.is_none();
        let last = found.last().map(|(last, _)| last.token.clone());
        let cursor = if is_whole { page.next.or(last) } else { last };
        self.kept.cursor = cursor.or(before);
        let lease = match is_whole || stop.is_cancelled() {
            true => Duration::ZERO,
            false => self.give_back(),
        };
        if !self.write(found, is_last, lease).await? {
            let reconcile = self.kept.id;
            tracing::info!(%reconcile, "the reconcile was stopped, or another replica has it");
        } else if is_last {
            self.over();
        }
        Ok(())
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

    /// Asks about a page, as long as somebody answers and no stop has come. What nobody answered for at its end is left
    /// for the next time, unless that was so too often.
    async fn compare(&mut self, page: Vec<ToAsk>, stop: &CancellationToken) -> Compared {
        let many = page.len();
        let mut waiting = page.clone().into_iter().enumerate();
        let mut cases = JoinSet::new();
        let mut found: BTreeMap<usize, (Found, bool)> = BTreeMap::new();
        let (mut asked, mut trouble) = (0, 0);
        loop {
            while cases.len() < AT_ONCE_MAX
                && trouble < TROUBLE_MAX
                && !stop.is_cancelled()
                && let Some((place, one)) = waiting.next()
            {
                self.pace.tick().await;
                cases.spawn(case(self.enquiry.clone(), place, one, self.purpose()));
                asked = place + 1;
            }
            let Some(ended) = cases.join_next().await else {
                break;
            };
            if let Ok((place, one, is_trouble)) = ended {
                trouble = if is_trouble { trouble + 1 } else { 0 };
                found.insert(place, (one, is_trouble));
            }
        }
        let enquiry = self.enquiry.clone();
        let lost = |one: &ToAsk| (broken(one, &enquiry), false);
        let asked_about = page.iter().take(asked).enumerate();
        let mut found: Vec<(Found, bool)> = asked_about
            .map(|(place, one)| found.remove(&place).unwrap_or_else(|| lost(one)))
            .collect();
        if !self.is_given_back_too_often() {
            while found.pop_if(|(_, is_trouble)| *is_trouble).is_some() {}
        }
        let is_whole = found.len() == many;
        Compared { found, is_whole }
    }

    fn purpose(&self) -> Purpose {
        match self.kept.dry_run {
            true => Purpose::DryRun,
            false => Purpose::Reconcile,
        }
    }

    fn is_given_back_too_often(&self) -> bool {
        let here = self
            .given_back
            .get(&self.kept.id)
            .filter(|(cursor, _)| *cursor == self.kept.cursor);
        here.is_some_and(|(_, times)| *times >= GIVEN_BACK_MAX)
    }

    /// For how long nobody works on it.
    fn give_back(&mut self) -> Duration {
        let (id, cursor) = (self.kept.id, self.kept.cursor.clone());
        let before = self.given_back.get(&id).filter(|(at, _)| *at == cursor);
        let times = before.map_or(0, |(_, times)| *times) + 1;
        self.given_back.insert(id, (cursor, times));
        tracing::warn!(reconcile = %id, times, "nobody answers: the reconcile waits, and goes on where it is");
        TROUBLE_WAIT
    }

    fn over(&mut self) {
        self.given_back.remove(&self.kept.id);
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

async fn case(enquiry: Arc<Enquiry>, place: usize, one: ToAsk, purpose: Purpose) -> (usize, Found, bool) {
    let answer = match one.is_unreadable {
        true => {
            let token = one.token.reference.shown();
            tracing::error!(
                token,
                "what is held of a token cannot be read: it is passed by; mend tokens.state"
            );
            Answer::unreadable()
        }
        false => enquiry.ask(&one.token, one.registered_as.as_ref(), purpose).await,
    };
    let is_trouble = answer.is_trouble;
    (place, found(one, answer, &enquiry), is_trouble)
}

/// Of a token that made us stumble: the others are asked about all the same.
fn broken(one: &ToAsk, enquiry: &Enquiry) -> Found {
    tracing::error!(token = ?one.token.reference, "the comparison of a token panicked");
    found(one.clone(), Answer::broken(), enquiry)
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
