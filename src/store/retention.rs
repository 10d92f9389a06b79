//! Letting go of what is old: what of it may go, a page at a time; the eighth part of the port.
//!
//! Whatever somebody still needs stays, however old it is: a token's row and its transitions, the sealed body that holds
//! a token's current number, what some destination was not told yet, what is open in quarantine, a command, a gap, a
//! reconcile or a question that is open, and what it is about. The audit stays for ever: its trigger refuses all else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Error;

/// What is asked of the memory about what is old. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Retention: Send + Sync {
    /// Takes up the work for so long, unless somebody else has it, or all of it was looked through since then; gives
    /// the claim.
    async fn begin_retention(
        &self,
        lease: Duration,
        unless_since: Option<OffsetDateTime>,
    ) -> Result<Option<u32>, Error>;

    /// Goes on with it for so long; says whether the claim still holds it.
    async fn hold_retention(&self, claim: u32, lease: Duration) -> Result<bool, Error>;

    /// Lets go of the work; `done`: all of it was looked through.
    async fn end_retention(&self, claim: u32, done: bool) -> Result<(), Error>;

    /// Looks at one page of what there is, oldest first, and deletes in one transaction what of it is old and needed by
    /// nobody, at most so many rows (or one thing with all that hangs by it); in a dry run it only counts. `None`: nothing
    /// went, since looking at so many takes too long for receiving to wait beside it; ask for fewer.
    async fn drop_page(&self, page: &Page, dry_run: bool) -> Result<Option<Dropped>, Error>;
}

/// What the callers hold.
pub type SharedRetention = Arc<dyn Retention>;

/// What goes by age, each with what hangs by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// Events that every destination was told, with their deliveries.
    Events,
    /// Notifications: their sealed bodies, and who sent them.
    Notifications,
    /// The journal: what notifications said that are gone.
    Statements,
    /// Entries of quarantine that were resolved.
    Quarantine,
    /// Commands that came to their end, with their steps.
    Commands,
    /// Gaps that were closed.
    Gaps,
    /// Reconciles that ended, with their findings.
    Reconciles,
}

impl Kept {
    /// In the order in which they go: what is held by another comes behind it.
    pub const ALL: [Kept; 7] = [
        Kept::Events,
        Kept::Notifications,
        Kept::Statements,
        Kept::Quarantine,
        Kept::Commands,
        Kept::Gaps,
        Kept::Reconciles,
    ];

    /// The table.
    pub fn table(self) -> &'static str {
        match self {
            Kept::Events => "events",
            Kept::Notifications => "notifications",
            Kept::Statements => "token_statements",
            Kept::Quarantine => "quarantine",
            Kept::Commands => "commands",
            Kept::Gaps => "gaps",
            Kept::Reconciles => "reconciles",
        }
    }

    /// The table of what hangs by it.
    pub fn table_beside(self) -> Option<&'static str> {
        match self {
            Kept::Events => Some("deliveries"),
            Kept::Commands => Some("command_steps"),
            Kept::Reconciles => Some("reconcile_findings"),
            _ => None,
        }
    }
}

/// Which page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Of what.
    pub kept: Kept,
    /// What came to its end before then is old.
    pub before: OffsetDateTime,
    /// Behind that place; `None`: the oldest.
    pub after: Option<Mark>,
    /// How many are looked at, and how many rows go, at most (1 to 1,000).
    pub limit: u32,
}

/// A place in the order of what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Of events.
    Position(i64),
    /// Of all else.
    Id(Uuid),
}

/// What a page came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Rows of its table that are gone, or would be.
    pub rows: u64,
    /// Rows of the table beside it.
    pub beside: u64,
    /// Old, and needed.
    pub needed: u64,
    /// Of what is gone, the oldest.
    pub oldest: Option<OffsetDateTime>,
    /// And the newest.
    pub newest: Option<OffsetDateTime>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Mark>,
}

impl Dropped {
    /// Both together; `next` is the later one's.
    #[must_use]
    pub fn and(self, later: Dropped) -> Dropped {
        Dropped {
            rows: self.rows + later.rows,
            beside: self.beside + later.beside,
            needed: self.needed + later.needed,
            oldest: self.oldest.into_iter().chain(later.oldest).min(),
            newest: self.newest.max(later.newest),
            next: later.next,
        }
    }
}
