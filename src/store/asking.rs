//! What the house asks of its memory about questions: whom to ask about, what was missed, and how far a reconcile is;
//! the fifth part of the port.
//!
//! A token that is provisional has a question: a row that stands as long as the token is in doubt. A reconcile asks
//! about many in the order of their identity, and how far it is stands on disk after each page: a crash asks once more
//! about the tokens of one page. A gap is a time in which a notification may have been missed.

pub(super) mod findings;
pub(super) mod gaps;
pub(super) mod presence;
pub(super) mod questions;
pub(super) mod reconciles;
pub(super) mod walk;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Error;
use crate::domain::id::{GapId, Namespace, NotificationId, ReconcileId, TokenReference};
pub use crate::domain::missed::Missed;
use crate::domain::question::Finding;
use crate::domain::status::Status;
use crate::domain::token::{Doubt, Token};

/// Why nobody is asked about a token whose row is corrupt.
pub const UNREADABLE: &str = "what we hold of it cannot be read: see the log";

/// What is asked of the memory about questions. Deadlines and errors are as those of [`super::Store`].
#[async_trait]
pub trait Asking: Send + Sync {
    /// Looks at one page of the provisional tokens of these namespaces, in the order of their identity, after that one
    /// (at most `limit`, 1 to 1,000), and opens a question, due now, for each that has none. A token that is not
    /// provisional any more has none after [`Asking::claim_questions`] met it.
    async fn open_questions(
        &self,
        namespaces: &[Namespace],
        after: Option<&TokenReference>,
        limit: u32,
    ) -> Result<Opened, Error>;

    /// Takes questions about tokens of these namespaces that are due, the longest due first, under a lease. One whose
    /// token has no doubt any more is closed instead. One that was given up is due again when its wait is over. One whose
    /// token cannot be read is given up for a day, and holds up no other.
    async fn claim_questions(
        &self,
        namespaces: &[Namespace],
        lease: Duration,
        limit: u32,
    ) -> Result<ClaimedQuestions, Error>;

    /// Writes what came of a claimed question: closed if its token has no doubt any more, else due again after
    /// `due_in`; `false`, and nothing written, if the claim has gone to another.
    async fn settle_question(&self, settled: &SettledQuestion) -> Result<bool, Error>;

    /// Questions, those that were given up first, then by identity, after that one, at most `limit` (1 to 1,000).
    async fn questions(&self, after: Option<&KeptQuestion>, limit: u32) -> Result<Vec<KeptQuestion>, Error>;

    /// The question about that token, if it is asked after.
    async fn question_of(&self, token: &TokenReference) -> Result<Option<KeptQuestion>, Error>;

    /// Keeps a reconcile, due now. A scheduled one is kept only if no scheduled one is open and the newest scheduled one
    /// was kept before `unless_since`, if that is given; `false`: it was not. Two replicas never both keep one. For
    /// other causes `unless_since` says nothing, and told twice under one id it is kept once.
    async fn begin_reconcile(
        &self,
        reconcile: &NewReconcile,
        unless_since: Option<OffsetDateTime>,
    ) -> Result<bool, Error>;

    /// Takes an open reconcile that nobody works on, under a lease: of several the one that has waited longest.
    async fn claim_reconcile(&self, lease: Duration) -> Result<Option<ClaimedReconcile>, Error>;

    /// The next tokens that a reconcile asks about, in the order of their identity: of its namespaces, after that one,
    /// not DEACTIVATED, and, if it has a `since`, of which nothing was received since then; those that are only
    /// registered too. At most `limit` (1 to 1,000), and fewer or none where few of the next tokens fit: one call looks
    /// at some thousand tokens at most, so that it costs the same however many there are.
    async fn to_ask(&self, which: &Scope, after: Option<&TokenReference>, limit: u32) -> Result<Asked, Error>;

    /// How many tokens [`Asking::to_ask`] would give in all; looks at no more than a million.
    async fn how_many_to_ask(&self, which: &Scope) -> Result<u64, Error>;

    /// Writes how far a claimed reconcile is, and what it found that a person wants to see (at most 10,000 of one
    /// reconcile are kept; the counts go on), in one transaction; the lease goes on for as long again. `false`, and
    /// nothing written, if the claim has gone to another or the reconcile was stopped.
    async fn reconciled(&self, page: &ReconciledPage) -> Result<bool, Error>;

    /// Ends an open reconcile where it is; says whether it was open.
    async fn stop_reconcile(&self, id: ReconcileId) -> Result<bool, Error>;

    /// One reconcile.
    async fn reconcile(&self, id: ReconcileId) -> Result<Option<KeptReconcile>, Error>;

    /// Reconciles, newest first, before that one, at most `limit` (1 to 1,000).
    async fn reconciles(&self, before: Option<ReconcileId>, limit: u32) -> Result<Vec<KeptReconcile>, Error>;

    /// What a reconcile found, in the order of the tokens' identity, after that one, at most `limit` (1 to 1,000).
    async fn findings(&self, id: ReconcileId, after: Option<&TokenReference>, limit: u32) -> Result<Vec<Found>, Error>;

