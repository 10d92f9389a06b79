//! Many at once, about few tokens, through one door and through two.

use std::sync::Arc;

use mdes_receiver::simulator::seal::Sealer;
use mdes_receiver::simulator::sender::Sender;
use tokio::task::JoinSet;

use crate::support::Database;
use crate::world::{Desk, World, body, ready, sealed, statement};

promises!(sixty_four_senders_at_once_are_all_answered_and_leave_no_gap);

const SENDERS: usize = 64;
const EACH: usize = 12;
const TOKENS: usize = 5;
/// The one that is deactivated in the middle of it all.
const DOOMED: usize = 3;

fn reference(token: usize) -> String {
    format!("DM4MMC-CROWD-{token}")
}

/// What the n-th notification says, and of which token. Each has an instant of its own; the last of each
/// token says SUSPENDED.
fn nth(n: usize) -> (usize, &'static str, String) {
    let token = n % TOKENS;
    let last = n + TOKENS >= SENDERS * EACH;
    let status = match n {
        _ if token == DOOMED && n / TOKENS == 40 => "DEACTIVATED",
        _ if last => "SUSPENDED",
        n if (n / TOKENS).is_multiple_of(2) => "ACTIVE",
        _ => "SUSPENDED",
    };
    let at = time::macros::datetime!(2026-11-02 09:00 UTC) + time::Duration::seconds(n as i64);
    let form = &time::format_description::well_known::Rfc3339;
    (token, status, at.format(form).expect("a time in this century"))
}

/// Sends its share, each under a requestId of its own, and expects each to be answered.
async fn send_share(sender: Sender, sealer: Arc<Sealer>, share: Vec<usize>) {
    for n in share {
        let (token, status, at) = nth(n);
        let request_id = format!("r-{n}");
        let told = sealed(&sealer, &request_id, &statement(&reference(token), status, &at));
        let answer = sender.send(told).await.expect("an answer");
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        assert_eq!(body(&answer)["responseId"], request_id.as_str());
    }
}

async fn assert_nothing_is_missing(world: &World) {
    for token in 0..TOKENS {
        let (name, expected) = match token {
            DOOMED => (reference(token), "DEACTIVATED"),
            _ => (reference(token), "SUSPENDED"),
        };
        assert_eq!(world.status(&name).await, expected, "{name}");
        let transitions = world.transitions(&name).await;
        let held = world.token(&name).await.expect("it is held");
        assert_eq!(transitions.len() as u64, held.sequence, "{name}");
        let told = (0..SENDERS * EACH).filter(|n| n % TOKENS == token).count();
        assert_eq!(world.journal(&name).await.len(), told, "{name}");
        // Each change goes on from the one before.
        for pair in transitions.windows(2) {
            let (before, after) = (pair[0].rsplit('>').next(), pair[1].split([' ', '>']).nth(2));
            assert_eq!(before, after, "{name}: {pair:?}");
        }
    }
}

async fn sixty_four_senders_at_once_are_all_answered_and_leave_no_gap(database: Database) {
    let world = World::over(database).await;
    let sealer = Arc::new(world.desk.sealer());
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let share = (0..EACH).map(|n| n * SENDERS + sender).collect();
        senders.spawn(send_share(world.sender(), sealer.clone(), share));
    }
    senders.join_all().await;
    assert_nothing_is_missing(&world).await;
    assert_eq!(
        world.count("mdes_receiver_notifications_total{outcome=\"recorded\"}"),
        (SENDERS * EACH) as u64
    );
    let batches = world.count("mdes_receiver_batch_size_count");
    assert!(
        batches < (SENDERS * EACH / 2) as u64,
        "{batches} commits: they are not gathered"
    );
}

/// Each notification goes to both replicas at once, under a requestId for each, in opposite orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_told_crosswise_of_the_same_tokens_lose_nothing() {
    let world = Desk::over(Database::postgres().await).open().await;
    world.ready().await;
    let second = world.desk.replica().await;
    ready(&second).await;
    let sealer = Arc::new(world.desk.sealer());
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let mut share: Vec<usize> = (0..EACH).map(|n| n * SENDERS + sender).collect();
        let address = match sender % 2 {
            0 => world.service.callback_address,
            _ => second.callback_address,
        };
        if sender % 4 < 2 {
            share.reverse();
        }
        senders.spawn(send_share(world.desk.sender(address), sealer.clone(), share));
    }
    senders.join_all().await;
    assert_nothing_is_missing(&world).await;
    second.stop().await;
}

/// The same bytes to both replicas at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_told_to_two_replicas_at_once_is_one_notification() {
    let world = Desk::over(Database::postgres().await).open().await;
    world.ready().await;
    let second = world.desk.replica().await;
    ready(&second).await;
    let (here, there) = (world.sender(), world.desk.sender(second.callback_address));
    for n in 0..40 {
        let (token, status, at) = nth(n);
        let told = world.sealed(&format!("r-{n}"), &statement(&reference(token), status, &at));
        let (one, other) = tokio::join!(here.send(told.clone()), there.send(told));
        let (one, other) = (one.expect("an answer"), other.expect("an answer"));
        assert_eq!((one.status, &one.body), (200, &other.body));
    }
    let count = "select cast(count(*) as text) || ' ' || cast(sum(repeats) as text) from notifications";
    assert_eq!(world.desk.database.text(count).await.as_deref(), Some("40 40"));
    second.stop().await;
}
