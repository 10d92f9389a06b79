//! Random schedules of two workers, against a small model: nothing is lost, none is held by two, the order holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use mdes_receiver::domain::delivery::{Outcome, State};
use mdes_receiver::store::Memory;
use mdes_receiver::store::outbox::{Claimed, DeliveryFilter, Outbox as _, Settlement};
use time::{Duration, OffsetDateTime};

use super::scene::*;
use crate::support::{Database, Dice};

promises!(whatever_two_workers_do_nothing_is_lost_and_the_order_holds);

const SEEDS: u64 = 8;
const STEPS: usize = 80;
const TOKENS: [&str; 3] = ["A", "B", "C"];
const KINDS: [&str; 4] = ["active", "art", "suspended", "deactivated"];

async fn whatever_two_workers_do_nothing_is_lost_and_the_order_holds(database: Database) {
    let scene = Scene::new(database).await;
    let other = scene.replica().await;
    let workers = [Arc::clone(&scene.memory), other];
    for seed in 0..SEEDS {
        let mut run = Run::new(&scene, seed);
        for _ in 0..STEPS {
            run.step(&workers).await;
        }
        run.finish(&workers).await;
    }
}

/// What should be true of one delivery, by the position of its event.
struct Expected {
    token: &'static str,
    stops: bool,
    state: State,
    attempts: u32,
    leased_until: OffsetDateTime,
    failing_since: Option<OffsetDateTime>,
    sent: u32,
}

struct Run<'a> {
    scene: &'a Scene,
    dice: Dice,
    seed: u64,
    expected: BTreeMap<u64, Expected>,
    held: [Vec<Claimed>; 2],
}

impl<'a> Run<'a> {
    fn new(scene: &'a Scene, seed: u64) -> Self {
        Run {
            scene,
            dice: Dice::seeded(seed),
            seed,
            expected: BTreeMap::new(),
            held: [Vec::new(), Vec::new()],
        }
    }

    async fn step(&mut self, workers: &[Arc<Memory>; 2]) {
        match self.dice.below(10) {
            0..3 => self.happen().await,
            3..8 => {
                let worker = self.dice.below(2) as usize;
                let claim = self.dice.below(4) as u32;
                self.turn(&workers[worker], worker, claim).await;
            }
            8 => self.scene.wait(self.dice.below(40) as i64),
            _ => self.act().await,
        }
    }

    async fn happen(&mut self) {
        let token = TOKENS[self.dice.below(3) as usize];
        let kind = KINDS[self.dice.below(4) as usize];
        self.scene.happen(&[&format!("{token} {kind}")]).await;
        let head = self.scene.destination("shop").await;
        let expected = Expected {
            token,
            stops: ["suspended", "deactivated"].contains(&kind),
            state: State::Due,
            attempts: 0,
            leased_until: self.scene.now(),
            failing_since: None,
            sent: 0,
        };
        self.expected.insert(head.position + head.behind, expected);
    }

    /// Some of what the worker holds ends; some is forgotten, as if the worker had died and come back.
    async fn turn(&mut self, memory: &Memory, worker: usize, claim: u32) {
        let mut settlements = Vec::new();
        for claimed in std::mem::take(&mut self.held[worker]) {
            match self.dice.below(10) {
                0..5 => settlements.push(taken(&claimed)),
                5..7 => {
                    let at = self.scene.now() + Duration::seconds(self.dice.below(90) as i64);
                    settlements.push(ended(&claimed, Outcome::Again(at)));
                }
                7 => settlements.push(ended(&claimed, Outcome::Parked)),
                8 => self.held[worker].push(claimed),
                _ => {}
            }
        }
        self.turn_with(memory, worker, claim, &settlements).await;
    }

    async fn turn_with(&mut self, memory: &Memory, worker: usize, claim: u32, settlements: &[Settlement]) {
        let turned = turn(memory, "shop", claim, settlements).await;
        // A worker may hold two attempts of one, of which the first has lost its lease.
        let refused = settlements.iter().filter(|one| !self.settled(one));
        let refused: Vec<_> = refused.map(|one| one.delivery).collect();
        assert_eq!(turned.late, refused, "seed {}", self.seed);
        for claimed in turned.claimed {
            self.claimed(&claimed);
            self.held[worker].push(claimed);
        }
    }

