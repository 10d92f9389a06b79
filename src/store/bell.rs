//! A bell: there may be something new to look at. What it rings for is found by looking.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Error;
use super::pool::Source;
use super::postgres::Hosts;

/// What the trigger on `events` notifies.
const CHANNEL: &str = "mdes_receiver_events";
/// After so long a silence it is asked whether anyone is still there.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// For how long the answer to that is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Rings for what this process commits, and, while it listens, for what others commit to the same Postgres.
#[derive(Clone)]
pub(super) struct Bell(watch::Sender<()>);

impl Default for Bell {
    fn default() -> Self {
        Bell(watch::Sender::new(()))
    }
}

impl Bell {
    /// Everyone who waits wakes.
    pub(super) fn ring(&self) {
        self.0.send_replace(());
    }

    /// Where it is heard.
    pub(super) fn heard(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }

    /// Hears Postgres's bell and rings this one, for ever; a SQLite file has no other writer that we know of.
    pub(super) async fn listen(&self, source: &Source) {
        let Source::Postgres(hosts) = source else {
            return pending().await;
        };
        let mut pause = PAUSE_MIN;
        loop {
            let Err(error) = self.pass_on(hosts, &mut pause).await;
            // Once for each time that it is lost; it may be so for long.
            if pause == PAUSE_MIN {
                tracing::warn!(%error, "cannot hear what other replicas commit; it is looked for instead");
            } else {
                tracing::debug!(%error, ?pause, "still cannot hear what other replicas commit");
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Over one connection, outside of the pool, so that it takes nothing from who works; ends with its trouble.
    async fn pass_on(&self, hosts: &Hosts, pause: &mut Duration) -> Result<Infallible, Error> {
        let mut listener = hosts.listen(CHANNEL).await?;
        *pause = PAUSE_MIN;
        // For what was committed while nobody listened.
        self.ring();
        loop {
            match timeout(SILENCE_MAX, listener.try_recv()).await {
                Ok(Ok(Some(_))) => self.ring(),
                Ok(Ok(None)) => return Err(Error::Unavailable("connection: closed".to_owned())),
                Ok(Err(error)) => return Err(error.into()),
                Err(_silence) => still_there(&mut listener).await?,
            }
        }
    }
}

/// To listen once more changes nothing; a connection that leads nowhere shows it, and so does a standby.
async fn still_there(listener: &mut PgListener) -> Result<(), Error> {
    let listen = sqlx::raw_sql("listen mdes_receiver_events").execute(listener);
    match timeout(ANSWER_MAX, listen).await {
        Ok(done) => Ok(done.map(drop)?),
        Err(_) => Err(Error::Unavailable(format!("no answer within {ANSWER_MAX:?}"))),
    }
}
