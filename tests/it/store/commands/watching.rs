//! A command is woken by what its tokens go through, once by each change.

use mdes_receiver::domain::command::Stage;
use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::store::desk::{ClaimedCommand, Link, NewCommand, Progress};
use mdes_receiver::store::{Desk as _, SharedStore};
use time::Duration;

use super::scene::*;
use crate::support::Database;

promises!(
    a_command_is_woken_when_its_token_moves,
    what_was_before_it_does_not_concern_it,
    what_was_looked_at_wakes_nobody_again,
    what_nobody_looked_at_before_a_crash_comes_again,
    who_works_on_it_is_not_disturbed,
    a_linked_token_wakes_it_too,
    another_network_token_of_the_same_token_does_not,
    the_name_that_network_tokens_share_wakes_none_of_them,
    a_hundred_changes_come_at_a_time,
);

/// The (sequence)s that came with it.
fn sequences(claimed: &ClaimedCommand) -> Vec<u64> {
    claimed.moved.iter().map(|change| change.sequence).collect()
}

/// It has looked at what came, and waits.
fn looked(claimed: &ClaimedCommand, seconds: u64) -> Progress {
    let seen = claimed.moved.iter();
    Progress {
        seen: seen.map(|change| (change.token.clone(), change.sequence)).collect(),
        ..until(at_stage(claimed, Stage::Accepted), seconds)
    }
}

impl Scene {
    /// It waits for its token to move.
    async fn waiting(&self, new: &NewCommand) {
        self.ordered(new).await;
        let claimed = self.claimed().await;
        assert_eq!(claimed.moved, []);
        assert!(self.progress(&looked(&claimed, 300)).await);
    }

    async fn link(&self, reference: &str, tokenex: &str, id: Option<&str>) {
        let link = Link {
            token_unique_reference: reference.to_owned(),
            tokenex_token: tokenex.to_owned(),
            token_reference_id: id.map(str::to_owned),
        };
        self.memory.link(&[link]).await.expect("the store answers");
    }
}

async fn a_command_is_woken_when_its_token_moves(database: Database) {
    let scene = Scene::new(database).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    scene.waiting(&suspend("A")).await;
    scene.wait(10);
    assert_eq!(scene.claim(10).await.claimed, []);
    scene.hear("r-2", "B", "SUSPENDED", "10:00").await;
    assert_eq!(scene.claim(10).await.claimed, [], "another token's");
    scene.hear("r-3", "A", "SUSPENDED", "10:00").await;
    let claimed = scene.claimed().await;
    assert_eq!(sequences(&claimed), [2]);
    assert_eq!(claimed.moved[0].token, token("A"));
    assert!(!claimed.is_due);
    assert_eq!(claimed.was_due_at, noon() + Duration::seconds(300));
}

async fn what_was_before_it_does_not_concern_it(database: Database) {
    let scene = Scene::new(database).await;
    scene.link("A", "T", None).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    scene.hear("r-2", "A", "SUSPENDED", "09:30").await;
    let tokenex = TokenReference {
        namespace: Namespace::TokenEx,
        reference: "T".to_owned(),
    };
    scene.ordered(&through_tokenex(suspend("A"), tokenex, "T", None)).await;
    scene.ordered(&suspend("A")).await;
    for claimed in scene.claim(10).await.claimed {
        assert_eq!(claimed.moved, []);
    }
}

async fn what_was_looked_at_wakes_nobody_again(database: Database) {
    let scene = Scene::new(database).await;
    scene.waiting(&suspend("A")).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    let claimed = scene.claimed().await;
    assert_eq!(sequences(&claimed), [1]);
    assert!(scene.progress(&looked(&claimed, 60)).await);
    assert_eq!(scene.claim(10).await.claimed, []);
    scene.hear("r-2", "A", "SUSPENDED", "10:00").await;
    assert_eq!(sequences(&scene.claimed().await), [2]);
}

async fn what_nobody_looked_at_before_a_crash_comes_again(database: Database) {
    let scene = Scene::new(database).await;
    scene.waiting(&suspend("A")).await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    assert_eq!(sequences(&scene.claimed().await), [1]);
    scene.wait(45);
    let again = scene.claimed().await;
    assert_eq!((sequences(&again), again.claim), (vec![1], 3));
}

