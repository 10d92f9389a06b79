//! What fails, and when: a deck of all kinds, shuffled by the seed and dealt again and again while the load lasts.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::proxy::{Proxy, Weather};
use crate::replica::Replica;
use crate::stage::Surroundings;
use mdes_receiver::simulator::dice::Dice;

/// From the end of one fault to the beginning of the next.
const CALM: Duration = Duration::from_millis(1_200);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// SIGKILL of one replica, and its start after a while.
    Kill,
    /// SIGTERM and start of one replica after the other.
    Restart,
    /// PostgreSQL stopped immediately, and started.
    DatabaseStopped,
    DatabaseSlow,
    DatabaseCut,
    DatabaseHalfOpen,
    DoorSlow,
    DoorNarrow,
    DoorCut,
    DoorHalfOpen,
    MerchantSlow,
    MerchantCut,
    MerchantHalfOpen,
}

const OF_ALL: [Kind; 9] = [
    Kind::Kill,
    Kind::Restart,
    Kind::DoorSlow,
    Kind::DoorNarrow,
    Kind::DoorCut,
    Kind::DoorHalfOpen,
    Kind::MerchantSlow,
    Kind::MerchantCut,
    Kind::MerchantHalfOpen,
];
const OF_POSTGRES: [Kind; 4] = [
    Kind::DatabaseStopped,
    Kind::DatabaseSlow,
    Kind::DatabaseCut,
    Kind::DatabaseHalfOpen,
];

/// One fault, from its beginning until it was put right.
#[derive(Clone, Debug)]
pub struct Struck {
    pub kind: Kind,
    pub from: Instant,
    pub until: Instant,
}

/// Deals faults until then; afterwards everything is put right.
pub async fn run(
    around: &Surroundings,
    replicas: &mut [Replica],
    seed: u64,
    until: Instant,
) -> anyhow::Result<Vec<Struck>> {
    let (mut dice, mut struck, mut deck) = (Dice::seeded(seed), Vec::new(), Vec::new());
    while Instant::now() + CALM < until {
        sleep(CALM).await;
        if deck.is_empty() {
            deck = OF_ALL.to_vec();
            deck.extend(around.postgres.iter().flat_map(|_| OF_POSTGRES));
            shuffle(&mut deck, &mut dice);
        }
        let Some(kind) = deck.pop() else { break };
        let lasts = Duration::from_millis(300 + dice.below(900));
        let from = Instant::now();
        around.strike(kind, replicas, lasts, &mut dice).await?;
        let until = Instant::now();
        struck.push(Struck { kind, from, until });
    }
    sleep_until(until).await;
    Ok(struck)
}

fn shuffle<T>(deck: &mut [T], dice: &mut Dice) {
    for place in (1..deck.len()).rev() {
        deck.swap(place, dice.below(place as u64 + 1) as usize);
    }
}

impl Surroundings {
    async fn strike(
        &self,
        kind: Kind,
        replicas: &mut [Replica],
        lasts: Duration,
        dice: &mut Dice,
    ) -> anyhow::Result<()> {
        let one = dice.below(replicas.len() as u64) as usize;
        let slow = Weather::Slow(Duration::from_millis(20 + dice.below(200)));
        let door = replicas[one].door.clone();
        match kind {
            Kind::Kill => {
                replicas[one].kill()?;
                sleep(lasts).await;
                replicas[one].start_again().await?;
            }
            Kind::Restart => {
                for replica in replicas {
                    replica.terminate().await?;
                    replica.start_again().await?;
                    replica.ready().await?;
                }
            }
            Kind::DatabaseStopped => {
                if let Some(postgres) = &self.postgres {
                    postgres.stop_immediately().await?;
                    sleep(lasts).await;
                    postgres.start().await?;
                }
            }
            Kind::DatabaseSlow => under(&self.database, slow, lasts).await,
            Kind::DatabaseCut => under(&self.database, Weather::Cut, lasts).await,
            Kind::DatabaseHalfOpen => under(&self.database, Weather::HalfOpen, lasts).await,
            Kind::DoorSlow => under(&door, slow, lasts).await,
            Kind::DoorNarrow => under(&door, Weather::Narrow(20_000), lasts).await,
            Kind::DoorCut => under(&door, Weather::Cut, lasts).await,
            Kind::DoorHalfOpen => under(&door, Weather::HalfOpen, lasts).await,
            Kind::MerchantSlow => under(&self.merchant, slow, lasts).await,
            Kind::MerchantCut => under(&self.merchant, Weather::Cut, lasts).await,
            Kind::MerchantHalfOpen => under(&self.merchant, Weather::HalfOpen, lasts).await,
        }
        Ok(())
    }
}

async fn under(proxy: &Proxy, weather: Weather, lasts: Duration) {
    proxy.weather(weather);
    sleep(lasts).await;
    proxy.weather(Weather::Clear);
}
