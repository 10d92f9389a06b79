//! What the house does to stay fit: it lets go of what is old, in small steps.
//!
//! It never touches what receiving needs at that moment: each step is one short transaction with a deadline, after each it
//! rests for longer than the step took; where receiving is busy it breaks off and comes back, and where the store is slow the
//! steps become smaller, until that kind waits for the next run and the others go on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use crate::clock::Clock;
use crate::config::settings;
use crate::store::retention::{Dropped, Kept, Mark, Page};
use crate::store::{Error, SharedRetention};
use crate::telemetry::Metrics;

/// Rows in one transaction.
pub const ROWS_MAX: u32 = 1_000;
/// With so few a step is not made smaller.
const ROWS_FEW: u32 = 10;
/// Whoever was cut off in the middle has lost the work after so long.
const LEASE: Duration = Duration::from_mins(2);
/// How often the lease is lengthened.
const HELD_EVERY: Duration = Duration::from_secs(30);
/// The rest after each step, at least.
const REST_MIN: Duration = Duration::from_millis(20);
/// And how much longer than the step it is.
const REST_FACTOR: u32 = 2;
/// A step that takes longer is in somebody's way: the next ones are smaller.
const SLOW: Duration = Duration::from_secs(1);

/// Why a run went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything was looked at.
    Done,
    /// Receiving is busy.
    Busy,
    /// The store takes long for one kind at least, however little it is asked; the others were looked at.
    Slow,
    /// Another one has taken the work over.
    Lost,
}

impl Ended {
    /// In a word, for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Done => "done",
            Ended::Busy => "receiving is busy",
            Ended::Slow => "the store is slow",
            Ended::Lost => "another one is at it",
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Of each kind that does not stay for ever: from when on it stays, and what went.
    pub kinds: Vec<(Kept, OffsetDateTime, Dropped)>,
    /// How it ended.
    pub ended: Ended,
}

impl Run {
    /// All rows that went.
    pub fn rows(&self) -> u64 {
        self.kinds
            .iter()
            .map(|(_, _, dropped)| dropped.rows + dropped.beside)
            .sum()
    }
}

/// Lets go of what is old.
pub struct Retention {
    store: SharedRetention,
    policy: settings::Retention,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    /// Where the next run goes on with a kind that was broken off.
    marks: Mutex<BTreeMap<Kept, Mark>>,
    /// Receiving has no time to spare now.
    is_busy: Box<dyn Fn() -> bool + Send + Sync>,
}

impl Retention {
    /// By that policy.
    pub fn new(store: SharedRetention, policy: settings::Retention, clock: Arc<dyn Clock>, metrics: Metrics) -> Self {
        Retention {
            store,
            policy,
            clock,
            metrics,
            marks: Mutex::default(),
            is_busy: Box::new(|| false),
        }
    }

    /// Breaks off where that says so.
    #[must_use]
    pub fn giving_way_to(self, is_busy: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Retention {
            is_busy: Box::new(is_busy),
            ..self
        }
    }

    /// Does it if it is due and nobody else is at it; `None`: it is not. A run that was broken off is due at once.
    pub async fn look(&self) -> Result<Option<Run>, Error> {
        let every = time::Duration::try_from(self.policy.every).unwrap_or(time::Duration::MAX);
        let since = self.clock.now().checked_sub(every);
        self.run_unless(since, &mut |_, _| {}).await
    }

    /// Does it now; `None`: somebody else is at it. Told after each step is how far its kind has come.
    pub async fn run(&self, told: &mut (dyn FnMut(Kept, &Dropped) + Send)) -> Result<Option<Run>, Error> {
        self.run_unless(None, told).await
    }

    /// Counts what would go, and changes nothing.
    pub async fn count(&self, told: &mut (dyn FnMut(Kept, &Dropped) + Send)) -> Result<Run, Error> {
        let mut pass = Pass::new(self, None);
        let ended = pass.through(told).await?;
        Ok(pass.run(ended))
    }

    /// A crash on the way leaves what went gone and all else as it was; the lease ends, and the next run goes on.
    async fn run_unless(
        &self,
        since: Option<OffsetDateTime>,
        told: &mut (dyn FnMut(Kept, &Dropped) + Send),
    ) -> Result<Option<Run>, Error> {
        if (self.is_busy)() {
            return Ok(None);
        }
        let Some(claim) = self.store.begin_retention(LEASE, since).await? else {
            return Ok(None);
        };
        let mut pass = Pass::new(self, Some(claim));
        let ended = pass.through(told).await;
        let is_done = matches!(ended, Ok(Ended::Done));
        if !matches!(ended, Ok(Ended::Lost)) {
            self.store.end_retention(claim, is_done).await?;
        }
        let run = pass.run(ended?);
        tell(&run);
        Ok(Some(run))
    }