    /// Notes misses: each lengthens the open gap of its kind and peer, or opens one.
    async fn missed(&self, misses: &[Miss]) -> Result<(), Error>;

    /// Closes the gaps that have ended, and keeps for all of them together one reconcile (with their latest end as its
    /// `since`: what came after it speaks for its token, unless `reconcile` is `None`), in one transaction; gives what was
    /// closed. What is missed after that opens another gap.
    async fn close_gaps(&self, ended: Ended, reconcile: Option<&NewReconcile>) -> Result<Vec<KeptGap>, Error>;

    /// Gaps, newest first, before that one, at most `limit` (1 to 1,000).
    async fn gaps(&self, before: Option<GapId>, limit: u32) -> Result<Vec<KeptGap>, Error>;

    /// This replica was here until now. Gives when any replica was last here before this call; `None`: none ever was.
    /// If that was longer ago than `longer_than`, the time since is noted in the same transaction as a miss by
    /// [`Missed::Downtime`], under that id if it opens a gap: whoever dies after this call has it on disk.
    /// Replicas that were not here for a day are forgotten, but for the newest.
    async fn here(
        &self,
        replica: &str,
        downtime: GapId,
        longer_than: Duration,
    ) -> Result<Option<OffsetDateTime>, Error>;
}

/// What the callers hold.
pub type SharedAsking = Arc<dyn Asking>;

/// What [`Asking::open_questions`] did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// How many were opened.
    pub opened: u64,
    /// Where the next page begins; `None`: that was the last one.
    pub next: Option<TokenReference>,
}

/// What a claim of questions brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaimedQuestions {
    /// They.
    pub claimed: Vec<ClaimedQuestion>,
    /// What is held of these cannot be read.
    pub unreadable: Vec<TokenReference>,
    /// More was due.
    pub more: bool,
    /// When the next one is due, if one is.
    pub next_due: Option<OffsetDateTime>,
}

/// A question under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedQuestion {
    /// The token as it stands.
    pub token: Token,
    /// What the claim is known by.
    pub claim: u32,
    /// How often it was asked in vain.
    pub asks: u32,
}

/// What came of a claimed question.
#[derive(Clone, Debug, PartialEq)]
pub struct SettledQuestion {
    /// About which token.
    pub token: TokenReference,
    /// The claim.
    pub claim: u32,
    /// How often it was asked in vain by now.
    pub asks: u32,
    /// What came of it.
    pub finding: Finding,
    /// In words, masked; for people.
    pub why: String,
    /// It needs a person: it is asked again only after `due_in`.
    pub given_up: bool,
    /// When it is asked again, if the doubt is still there.
    pub due_in: Duration,
}

/// A question as kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptQuestion {
    /// About which token.
    #[serde(flatten)]
    pub token: TokenReference,
    /// Why.
    pub doubts: Vec<Doubt>,
    /// How often it was asked in vain.
    pub asks: u32,
    /// What came of the newest asking, if it was asked.
    pub finding: Option<Finding>,
    /// In words.
    pub why: Option<String>,
    /// It needs a person.
    pub given_up: bool,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    /// When it is asked next; while it is being asked, when the lease ends.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
}

/// Which tokens a reconcile is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Of these namespaces: those whose service was configured when it began.
    pub namespaces: Vec<Namespace>,
    /// Only those of which nothing was received since then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub since: Option<OffsetDateTime>,
}

/// Why there is a reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person asked for it.
    Person,
    /// Its time had come.
    Schedule,
    /// Something may have been missed.
    Gap,
}

impl Cause {
    /// The word that the store and the command line use.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Person => "person",
            Cause::Schedule => "schedule",
            Cause::Gap => "gap",
        }
    }

    /// The cause of that word, if there is one.
    pub fn parse(word: &str) -> Option<Self> {
        [Cause::Person, Cause::Schedule, Cause::Gap]
            .into_iter()
            .find(|cause| cause.as_str() == word)
    }
}

/// A reconcile on its way to disk.
#[derive(Clone, Debug, PartialEq)]
pub struct NewReconcile {
    /// Its id.
    pub id: ReconcileId,
    /// Why.
    pub cause: Cause,
    /// Who: an operator's name; `schedule`, `gap`.
    pub asked_by: String,
    /// About which tokens.
    pub scope: Scope,
    /// It looks and changes nothing.
    pub dry_run: bool,
}

/// A reconcile under a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedReconcile {
    /// It.
    pub kept: KeptReconcile,
    /// What the claim is known by.
    pub claim: u32,
}

/// A reconcile as kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptReconcile {
    /// Its id; ids sort by when it was asked for.
    pub id: ReconcileId,
    /// Why.
    pub cause: Cause,
    /// Who asked for it.
    pub asked_by: String,
    /// About which tokens.
    #[serde(flatten)]
    pub scope: Scope,
    /// It looks and changes nothing.
    pub dry_run: bool,
    /// How many there were to ask about when it began to; `None`: it has not begun.
    pub total: Option<u64>,
    /// What came of it until now.
    #[serde(flatten)]
    pub counts: Counts,
    /// It is after this token.
    pub cursor: Option<TokenReference>,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last went on.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
    /// It was stopped before it was through.
    pub stopped: bool,
}

