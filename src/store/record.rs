//! Records a batch: one transaction, and a number of statements that does not depend on its size.
//!
//! The order keeps replicas from deadlock: notifications in the order of their identity, then rows
//! for tokens that have none, then the locks of all tokens in one order; only then is anything
//! decided. A crash before the commit leaves nothing; after it, a second telling finds repeats.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use sqlx::FromRow;
use time::OffsetDateTime;

use self::sql::{
    ADD_TOKENS, COUNT_NOTIFICATIONS, COUNT_STATEMENTS, HEARD, INSERT_NOTIFICATIONS, INSERT_STATEMENTS,
    INSERT_TRANSITIONS, INSERT_UNREADABLE, LOCK_TOKENS, UPDATE_TOKENS,
};
use super::plan::Plan;
use super::session::{Session, execute, fetch};
use super::values::{Bodies, Id, JsonText, Stamp, rows, shown};
use super::{Error, Recorded, Recording, SealedBy};
use crate::domain::id::{ContentHash, Namespace, NotificationId, TokenReference};
use crate::domain::notification::{Flag, Windows};
use crate::domain::token::Token;

mod sql;

/// What tells one notification from another: (`requestId` unless it is ours, content).
type Identity<'a> = (&'a str, ContentHash);

impl Recording {
    fn identity(&self) -> Identity<'_> {
        let request_id = if self.request_id_is_ours { "" } else { &self.request_id };
        (request_id, self.content)
    }

    /// The notification that its statements belong to.
    pub(super) fn notification(&self) -> NotificationId {
        self.again.unwrap_or(self.id)
    }
}

/// Records `batch`; the answers stand in its order.
pub(super) async fn record(
    session: &mut Session,
    batch: &[Recording],
    windows: &Windows,
    now: OffsetDateTime,
) -> Result<Vec<Recorded>, Error> {
    let firsts = insert_notifications(session, batch).await?;
    let told_anew = || {
        batch
            .iter()
            .zip(&firsts)
            .filter(|(_, first)| first.is_none())
            .map(|(new, _)| new)
    };

    let tokens = lock_tokens(session, told_anew(), now).await?;
    let mut plan = Plan::new(tokens, windows);
    recall(session, told_anew(), windows, &mut plan).await?;

    let answers: Result<Vec<Recorded>, Error> = batch
        .iter()
        .zip(&firsts)
        .map(|(recording, first)| match first {
            Some(first) => Ok(first.clone()),
            None => plan.take(recording),
        })
        .collect();
    let answers = answers?;
    write(session, plan, now).await?;
    Ok(answers)
}

#[derive(Serialize)]
struct NotificationRow<'a> {
    id: Id,
    identity: &'a str,
    request_id: &'a str,
    request_id_is_ours: bool,
    content_hash: ContentHash,
    received_at: Stamp,
    peer: &'a str,
    organization: Option<&'a str>,
    peer_address: String,
    peer_certificate: &'a str,
    sealed_by: SealedBy,
    key: &'a str,
    flags: &'a BTreeSet<Flag>,
}

fn notification_row(recording: &Recording) -> NotificationRow<'_> {
    NotificationRow {
        id: Id(recording.id.0),
        identity: recording.identity().0,
        request_id: &recording.request_id,
        request_id_is_ours: recording.request_id_is_ours,
        content_hash: recording.content,
        received_at: Stamp(recording.received_at),
        peer: &recording.peer.name,
        organization: recording.peer.organization.as_deref(),
        peer_address: recording.peer.address.to_string(),
        peer_certificate: &recording.peer.certificate_sha256,
        sealed_by: recording.sealed_by,
        key: &recording.key,
        flags: &recording.flags,
    }
}

