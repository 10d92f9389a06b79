//! A few connections, lent one at a time, each for one transaction.
//!
//! Why not the driver's pool: it waits out a refused connection until its deadline, and keeps
//! connections to a primary that has become a standby. Here a connection comes back only after a
//! clean end, and whatever ends otherwise is dropped with what it left undone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::Error;
use super::postgres::Hosts;
use super::session::Session;
use super::sqlite::File;

/// Where connections come from.
pub(super) enum Source {
    /// The primary among these hosts.
    Postgres(Hosts),
    /// This file.
    Sqlite(Box<File>),
}

/// At most so many connections to one source.
pub(super) struct Pool {
    source: Source,
    permits: Semaphore,
    size: u32,
    idle: Mutex<Vec<Session>>,
    connecting: tokio::sync::Mutex<Option<String>>,
    attempts: AtomicU64,
}

/// A connection in a transaction, until [`Lent::end`]; dropped before that, its work is undone.
pub(super) struct Lent<'a> {
    /// The connection.
    pub session: Session,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Pool {
    /// At most `size` connections to `source`; none is opened yet.
    pub(super) fn new(source: Source, size: u32) -> Self {
        Pool {
            source,
            permits: Semaphore::new(size as usize),
            size,
            idle: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            attempts: AtomicU64::new(0),
        }
    }

    /// Where its connections come from.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// A connection in a new transaction.
    pub(super) async fn begin(&self) -> Result<Lent<'_>, Error> {
        let closed = |_| Error::Unavailable("the store was closed".to_owned());
        let permit = self.permits.acquire().await.map_err(closed)?;
        let session = loop {
            let Some(mut idle) = self.pop_idle() else {
                break self.connect().await?;
            };
            if idle.begin(self.source.begin()).await.is_ok() {
                break idle;
            }
        };
        Ok(Lent {
            session,
            pool: self,
            _permit: permit,
        })
    }

    /// Connects, one caller at a time; those who waited while an attempt failed share its outcome.
    async fn connect(&self) -> Result<Session, Error> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut trouble = self.connecting.lock().await;
        let others_tried = self.attempts.load(Ordering::Acquire) != seen;
        if others_tried && let Some(trouble) = &*trouble {
            return Err(Error::Unavailable(trouble.clone()));
        }
        let outcome = match self.source.connect().await {
            Ok(mut session) => session.begin(self.source.begin()).await.map(|()| session),
            Err(error) => Err(error),
        };
        *trouble = match &outcome {
            Err(Error::Unavailable(text)) => Some(text.clone()),
            _ => None,
        };
        self.attempts.fetch_add(1, Ordering::Release);
        outcome
    }

    /// Forgets the idle connections, so that the next caller looks for the database anew.
    pub(super) fn forget_idle(&self) {
        self.idle.lock().expect("no one panics while holding it").clear();
    }

    /// Waits for what is lent, ends all connections, and lends no more.
    pub(super) async fn close(&self) {
        if let Ok(_all) = self.permits.acquire_many(self.size).await {
            self.permits.close();
            while let Some(session) = self.pop_idle() {
                session.close().await;
            }
        }
    }

    fn pop_idle(&self) -> Option<Session> {
        self.idle.lock().expect("no one panics while holding it").pop()
    }
}

impl Lent<'_> {
    /// Commits what was done, or undoes it if it failed; a connection that ends cleanly is kept.
    pub(super) async fn end<T>(mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        let ended = match &outcome {
            Ok(_) => self.session.commit().await,
            Err(Error::Unavailable(_)) => return outcome,
            Err(_) => self.session.rollback().await,
        };
        match (outcome, ended) {
            (Ok(_), Err(error)) => Err(error),
            (outcome, Err(_)) => outcome,
            (outcome, Ok(())) => {
                self.pool
                    .idle
                    .lock()
                    .expect("no one panics while holding it")
                    .push(self.session);
                outcome
            }
        }
    }
}

impl Source {
    async fn connect(&self) -> Result<Session, Error> {
        match self {
            Source::Postgres(hosts) => hosts.connect().await.map(Session::Postgres),
            Source::Sqlite(file) => file.connect().await.map(Session::Sqlite),
        }
    }

    /// How SQLite begins; Postgres has one way only.
    fn begin(&self) -> &'static str {
        match self {
            Source::Sqlite(file) => file.begin(),
            Source::Postgres(_) => "begin",
        }
    }
}
