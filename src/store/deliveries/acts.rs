//! What a person does to deliveries: retry, skip.
//!
//! A page at a time, each in a transaction of its own, so that neither a destination's worker nor, on SQLite, whoever
//! else writes waits for long. What is done is done: a call that ended half way is made again, and finds the rest.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::meant::{Open, Place, Scope};
use super::{destinations, lanes};
use crate::store::Error;
use crate::store::batch::batch_row;
use crate::store::session::{Session, Sql};
use crate::store::values::Stamp;

/// A parked one has its whole schedule again. Its number goes on rising, since an attempt that is still under way
/// somewhere must not be taken for the next one; and it has been failing for as long as it has.
const RETRY: Sql = Sql {
    postgres: "\
-- retry: they are due now
update deliveries
set state = 'due', due_at = meant.now, tries = 0
from unnest($1, $2, $3) as meant (id, now, by)
where deliveries.id = meant.id
",
    sqlite: "\
-- retry: they are due now
update deliveries
set state = 'due', due_at = value ->> 'now', tries = 0
from json_each($1) as meant
where deliveries.id = value ->> 'id'
",
};

const SKIP: Sql = Sql {
    postgres: "\
-- skip: they are set aside for good
update deliveries
set state = 'skipped', settled_at = meant.now, settled_by = meant.by
from unnest($1, $2, $3) as meant (id, now, by)
where deliveries.id = meant.id
",
    sqlite: "\
-- skip: they are set aside for good
update deliveries
set state = 'skipped', settled_at = value ->> 'now', settled_by = value ->> 'by'
from json_each($1) as meant
where deliveries.id = value ->> 'id'
",
};

batch_row! {
    struct MeantRow<'a> {
        id: i64,
        now: Stamp,
        by: Option<&'a str>,
    }
}

/// What is done.
#[derive(Clone, Copy)]
pub(in crate::store) enum Act<'a> {
    /// What is parked or due later is due now.
    Retry,
    /// What is open is set aside for good, by whom and why.
    Skip(&'a str),
}

/// What became of a page.
pub(in crate::store) struct Acted {
    /// Of how many it is true.
    pub count: u64,
    /// Where to go on, if there may be more.
    pub next: Option<Place>,
}

impl<'a> Act<'a> {
    fn is_for(self, open: &Open, now: OffsetDateTime) -> bool {
        match self {
            Act::Retry => open.may_be_retried(now),
            Act::Skip(_) => true,
        }
    }

    fn sql(self) -> Sql {
        match self {
            Act::Retry => RETRY,
            Act::Skip(_) => SKIP,
        }
    }

    fn by(self) -> Option<&'a str> {
        match self {
            Act::Retry => None,
            Act::Skip(by) => Some(by),
        }
    }

    /// Of how many of the page this would be true.
    pub(in crate::store) async fn count(
        self,
        session: &mut Session,
        scope: &Scope<'_>,
        (destination, after): (&str, &Place),
        now: OffsetDateTime,
    ) -> Result<Acted, Error> {
        let (open, next) = scope.page(session, destination, after).await?;
        let count = open.iter().filter(|open| self.is_for(open, now)).count() as u64;
        Ok(Acted { count, next })
    }

    /// Does it to the page, and decides anew who may go in the lanes that it touched. After `Ok` that is on disk; a
    /// crash before leaves this page as it was, and those before it done.
    pub(in crate::store) async fn carry_out(
        self,
        session: &mut Session,
        scope: &Scope<'_>,
        (destination, after): (&str, &Place),
        now: OffsetDateTime,
    ) -> Result<Acted, Error> {
        destinations::lock(session, destination).await?;
        let (open, next) = scope.page(session, destination, after).await?;
        let mut touched = BTreeSet::new();
        let mut rows = Vec::new();
        for open in open.into_iter().filter(|open| self.is_for(open, now)) {
            rows.push(MeantRow {
                id: open.id,
                now: Stamp(now),
                by: self.by(),
            });
            touched.insert(open.lane);
        }
        if !rows.is_empty() {
            session.execute_batch(self.sql(), &rows).await?;
            lanes::free(session, destination, touched, None, now).await?;
        }
        let count = rows.len() as u64;
        Ok(Acted { count, next })
    }
}
