//! Group commit: gathers what is waiting into one transaction.
//!
//! No timers: a batch is what arrived while the last commits were in flight. One worker, one bounded
//! queue; over the bound a caller is told at once. It never answers before the store has said `Ok`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::domain::notification::Windows;
use crate::store::{self, Recorded, Recording, SharedStore};
use crate::telemetry::Metrics;
use crate::telemetry::traces::{self, Kind, Place, Said, Span};

/// Commits in flight. While one waits for the disk the other uses the processor; what they say of one token may be
/// committed in either order, and the state rules end in the same.
const COMMITS_AT_ONCE: usize = 2;
/// How many must wait before a second commit begins beside the first: a small one costs the database almost as much.
const WORTH_A_COMMIT: usize = 16;
/// It is busy when a part of the places is taken that is larger than one of so many.
const BUSY_PART: usize = 8;
/// How often one notification is tried again after a conflict with another replica.
const CONFLICTS_MAX: u32 = 8;

/// The queue's front. Cheap to clone; when the last one is dropped, the worker finishes what waits and ends.
#[derive(Clone)]
pub struct Batch {
    queue: mpsc::Sender<Waiting>,
    /// As many as may wait for their commit.
    places: Arc<Semaphore>,
    /// As many bytes as their bodies may have together, those being committed included.
    room: Arc<Semaphore>,
    /// Cancelled once it may take something.
    begun: Option<CancellationToken>,
}

/// Why a notification was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// More are waiting than the bound allows.
    #[error("the queue is full")]
    Overloaded,
    /// The store refuses this very notification, or cannot read what it holds of its tokens.
    #[error("{0}")]
    Poison(String),
    /// The store cannot take anything now.
    #[error("{0}")]
    Unavailable(String),
}

/// How the worker works.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How many may wait.
    pub queue_max: usize,
    /// And how many bytes their bodies may have together, those being committed included.
    pub queue_bytes_max: usize,
    /// How many are committed at once.
    pub batch_max: usize,
    /// A batch whose bodies have come to so many bytes takes in no more.
    pub batch_bytes_max: usize,
    /// From taking up a batch to the last answer of it; past it the rest is told that the store is away.
    pub deadline: Duration,
    /// What counts as a repeat.
    pub windows: Windows,
}

struct Waiting {
    recording: Recording,
    answer: Answer,
    place: OwnedSemaphorePermit,
}

/// Where the outcome goes; until then its body has its part of the room.
struct Answer {
    to: oneshot::Sender<Result<Recorded, Unrecorded>>,
    room: OwnedSemaphorePermit,
}

impl Answer {
    fn send(self, outcome: Result<Recorded, Unrecorded>) {
        drop(self.room);
        let _ = self.to.send(outcome); // the caller may have given up
    }
}

impl Batch {
    /// Starts the worker; its handle ends when every [`Batch`] is dropped and the queue is empty.
    pub fn start(
        store: SharedStore,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(bounds.queue_max);
        let worker = Worker {
            store,
            bounds,
            clock,
            metrics,
        };
        let room = Arc::new(Semaphore::new(bounds.queue_bytes_max));
        let places = Arc::new(Semaphore::new(bounds.queue_max));
        let batch = Batch {
            queue,
            places,
            room,
            begun: None,
        };
        (batch, tokio::spawn(worker.run(waiting)))
    }

    /// Takes nothing before that token is cancelled.
    pub fn not_before(self, begun: CancellationToken) -> Self {
        Batch {
            begun: Some(begun),
            ..self
        }
    }

    /// More wait for their commit than it has to spare for whoever is in no hurry.
    pub fn is_busy(&self) -> bool {
        let all = self.queue.max_capacity();
        all - self.places.available_permits().min(all) > all / BUSY_PART
    }

    /// Waits until it is on disk. After `Ok` a crash repeats it, never loses it;
    /// if the caller goes away before, it is recorded all the same or not at all.
    pub async fn record(&self, recording: Recording) -> Result<Recorded, Unrecorded> {
        if self.begun.as_ref().is_some_and(|begun| !begun.is_cancelled()) {
            return Err(Unrecorded::Unavailable("the store is not ready yet".to_owned()));
        }
        let bytes = u32::try_from(recording.sealed_body.len()).map_err(|_| Unrecorded::Overloaded)?;
        let room = self.room.clone().try_acquire_many_owned(bytes);
        let room = room.map_err(|_| Unrecorded::Overloaded)?;
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| Unrecorded::Overloaded)?;
        let (to, answered) = oneshot::channel();
        let answer = Answer { to, room };
        self.queue
            .try_send(Waiting {
                recording,
                answer,
                place,
            })
            .map_err(|_| Unrecorded::Overloaded)?;
        traces::during("wait for commit", answered)
            .await
            .unwrap_or_else(|_| Err(Unrecorded::Unavailable("the commit was cut off".to_owned())))
    }
}

struct Worker {
    store: SharedStore,
    bounds: Bounds,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
}

/// A part of a batch, still to be committed; the two lists go in step.
#[derive(Default)]
struct Part {
    recordings: Vec<Recording>,
    answers: Vec<Answer>,
    /// Held until its commit begins.
    places: Vec<OwnedSemaphorePermit>,
    bytes: usize,
    conflicts: u32,
}