    /// Settles in the model; says whether it held its lease.
    fn settled(&mut self, settlement: &Settlement) -> bool {
        let now = self.scene.now();
        let one = self.expected.get_mut(&settlement.position).expect("it happened");
        if one.state != State::Leased || one.attempts != settlement.attempt {
            return false;
        }
        one.state = match settlement.outcome {
            Outcome::Delivered => State::Delivered,
            Outcome::Again(_) => State::Due,
            Outcome::Parked => State::Parked,
        };
        if one.state != State::Delivered {
            one.failing_since.get_or_insert(now);
        }
        true
    }

    fn claimed(&mut self, claimed: &Claimed) {
        let (now, position, seed) = (self.scene.now(), claimed.event.position, self.seed);
        let one = &self.expected[&position];
        let is_free = one.state == State::Due || one.state == State::Leased && one.leased_until <= now;
        assert!(is_free, "seed {seed}: {position} is held, or done: {:?}", one.state);
        assert_eq!(claimed.attempt, one.attempts + 1, "seed {seed}: {position}");
        let is_open = |state| [State::Due, State::Leased, State::Parked].contains(&state);
        let before = self.expected.range(..position).map(|(_, earlier)| earlier);
        let before: Vec<&Expected> = before
            .filter(|earlier| earlier.token == one.token && is_open(earlier.state))
            .collect();
        assert_eq!(claimed.out_of_order, !before.is_empty(), "seed {seed}: {position}");
        assert!(before.is_empty() || one.stops, "seed {seed}: {position} does not stop");
        for (place, earlier) in before.iter().enumerate() {
            let failed_long = earlier
                .failing_since
                .is_some_and(|since| since + OVERTAKES_AFTER <= now);
            let is_stuck = earlier.state == State::Parked || failed_long;
            let may_be_passed = is_stuck || place > 0 && !earlier.stops;
            assert!(may_be_passed, "seed {seed}: {position} overtakes what is not stuck");
        }
        let one = self.expected.get_mut(&position).expect("it is there");
        one.state = State::Leased;
        one.attempts += 1;
        one.sent += 1;
        one.leased_until = now + LEASE;
    }

    /// A person retries everything that is parked, or skips something.
    async fn act(&mut self) {
        if self.dice.below(3) > 0 {
            return self.retry().await;
        }
        let open: Vec<_> = self.open().await;
        if open.is_empty() {
            return;
        }
        let skipped = &open[self.dice.below(open.len() as u64) as usize];
        let which = DeliveryFilter {
            id: Some(skipped.id),
            ..DeliveryFilter::default()
        };
        let count = self.scene.memory.skip(&which, "kim", false).await;
        assert_eq!(count.expect("the store answers"), 1);
        self.expected.get_mut(&skipped.position).expect("it happened").state = State::Skipped;
    }

    async fn retry(&mut self) {
        let parked = DeliveryFilter {
            state: Some(State::Parked),
            ..DeliveryFilter::default()
        };
        self.scene
            .memory
            .retry(&parked, false)
            .await
            .expect("the store answers");
        for one in self.expected.values_mut().filter(|one| one.state == State::Parked) {
            one.state = State::Due;
        }
    }

    async fn open(&self) -> Vec<mdes_receiver::store::outbox::KeptDelivery> {
        let open = DeliveryFilter {
            open: true,
            ..DeliveryFilter::default()
        };
        self.scene.deliveries(&open).await
    }

    /// The destination takes everything: then nothing stays open, and everything was sent unless it was skipped.
    async fn finish(mut self, workers: &[Arc<Memory>; 2]) {
        self.retry().await;
        self.held = [Vec::new(), Vec::new()];
        self.scene.wait(120);
        for _ in 0..10 * STEPS {
            let settlements: Vec<Settlement> = self.held[0].drain(..).map(|one| taken(&one)).collect();
            self.turn_with(&workers[0], 0, 10, &settlements).await;
            if self.held[0].is_empty() {
                break;
            }
        }
        assert_eq!(self.open().await, [], "seed {}", self.seed);
        for (position, one) in &self.expected {
            let is_done = one.state == State::Delivered && one.sent > 0 || one.state == State::Skipped;
            assert!(is_done, "seed {}: {position} is {:?}", self.seed, one.state);
        }
    }
}