    /// `None`: it stays for ever.
    fn stays(&self, kept: Kept) -> Option<Duration> {
        match kept {
            Kept::Events => self.policy.events,
            Kept::Notifications => self.policy.notifications,
            Kept::Statements => self.policy.statements,
            Kept::Quarantine => self.policy.quarantine,
            Kept::Commands => self.policy.commands,
            Kept::Gaps | Kept::Reconciles => self.policy.reconciles,
        }
    }

    fn counted(&self, kept: Kept, dropped: &Dropped) {
        self.metrics.retention(kept.table(), dropped.rows);
        if let Some(beside) = kept.table_beside() {
            self.metrics.retention(beside, dropped.beside);
        }
    }
}

/// One way through everything.
struct Pass<'a> {
    of: &'a Retention,
    /// `None`: it only counts.
    claim: Option<u32>,
    held: Instant,
    kinds: Vec<(Kept, OffsetDateTime, Dropped)>,
}

impl<'a> Pass<'a> {
    fn new(of: &'a Retention, claim: Option<u32>) -> Self {
        Pass {
            of,
            claim,
            held: Instant::now(),
            kinds: Vec::new(),
        }
    }

    fn run(self, ended: Ended) -> Run {
        Run {
            kinds: self.kinds,
            ended,
        }
    }

    async fn through(&mut self, told: &mut (dyn FnMut(Kept, &Dropped) + Send)) -> Result<Ended, Error> {
        let now = self.of.clock.now();
        let mut ended = Ended::Done;
        for kept in Kept::ALL {
            let before = self.of.stays(kept).and_then(|stays| {
                let stays = time::Duration::try_from(stays).ok()?;
                now.checked_sub(stays)
            });
            let Some(before) = before else { continue };
            self.kinds.push((kept, before, Dropped::default()));
            match self.pages(kept, before, told).await? {
                Ended::Done => {}
                // The others need not wait for it.
                Ended::Slow => ended = Ended::Slow,
                over => return Ok(over),
            }
        }
        Ok(ended)
    }

    async fn pages(
        &mut self,
        kept: Kept,
        before: OffsetDateTime,
        told: &mut (dyn FnMut(Kept, &Dropped) + Send),
    ) -> Result<Ended, Error> {
        let (mut after, mut limit) = (self.goes_on_at(kept), ROWS_MAX);
        loop {
            if (self.of.is_busy)() {
                return Ok(Ended::Busy);
            }
            if !self.hold().await? {
                return Ok(Ended::Lost);
            }
            let page = Page {
                kept,
                before,
                after,
                limit,
            };
            let begun = Instant::now();
            let dropped = self.of.store.drop_page(&page, self.claim.is_none()).await?;
            let took = begun.elapsed();
            let is_slow = dropped.is_none() || (took > SLOW && self.claim.is_some());
            if let Some(dropped) = dropped {
                self.add(kept, dropped, told);
                after = dropped.next;
                self.reached(kept, after);
                if after.is_none() {
                    return Ok(Ended::Done);
                }
            }
            if is_slow && limit <= ROWS_FEW {
                return Ok(Ended::Slow);
            }
            if is_slow {
                limit = (limit / 2).max(ROWS_FEW);
            }
            tokio::time::sleep((took * REST_FACTOR).max(REST_MIN)).await;
        }
    }

    /// Who only counts looks at everything.
    fn goes_on_at(&self, kept: Kept) -> Option<Mark> {
        self.claim?;
        let marks = self.of.marks.lock().expect("no one panics while holding it");
        marks.get(&kept).copied()
    }

    fn reached(&self, kept: Kept, next: Option<Mark>) {
        if self.claim.is_none() {
            return;
        }
        let mut marks = self.of.marks.lock().expect("no one panics while holding it");
        match next {
            Some(next) => drop(marks.insert(kept, next)),
            None => drop(marks.remove(&kept)),
        }
    }

    fn add(&mut self, kept: Kept, dropped: Dropped, told: &mut (dyn FnMut(Kept, &Dropped) + Send)) {
        if self.claim.is_some() {
            self.of.counted(kept, &dropped);
        }
        if let Some((_, _, all)) = self.kinds.last_mut() {
            *all = all.and(dropped);
            told(kept, all);
        }
    }

    async fn hold(&mut self) -> Result<bool, Error> {
        match self.claim {
            Some(claim) if self.held.elapsed() >= HELD_EVERY => {
                self.held = Instant::now();
                self.of.store.hold_retention(claim, LEASE).await
            }
            _ => Ok(true),
        }
    }
}

/// One line a run.
fn tell(run: &Run) {
    let mut words: Vec<String> = Vec::new();
    for (kept, _, dropped) in run.kinds.iter().filter(|(_, _, dropped)| dropped.rows > 0) {
        words.push(format!("{} {}", dropped.rows, kept.table()));
        if let Some(beside) = kept.table_beside().filter(|_| dropped.beside > 0) {
            words.push(format!("{} {beside}", dropped.beside));
        }
    }
    let gone = match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    };
    tracing::info!(gone, ended = run.ended.as_str(), "retention");
}