impl Part {
    fn push(&mut self, waiting: Waiting) {
        self.bytes += waiting.recording.sealed_body.len();
        self.recordings.push(waiting.recording);
        self.answers.push(waiting.answer);
        self.places.push(waiting.place);
    }

    fn halves(mut self) -> [Part; 2] {
        let middle = self.recordings.len() / 2;
        let second = Part {
            recordings: self.recordings.split_off(middle),
            answers: self.answers.split_off(middle),
            conflicts: self.conflicts,
            ..Part::default()
        };
        [self, second]
    }

    fn answer_all(self, error: impl Fn() -> Unrecorded) {
        for answer in self.answers {
            answer.send(Err(error()));
        }
    }
}

impl Worker {
    async fn run(self, mut waiting: mpsc::Receiver<Waiting>) {
        let worker = Arc::new(self);
        let mut commits = JoinSet::new();
        while let Some(first) = waiting.recv().await {
            let mut batch = Part::default();
            batch.push(first);
            worker.gather(&mut batch, &mut waiting, &mut commits).await;
            batch.places.clear();
            // On a task of its own: a defect of ours ends that batch, unanswered, and not every one after it.
            let committer = worker.clone();
            commits.spawn(async move { committer.commit(batch).await });
        }
        while let Some(ended) = commits.join_next().await {
            tell_panic(ended);
        }
    }

    /// Takes in what waits, and, while others are in flight, what comes until one of them ends or there is enough
    /// for one more.
    async fn gather(&self, batch: &mut Part, waiting: &mut mpsc::Receiver<Waiting>, commits: &mut JoinSet<()>) {
        loop {
            while self.has_room(batch)
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            let worth_it = commits.len() < COMMITS_AT_ONCE && batch.recordings.len() >= WORTH_A_COMMIT;
            if commits.is_empty() || worth_it {
                return;
            }
            tokio::select! {
                Some(ended) = commits.join_next() => tell_panic(ended),
                Some(next) = waiting.recv(), if self.has_room(batch) => batch.push(next),
            }
        }
    }

    fn has_room(&self, batch: &Part) -> bool {
        batch.recordings.len() < self.bounds.batch_max && batch.bytes < self.bounds.batch_bytes_max
    }

    /// Commits a batch, in parts if need be: a conflict or a refusal is bisected down to its one notification,
    /// so that its neighbours are answered.
    async fn commit(&self, batch: Part) {
        let started = Instant::now();
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            if started.elapsed() > self.bounds.deadline {
                part.answer_all(|| Unrecorded::Unavailable("the store is too slow".to_owned()));
                continue;
            }
            match self.record(&part).await {
                Ok(recorded) => {
                    for (answer, recorded) in part.answers.into_iter().zip(recorded) {
                        answer.send(Ok(recorded));
                    }
                }
                Err(store::Error::Conflict(_) | store::Error::Data(_) | store::Error::Corrupt(_))
                    if part.recordings.len() > 1 =>
                {
                    let [first, second] = part.halves();
                    parts.extend([second, first]);
                }
                Err(store::Error::Conflict(_)) if part.conflicts < CONFLICTS_MAX => {
                    part.conflicts += 1;
                    parts.push(part);
                }
                Err(store::Error::Data(why)) => part.answer_all(|| Unrecorded::Poison(why.clone())),
                // A damaged row mends no sooner than a person mends it, and no sender tries again for so long.
                Err(error @ store::Error::Corrupt(_)) => part.answer_all(|| Unrecorded::Poison(error.to_string())),
                Err(error) => {
                    tracing::warn!(waiting = part.answers.len(), %error, "cannot record");
                    part.answer_all(|| Unrecorded::Unavailable(error.to_string()));
                }
            }
        }
    }

    async fn record(&self, part: &Part) -> Result<Vec<Recorded>, store::Error> {
        let started = Instant::now();
        let recorded = self.store.record(&part.recordings, &self.bounds.windows).await?;
        self.metrics.committed(part.recordings.len(), started.elapsed());
        self.trace(part, started);
        Ok(recorded)
    }

    /// A commit has a trace of its own, since it is of many: it is linked to those that are kept.
    fn trace(&self, part: &Part, started: Instant) {
        let traces = self.metrics.traces();
        if !traces.are_on() {
            return;
        }
        let kept = part.recordings.iter().map(|one| one.id.0).filter(|id| traces.keep(*id));
        let links: Vec<Place> = kept.map(Place::of).collect();
        if links.is_empty() {
            return;
        }
        let now = self.clock.now();
        let figure = |figure: usize| Said::Figure(i64::try_from(figure).unwrap_or(i64::MAX));
        traces.send([Span {
            place: Place::new(),
            under: None,
            name: "commit",
            kind: Kind::Client,
            from: traces::at(started, now),
            until: now,
            says: vec![
                ("notifications", figure(part.recordings.len())),
                ("bytes", figure(part.bytes)),
            ],
            links,
            failed: false,
        }]);
    }
}

fn tell_panic(ended: Result<(), JoinError>) {
    if ended.is_err() {
        tracing::error!("a commit panicked; nothing of its batch was acknowledged");
    }
}
