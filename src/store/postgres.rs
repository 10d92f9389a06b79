//! Postgres: finds the primary among the configured hosts, and sets each connection up.
//!
//! It never talks to a standby for longer than it takes to find out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection, PgConnection};
use tokio::time::timeout;

use super::{Error, trust};
use crate::domain::masked::Secret;

/// Asked once of each new connection. The timeouts end what a dead client left behind; the planner
/// is kept to lookups by key, since a plan made while the tables were empty would scan them when they
/// are full; where it must scan all the same, it believes that to be so dear that it would compile the
/// statement first, which takes longer than the rest; `synchronous_commit = off` is lifted, since an answer
/// means that it is on disk.
const SET_UP: &str = "\
-- connect: is this the primary, and may we write; from here on with our limits
select
  pg_is_in_recovery(),
  current_setting('transaction_read_only') = 'on',
  set_config('statement_timeout', $1, false),
  set_config('lock_timeout', $2, false),
  set_config('idle_in_transaction_session_timeout', $1, false),
  set_config('tcp_keepalives_idle', '30', false),
  set_config('tcp_keepalives_interval', '10', false),
  set_config('tcp_keepalives_count', '3', false),
  set_config('enable_seqscan', 'off', false),
  set_config('enable_hashjoin', 'off', false),
  set_config('enable_mergejoin', 'off', false),
  set_config('jit', 'off', false),
  set_config(
    'synchronous_commit',
    case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end,
    false)
";

/// The hosts of one Postgres, of which one is the primary.
pub(super) struct Hosts {
    options: Vec<PgConnectOptions>,
    /// The one that was the primary when we last looked.
    latest: AtomicUsize,
    deadline: Duration,
}

impl Hosts {
    /// From their URLs; nothing is connected to yet.
    pub(super) fn new(urls: &[Secret], deadline: Duration) -> Result<Self, Error> {
        let options: Result<Vec<PgConnectOptions>, Error> = urls.iter().map(options).collect();
        Ok(Hosts {
            options: options?,
            latest: AtomicUsize::new(0),
            deadline,
        })
    }

    /// A connection to the primary: the latest one known is asked first, then the others in their order.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        let hosts = self.options.len();
        let latest = self.latest.load(Ordering::Relaxed);
        let mut troubles = Vec::new();
        for index in (latest..hosts).chain(0..latest) {
            let options = &self.options[index];
            // Each gets its share, so that one that is silent leaves time for the next.
            let patience = self.deadline / (hosts as u32 + 1);
            let trouble = match timeout(patience, self.connect_to(options)).await {
                Ok(Ok(connection)) => {
                    self.latest.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Err(trouble)) => trouble,
                Err(_) => format!("no answer within {patience:?}"),
            };
            troubles.push(format!("{}: {trouble}", name(options)));
        }
        Err(Error::Unavailable(format!("no primary found: {}", troubles.join("; "))))
    }

    /// One of our connections without the limits that a long migration would meet.
    pub(super) async fn connect_to_migrate(&self) -> Result<PgConnection, Error> {
        let mut connection = self.connect().await?;
        sqlx::raw_sql(
            "set statement_timeout = 0; set lock_timeout = '60s'; set idle_in_transaction_session_timeout = 0",
        )
        .execute(&mut connection)
        .await?;
        Ok(connection)
    }

    /// A connection of its own to the primary, which hears what is notified on `channel`; or trouble, within twice the
    /// deadline.
    pub(super) async fn listen(&self, channel: &str) -> Result<PgListener, Error> {
        let patience = self.deadline * 2;
        let late = |_| Err(Error::Unavailable(format!("no answer within {patience:?}")));
        timeout(patience, self.listen_on(channel)).await.unwrap_or_else(late)
    }

    async fn listen_on(&self, channel: &str) -> Result<PgListener, Error> {
        // Finds it; which of them it was is remembered.
        let _ = self.connect().await?.close().await;
        let options = self.options[self.latest.load(Ordering::Relaxed)].clone();
        // The driver listens by a pool only; this one holds the one connection, and nothing else looks after it.
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.deadline)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.eager_reconnect(false);
        listener.listen(channel).await?;
        Ok(listener)
    }

    async fn connect_to(&self, options: &PgConnectOptions) -> Result<PgConnection, String> {
        let text = |error: sqlx::Error| match Error::from(error) {
            Error::Unavailable(text) => text,
            other => other.to_string(),
        };
        let mut connection = PgConnection::connect_with(options).await.map_err(text)?;
        let millis = |duration: Duration| duration.as_millis().to_string();
        let (standby, read_only): (bool, bool) = sqlx::query_as(SET_UP)
            .bind(millis(self.deadline))
            .bind(millis(self.deadline / 2))
            .fetch_one(&mut connection)
            .await
            .map_err(text)?;
        match (standby, read_only) {
            (true, _) => Err("is a standby".to_owned()),
            (_, true) => Err("is read-only".to_owned()),
            _ => Ok(connection),
        }
    }
}

fn options(url: &Secret) -> Result<PgConnectOptions, Error> {
    let options: PgConnectOptions = url
        .expose()
        .parse()
        .map_err(|_| Error::Unavailable("key `store.url`: not a URL like postgres://user@host/database".to_owned()))?;
    let options = trust::trusting(url, options);
    Ok(match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("mdes-receiver"),
    })
}

/// Where it is, without who logs in.
fn name(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}
