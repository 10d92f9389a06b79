//! A bell: there may be something new to look at. What it rings for is found by looking.

use tokio::sync::watch;

use super::pool::Source;

/// Rings for what this process commits, and, while it listens, for what others commit to the same Postgres.
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
        let _ = source;
        todo!()
    }
}
