//! A token with those that links join to it, side by side: nothing is merged.

use serde_json::{Value, json};

use super::desk::{Desk, Link};
use super::{Error, Store};
use crate::domain::id::{Namespace, TokenReference};
use crate::domain::status::Status;

/// So many of a token's links are looked along.
const LINKS_MAX: usize = 10;

/// A link, and what we hold of the token at its other end.
#[derive(Clone, Debug, PartialEq)]
pub struct Joined {
    /// The link.
    pub link: Link,
    /// The token at its other end.
    pub other: TokenReference,
    /// What we hold of its status, if it was heard of.
    pub status: Option<Status>,
    /// What we hold of it may not be the truth.
    pub provisional: bool,
    /// That one's word counts more than this one's.
    pub is_authority: bool,
}

impl Joined {
    /// In JSON, for programs.
    pub fn shown(&self) -> Value {
        json!({
            "token_unique_reference": self.link.token_unique_reference,
            "tokenex_token": self.link.tokenex_token,
            "token_reference_id": self.link.token_reference_id,
            "namespace": self.other.namespace,
            "status": self.status,
            "provisional": self.provisional,
            "authority": self.is_authority,
        })
    }
}

/// What links join to that token, at most ten of them.
pub async fn joined(
    store: &dyn Store,
    desk: &dyn Desk,
    token: &TokenReference,
    authority: Namespace,
) -> Result<Vec<Joined>, Error> {
    let mut joined = Vec::new();
    for link in desk.links_of(token).await?.into_iter().take(LINKS_MAX) {
        let other = match token.namespace {
            Namespace::TokenEx => TokenReference::mdes(link.token_unique_reference.clone()),
            Namespace::Mdes => TokenReference {
                namespace: Namespace::TokenEx,
                reference: link.tokenex_token.clone(),
            },
        };
        let held = store.token(&other).await?.map(|kept| kept.token);
        joined.push(Joined {
            is_authority: other.namespace == authority,
            status: held.as_ref().and_then(|held| held.status().cloned()),
            provisional: held.is_some_and(|held| held.is_provisional()),
            other,
            link,
        });
    }
    Ok(joined)
}
