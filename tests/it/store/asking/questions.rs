//! Questions: one for each token in doubt, held by one at a time, closed when the doubt is gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::domain::question::Finding;
use mdes_receiver::domain::token::Doubt;
use mdes_receiver::store::Asking as _;
use mdes_receiver::store::asking::SettledQuestion;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::scene::*;
use crate::support::Database;

promises!(
    a_token_in_doubt_that_is_met_twice_has_one_question,
    a_page_of_the_provisional_tokens_wraps,
    only_tokens_of_these_namespaces_are_asked_about,
    a_question_is_held_by_one_until_its_lease_ends,
    two_replicas_never_hold_the_same_question,
    a_late_settlement_writes_nothing,
    a_question_asked_in_vain_is_due_again,
    a_question_whose_token_has_no_doubt_any_more_is_closed_when_it_is_claimed,
    a_question_whose_token_has_no_doubt_any_more_is_closed_when_it_is_settled,
    a_closed_question_is_opened_anew_by_a_new_doubt,
    the_longest_due_is_asked_first,
    a_token_that_cannot_be_read_holds_up_no_other_question,
    what_was_given_up_is_listed_first_and_asked_again,
    a_claim_that_finds_nothing_does_not_wait_for_a_writer,
    a_question_does_not_wait_for_who_records_its_token,
);

async fn a_token_in_doubt_that_is_met_twice_has_one_question(database: Database) {
    let scene = Scene::new(database).await;
    scene.hear(&token("calm"), "ACTIVE", "09:00").await;
    scene.doubt(&[token("A")]).await;
    assert_eq!((scene.open().await, scene.open().await), (1, 0));
    let kept = scene.questions().await;
    assert_eq!(names(kept.iter().map(|kept| &kept.token)), ["A"]);
    assert_eq!(kept[0].doubts, [Doubt::Tie]);
    assert_eq!((kept[0].asks, kept[0].finding, kept[0].given_up), (0, None, false));
    assert_eq!((kept[0].opened_at, kept[0].due_at), (scene.now(), scene.now()));
}

async fn a_page_of_the_provisional_tokens_wraps(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A"), token("B"), tokenex("A")]).await;
    let mut after = None;
    let mut opened = Vec::new();
    for _ in 0..4 {
        let page = scene.memory.open_questions(BOTH, after.as_ref(), 1).await;
        let page = page.expect("the store answers");
        opened.push((page.opened, page.next.clone()));
        after = page.next;
    }
    let expected = [
        (1, Some(token("A"))),
        (1, Some(token("B"))),
        (1, Some(tokenex("A"))),
        (0, None),
    ];
    assert_eq!(opened, expected);
    let again = scene.memory.open_questions(BOTH, after.as_ref(), 2).await;
    let again = again.expect("the store answers");
    assert_eq!((again.opened, again.next), (0, Some(token("B"))));
}

async fn only_tokens_of_these_namespaces_are_asked_about(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A"), tokenex("A")]).await;
    let only = &[Namespace::TokenEx];
    let opened = scene.memory.open_questions(only, None, 10).await;
    assert_eq!(opened.expect("the store answers").opened, 1);
    assert_eq!(scene.open().await, 1, "the other one");
    let claims = scene.memory.claim_questions(only, LEASE, 10).await;
    let claims = claims.expect("the store answers").claimed;
    let claimed: Vec<_> = claims.iter().map(|claimed| &claimed.token.reference).collect();
    assert_eq!(claimed, [&tokenex("A")]);
}

async fn a_question_is_held_by_one_until_its_lease_ends(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    let first = scene.claimed().await;
    assert_eq!((first.claim, first.asks), (1, 0));
    assert!(first.token.is_provisional());
    let none = scene.claim(10).await;
    assert_eq!((none.claimed, none.more), (vec![], false));
    assert_eq!(none.next_due, Some(scene.now() + LEASE));
    scene.wait(59);
    assert_eq!(scene.claim(10).await.claimed, []);
    scene.wait(1);
    assert_eq!(scene.claimed().await.claim, 2);
}

