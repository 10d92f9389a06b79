//! Words for scenes: tokens in doubt, reconciles and misses.

use std::sync::Arc;
use std::time::Duration;

use mdes_receiver::clock::{Clock as _, ManualClock};
use mdes_receiver::domain::id::{GapId, Namespace, ReconcileId, TokenReference};
use mdes_receiver::domain::question::Finding;
use mdes_receiver::domain::token::{Asked, Manner};
use mdes_receiver::store::asking::{
    Cause, ClaimedQuestion, ClaimedQuestions, ClaimedReconcile, Counts, Ended, Found, KeptQuestion, Miss, Missed,
    NewReconcile, ReconciledPage, Scope, SettledQuestion,
};
use mdes_receiver::store::{Asking as _, Memory, Recording, SharedStore};
use time::OffsetDateTime;
use uuid::Uuid;

pub use super::super::scene::*;
use crate::support::Database;

pub const LEASE: Duration = Duration::from_secs(60);
pub const BOTH: &[Namespace] = &[Namespace::Mdes, Namespace::TokenEx];

/// Ended are those that are quiet since then, however long ago they began.
pub fn quiet(since: OffsetDateTime) -> Ended {
    Ended {
        quiet_since: since,
        begun_before: OffsetDateTime::UNIX_EPOCH,
    }
}

/// The memory over one test's database, and its clock.
pub struct Scene {
    pub database: Database,
    pub memory: Arc<Memory>,
    pub clock: Arc<ManualClock>,
}

impl Scene {
    pub async fn new(database: Database) -> Self {
        let clock = Arc::new(ManualClock::at(noon()));
        let memory = database.memory(Arc::clone(&clock)).await;
        Scene {
            database,
            memory,
            clock,
        }
    }

    /// Another process on the same database, and the same clock.
    pub async fn replica(&self) -> Arc<Memory> {
        self.database.memory(Arc::clone(&self.clock)).await
    }

    pub fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    pub fn wait(&self, seconds: i64) {
        self.clock.advance(time::Duration::seconds(seconds));
    }

    pub async fn record(&self, recording: &Recording) {
        let store: SharedStore = self.memory.clone();
        record(&store, recording).await;
    }

    /// The network says so, in one notification of its own.
    pub async fn hear(&self, token: &TokenReference, status: &str, clock: &str) {
        let mut statement = said("", status, clock);
        statement.token = token.clone();
        // Not by what it prints as, which is the same for any two of TokenEx's.
        let request = format!("{} {token} {status} {clock}", token.namespace.as_str());
        self.record(&told(&request, vec![hashed(statement)])).await;
    }

    /// Two stories about these tokens: which is true, only the network can say.
    pub async fn doubt(&self, tokens: &[TokenReference]) {
        for token in tokens {
            self.hear(token, "ACTIVE", "09:00").await;
            self.hear(token, "SUSPENDED", "09:00").await;
        }
    }

    /// The network, asked, says that it is active.
    pub async fn settle_doubt(&self, token: &TokenReference) {
        let mut statement = said("", "ACTIVE", "10:00");
        statement.token = token.clone();
        let kept = self.standing(token).await;
        let answer = Recording {
            manner: Manner::Answers(Asked {
                sequence: kept,
                vouched: false,
            }),
            ..told(&format!("settles {token:?}"), vec![hashed(statement)])
        };
        self.record(&answer).await;
    }

    async fn standing(&self, token: &TokenReference) -> u64 {
        let store: SharedStore = self.memory.clone();
        let kept = store.token(token).await.expect("the store answers");
        kept.expect("it is kept").token.sequence
    }

    /// Opens a question for every token in doubt; says how many are new.
    pub async fn open(&self) -> u64 {
        let opened = self.memory.open_questions(BOTH, None, 1_000).await;
        opened.expect("the store answers").opened
    }

    pub async fn claim(&self, limit: u32) -> ClaimedQuestions {
        let claimed = self.memory.claim_questions(BOTH, LEASE, limit).await;
        claimed.expect("the store answers")
    }

    /// The one that there is to claim.
    pub async fn claimed(&self) -> ClaimedQuestion {
        let mut claims = self.claim(10).await;
        assert_eq!(claims.claimed.len(), 1, "{claims:?}");
        claims.claimed.remove(0)
    }

