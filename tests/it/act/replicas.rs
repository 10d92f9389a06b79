//! Two desks on one database: of one target never two at once, and a stop that waits for what is under way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mdes_receiver::domain::command::{Action, Service, Stage};
use mdes_receiver::lifecycle::desk::{Office, Worker};
use mdes_receiver::store::Outbox as _;
use mdes_receiver::store::desk::{CommandFilter, Desk as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::network::Network;
use super::scene::Scene;
use crate::support::Database;

promises!(
    two_desks_never_have_two_commands_of_one_token_under_way,
    a_stop_waits_for_what_is_being_sent,
    a_service_that_hangs_holds_up_no_other,
);

const TOKENS: usize = 4;
const WISHES: usize = 40;

async fn slow(database: Database) -> Scene {
    let mut network = Network::new(Service::TokenEx);
    network.takes = Duration::from_millis(20);
    Scene::with(database, network, Service::TokenEx).await
}

fn works(scene: &Scene, office: Arc<Office>, stop: &CancellationToken) -> JoinHandle<()> {
    tokio::spawn(Worker::new(office, scene.service, scene.memory.bell()).run(stop.clone()))
}

async fn two_desks_never_have_two_commands_of_one_token_under_way(database: Database) {
    let scene = slow(database).await;
    for token in 0..TOKENS {
        scene.token(&format!("T{token}"), "ACTIVE").await;
    }
    let replica = scene.database.memory(Arc::clone(&scene.clock)).await;
    let stop = CancellationToken::new();
    let desks = [
        works(&scene, scene.office(), &stop),
        works(&scene, scene.office_over(replica), &stop),
    ];
    for wish in 0..WISHES {
        let action = [Action::Suspend, Action::Resume][wish / TOKENS % 2];
        scene.order(action, &format!("T{}", wish % TOKENS)).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let open = CommandFilter {
        open: true,
        ..CommandFilter::default()
    };
    scene
        .eventually("all have come to their end", async || {
            scene
                .memory
                .commands(&open, None, 1_000)
                .await
                .expect("the store answers")
                .is_empty()
        })
        .await;
    stop.cancel();
    for desk in desks {
        desk.await.expect("it does not panic");
    }
    assert!(!scene.network.collided.load(Ordering::SeqCst));
    let all = scene.memory.commands(&CommandFilter::default(), None, 1_000).await;
    let all = all.expect("the store answers");
    assert_eq!(all.len(), WISHES);
    let sent: u32 = all.iter().map(|kept| kept.command.sends).sum();
    let asked: usize = (0..TOKENS).map(|token| scene.network.sends(&format!("T{token}"))).sum();
    assert_eq!(
        asked,
        usize::try_from(sent).expect("a few"),
        "each is sent as often as it says"
    );
    assert!(asked >= TOKENS, "they were at work: {asked}");
}

async fn a_stop_waits_for_what_is_being_sent(database: Database) {
    let mut scene = slow(database).await;
    scene.network_mut().takes = Duration::from_millis(300);
    scene.token("T", "ACTIVE").await;
    let id = scene.order(Action::Suspend, "T").await;
    let stop = CancellationToken::new();
    let desk = works(&scene, scene.office(), &stop);
    scene.until(id, Stage::Sent).await;
    stop.cancel();
    desk.await.expect("it does not panic");
    assert_eq!(scene.stands(id).await.0, Stage::Confirmed);
}

async fn a_service_that_hangs_holds_up_no_other(database: Database) {
    let mut hangs = Network::new(Service::TokenEx);
    hangs.takes = Duration::from_mins(10);
    let scene = Scene::with(database, hangs, Service::TokenEx).await;
    let mdes = Arc::new(Network::new(Service::Mdes));
    mdes.set("M", "ACTIVE");
    let mut hanging = Vec::new();
    for token in 0..20 {
        let token = format!("T{token}");
        scene.token(&token, "ACTIVE").await;
        hanging.push(scene.order(Action::Suspend, &token).await);
    }
    let desk = Arc::clone(&scene.memory) as _;
    let office = scene.office_of(desk, vec![Arc::clone(&scene.network), Arc::clone(&mdes)]);
    let works = Service::ALL.map(|through| {
        let worker = Worker::new(Arc::clone(&office), through, scene.memory.bell());
        tokio::spawn(worker.run(CancellationToken::new()))
    });
    let sent = async || {
        let mut sent = 0;
        for id in &hanging {
            sent += usize::from(scene.stands(*id).await.0 == Stage::Sent);
        }
        sent
    };
    scene
        .eventually("as many hang as there is room for", async || sent().await >= 8)
        .await;

    let id = scene.order_through(Service::Mdes, Action::Suspend, "M", None).await;
    scene.until(id, Stage::Confirmed).await;
    assert_eq!(sent().await, 8, "of one service no more than so many at once");
    works.iter().for_each(JoinHandle::abort);
}
