//! What we hold of a command's token before the service is asked.

use time::OffsetDateTime;

use super::Office;
use crate::domain::command::Order;
use crate::domain::id::{Namespace, TokenReference};
use crate::store;

/// So many of a token's names are looked up at most.
const NAMES_MAX: usize = 10;

/// What we hold of a token.
#[derive(Default)]
pub(super) struct Held {
    /// The network's newest instant, by any of its names.
    pub newest: Option<OffsetDateTime>,
    /// Its sequence, by the service's name.
    pub sequence: u64,
}

impl Held {
    /// What we hold of the token, by the service's name for it, the asker's, and those that links join to it. The name
    /// that several network tokens share is none of theirs.
    pub(super) async fn of(office: &Office, order: &Order) -> Result<Self, store::Error> {
        let name = order.named();
        let mut names: Vec<TokenReference> = Vec::new();
        let links = office.desk.links_of(&order.token).await?;
        let is_meant = |reference_id: &Option<String>| {
            let (one, other) = (reference_id.as_ref(), order.target.reference_id.as_ref());
            one.zip(other).is_none_or(|(one, other)| one == other)
        };
        let linked = links.into_iter().filter(|link| is_meant(&link.token_reference_id));
        let linked = linked.map(|link| TokenReference::mdes(link.token_unique_reference));
        for other in [name.clone(), order.token.clone()].into_iter().chain(linked) {
            let is_shared = is_one_of_several(order) && other.namespace == Namespace::TokenEx;
            if !is_shared && !names.contains(&other) && names.len() < NAMES_MAX {
                names.push(other);
            }
        }
        let mut held = Held::default();
        for one in names {
            let Some(kept) = office.store.token(&one).await? else {
                continue;
            };
            held.newest = held.newest.max(kept.token.status_at());
            if one == name {
                held.sequence = kept.token.sequence;
            }
        }
        Ok(held)
    }
}

/// It is about one of several network tokens of a TokenEx token: by the TokenEx token's name alone nobody knows of which.
pub(super) fn is_one_of_several(order: &Order) -> bool {
    order.target.reference_id.is_some()
}
