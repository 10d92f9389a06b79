//! Records a batch: one transaction, and a number of statements that does not depend on its size.
//!
//! The order keeps replicas from deadlock: notifications in the order of their identity, then rows
//! for tokens that have none, then the locks of all tokens in one order; only then is anything
//! decided. The head of the events is locked last, by the statement that writes them: all writers meet there,
//! so that it is held for no longer than a commit takes, and the order of positions is the order of commits.
//!
//! A crash before the commit leaves nothing, neither of a change nor of its events; after it, a second telling
//! finds repeats, which tell nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use time::OffsetDateTime;

use self::plan::{Entry, Plan};
use self::rows::{
    AgainRow, AskedRow, NotificationRow, RepeatRow, StatementRow, TokenRow, TransitionRow, UnreadableRow,
};
use super::assets::Naming;
use super::events::{self, EventRow};
use super::outbox::Standing;
use super::row::row;
use super::session::Session;
use super::values::{Id, Stamp, shown};
use super::{Error, Recorded, Recording, standing};
use crate::domain::event::Event;
use crate::domain::id::{ContentHash, Namespace, NotificationId, TokenReference};
use crate::domain::notification::Windows;

mod plan;
mod rows;
mod sql;
mod telling;

/// What tells one notification from another: (`requestId`, content). One of ours is like no other, so that
/// what came without any is told apart by its statements alone, within the retry window.
type Identity<'a> = (&'a str, ContentHash);

impl Recording {
    fn identity(&self) -> Identity<'_> {
        (&self.request_id, self.content)
    }

    /// The notification that its statements belong to.
    fn notification(&self) -> NotificationId {
        self.again.unwrap_or(self.id)
    }
}

/// Records `batch`; the answers stand in its order.
pub(super) async fn record(
    session: &mut Session,
    batch: &[Recording],
    windows: &Windows,
    naming: &mut Naming<'_>,
    now: OffsetDateTime,
) -> Result<Vec<Recorded>, Error> {
    let firsts = insert_notifications(session, batch).await?;
    let told_first = |recording: &&Recording| !firsts.contains_key(&recording.id);
    let new: Vec<&Recording> = batch.iter().filter(told_first).collect();

    let standing = lock_tokens(session, &new, now).await?;
    let mut plan = Plan::new(standing, windows);
    recall(session, &new, windows, &mut plan).await?;

    let mut answers = Vec::with_capacity(batch.len());
    for recording in batch {
        answers.push(match firsts.get(&recording.id) {
            Some(first) => first.clone(),
            None => plan.take(recording)?,
        });
    }
    write(session, plan, naming, now).await?;
    Ok(answers)
}

/// Inserts the notifications that are new; gives, for each that is not, the answer that it repeats.
async fn insert_notifications(
    session: &mut Session,
    batch: &[Recording],
) -> Result<HashMap<NotificationId, Recorded>, Error> {
    // One that is read again has its row, and is never a repeat of itself.
    let mut told: Vec<&Recording> = batch.iter().filter(|recording| recording.again.is_none()).collect();
    if told.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Result<Vec<NotificationRow>, Error> =
        told.iter().map(|recording| NotificationRow::of(recording)).collect();
    let inserted: Vec<(Id,)> = session.fetch_batch(sql::INSERT_NOTIFICATIONS, &rows?).await?;
    let inserted: HashSet<NotificationId> = inserted.into_iter().map(|(id,)| NotificationId(id.0)).collect();
    told.retain(|recording| !inserted.contains(&recording.id));
    count_repeats(session, &told).await
}

row! {
    struct First {
        id: Id,
        request_id: String,
        content_hash: Vec<u8>,
    }
}

/// Counts repeats on the first telling of each, and gives the answers, by the ids of the repeats.
async fn count_repeats(
    session: &mut Session,
    repeats: &[&Recording],
) -> Result<HashMap<NotificationId, Recorded>, Error> {
    if repeats.is_empty() {
        return Ok(HashMap::new());
    }
    let mut times: BTreeMap<Identity<'_>, i64> = BTreeMap::new();
    for repeat in repeats {
        *times.entry(repeat.identity()).or_default() += 1;
    }
    let rows: Vec<AgainRow> = times
        .iter()
        .map(|(identity, times)| AgainRow::of(identity, *times))
        .collect();
    let found: Vec<First> = session.fetch_batch(sql::COUNT_NOTIFICATIONS, &rows).await?;
    let mut firsts: HashMap<Identity<'_>, &First> = HashMap::new();
    for first in &found {
        firsts.insert(first.identity()?, first);
    }
    let answer = |repeat: &&Recording| match firsts.get(&repeat.identity()) {
        Some(first) => Ok((repeat.id, first.answer())),
        None => Err(Error::Conflict("a notification's first telling went away".to_owned())),
    };
    repeats.iter().map(answer).collect()
}