async fn two_replicas_never_hold_the_same_question(database: Database) {
    let scene = Scene::new(database).await;
    let tokens: Vec<TokenReference> = (0..24).map(|n| token(&format!("T{n:02}"))).collect();
    scene.doubt(&tokens).await;
    scene.open().await;
    let together = Arc::new(Barrier::new(4));
    let mut replicas = JoinSet::new();
    for _ in 0..4 {
        let (memory, together) = (scene.replica().await, Arc::clone(&together));
        replicas.spawn(async move {
            let mut mine = Vec::new();
            together.wait().await;
            loop {
                let claims = memory.claim_questions(BOTH, LEASE, 2).await.expect("the store answers");
                mine.extend(claims.claimed.into_iter().map(|claimed| claimed.token.reference));
                if claims.next_due.is_some() && !claims.more && memory.questions(None, 100).await.is_ok_and(all_held) {
                    return mine;
                }
            }
        });
    }
    let all = replicas.join_all().await.concat();
    let each: BTreeSet<&TokenReference> = all.iter().collect();
    assert_eq!((all.len(), each.len()), (24, 24), "{all:?}");
}

fn all_held(questions: Vec<mdes_receiver::store::asking::KeptQuestion>) -> bool {
    questions.iter().all(|question| question.due_at > noon())
}

async fn a_late_settlement_writes_nothing(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    let first = scene.claimed().await;
    scene.wait(60);
    let second = scene.claimed().await;
    let before = scene.questions().await;
    assert!(!scene.settle(&unanswered(&first)).await);
    assert_eq!(scene.questions().await, before);
    scene.settle_doubt(&token("A")).await;
    assert!(!scene.settle(&unanswered(&first)).await);
    assert_eq!(scene.questions().await.len(), 1, "it is not closed either");
    assert!(scene.settle(&unanswered(&second)).await);
}

async fn a_question_asked_in_vain_is_due_again(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    let claimed = scene.claimed().await;
    assert!(scene.settle(&unanswered(&claimed)).await);
    let kept = scene.questions().await.remove(0);
    assert_eq!((kept.asks, kept.finding), (1, Some(Finding::Unanswered)));
    assert_eq!(kept.why.as_deref(), Some("no answer within 10s"));
    assert_eq!(kept.due_at, scene.now() + Duration::from_secs(60));
    assert_eq!((scene.open().await, scene.claim(10).await.claimed), (0, vec![]));
    scene.wait(60);
    let again = scene.claimed().await;
    assert_eq!((again.claim, again.asks), (2, 1));
}

async fn a_question_whose_token_has_no_doubt_any_more_is_closed_when_it_is_claimed(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A"), token("B")]).await;
    scene.open().await;
    scene.settle_doubt(&token("A")).await;
    let claims = scene.claim(1).await;
    assert_eq!((claims.claimed, claims.more), (vec![], true), "there is another");
    assert_eq!(scene.claimed().await.token.reference, token("B"));
    assert_eq!(names(scene.questions().await.iter().map(|kept| &kept.token)), ["B"]);
}

async fn a_question_whose_token_has_no_doubt_any_more_is_closed_when_it_is_settled(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    let claimed = scene.claimed().await;
    scene.settle_doubt(&token("A")).await;
    let repaired = SettledQuestion {
        finding: Finding::Repaired,
        ..unanswered(&claimed)
    };
    assert!(scene.settle(&repaired).await);
    assert_eq!(scene.questions().await, []);
    assert!(!scene.settle(&repaired).await, "it is closed");
}

async fn a_closed_question_is_opened_anew_by_a_new_doubt(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    scene.open().await;
    scene.settle_doubt(&token("A")).await;
    assert_eq!(scene.claim(10).await.claimed, []);
    scene.hear(&token("A"), "ACTIVE", "11:00").await;
    scene.hear(&token("A"), "SUSPENDED", "11:00").await;
    assert_eq!(scene.open().await, 1);
    assert_eq!((scene.claimed().await.claim, scene.questions().await[0].asks), (1, 0));
}

