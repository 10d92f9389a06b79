//! Erasing tokens: everything that is held of them goes, in one transaction; the ninth part of the port.
//!
//! What stays: the audit, which only ever grows, with the entry of the erasure itself; and a notification that speaks of
//! other tokens too, since its body is sealed as one. A notification that comes afterwards begins a new story.

use std::collections::BTreeSet;
use std::fmt::Display;

use async_trait::async_trait;

use super::batch::batch_row;
use super::session::Session;
use super::{Error, dropping};
use crate::domain::id::TokenReference;

mod sql;

/// What is asked of the memory about erasing. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Erasing: Send + Sync {
    /// Erases all of it, or nothing. A crash before the commit leaves everything, and after it nothing.
    async fn erase(&self, what: &Erasure) -> Result<Erased, Error>;
}

/// Whom it is about (1 to 1,000), and how.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// The tokens.
    pub tokens: BTreeSet<TokenReference>,
    /// Erases what was not told to everybody, is asked after, or is open in quarantine, too.
    pub force: bool,
    /// Counts what would go, and changes nothing.
    pub dry_run: bool,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// None of the tokens is known.
    Unknown,
    /// Nothing was changed, since this is open: how many of what.
    Held(Vec<(String, u64)>),
    /// How many rows went, by their tables, and how many notifications stay because they speak of others too.
    Gone {
        /// By table, in the order in which they went.
        rows: Vec<(&'static str, u64)>,
        /// Notifications.
        shared: u64,
    },
}

impl Erased {
    /// For the audit.
    pub fn in_a_word(&self) -> String {
        match self {
            Erased::Unknown => "not known".to_owned(),
            Erased::Held(held) => format!("refused: {}", counted(held)),
            Erased::Gone { rows, shared } => format!("erased: {}; {shared} notifications stay", counted(rows)),
        }
    }
}

/// `2 deliveries, 1 tokens`, of what there is any.
pub fn counted(many: &[(impl Display, u64)]) -> String {
    let some = many.iter().filter(|(_, many)| *many > 0);
    let some: Vec<String> = some.map(|(what, many)| format!("{many} {what}")).collect();
    some.join(", ")
}

/// A command that is open may be on its way to the service: it is never erased from under the desk.
const NEVER_FORCED: &str = "commands";

batch_row! {
    /// A token that goes.
    struct GoneRow<'a> {
        namespace: &'static str,
        token_unique_reference: &'a str,
    }
}

impl<'a> GoneRow<'a> {
    fn of(token: &'a TokenReference) -> Self {
        GoneRow {
            namespace: token.namespace.as_str(),
            token_unique_reference: &token.reference,
        }
    }
}

/// See [`Erasing::erase`]. The locks stand in the order of retention's and then of recording's: no event of these tokens
/// is made, taken up or replayed meanwhile.
pub(super) async fn erase(session: &mut Session, what: &Erasure) -> Result<Erased, Error> {
    let rows: Vec<GoneRow<'_>> = what.tokens.iter().map(GoneRow::of).collect();
    dropping::hold_events(session).await?;
    dropping::hold_destinations(session).await?;
    let known: Vec<(String,)> = session.fetch_batch(sql::LOCK, &rows).await?;
    if known.is_empty() {
        return Ok(Erased::Unknown);
    }
    let held: Vec<(String, i64)> = session.fetch_batch(sql::HELD, &rows).await?;
    let holds = |(kind, many): &(String, i64)| *many > 0 && (!what.force || kind == NEVER_FORCED);
    let held: Vec<(String, u64)> = held
        .into_iter()
        .filter(holds)
        .map(|(kind, many)| (kind, many.unsigned_abs()))
        .collect();
    if !held.is_empty() {
        return Ok(Erased::Held(held));
    }
    session.overwrite(true).await?;
    let mut gone: Vec<(&'static str, u64)> = Vec::new();
    for (table, statement) in sql::ERASE {
        let many = session.count_batch(statement, &rows).await?;
        match gone.last_mut().filter(|(last, _)| *last == table) {
            Some((_, all)) => *all += many,
            None => gone.push((table, many)),
        }
    }
    let shared: Vec<(i64,)> = session.fetch_batch(sql::SHARED, &rows).await?;
    for (table, statement) in sql::ERASE_LAST {
        gone.push((table, session.count_batch(statement, &rows).await?));
    }
    session.overwrite(false).await?;
    Ok(Erased::Gone {
        rows: gone,
        shared: shared.first().map_or(0, |(many,)| many.unsigned_abs()),
    })
}