impl First {
    fn identity(&self) -> Result<Identity<'_>, Error> {
        let content = hash(&self.content_hash, || {
            format!("notifications.content_hash of {}", self.id.0)
        })?;
        Ok((&self.request_id, content))
    }

    fn answer(&self) -> Recorded {
        Recorded::Repeat {
            first: NotificationId(self.id.0),
            request_id: self.request_id.clone(),
        }
    }
}

/// Locks every token that the recordings speak of, making rows for those that have none.
async fn lock_tokens(session: &mut Session, new: &[&Recording], now: OffsetDateTime) -> Result<Vec<Standing>, Error> {
    let statements = new.iter().flat_map(|recording| &recording.statements);
    let tokens: BTreeSet<&TokenReference> = statements.map(|statement| &statement.token).collect();
    standing::lock(session, &tokens, now).await
}

row! {
    struct Heard {
        namespace: String,
        token_unique_reference: String,
        statement_hash: Vec<u8>,
        received_at: Stamp,
        notification_id: Id,
        token_index: i32,
    }
}

/// Tells the plan which of the statements the journal holds within the retry window of their hearing.
async fn recall(
    session: &mut Session,
    new: &[&Recording],
    windows: &Windows,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let mut asked = Vec::new();
    for recording in new {
        let statements = recording.statements.iter();
        asked.extend(statements.map(|statement| AskedRow::of(recording, statement, windows)));
    }
    if asked.is_empty() {
        return Ok(());
    }
    let heard: Vec<Heard> = session.fetch_batch(sql::HEARD, &asked).await?;
    for row in heard {
        let token = token_reference(&row.namespace, row.token_unique_reference)?;
        let statement = hash(&row.statement_hash, || {
            format!("token_statements.statement_hash of {}", shown(&token.reference))
        })?;
        let notification = NotificationId(row.notification_id.0);
        let line = (notification, row.token_index.unsigned_abs(), statement);
        plan.remember(token, row.received_at.0, line);
    }
    Ok(())
}

/// Writes what was decided; what there is nothing of costs nothing.
async fn write(
    session: &mut Session,
    mut plan: Plan<'_>,
    naming: &mut Naming<'_>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let changed = plan.changed_tokens();
    let tokens: Result<Vec<TokenRow>, Error> = changed.map(|standing| TokenRow::of(standing, now)).collect();
    let tokens = tokens?;
    if !tokens.is_empty() {
        session.execute_batch(sql::UPDATE_TOKENS, &tokens).await?;
    }
    let mut statements = Vec::with_capacity(plan.journal.len());
    let mut transitions = Vec::new();
    for entry in &plan.journal {
        statements.push(StatementRow::of(entry, &mut plan.repeats)?);
        if let Some(kind) = entry.kind {
            transitions.push(TransitionRow::of(entry, kind, now)?);
        }
    }
    if !statements.is_empty() {
        session.execute_batch(sql::INSERT_STATEMENTS, &statements).await?;
    }
    if !transitions.is_empty() {
        session.execute_batch(sql::INSERT_TRANSITIONS, &transitions).await?;
    }
    // Those of this batch's own lines went with the lines.
    let repeats: Vec<RepeatRow> = plan
        .repeats
        .iter()
        .map(|(line, times)| RepeatRow::of(line, *times))
        .collect();
    if !repeats.is_empty() {
        session.execute_batch(sql::COUNT_STATEMENTS, &repeats).await?;
    }
    let unreadable = plan.unreadable.iter();
    let unreadable: Vec<UnreadableRow> = unreadable
        .map(|(recording, token)| UnreadableRow::of(recording, token))
        .collect();
    if !unreadable.is_empty() {
        session.execute_batch(sql::INSERT_UNREADABLE, &unreadable).await?;
    }
    let of_mdes = |entry: &&Entry<'_>| entry.statement.token.namespace == Namespace::Mdes;
    let changes = plan.journal.iter().filter(of_mdes).flat_map(|entry| &entry.changes);
    naming.write(session, changes).await?;
    tell(session, &plan, now).await
}

/// Writes what a merchant is told of all this, in the order of the batch. Last of all: see the file's head.
async fn tell(session: &mut Session, plan: &Plan<'_>, now: OffsetDateTime) -> Result<(), Error> {
    let entries = plan.journal.iter();
    let told: Vec<(u32, Event)> = entries
        .flat_map(|entry| entry.events(now).map(|event| (entry.statement.index, event)))
        .collect();
    let rows: Result<Vec<EventRow>, Error> = told
        .iter()
        .map(|(index, event)| EventRow::of(event, Some(*index), None))
        .collect();
    events::append(session, &rows?).await
}

/// A token's identity as its columns have it.
pub(super) fn token_reference(namespace: &str, reference: String) -> Result<TokenReference, Error> {
    match Namespace::parse(namespace) {
        Some(namespace) => Ok(TokenReference { namespace, reference }),
        None => Err(Error::Corrupt(format!("namespace of token {}", shown(&reference)))),
    }
}

fn hash(bytes: &[u8], place: impl FnOnce() -> String) -> Result<ContentHash, Error> {
    bytes.try_into().map(ContentHash).map_err(|_| Error::Corrupt(place()))
}