async fn the_longest_due_is_asked_first(database: Database) {
    let scene = Scene::new(database).await;
    for name in [token("C"), tokenex("A"), token("B")] {
        scene.doubt(std::slice::from_ref(&name)).await;
        scene.open().await;
        scene.wait(1);
    }
    let claims = scene.claim(2).await;
    let claimed: Vec<_> = claims.claimed.iter().map(|claimed| &claimed.token.reference).collect();
    assert_eq!((claimed, claims.more), (vec![&token("C"), &tokenex("A")], true));
    let last = scene.claim(2).await;
    assert_eq!((last.claimed.len(), last.more), (1, false));
}

async fn what_was_given_up_is_listed_first_and_asked_again(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A"), token("B"), token("C"), tokenex("A")]).await;
    scene.open().await;
    for claimed in &scene.claim(10).await.claimed {
        let given_up = [token("C"), tokenex("A")].contains(&claimed.token.reference);
        let settled = SettledQuestion {
            given_up,
            ..unanswered(claimed)
        };
        assert!(scene.settle(&settled).await);
    }
    let mut listed = Vec::new();
    let mut after = None;
    while let Some(kept) = scene
        .memory
        .questions(after.as_ref(), 1)
        .await
        .expect("the store answers")
        .pop()
    {
        listed.push((kept.given_up, kept.token.clone()));
        after = Some(kept);
    }
    let expected = [
        (true, token("C")),
        (true, tokenex("A")),
        (false, token("A")),
        (false, token("B")),
    ];
    assert_eq!(listed, expected);
    let all = scene.questions().await;
    assert_eq!(all.len(), 4);
    scene.wait(60);
    assert_eq!(scene.claim(10).await.claimed.len(), 4);
}

/// Another process holds SQLite's one writer (on Postgres: nothing at all that stands in the way).
async fn a_claim_that_finds_nothing_does_not_wait_for_a_writer(database: Database) {
    let scene = Scene::new(database).await;
    scene.hear(&token("calm"), "ACTIVE", "09:00").await;
    let _held = Held::by(&scene.database, "update tokens set updated_at = updated_at").await;
    let nothing = async {
        assert_eq!(scene.open().await, 0);
        assert_eq!(scene.claim(10).await.claimed, []);
        assert_eq!(scene.reconcile().await, None);
        let closed = scene.memory.close_gaps(quiet(noon()), None).await;
        assert_eq!(closed.expect("the store answers"), []);
    };
    tokio::time::timeout(Duration::from_secs(4), nothing)
        .await
        .expect("nobody waits");
}

/// On SQLite there is one writer, and whoever writes has its turn.
async fn a_question_does_not_wait_for_who_records_its_token(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A")]).await;
    if scene.database.url().starts_with("sqlite") {
        assert_eq!(scene.open().await, 1);
        return;
    }
    let _held = Held::by(&scene.database, "select 1 from tokens for update").await;
    let asking = async {
        assert_eq!(scene.open().await, 1);
        let claimed = scene.claimed().await;
        assert!(scene.settle(&unanswered(&claimed)).await);
    };
    tokio::time::timeout(Duration::from_secs(4), asking)
        .await
        .expect("nobody waits");
}

async fn a_token_that_cannot_be_read_holds_up_no_other_question(database: Database) {
    let scene = Scene::new(database).await;
    scene.doubt(&[token("A"), token("B")]).await;
    scene.open().await;
    let broken = "update tokens set state = '{}' where token_unique_reference = 'A'";
    scene.database.execute(broken).await;
    let claims = scene.claim(10).await;
    assert_eq!(names(claims.claimed.iter().map(|one| &one.token.reference)), ["B"]);
    assert_eq!(names(&claims.unreadable), ["A"]);
    let kept = scene.questions().await;
    assert_eq!(
        (kept[0].token.reference.as_str(), kept[0].given_up, kept[0].finding),
        ("A", true, Some(Finding::Unanswered))
    );
    scene.wait(3600);
    assert_eq!(
        scene.claim(10).await.unreadable,
        [],
        "it is looked at again the next day"
    );
}
