//! The line: of one network token at most one command is under way, by whatever name and through whichever service.

use mdes_receiver::domain::command::{Action, Stage};
use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::store::Desk as _;
use mdes_receiver::store::desk::{Link, NewCommand};

use super::scene::*;
use crate::support::Database;

promises!(
    a_command_by_another_name_takes_the_place_too,
    each_of_several_network_tokens_has_its_own_line,
    a_link_that_is_made_later_moves_nobody,
);

const TOKENEX: &str = "476120FDallZ7718";

fn by_tokenex(action: Action, reference_id: Option<&str>) -> NewCommand {
    let token = TokenReference {
        namespace: Namespace::TokenEx,
        reference: TOKENEX.to_owned(),
    };
    through_tokenex(wanted(action, ""), token, TOKENEX, reference_id)
}

async fn link(scene: &Scene, reference: &str, reference_id: Option<&str>) {
    let link = Link {
        token_unique_reference: reference.to_owned(),
        tokenex_token: TOKENEX.to_owned(),
        token_reference_id: reference_id.map(str::to_owned),
    };
    scene.memory.link(&[link]).await.expect("the store answers");
}

async fn a_command_by_another_name_takes_the_place_too(database: Database) {
    let scene = Scene::new(database).await;
    link(&scene, "A", None).await;
    let first = by_tokenex(Action::Suspend, None);
    scene.ordered(&first).await;
    let second = wanted(Action::Resume, "A");
    scene.ordered(&second).await;
    assert_eq!(scene.stage(first.id).await, Stage::Superseded);

    let claimed = scene.claimed().await;
    assert!(scene.progress(&at_stage(&claimed, Stage::Sent)).await);
    scene.ordered(&by_tokenex(Action::Suspend, None)).await;
    assert!(scene.claim(10).await.claimed.is_empty(), "one is being sent");
    assert!(
        !scene.progress(&at_stage(&claimed, Stage::Accepted)).await,
        "and then the newer one goes"
    );
    assert_eq!(scene.claim(10).await.claimed.len(), 1);
}

async fn each_of_several_network_tokens_has_its_own_line(database: Database) {
    let scene = Scene::new(database).await;
    link(&scene, "A", Some("id-a")).await;
    link(&scene, "B", Some("id-b")).await;
    let of_a = by_tokenex(Action::Suspend, Some("id-a"));
    scene.ordered(&of_a).await;
    scene.ordered(&wanted(Action::Resume, "B")).await;
    let of_whichever = by_tokenex(Action::Resume, None);
    scene.ordered(&of_whichever).await;
    assert_eq!(
        scene.stage(of_a.id).await,
        Stage::Requested,
        "the others are not about it"
    );
    scene.ordered(&wanted(Action::Resume, "A")).await;
    assert_eq!(scene.stage(of_a.id).await, Stage::Superseded);
    assert_eq!(scene.stage(of_whichever.id).await, Stage::Requested);
}

async fn a_link_that_is_made_later_moves_nobody(database: Database) {
    let scene = Scene::new(database).await;
    let before = by_tokenex(Action::Suspend, None);
    scene.ordered(&before).await;
    link(&scene, "A", None).await;
    let by_mdes = wanted(Action::Resume, "A");
    scene.ordered(&by_mdes).await;
    assert_eq!(scene.stage(before.id).await, Stage::Requested);
    scene.ordered(&by_tokenex(Action::Suspend, None)).await;
    assert_eq!(
        scene.stage(by_mdes.id).await,
        Stage::Superseded,
        "the next one stands with it"
    );
}
