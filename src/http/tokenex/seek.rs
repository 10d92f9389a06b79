//! The name by which the service knows a TokenEx token: the token itself, or for MDES what a link joins with it.

use std::collections::BTreeSet;

use super::Shared;
use super::answer::No;
use crate::domain::command::{Service, Target};
use crate::domain::id::{Namespace, TokenReference};
use crate::store;

/// The token, as who calls names it.
pub(super) fn reference(token: &str) -> TokenReference {
    TokenReference {
        namespace: Namespace::TokenEx,
        reference: token.to_owned(),
    }
}

impl Shared {
    /// TokenEx is told what was said. MDES knows the token by its links: by the one of that `tokenReferenceId`, or by the
    /// only one that there is; with none, or with several and no word which, there is no such reference.
    pub(super) async fn seek(&self, asked: &Target) -> Result<Target, No> {
        match self.served.through {
            Service::TokenEx => Ok(asked.clone()),
            Service::Mdes => self.linked(asked).await,
        }
    }

    async fn linked(&self, asked: &Target) -> Result<Target, No> {
        let links = self.served.desk.links_of(&reference(&asked.token)).await;
        let links = links.map_err(|error| failed(&error))?;
        let fits = |id: Option<&str>| asked.reference_id.as_deref().is_none_or(|wanted| id == Some(wanted));
        let names: BTreeSet<String> = links
            .into_iter()
            .filter(|link| link.tokenex_token == asked.token && fits(link.token_reference_id.as_deref()))
            .map(|link| link.token_unique_reference)
            .collect();
        let mut names = names.into_iter();
        match (names.next(), names.next()) {
            (Some(token), None) => Ok(Target {
                token,
                reference_id: None,
            }),
            _ => Err(No::of("3024")),
        }
    }
}

/// What a store that did not do it means to who asked.
pub(super) fn failed(error: &store::Error) -> No {
    match error {
        store::Error::Data(_) => No::of("2423"),
        _ => {
            tracing::error!(%error, "the TokenEx contract");
            No::of("9999")
        }
    }
}