/// Inserts the notifications that are new; for each of the batch that is not, the answer that it repeats.
async fn insert_notifications(session: &mut Session, batch: &[Recording]) -> Result<Vec<Option<Recorded>>, Error> {
    let mut told: Vec<&Recording> = batch.iter().filter(|recording| recording.again.is_none()).collect();
    if told.is_empty() {
        return Ok(vec![None; batch.len()]);
    }
    // Stable: of two equal ones within the batch, the first is the first.
    told.sort_by_key(|recording| recording.identity());
    let parameters: Vec<NotificationRow> = told.iter().map(|recording| notification_row(recording)).collect();
    let bodies = Bodies(told.iter().map(|recording| &*recording.sealed_body).collect());
    let inserted: Vec<(Id,)> = fetch!(&mut *session, INSERT_NOTIFICATIONS, rows(&parameters)?, bodies)?;

    let mut new: BTreeSet<NotificationId> = inserted.into_iter().map(|(id,)| NotificationId(id.0)).collect();
    // Read again, it has its row, and is never a repeat of itself.
    new.extend(
        batch
            .iter()
            .filter(|recording| recording.again.is_some())
            .map(|recording| recording.id),
    );
    let repeats: Vec<&Recording> = told
        .into_iter()
        .filter(|recording| !new.contains(&recording.id))
        .collect();
    let firsts = count_repeats(session, &repeats).await?;
    batch
        .iter()
        .map(|recording| match firsts.get(&recording.identity()) {
            _ if new.contains(&recording.id) => Ok(None),
            Some(first) => Ok(Some(first.clone())),
            None => Err(Error::Conflict("a notification's first telling went away".to_owned())),
        })
        .collect()
}

#[derive(Serialize)]
struct Again<'a> {
    identity: &'a str,
    content_hash: ContentHash,
    times: u64,
}

#[derive(FromRow)]
struct First {
    id: Id,
    request_id: String,
    request_id_is_ours: bool,
    content_hash: Vec<u8>,
}

/// Counts repeats on the first telling of each, and says what that one's answer carried.
async fn count_repeats<'a>(
    session: &mut Session,
    repeats: &[&'a Recording],
) -> Result<HashMap<Identity<'a>, Recorded>, Error> {
    if repeats.is_empty() {
        return Ok(HashMap::new());
    }
    let mut times: HashMap<Identity<'a>, u64> = HashMap::new();
    for repeat in repeats {
        *times.entry(repeat.identity()).or_default() += 1;
    }
    let again = |((identity, content_hash), times): (&Identity<'a>, &u64)| Again {
        identity,
        content_hash: *content_hash,
        times: *times,
    };
    let parameters: Vec<Again> = times.iter().map(again).collect();
    let firsts: Vec<First> = fetch!(session, COUNT_NOTIFICATIONS, rows(&parameters)?)?;
    let mut firsts_by_identity: HashMap<Identity<'_>, &First> = HashMap::new();
    for first in &firsts {
        firsts_by_identity.insert(first.identity()?, first);
    }
    let answer = |identity: &Identity<'a>| {
        let first = firsts_by_identity.get(identity)?;
        let repeat = Recorded::Repeat {
            first: NotificationId(first.id.0),
            request_id: first.request_id.clone(),
        };
        Some((*identity, repeat))
    };
    Ok(times.keys().filter_map(answer).collect())
}

impl First {
    fn identity(&self) -> Result<Identity<'_>, Error> {
        let content = hash(&self.content_hash, || {
            format!("notifications.content_hash of {}", self.id.0)
        })?;
        let request_id = if self.request_id_is_ours { "" } else { &self.request_id };
        Ok((request_id, content))
    }
}

#[derive(Serialize)]
struct Reference<'a> {
    namespace: &'static str,
    token_unique_reference: &'a str,
}

#[derive(FromRow)]
struct Locked {
    namespace: String,
    token_unique_reference: String,
    state: Option<JsonText>,
}