    pub async fn settle(&self, settled: &SettledQuestion) -> bool {
        self.memory.settle_question(settled).await.expect("the store answers")
    }

    pub async fn questions(&self) -> Vec<KeptQuestion> {
        self.memory.questions(None, 1_000).await.expect("the store answers")
    }

    pub async fn begin(&self, new: &NewReconcile) -> bool {
        let begun = self.memory.begin_reconcile(new, None).await;
        begun.expect("the store answers")
    }

    pub async fn reconcile(&self) -> Option<ClaimedReconcile> {
        self.memory.claim_reconcile(LEASE).await.expect("the store answers")
    }

    pub async fn reconciled(&self, page: &ReconciledPage) -> bool {
        self.memory.reconciled(page).await.expect("the store answers")
    }

    pub async fn missed(&self, misses: &[Miss]) {
        self.memory.missed(misses).await.expect("the store answers");
    }
}

pub fn tokenex(reference: &str) -> TokenReference {
    TokenReference {
        namespace: Namespace::TokenEx,
        reference: reference.to_owned(),
    }
}

pub fn names<'a>(tokens: impl IntoIterator<Item = &'a TokenReference>) -> Vec<&'a str> {
    tokens.into_iter().map(|token| token.reference.as_str()).collect()
}

/// Asked in vain; to be asked again in a minute.
pub fn unanswered(claimed: &ClaimedQuestion) -> SettledQuestion {
    SettledQuestion {
        token: claimed.token.reference.clone(),
        claim: claimed.claim,
        asks: claimed.asks + 1,
        finding: Finding::Unanswered,
        why: "no answer within 10s".to_owned(),
        given_up: false,
        due_in: Duration::from_secs(60),
    }
}

pub fn reconcile_by(cause: Cause) -> NewReconcile {
    NewReconcile {
        id: ReconcileId(Uuid::now_v7()),
        cause,
        asked_by: "ana".to_owned(),
        scope: scope(None),
        dry_run: false,
    }
}

pub fn scope(since: Option<OffsetDateTime>) -> Scope {
    Scope {
        namespaces: BOTH.to_vec(),
        since,
    }
}

/// It went on to that token, and found these.
pub fn on_to(claimed: &ClaimedReconcile, cursor: &TokenReference, found: Vec<Found>) -> ReconciledPage {
    let mut counts = claimed.kept.counts;
    for found in &found {
        counts.count(found.finding);
    }
    ReconciledPage {
        id: claimed.kept.id,
        claim: claimed.claim,
        total: Some(7),
        cursor: Some(cursor.clone()),
        counts: Counts { agrees: 3, ..counts },
        found,
        ended: false,
        lease: LEASE,
    }
}

pub fn found(token: TokenReference, finding: Finding) -> Found {
    Found {
        token,
        finding,
        held: Some("ACTIVE".to_owned().into()),
        seen: Some("SUSPENDED".to_owned().into()),
        seen_at: Some(at("09:00")),
        notification: None,
        sequence: 4,
        why: "held ACTIVE, the network says SUSPENDED".to_owned(),
        at: noon(),
    }
}

pub fn miss(missed: Missed, peer: &str, from: &str, until: &str) -> Miss {
    Miss {
        id: GapId(Uuid::now_v7()),
        missed,
        peer: peer.to_owned(),
        reason: "full".to_owned(),
        count: 1,
        from: at(from),
        until: at(until),
    }
}

/// A transaction of another process, open until this is dropped.
pub enum Held {
    Postgres { _connection: sqlx::PgConnection },
    Sqlite { _connection: sqlx::SqliteConnection },
}

impl Held {
    /// After that statement.
    pub async fn by(database: &Database, statement: &'static str) -> Self {
        use sqlx::Connection as _;
        if database.url().starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(database.url())
                .await
                .expect("the file opens");
            for sql in ["begin immediate", statement] {
                sqlx::raw_sql(sql)
                    .execute(&mut connection)
                    .await
                    .expect("it is the writer");
            }
            Held::Sqlite {
                _connection: connection,
            }
        } else {
            let mut connection = sqlx::PgConnection::connect(database.url())
                .await
                .expect("the server answers");
            for sql in ["begin", statement] {
                sqlx::raw_sql(sql).execute(&mut connection).await.expect("it is held");
            }
            Held::Postgres {
                _connection: connection,
            }
        }
    }
}
