//! The soak: a load against real receivers while everything around them fails, and a model that says what must be so
//! afterwards. `tests/soak` runs it; it is no test of `cargo test`, since it wants a PostgreSQL and minutes.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::time::Instant;

mod evidence;
mod faults;
mod load;
mod model;
mod postgres;
mod proxy;
mod replica;
mod report;
mod saying;
mod sink;
mod stage;

use stage::{On, Stage};

/// What is to be done.
#[derive(Clone, Debug, Parser)]
struct Plan {
    /// How long the load lasts, in seconds.
    #[arg(long, required_unless_present_any = ["notifications", "list"])]
    seconds: Option<u64>,
    /// How many notifications are sent on each database, instead of a time.
    #[arg(long, conflicts_with = "seconds")]
    notifications: Option<u64>,
    /// Notifications a second on each database, each at its time whatever became of those before.
    #[arg(long, default_value_t = 40)]
    rate: u64,
    /// From which every choice follows.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Of how many tokens it is spoken on each database; by default one for each twenty notifications.
    #[arg(long)]
    tokens: Option<u64>,
    /// How long the sender waits before it repeats what was not answered, or was answered with 503, in milliseconds.
    /// What Mastercard does is not known.
    #[arg(long, default_value_t = 1_000)]
    repeat_after: u64,
    /// How often the sender repeats.
    #[arg(long, default_value_t = 4)]
    repeats: u32,
    /// nextest asks every test program for its tests: there are none here.
    #[arg(long, hide = true)]
    list: bool,
    #[arg(long, hide = true)]
    format: Option<String>,
    #[arg(long, hide = true)]
    ignored: bool,
}

impl Plan {
    fn notifications(&self) -> u64 {
        let by_time = || self.seconds.unwrap_or_default() * self.rate;
        self.notifications.unwrap_or_else(by_time)
    }

    fn tokens(&self) -> u64 {
        self.tokens.unwrap_or(self.notifications() / 20).max(1)
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs_f64(self.notifications() as f64 / self.rate.max(1) as f64)
    }
}

fn main() -> ExitCode {
    let plan = Plan::parse();
    if plan.list {
        return ExitCode::SUCCESS;
    }
    match soak(&plan) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all of it held.
#[tokio::main]
async fn soak(plan: &Plan) -> anyhow::Result<bool> {
    println!(
        "soak: seed {}, {} notifications on each database, {} a second",
        plan.seed,
        plan.notifications(),
        plan.rate
    );
    let began = Instant::now();
    let (postgres, sqlite) = tokio::join!(
        Stage::run(On::Postgres, plan.clone()),
        Stage::run(On::Sqlite, plan.clone()),
    );
    let mut held = true;
    for (on, report) in [(On::Postgres, postgres), (On::Sqlite, sqlite)] {
        let report = report.with_context(|| format!("{on:?} (seed {})", plan.seed))?;
        println!("\n{on:?}\n{report}");
        held &= report.holds();
    }
    println!(
        "\nsoak: {} after {} s (seed {})",
        if held { "all of it holds" } else { "it does not hold" },
        began.elapsed().as_secs(),
        plan.seed
    );
    Ok(held)
}