/// Locks every token that the recordings speak of, making rows for those that have none.
async fn lock_tokens<'a>(
    session: &mut Session,
    recordings: impl Iterator<Item = &'a Recording>,
    now: OffsetDateTime,
) -> Result<Vec<Token>, Error> {
    let tokens: BTreeSet<&TokenReference> = recordings
        .flat_map(|recording| recording.statements.iter().map(|statement| &statement.token))
        .collect();
    if tokens.is_empty() {
        return Ok(Vec::new());
    }
    let reference = |token: &&'a TokenReference| Reference {
        namespace: token.namespace.as_str(),
        token_unique_reference: &token.reference,
    };
    let parameters = rows(&tokens.iter().map(reference).collect::<Vec<_>>())?;
    // A lock finds nothing to hold where there is no row.
    execute!(&mut *session, ADD_TOKENS, &parameters, Stamp(now))?;
    let locked: Vec<Locked> = fetch!(session, LOCK_TOKENS, &parameters)?;
    locked.into_iter().map(held_token).collect()
}

fn held_token(row: Locked) -> Result<Token, Error> {
    let reference = token_reference(&row.namespace, row.token_unique_reference)?;
    match row.state {
        Some(state) => state.read(|| format!("tokens.state of {}", shown(&reference.reference))),
        None => Ok(Token::unheard(reference)),
    }
}

#[derive(Serialize)]
struct Asked<'a> {
    namespace: &'static str,
    token_unique_reference: &'a str,
    statement_hash: ContentHash,
    since: Stamp,
    until: Stamp,
}

#[derive(FromRow)]
struct Heard {
    namespace: String,
    token_unique_reference: String,
    statement_hash: Vec<u8>,
    received_at: Stamp,
    notification_id: Id,
    token_index: i32,
}

/// Looks up which of the statements the journal holds within the retry window of their hearing.
async fn recall<'a>(
    session: &mut Session,
    recordings: impl Iterator<Item = &'a Recording>,
    windows: &Windows,
    plan: &mut Plan<'_>,
) -> Result<(), Error> {
    let asked = |recording: &'a Recording| {
        let around = |by| Stamp(recording.received_at.checked_add(by).unwrap_or(recording.received_at));
        recording.statements.iter().map(move |statement| Asked {
            namespace: statement.token.namespace.as_str(),
            token_unique_reference: &statement.token.reference,
            statement_hash: statement.hash,
            since: around(-windows.retry),
            until: around(windows.retry),
        })
    };
    let parameters: Vec<Asked> = recordings.flat_map(asked).collect();
    if parameters.is_empty() {
        return Ok(());
    }
    let heard: Vec<Heard> = fetch!(session, HEARD, rows(&parameters)?)?;
    for row in heard {
        let token = token_reference(&row.namespace, row.token_unique_reference)?;
        let statement = hash(&row.statement_hash, || {
            format!("token_statements.statement_hash of {}", shown(&token.reference))
        })?;
        let line = (
            NotificationId(row.notification_id.0),
            row.token_index.unsigned_abs(),
            statement,
        );
        plan.remember(token, row.received_at.0, line);
    }
    Ok(())
}

/// Writes what was decided; what there is nothing of costs nothing.
async fn write(session: &mut Session, mut plan: Plan<'_>, now: OffsetDateTime) -> Result<(), Error> {
    let repeats = plan.settle_repeats();
    let tokens = plan.changed_tokens();
    if !tokens.is_empty() {
        execute!(&mut *session, UPDATE_TOKENS, rows(&tokens)?, Stamp(now))?;
    }
    if !plan.statements.is_empty() {
        execute!(&mut *session, INSERT_STATEMENTS, rows(&plan.statements)?)?;
    }
    if !plan.transitions.is_empty() {
        execute!(&mut *session, INSERT_TRANSITIONS, rows(&plan.transitions)?, Stamp(now))?;
    }
    if !repeats.is_empty() {
        execute!(&mut *session, COUNT_STATEMENTS, rows(&repeats)?)?;
    }
    if !plan.unreadable.is_empty() {
        execute!(&mut *session, INSERT_UNREADABLE, rows(&plan.unreadable)?)?;
    }
    Ok(())
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
