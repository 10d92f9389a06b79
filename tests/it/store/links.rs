//! Links join names of one token; nothing is merged.

use std::sync::Arc;

use mdes_receiver::clock::ManualClock;
use mdes_receiver::domain::id::{Namespace, TokenReference};
use mdes_receiver::store::desk::Link;
use mdes_receiver::store::{Desk as _, Memory};

use super::scene::*;
use crate::support::Database;

promises!(
    a_link_is_found_by_either_name,
    a_link_that_is_there_stays_as_it_is,
    links_are_paged_in_the_order_of_their_names,
    a_link_is_taken_away_alone,
);

fn link(reference: &str, tokenex: &str, id: Option<&str>) -> Link {
    Link {
        token_unique_reference: reference.to_owned(),
        tokenex_token: tokenex.to_owned(),
        token_reference_id: id.map(str::to_owned),
    }
}

async fn with_links(database: &Database, links: &[Link]) -> Arc<Memory> {
    let memory = database.memory(Arc::new(ManualClock::at(noon()))).await;
    let new = memory.link(links).await.expect("the store answers");
    assert_eq!(new, links.len() as u64);
    memory
}

async fn a_link_is_found_by_either_name(database: Database) {
    let links = [
        link("A", "T", Some("1")),
        link("B", "T", Some("2")),
        link("T", "A", None),
    ];
    let memory = with_links(&database, &links).await;
    let of = async |namespace, reference: &str| {
        let token = TokenReference {
            namespace,
            reference: reference.to_owned(),
        };
        memory.links_of(&token).await.expect("the store answers")
    };
    assert_eq!(of(Namespace::Mdes, "A").await, [links[0].clone()]);
    assert_eq!(of(Namespace::TokenEx, "T").await, [links[0].clone(), links[1].clone()]);
    assert_eq!(of(Namespace::Mdes, "T").await, [links[2].clone()]);
    assert_eq!(of(Namespace::TokenEx, "B").await, []);
}

async fn a_link_that_is_there_stays_as_it_is(database: Database) {
    let memory = with_links(&database, &[link("A", "T", None), link("A", "T", Some("1"))]).await;
    let again = [
        link("A", "T", None),
        link("A", "T", Some("")),
        link("B", "T", None),
        link("B", "T", None),
    ];
    assert_eq!(memory.link(&again).await.expect("the store answers"), 1);
    assert_eq!(memory.link(&[]).await.expect("the store answers"), 0);
    let all = memory.links(None, 10).await.expect("the store answers");
    assert_eq!(
        all,
        [link("A", "T", None), link("A", "T", Some("1")), link("B", "T", None)]
    );
}

async fn links_are_paged_in_the_order_of_their_names(database: Database) {
    let mut links = vec![
        link("A", "T", None),
        link("A", "T", Some("1")),
        link("A", "U", None),
        link("a", "S", None),
        link("Z", "S", Some("é")),
    ];
    let memory = with_links(&database, &links).await;
    links.sort();
    let mut paged: Vec<Link> = Vec::new();
    loop {
        let page = memory.links(paged.last(), 2).await.expect("the store answers");
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, links);
}

async fn a_link_is_taken_away_alone(database: Database) {
    let memory = with_links(&database, &[link("A", "T", None), link("A", "T", Some("1"))]).await;
    assert!(memory.unlink(&link("A", "T", None)).await.expect("the store answers"));
    assert!(!memory.unlink(&link("A", "T", None)).await.expect("the store answers"));
    let left = memory.links(None, 10).await.expect("the store answers");
    assert_eq!(left, [link("A", "T", Some("1"))]);
}
