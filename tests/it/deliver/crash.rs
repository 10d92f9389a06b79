//! A worker that dies in mid-send: what it held goes out again, in order, under the same id.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::program::process::Program;
use crate::program::traffic::Traffic;
use crate::support::Database;
use crate::world::{Desk, Merchant};

promises!(a_killed_worker_loses_nothing_and_keeps_the_order);

/// What a dead worker held goes out again within a minute.
const PATIENCE: Duration = Duration::from_secs(75);
const KILLS: usize = 3;

async fn a_killed_worker_loses_nothing_and_keeps_the_order(database: Database) {
    let merchant = Merchant::content().await;
    let desk = Desk::over(database).with(&merchant.destination("orders", ""));
    for round in 0..KILLS {
        let mut program = Program::serve(&desk).await;
        let traffic = Traffic::to(&desk, program.callback, round);
        traffic.answered(40).await;
        program.process.kill();
        traffic.ended().await;
    }
    let _last = Program::serve(&desk).await;

    let began = Instant::now();
    loop {
        // Asked each time: the database may still be committing what a program sent it before it was killed.
        let (recorded, taken) = (recorded(&desk.database).await, taken(&merchant));
        if taken == recorded {
            break;
        }
        let (missing, unheard_of) = (&recorded - &taken, &taken - &recorded);
        assert!(
            began.elapsed() < PATIENCE,
            "missing: {missing:?}, and not recorded: {unheard_of:?}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    merchant.lanes();
}

fn taken(merchant: &Merchant) -> BTreeSet<String> {
    merchant.told().into_iter().map(|one| one.id).collect()
}

/// The ids of all events that were recorded.
async fn recorded(database: &Database) -> BTreeSet<String> {
    let sql = match database.url().starts_with("sqlite") {
        true => "select group_concat(id, ' ') from events",
        false => "select string_agg(id::text, ' ') from events",
    };
    let ids = database.text(sql).await.expect("there are events");
    ids.split(' ').map(str::to_owned).collect()
}
