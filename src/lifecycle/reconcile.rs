//! How a reconcile is asked for: by a person, by its schedule, after a gap.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::ordering::{Offered, Unfit};
use crate::domain::id::{Namespace, ReconcileId};
use crate::store::asking::{Cause, NewReconcile, Scope};

/// Who asked for one that nobody asked for.
pub const SCHEDULE: &str = "schedule";
/// The same after a gap.
pub const GAP: &str = "gap";

/// What a person wants compared.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Whose tokens; none: of every namespace whose service is configured.
    pub namespaces: BTreeSet<Namespace>,
    /// Only tokens of which nothing was received since then.
    pub since: Option<OffsetDateTime>,
    /// Look, and change nothing.
    pub dry_run: bool,
}

impl Wanted {
    /// The reconcile, if there is somebody to ask.
    pub fn by(
        self,
        id: ReconcileId,
        asked_by: &str,
        offered: &Offered,
        now: OffsetDateTime,
    ) -> Result<NewReconcile, Unfit> {
        let there = offered.namespaces();
        let unfit = |field, why: String| Unfit { field, why };
        if there.is_empty() {
            let why =
                "cannot be asked: no token service is configured, add `[lifecycle.tokenex]` or `[lifecycle.mdes]`";
            return Err(unfit("namespaces", why.to_owned()));
        }
        if let Some(missing) = self.namespaces.difference(&there).next() {
            let word = missing.as_str();
            let why = format!("has `{word}`, whose service is not configured: add `[lifecycle.{word}]`");
            return Err(unfit("namespaces", why));
        }
        if self.since.is_some_and(|since| since > now) {
            return Err(unfit("since", "lies ahead of us".to_owned()));
        }
        let namespaces = if self.namespaces.is_empty() {
            there
        } else {
            self.namespaces
        };
        Ok(NewReconcile {
            id,
            cause: Cause::Person,
            asked_by: asked_by.to_owned(),
            scope: Scope {
                namespaces: namespaces.into_iter().collect(),
                since: self.since,
            },
            dry_run: self.dry_run,
        })
    }
}

/// One that its schedule begins.
pub fn scheduled(id: ReconcileId, scope: Scope) -> NewReconcile {
    by_itself(id, Cause::Schedule, SCHEDULE, scope)
}

/// One that follows a gap.
pub fn after_a_gap(id: ReconcileId, scope: Scope) -> NewReconcile {
    by_itself(id, Cause::Gap, GAP, scope)
}

fn by_itself(id: ReconcileId, cause: Cause, asked_by: &str, scope: Scope) -> NewReconcile {
    NewReconcile {
        id,
        cause,
        asked_by: asked_by.to_owned(),
        scope,
        dry_run: false,
    }
}