async fn who_works_on_it_is_not_disturbed(database: Database) {
    let scene = Scene::new(database).await;
    scene.ordered(&suspend("A")).await;
    let claimed = scene.claimed().await;
    scene.hear("r-1", "A", "ACTIVE", "09:00").await;
    assert_eq!(scene.claim(10).await.claimed, []);
    assert!(scene.progress(&looked(&claimed, 300)).await);
    assert_eq!(sequences(&scene.claimed().await), [1]);
}

async fn a_linked_token_wakes_it_too(database: Database) {
    let scene = Scene::new(database).await;
    let tokenex = TokenReference {
        namespace: Namespace::TokenEx,
        reference: "T".to_owned(),
    };
    scene
        .waiting(&through_tokenex(suspend("A"), tokenex.clone(), "T", None))
        .await;
    scene.hear("r-1", "A", "SUSPENDED", "10:00").await;
    assert_eq!(scene.claim(10).await.claimed, [], "nobody knows that they are one");
    scene.link("A", "T", None).await;
    let claimed = scene.claimed().await;
    assert_eq!(claimed.moved[0].token, token("A"));
    assert!(scene.progress(&looked(&claimed, 300)).await);
    assert_eq!(scene.claim(10).await.claimed, []);

    let mut statement = said("T", "ACTIVE", "11:00");
    statement.token = tokenex.clone();
    let store: SharedStore = scene.memory.clone();
    record(&store, &told("r-2", vec![hashed(statement)])).await;
    assert_eq!(scene.claimed().await.moved[0].token, tokenex);
}

async fn another_network_token_of_the_same_token_does_not(database: Database) {
    let scene = Scene::new(database).await;
    scene.link("A", "T", Some("ref-a")).await;
    scene.link("B", "T", Some("ref-b")).await;
    let tokenex = TokenReference {
        namespace: Namespace::TokenEx,
        reference: "T".to_owned(),
    };
    scene
        .waiting(&through_tokenex(suspend("A"), tokenex, "T", Some("ref-a")))
        .await;
    scene.hear("r-1", "B", "SUSPENDED", "10:00").await;
    assert_eq!(scene.claim(10).await.claimed, []);
    scene.hear("r-2", "A", "SUSPENDED", "10:00").await;
    assert_eq!(scene.claimed().await.moved[0].token, token("A"));
}

async fn the_name_that_network_tokens_share_wakes_none_of_them(database: Database) {
    let scene = Scene::new(database).await;
    let shared = TokenReference {
        namespace: Namespace::TokenEx,
        reference: "T".to_owned(),
    };
    for (name, reference_id) in [("A", "ref-a"), ("B", "ref-b"), ("C", "ref-c")] {
        scene.link(name, "T", Some(reference_id)).await;
    }
    scene
        .waiting(&through_tokenex(suspend("A"), shared.clone(), "T", Some("ref-a")))
        .await;
    scene
        .waiting(&through_tokenex(suspend("B"), token("B"), "T", Some("ref-b")))
        .await;
    scene.waiting(&suspend("C")).await;
    let mut statement = said("T", "DEACTIVATED", "11:00");
    statement.token = shared;
    let store: SharedStore = scene.memory.clone();
    record(&store, &told("r-1", vec![hashed(statement)])).await;
    assert_eq!(scene.claim(10).await.claimed, []);
}

async fn a_hundred_changes_come_at_a_time(database: Database) {
    let scene = Scene::new(database).await;
    scene.waiting(&suspend("A")).await;
    let store: SharedStore = scene.memory.clone();
    let clock = |n: u32| format!("{:02}:{:02}", n / 60, n % 60);
    let status = |n: u32| if n.is_multiple_of(2) { "ACTIVE" } else { "SUSPENDED" };
    let moved = |n: u32| told(&format!("r-{n}"), vec![said("A", status(n), &clock(n))]);
    let all: Vec<_> = (0..120).map(moved).collect();
    record_all(&store, &all).await;
    let claimed = scene.claimed().await;
    assert_eq!(sequences(&claimed), (1..=100).collect::<Vec<_>>());
    assert!(scene.progress(&looked(&claimed, 300)).await);
    assert_eq!(sequences(&scene.claimed().await), (101..=120).collect::<Vec<_>>());
}