/// How many of each finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// [`Finding::Agrees`].
    pub agrees: u64,
    /// [`Finding::Repaired`].
    pub repaired: u64,
    /// [`Finding::Differs`].
    pub differs: u64,
    /// [`Finding::Moved`].
    pub moved: u64,
    /// [`Finding::NotThere`].
    pub not_there: u64,
    /// [`Finding::Unanswered`].
    pub unanswered: u64,
}

impl Counts {
    /// One more of these.
    pub fn count(&mut self, finding: Finding) {
        *match finding {
            Finding::Agrees => &mut self.agrees,
            Finding::Repaired => &mut self.repaired,
            Finding::Differs => &mut self.differs,
            Finding::Moved => &mut self.moved,
            Finding::NotThere => &mut self.not_there,
            Finding::Unanswered => &mut self.unanswered,
        } += 1;
    }

    /// How many in all.
    pub fn all(&self) -> u64 {
        self.agrees + self.repaired + self.differs + self.moved + self.not_there + self.unanswered
    }
}

/// A token that a reconcile asks about.
#[derive(Clone, Debug, PartialEq)]
pub struct ToAsk {
    /// As it stands; unheard, if it is only registered.
    pub token: Token,
    /// What the merchant said of its status, if it is only registered.
    pub registered_as: Option<Status>,
    /// What is held of it cannot be read; then `token` has its name alone. It must not hold up the others.
    pub is_unreadable: bool,
}

/// A page of the tokens that a reconcile asks about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// They; maybe none, though there are more.
    pub tokens: Vec<ToAsk>,
    /// Where the next page begins; `None`: that was the last one.
    pub next: Option<TokenReference>,
}

/// How far a reconcile is, on its way to disk.
#[derive(Clone, Debug, PartialEq)]
pub struct ReconciledPage {
    /// Which.
    pub id: ReconcileId,
    /// The claim.
    pub claim: u32,
    /// How many there are to ask about, once that is known.
    pub total: Option<u64>,
    /// It is after this token now.
    pub cursor: Option<TokenReference>,
    /// What came of it until now, in all.
    pub counts: Counts,
    /// What of this page a person wants to see: all but [`Finding::Agrees`].
    pub found: Vec<Found>,
    /// It is through.
    pub ended: bool,
    /// The lease goes on for so long.
    pub lease: Duration,
}

/// What a reconcile found about one token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// About which.
    #[serde(flatten)]
    pub token: TokenReference,
    /// What.
    pub finding: Finding,
    /// The status that we held.
    pub held: Option<Status>,
    /// The status that the network says.
    pub seen: Option<Status>,
    /// Since when, by the network.
    #[serde(with = "time::serde::rfc3339::option")]
    pub seen_at: Option<OffsetDateTime>,
    /// The answer, as recorded.
    pub notification: Option<NotificationId>,
    /// The token's sequence after it.
    pub sequence: u64,
    /// In words, masked; for people.
    pub why: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// Misses of one kind within some seconds, on their way to disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Miss {
    /// Our id for the gap, if this opens one.
    pub id: GapId,
    /// How.
    pub missed: Missed,
    /// Whose: a name that is known, or empty.
    pub peer: String,
    /// Why, in one word: a refusal's.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first.
    pub from: OffsetDateTime,
    /// The last.
    pub until: OffsetDateTime,
}

/// Which gaps have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Nothing was missed since then.
    pub quiet_since: OffsetDateTime,
    /// Or it began before that: what goes on and on is asked after all the same. A downtime does not go on.
    pub begun_before: OffsetDateTime,
}

/// A gap as kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeptGap {
    /// Its id; ids sort by when it was opened.
    pub id: GapId,
    /// How.
    pub missed: Missed,
    /// Whose.
    pub peer: String,
    /// The newest reason.
    pub reason: String,
    /// How many misses.
    pub count: u64,
    /// The first.
    #[serde(with = "time::serde::rfc3339")]
    pub from: OffsetDateTime,
    /// The last.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
    /// It was quiet for long enough.
    pub closed: bool,
    /// The reconcile that it began.
    pub reconcile: Option<ReconcileId>,
}

/// The namespaces in the order of the tokens' identity, and after which reference each goes on.
fn sorted<'a>(
    namespaces: &[Namespace],
    after: Option<&'a TokenReference>,
) -> impl Iterator<Item = (Namespace, &'a str)> + use<'a> {
    let namespaces: BTreeSet<Namespace> = namespaces.iter().copied().collect();
    let start = move |namespace: Namespace| match after {
        Some(after) if after.namespace > namespace => None,
        Some(after) if after.namespace == namespace => Some((namespace, after.reference.as_str())),
        _ => Some((namespace, "")),
    };
    namespaces.into_iter().filter_map(start)
}

/// A finding from its word; `place` names table, column and row.
fn stored_finding(word: &str, place: impl FnOnce() -> String) -> Result<Finding, Error> {
    Finding::parse(word).ok_or_else(|| Error::Corrupt(place()))
}
