//! Walking the tokens: each that fits is given once, in order, and one look costs the same however many do not.

use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::domain::status::Status;
use mdes_receiver::store::asking::{Scope, ToAsk};
use mdes_receiver::store::outbox::NewRegistration;
use mdes_receiver::store::{Asking as _, Outbox as _};

use super::scene::*;
use crate::support::Database;

promises!(
    every_token_is_given_once_in_order_whatever_the_page,
    a_deactivated_token_is_not_asked_about,
    a_token_that_is_only_registered_is_asked_about,
    since_then_only_what_nothing_was_received_of,
    a_registration_is_no_word_of_the_network,
    only_tokens_of_its_namespaces_are_given,
    a_look_ends_though_nothing_fits_and_the_next_goes_on,
    an_empty_house_has_nothing_to_ask,
);

/// All pages of so many, and how many looks it took.
async fn walked(scene: &Scene, which: &Scope, limit: u32) -> (Vec<ToAsk>, u32) {
    let (mut all, mut looks, mut after) = (Vec::new(), 0, None);
    loop {
        let page = scene.memory.to_ask(which, after.as_ref(), limit).await;
        let page = page.expect("the store answers");
        assert!(page.tokens.len() <= limit as usize);
        assert!(page.next.is_none() || page.next > after, "it goes on");
        looks += 1;
        all.extend(page.tokens);
        after = page.next;
        if after.is_none() {
            let counted = scene.memory.how_many_to_ask(which).await;
            assert_eq!(counted.expect("the store answers"), all.len() as u64);
            return (all, looks);
        }
    }
}

async fn given(scene: &Scene, which: &Scope) -> Vec<TokenReference> {
    let (all, _) = walked(scene, which, 1_000).await;
    all.into_iter().map(|given| given.token.reference).collect()
}

async fn register(scene: &Scene, token: TokenReference, status: Option<Status>) {
    let new = NewRegistration {
        token,
        requestor: None,
        merchant_reference: None,
        status,
    };
    scene.memory.register(&[new]).await.expect("it is registered");
}

async fn every_token_is_given_once_in_order_whatever_the_page(database: Database) {
    let scene = Scene::new(database).await;
    let mut all = vec![
        tokenex("B"),
        token("b"),
        token("A"),
        token("B"),
        tokenex("A"),
        token("a"),
    ];
    for token in &all {
        scene.hear(token, "ACTIVE", "09:00").await;
    }
    all.sort();
    for limit in 1..=7 {
        let (given, _) = walked(&scene, &scope(None), limit).await;
        let given: Vec<_> = given.into_iter().map(|given| given.token.reference).collect();
        assert_eq!(given, all, "in pages of {limit}");
    }
}

async fn a_deactivated_token_is_not_asked_about(database: Database) {
    let scene = Scene::new(database).await;
    scene.hear(&token("A"), "DEACTIVATED", "09:00").await;
    scene.hear(&token("B"), "SUSPENDED", "09:00").await;
    register(&scene, token("C"), Some(Status::Deactivated)).await;
    assert_eq!(given(&scene, &scope(None)).await, [token("B")]);
    let store: mdes_receiver::store::SharedStore = scene.memory.clone();
    let held = store.token(&token("B")).await.expect("the store answers");
    let (given, _) = walked(&scene, &scope(None), 10).await;
    let expected = ToAsk {
        token: held.expect("it is kept").token,
        registered_as: None,
        is_unreadable: false,
    };
    assert_eq!(given, [expected]);
}

async fn a_token_that_is_only_registered_is_asked_about(database: Database) {
    let scene = Scene::new(database).await;
    register(&scene, token("A"), Some(Status::Active)).await;
    register(&scene, token("B"), None).await;
    scene.wait(3_600);
    let (given, _) = walked(&scene, &scope(Some(at("09:00"))), 10).await;
    let given: Vec<_> = given
        .into_iter()
        .map(|given| (given.token.is_unheard(), given.registered_as))
        .collect();
    assert_eq!(given, [(true, Some(Status::Active)), (true, None)]);
}

async fn since_then_only_what_nothing_was_received_of(database: Database) {
    let scene = Scene::new(database).await;
    let hear = async |name: &str, request: &str, status: &str, clock: &str| {
        let recording = received(told(request, vec![said(name, status, "08:00")]), clock);
        scene.record(&recording).await;
    };
    hear("before", "r-1", "ACTIVE", "09:59").await;
    hear("then", "r-2", "ACTIVE", "10:00").await;
    hear("after", "r-3", "ACTIVE", "09:00").await;
    hear("after", "r-4", "SUSPENDED", "10:30").await;
    assert_eq!(given(&scene, &scope(Some(at("10:00")))).await, [token("before")]);
    assert_eq!(given(&scene, &scope(Some(at("11:00")))).await.len(), 3);
    assert_eq!(given(&scene, &scope(Some(at("09:00")))).await, []);
}

async fn a_registration_is_no_word_of_the_network(database: Database) {
    let scene = Scene::new(database).await;
    scene
        .record(&received(told("r-1", vec![said("A", "ACTIVE", "08:00")]), "09:00"))
        .await;
    register(&scene, token("A"), Some(Status::Active)).await;
    assert_eq!(given(&scene, &scope(Some(at("10:00")))).await, [token("A")]);
}

async fn only_tokens_of_its_namespaces_are_given(database: Database) {
    let scene = Scene::new(database).await;
    for token in [token("A"), tokenex("A")] {
        scene.hear(&token, "ACTIVE", "09:00").await;
    }
    let only = |namespace| Scope {
        namespaces: vec![namespace],
        since: None,
    };
    assert_eq!(given(&scene, &only(Namespace::Mdes)).await, [token("A")]);
    assert_eq!(given(&scene, &only(Namespace::TokenEx)).await, [tokenex("A")]);
    let none = Scope::default();
    assert_eq!(given(&scene, &none).await, []);
    let beyond = scene
        .memory
        .to_ask(&only(Namespace::Mdes), Some(&tokenex("A")), 10)
        .await;
    assert_eq!(beyond.expect("the store answers").tokens, []);
}

const MANY: &str = "\
with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 12000)
insert into tokens (namespace, token_unique_reference, status, updated_at)
select 'mdes', 'T' || (100000 + n), 'DEACTIVATED', '2026-11-22T09:00:00.000000Z' from numbers";

async fn a_look_ends_though_nothing_fits_and_the_next_goes_on(database: Database) {
    let scene = Scene::new(database).await;
    scene.database.execute(MANY).await;
    scene.hear(&token("Z"), "ACTIVE", "09:00").await;
    let (given, looks) = walked(&scene, &scope(None), 10).await;
    assert_eq!(names(given.iter().map(|given| &given.token.reference)), ["Z"]);
    assert_eq!(looks, 3, "of 5,000 tokens each");
}

async fn an_empty_house_has_nothing_to_ask(database: Database) {
    let scene = Scene::new(database).await;
    assert_eq!(walked(&scene, &scope(None), 10).await, (Vec::new(), 1));
}
