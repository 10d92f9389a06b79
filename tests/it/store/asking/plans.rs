//! What asking costs on Postgres, whose planner chooses: by what is in doubt, and by the look, never by how many tokens
//! there are; whether it planned while the tables were empty or does not know yet how full they are.

use mdes_receiver::domain::id::TokenReference;
use mdes_receiver::store::{Asking as _, Store as _};

use super::scene::*;
use crate::support::Database;
use crate::world::eventually;

const MANY: &str = "
insert into tokens (namespace, token_unique_reference, status, updated_at)
select 'mdes', 'T' || (100000 + n), 'DEACTIVATED', now() from generate_series(1, 50000) as numbers (n)";

const OTHERS: &str = "
select cast(count(*) as text) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()";

const READ: &str = "
select cast(seq_tup_read + coalesce(idx_tup_fetch, 0) + (
  select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'tokens') as text)
from pg_stat_user_tables where relname = 'tokens'";

/// How many rows of tokens, and entries of their indexes, were ever read. Who asked has closed, and is counted when its
/// server has ended too.
async fn read(database: &Database) -> u64 {
    eventually("whoever asked has ended", async || {
        database.text(OTHERS).await.as_deref() == Some("0")
    })
    .await;
    let read = database.text(READ).await.expect("the table is there");
    read.parse().expect("a number")
}

/// Everything that is done about questions, with these in doubt.
async fn ask(scene: &Scene, tokens: &[TokenReference]) {
    scene.open().await;
    let claimed = scene.claim(10).await.claimed;
    assert_eq!(claimed.len(), tokens.len());
    scene.questions().await;
    for claimed in &claimed {
        assert!(scene.settle(&unanswered(claimed)).await);
    }
    scene.wait(60);
}

async fn look(scene: &Scene) {
    for since in [None, Some(at("10:00"))] {
        let page = scene.memory.to_ask(&scope(since), None, 10).await;
        page.expect("the store answers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_made_while_the_tables_were_empty_costs_no_more_when_they_are_full() {
    let scene = Scene::new(Database::postgres().await).await;
    let doubtful = [token("A"), token("B"), token("C")];
    for _ in 0..8 {
        ask(&scene, &[]).await;
        look(&scene).await;
    }
    scene.database.execute(MANY).await;
    scene.doubt(&doubtful).await;
    for _ in 0..8 {
        ask(&scene, &doubtful).await;
    }
    scene.memory.close().await;
    let read = read(&scene.database).await;
    assert!(
        (1..2_000).contains(&read),
        "{read} read for 8 rounds with 3 tokens in doubt"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_does_not_know_how_full_the_tables_are_costs_no_more() {
    let scene = Scene::new(Database::postgres().await).await;
    let doubtful = [token("A"), token("B"), token("C")];
    scene.database.execute(MANY).await;
    scene.doubt(&doubtful).await;
    ask(&scene, &doubtful).await;
    scene.memory.close().await;
    let read = read(&scene.database).await;
    assert!((1..500).contains(&read), "{read} read with 3 tokens in doubt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_for_a_reconcile_walks_a_bounded_number() {
    let scene = Scene::new(Database::postgres().await).await;
    scene.database.execute(MANY).await;
    look(&scene).await;
    scene.memory.close().await;
    // 5,000 of a look and once more to see how far it went, each by its entry and its row; two looks.
    let read = read(&scene.database).await;
    assert!((20_000..=41_000).contains(&read), "{read} read in two looks");
}
