//! The port over a database: every verb is one transaction, and has a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::alarms::{Alarms, Counts, Looked, Standing as StandingAlarms, counts, hearing, raised};
use super::asking::{
    Asked, Asking, Cause, ClaimedQuestions, ClaimedReconcile, Ended, Found, KeptGap, KeptQuestion, KeptReconcile, Miss,
    NewReconcile, Opened, ReconciledPage, Scope, SettledQuestion, findings, gaps, presence, questions, reconciles,
    walk,
};
use super::assets::{self, Assets, Medium};
use super::bell::Bell;
use super::deliveries::Act;
use super::desk::{Approved, Claims, CommandFilter, Desk, KeptCommand, Link, NewCommand, Ordered, Progress, Step};
use super::erasing::{self, Erased, Erasing, Erasure};
use super::ledger::{self, Deed, Entry, EntryFilter, Hand, Ledger};
use super::outbox::{
    DeliveryFilter, Events, KeptDelivery, KeptDestination, NewRegistration, Outbox, Registered, ReplayFilter, Standing,
    Start, Turn, Turned,
};
use super::pool::{Pool, Source};
use super::postgres::Hosts;
use super::retention::{Dropped, Page, Retention};
use super::roster::{NewOperator, NewSession, Operator, Roster};
use super::sealed::{Bodies, KeyOf, NewBody, NewEntry, SealedBody};
use super::search::{Found as FoundTokens, Head, Moment, Place, Scene, Search, Sought};
use super::session::Session;
use super::sqlite::File;
use super::turns::Turns;
use super::{
    Error, KeptNotification, KeptQuarantine, KeptStatement, KeptToken, Migrated, NewQuarantine, QuarantineFilter,
    Recorded, Recording, Resolution, Store, Transition, audit, commands, deliveries, dropping, events, links, notices,
    operators, quarantine, record, registering, schema, sealing, searching, standing, story, tokens,
};
use crate::clock::Clock;
use crate::config::settings;
use crate::domain::alarm::Alarm;
use crate::domain::command::{Action, Service};
use crate::domain::id::{
    CommandId, DeliveryId, GapId, Namespace, NotificationId, QuarantineId, ReconcileId, TokenReference,
};
use crate::domain::masked::without_written_numbers;
use crate::domain::notification::Windows;
use crate::domain::silence::Hearing;
use crate::domain::token::Registration;

/// A schema change may have to wait for its tables, and rewrite them.
const MIGRATION_DEADLINE: Duration = Duration::from_mins(10);
/// No page is larger, whatever is asked for.
const PAGE_MAX: u32 = 1_000;
/// For what is old SQLite's one writer is held for about so long at most.
const HELD_MAX: Duration = Duration::from_millis(300);

/// Opens the memory that `store.url` names: `sqlite://` or `postgres://`.
///
/// The database need not be up: who asks while it is away is told [`Error::Unavailable`]. A missing folder
/// of a SQLite file is made here, the file itself when it is first written.
///
/// # Errors
/// A URL that is neither, or a list of anything but Postgres.
pub async fn open(settings: &settings::Store, clock: Arc<dyn Clock>) -> Result<Arc<Memory>, Error> {
    let deadline = settings.deadline;
    let scheme = |word: &str| {
        let is = |url: &crate::domain::masked::Secret| url.expose().split(':').next() == Some(word);
        !settings.urls.is_empty() && settings.urls.iter().all(is)
    };
    let (writer, reader) = match &settings.urls[..] {
        urls if scheme("postgres") || scheme("postgresql") => {
            let source = Source::Postgres(Hosts::new(urls, deadline)?);
            let pool = Arc::new(Pool::new(source, settings.connections_max.max(1)));
            (Arc::clone(&pool), pool)
        }
        [url] if scheme("sqlite") => {
            let writer = Source::Sqlite(Box::new(File::to_write(url, deadline)?));
            let reader = Source::Sqlite(Box::new(File::to_read(url, deadline)?));
            let readers = settings.connections_max.max(1);
            (Arc::new(Pool::new(writer, 1)), Arc::new(Pool::new(reader, readers)))
        }
        _ => {
            let text = "key `store.url`: write one sqlite://FILE, or one or several postgres://USER@HOST/DATABASE";
            return Err(Error::Unavailable(text.to_owned()));
        }
    };
    Ok(Arc::new(Memory {
        writer,
        reader,
        turns: Turns::of(settings.connections_max),
        deadline,
        clock,
        bell: Bell::default(),
        named: assets::Known::default(),
        hand: None,
    }))
}

/// The memory: all parts of the port over one database. A clone is the same memory.
#[derive(Clone)]
pub struct Memory {
    writer: Arc<Pool>,
    /// The same on Postgres.
    reader: Arc<Pool>,
    /// Whoever is not receiving waits here for a connection, so that receiving always finds some.
    turns: Turns,
    deadline: Duration,
    clock: Arc<dyn Clock>,
    bell: Bell,
    /// Card art that was named.
    named: assets::Known,
    /// Whose doing it is, what a person can do through it.
    hand: Option<Arc<Hand>>,
}

/// Until a destination that is let go of has nothing open.
const FORGET_TRIES_MAX: u32 = 10;

impl Memory {
    /// For receiving.
    async fn take_in<T>(&self, verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.within(&self.writer, verb).await
    }

    /// For everything else that writes.
    async fn write<T>(&self, verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.within_aside(&self.writer, verb).await
    }

    /// Writes, and rings whatever came of it: the commit may have succeeded though its answer was lost.
    async fn rung<T>(&self, verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let outcome = self.write(verb).await;
        self.bell.ring();
        outcome
    }

    /// For what a person can do: the entry that tells of it is in the same transaction.
    async fn acted<T>(
        &self,
        deed: Deed,
        verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
        outcome: impl FnOnce(&T) -> String,
    ) -> Result<T, Error> {
        let now = self.clock.now();
        self.write(async |session| {
            let done = verb(session).await?;
            if let Some(hand) = &self.hand {
                audit::add(session, hand, &deed, &outcome(&done), now).await?;
            }
            Ok(done)
        })
        .await
    }

    /// For what a person can do page by page: an entry before the first, and one after the last. A crash between leaves
    /// the first: some pages may be done.
    async fn acted_by_pages(
        &self,
        deed: Deed,
        dry_run: bool,
        pages: impl Future<Output = Result<u64, Error>>,
    ) -> Result<u64, Error> {
        let Some(hand) = self.hand.as_deref().filter(|_| !dry_run) else {
            return pages.await;
        };
        self.note(hand, &deed, ledger::BEGUN).await?;
        let count = pages.await?;
        self.note(hand, &deed, &format!("done: {count}")).await?;
        Ok(count)
    }

    /// Who tells it meanwhile makes new ones: they are set aside as well, for as long as that is worth it.
    async fn forgotten(&self, destination: &str, by: &str) -> Result<u64, Error> {
        let which = DeliveryFilter {
            destination: Some(destination.to_owned()),
            ..DeliveryFilter::default()
        };
        let mut count = 0;
        for _ in 0..FORGET_TRIES_MAX {
            count += self.act(Act::Skip(by), &which, false).await?;
            let forget = async |session: &mut Session| deliveries::forget(session, destination).await;
            if self.rung(forget).await? {
                return Ok(count);
            }
        }
        let why = format!("`{destination}` is told all the while: which receiver has it in its configuration?");
        Err(Error::Conflict(why))
    }

    /// What a person does to open deliveries, a page at a time.
    async fn act(&self, act: Act<'_>, which: &DeliveryFilter, dry_run: bool) -> Result<u64, Error> {
        let now = self.clock.now();
        let scope = self
            .read(async |session| deliveries::scope(session, which).await)
            .await?;
        let mut count = 0;
        for destination in &scope.destinations {
            let mut next = Some(scope.start());
            while let Some(after) = next {
                let page = (destination.as_str(), &after);
                let acted = match dry_run {
                    true => {
                        self.read(async |session| act.count(session, &scope, page, now).await)
                            .await
                    }
                    false => {
                        self.rung(async |session| act.carry_out(session, &scope, page, now).await)
                            .await
                    }
                }?;
                count += acted.count;
                next = acted.next;
            }
        }
        Ok(count)
    }

    async fn replayed(&self, which: &ReplayFilter, dry_run: bool) -> Result<u64, Error> {
        let now = self.clock.now();
        let mut count = 0;
        for page in self
            .read(async |session| deliveries::pages(session, which).await)
            .await?
        {
            count += match dry_run {
                true => {
                    self.read(async |session| deliveries::replayable(session, which, &page).await)
                        .await?
                }
                false => {
                    self.rung(async |session| deliveries::replay(session, which, &page, now).await)
                        .await?
                }
            };
        }
        Ok(count)
    }

    async fn read<T>(&self, verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        self.within_aside(&self.reader, verb).await
    }

    /// For who asks for one row by its key, and has somebody waiting.
    async fn read_by_key<T>(&self, verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let _turn = self.turns.keyed(self.deadline).await?;
        self.within(&self.reader, verb).await
    }

    /// For who searches, or pages: half of the deadline is for its turn, half for its statements, which end by themselves
    /// then. That one took too long says nothing of the database, and costs nobody else a connection.
    async fn look<T>(&self, verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>) -> Result<T, Error> {
        let patience = self.deadline / 2;
        let _turn = self.turns.look(patience).await?;
        let work = async {
            let mut lent = self.reader.begin().await?;
            lent.session.hurry(patience).await?;
            let outcome = verb(&mut lent.session).await;
            lent.session.unhurried().await?;
            lent.end(outcome).await
        };
        let late = |_| {
            Err(Error::Unavailable(format!(
                "no answer within {patience:?}: ask for less at once"
            )))
        };
        timeout(patience, work).await.unwrap_or_else(late)
    }

    async fn within_aside<T>(
        &self,
        pool: &Pool,
        verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let _turn = self.turns.aside(self.deadline).await?;
        self.within(pool, verb).await
    }

    async fn within<T>(
        &self,
        pool: &Pool,
        verb: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let work = async {
            let mut lent = pool.begin().await?;
            let outcome = verb(&mut lent.session).await;
            lent.end(outcome).await
        };
        let late = |_| Err(Error::Unavailable(format!("no answer within {:?}", self.deadline)));
        let outcome = timeout(self.deadline, work).await.unwrap_or_else(late);
        if let Err(Error::Unavailable(_)) = outcome {
            // Whatever it was, the database may have moved: the next one looks for it.
            pool.forget_idle();
        }
        outcome
    }
}

#[async_trait]
impl Store for Memory {
    async fn ready(&self) -> Result<(), Error> {
        self.take_in(async |session| schema::ready(session).await).await
    }

    async fn migrate(&self) -> Result<Migrated, Error> {
        let late = |_| {
            Err(Error::Unavailable(format!(
                "not migrated within {MIGRATION_DEADLINE:?}"
            )))
        };
        let migrated = timeout(MIGRATION_DEADLINE, schema::migrate(self.writer.source()))
            .await
            .unwrap_or_else(late)?;
        // A newer program may have been here.
        self.ready().await?;
        Ok(migrated)
    }

    async fn record(&self, batch: &[Recording], windows: &Windows) -> Result<Vec<Recorded>, Error> {
        let now = self.clock.now();
        let mut naming = self.named.naming();
        let recorded = self
            .take_in(async |session| record::record(session, batch, windows, &mut naming, now).await)
            .await;
        if recorded.is_ok() {
            naming.committed();
        }
        // Whatever came of it: the commit may have succeeded though its answer was lost.
        self.bell.ring();
        recorded
    }

    async fn quarantine(&self, entry: &NewQuarantine) -> Result<(), Error> {
        self.take_in(async |session| quarantine::keep(session, entry).await)
            .await
    }

    async fn token(&self, reference: &TokenReference) -> Result<Option<KeptToken>, Error> {
        self.read(async |session| tokens::token(session, reference).await).await
    }

    async fn tokens(&self, after: Option<&TokenReference>, limit: u32) -> Result<Vec<KeptToken>, Error> {
        self.look(async |session| tokens::tokens(session, after, page(limit)).await)
            .await
    }

    async fn transitions(&self, reference: &TokenReference, after: u64, limit: u32) -> Result<Vec<Transition>, Error> {
        self.look(async |session| tokens::transitions(session, reference, after, page(limit)).await)
            .await
    }

    async fn statements(&self, reference: &TokenReference, limit: u32) -> Result<Vec<KeptStatement>, Error> {
        self.look(async |session| tokens::statements(session, reference, page(limit)).await)
            .await
    }

    async fn notification(&self, id: NotificationId) -> Result<Option<KeptNotification>, Error> {
        self.read(async |session| tokens::notification(session, id).await).await
    }

    async fn quarantined(
        &self,
        which: &QuarantineFilter,
        after: Option<QuarantineId>,
        limit: u32,
    ) -> Result<Vec<KeptQuarantine>, Error> {
        self.read(async |session| quarantine::page(session, which, after, page(limit)).await)
            .await
    }

    async fn quarantine_entry(&self, id: QuarantineId) -> Result<Option<KeptQuarantine>, Error> {
        self.read(async |session| quarantine::entry(session, id).await).await
    }

    async fn resolve(&self, id: QuarantineId, resolution: &Resolution, now: OffsetDateTime) -> Result<bool, Error> {
        let deed = Deed::on_id("quarantine.resolve", id);
        let resolution = &resolution.masked();
        let outcome = |was_open: &bool| match was_open {
            true => resolution.to_string(),
            false => "was not open".to_owned(),
        };
        self.acted(
            deed,
            async |session| quarantine::resolve(session, id, resolution, now).await,
            outcome,
        )
        .await
    }

    async fn tried_again(&self, id: QuarantineId, reason: &str, detail: &str, keys_tried: &str) -> Result<(), Error> {
        self.write(async |session| quarantine::tried_again(session, id, reason, detail, keys_tried).await)
            .await
    }

    async fn quarantine_open(&self) -> Result<u64, Error> {
        self.read(async |session| quarantine::open(session).await).await
    }

    async fn close(&self) {
        let both = async {
            self.reader.close().await;
            // The writer last, so that SQLite folds its log into the file.
            self.writer.close().await;
        };
        // What is still in flight past its own deadline is gone with the process.
        let _ = timeout(self.deadline * 2, both).await;
    }
}

#[async_trait]
impl Outbox for Memory {
    async fn register(&self, tokens: &[NewRegistration]) -> Result<Vec<Registered>, Error> {
        let now = self.clock.now();
        let deed = Deed::on_tokens("token.register", tokens.iter().map(|new| &new.token));
        let outcome = |answers: &Vec<Registered>| {
            let new = answers.iter().filter(|answer| **answer != Registered::Again).count();
            format!("registered: {new} new, {} again", answers.len() - new)
        };
        self.acted(
            deed,
            async |session| registering::register(session, tokens, now).await,
            outcome,
        )
        .await
    }

    async fn registration(&self, token: &TokenReference) -> Result<Option<Registration>, Error> {
        self.read(async |session| standing::registration(session, token).await)
            .await
    }

    async fn standing(&self, after: Option<&TokenReference>, limit: u32) -> Result<Vec<Standing>, Error> {
        self.look(async |session| standing::page(session, after, page(limit)).await)
            .await
    }

    async fn events(&self, after: u64, limit: u32) -> Result<Events, Error> {
        self.look(async |session| events::page(session, after, page(limit)).await)
            .await
    }

    async fn enrol(&self, destination: &str, start: Start) -> Result<bool, Error> {
        let now = self.clock.now();
        self.write(async |session| deliveries::enrol(session, destination, start, now).await)
            .await
    }

    async fn destinations(&self) -> Result<Vec<KeptDestination>, Error> {
        self.read(async |session| deliveries::destinations(session).await).await
    }

    async fn pause(&self, destination: &str, why: Option<&str>) -> Result<bool, Error> {
        let now = self.clock.now();
        let what = match why {
            Some(_) => "destination.pause",
            None => "destination.resume",
        };
        let why = why.map(|why| without_written_numbers(why, false));
        let why = why.as_deref();
        let changed = self
            .acted(
                Deed::on(what, destination),
                async |session| deliveries::pause(session, destination, why, now).await,
                changed,
            )
            .await;
        self.bell.ring();
        changed
    }

    async fn forget(&self, destination: &str, by: &str) -> Result<Option<u64>, Error> {
        if !self.destinations().await?.iter().any(|one| one.name == destination) {
            return Ok(None);
        }
        let deed = Deed::on("destination.forget", destination);
        let by = &without_written_numbers(by, false);
        let count = self.acted_by_pages(deed, false, self.forgotten(destination, by));
        count.await.map(Some)
    }

    async fn turn(&self, turn: &Turn<'_>) -> Result<Turned, Error> {
        let now = self.clock.now();
        self.write(async |session| deliveries::turn(session, turn, now).await)
            .await
    }

    async fn deliveries(
        &self,
        which: &DeliveryFilter,
        after: Option<DeliveryId>,
        limit: u32,
    ) -> Result<Vec<KeptDelivery>, Error> {
        self.look(async |session| deliveries::page(session, which, after, page(limit)).await)
            .await
    }

    async fn retry(&self, which: &DeliveryFilter, dry_run: bool) -> Result<u64, Error> {
        let deed = Deed::on("delivery.retry", which.to_string());
        self.acted_by_pages(deed, dry_run, self.act(Act::Retry, which, dry_run))
            .await
    }

    async fn skip(&self, which: &DeliveryFilter, by: &str, dry_run: bool) -> Result<u64, Error> {
        let deed = Deed::on("delivery.skip", which.to_string());
        let by = &without_written_numbers(by, false);
        self.acted_by_pages(deed, dry_run, self.act(Act::Skip(by), which, dry_run))
            .await
    }

    async fn replay(&self, which: &ReplayFilter, dry_run: bool) -> Result<u64, Error> {
        let deed = Deed::on("event.replay", which.to_string());
        self.acted_by_pages(deed, dry_run, self.replayed(which, dry_run)).await
    }

    fn bell(&self) -> watch::Receiver<()> {
        self.bell.heard()
    }

    async fn listen(&self) {
        self.bell.listen(self.writer.source()).await;
    }
}

#[async_trait]
impl Roster for Memory {
    async fn add_operator(&self, operator: &NewOperator) -> Result<bool, Error> {
        let now = self.clock.now();
        let deed = Deed::on("operator.add", &operator.name);
        let outcome = |added: &bool| match added {
            true => format!("added as {}", operator.role.as_str()),
            false => "the name is taken".to_owned(),
        };
        self.acted(
            deed,
            async |session| operators::add(session, operator, now).await,
            outcome,
        )
        .await
    }

    async fn operators(&self) -> Result<Vec<Operator>, Error> {
        self.read(async |session| operators::all(session).await).await
    }

    async fn revoke_operator(&self, name: &str) -> Result<bool, Error> {
        let now = self.clock.now();
        let deed = Deed::on("operator.revoke", name);
        self.acted(
            deed,
            async |session| operators::revoke(session, name, now).await,
            changed,
        )
        .await
    }

    async fn operator_of(&self, token_hash: &[u8; 32]) -> Result<Option<Operator>, Error> {
        let now = self.clock.now();
        self.read_by_key(async |session| operators::holder(session, token_hash, now).await)
            .await
    }

    async fn begin_session(&self, begun: &NewSession) -> Result<(), Error> {
        let now = self.clock.now();
        self.write(async |session| operators::begin_session(session, begun, now).await)
            .await
    }

    async fn session_of(&self, id_hash: &[u8; 32]) -> Result<Option<Operator>, Error> {
        let now = self.clock.now();
        self.read_by_key(async |session| operators::session_of(session, id_hash, now).await)
            .await
    }

    async fn end_session(&self, id_hash: &[u8; 32]) -> Result<bool, Error> {
        self.write(async |session| operators::end_session(session, id_hash).await)
            .await
    }
}

#[async_trait]
impl Desk for Memory {
    async fn order(&self, command: &NewCommand) -> Result<Ordered, Error> {
        let now = self.clock.now();
        let what = match command.order.action {
            Action::Suspend => "command.suspend",
            Action::Resume => "command.resume",
            Action::Delete => "command.delete",
        };
        let deed = Deed::on_order(what, &command.order);
        self.acted(
            deed,
            async |session| commands::order(session, command, now).await,
            Ordered::to_string,
        )
        .await
    }

    async fn approve(&self, id: CommandId, by: &str) -> Result<Approved, Error> {
        let now = self.clock.now();
        let deed = Deed::on_id("command.approve", id);
        let outcome = |approved: &Approved| approved.as_str().to_owned();
        self.acted(
            deed,
            async |session| commands::approve(session, id, by, now).await,
            outcome,
        )
        .await
    }

    async fn withdraw(&self, id: CommandId, by: &str) -> Result<bool, Error> {
        let now = self.clock.now();
        let deed = Deed::on_id("command.withdraw", id);
        let verb = async |session: &mut Session| commands::withdraw(session, id, by, now).await;
        self.acted(deed, verb, changed).await
    }

    async fn command(&self, id: CommandId) -> Result<Option<KeptCommand>, Error> {
        self.read(async |session| commands::command(session, id).await).await
    }

    async fn commands(
        &self,
        which: &CommandFilter,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<KeptCommand>, Error> {
        self.look(async |session| commands::page(session, which, before, page(limit)).await)
            .await
    }

    async fn open_of(&self, asked_by: &str, at_most: u32) -> Result<u32, Error> {
        self.read(async |session| commands::open_of(session, asked_by, at_most).await)
            .await
    }

    async fn steps(&self, id: CommandId) -> Result<Vec<Step>, Error> {
        self.read(async |session| commands::steps(session, id).await).await
    }

    async fn claim(&self, through: Service, lease: Duration, limit: u32) -> Result<Claims, Error> {
        let now = self.clock.now();
        // Who has nothing to do is not to wait for who writes, nor to hold that up.
        let idle = self.read(async |session| commands::idle(session, through, now).await);
        if let Some(nothing) = idle.await? {
            return Ok(nothing);
        }
        self.write(async |session| commands::claim(session, through, lease, page(limit), now).await)
            .await
    }

    async fn progress(&self, progress: &Progress) -> Result<bool, Error> {
        let now = self.clock.now();
        self.rung(async |session| commands::progress(session, progress, now).await)
            .await
    }

    async fn link(&self, links: &[Link]) -> Result<u64, Error> {
        let now = self.clock.now();
        let deed = Deed::on_links("link.join", links.iter());
        self.acted(
            deed,
            async |session| links::add(session, links, now).await,
            |new: &u64| format!("{new} new"),
        )
        .await
    }

    async fn links_of(&self, token: &TokenReference) -> Result<Vec<Link>, Error> {
        self.read(async |session| links::of(session, token).await).await
    }

    async fn links(&self, after: Option<&Link>, limit: u32) -> Result<Vec<Link>, Error> {
        self.look(async |session| links::page(session, after, page(limit)).await)
            .await
    }

    async fn unlink(&self, link: &Link) -> Result<bool, Error> {
        let deed = Deed::on_links("link.part", std::iter::once(link));
        self.acted(deed, async |session| links::remove(session, link).await, changed)
            .await
    }
}

#[async_trait]
impl Asking for Memory {
    async fn open_questions(
        &self,
        namespaces: &[Namespace],
        after: Option<&TokenReference>,
        limit: u32,
    ) -> Result<Opened, Error> {
        let met = self
            .read(async |session| questions::met(session, namespaces, after, page(limit)).await)
            .await?;
        if met.without.is_empty() {
            return Ok(met.opened(0));
        }
        let now = self.clock.now();
        let opened = self
            .write(async |session| questions::open(session, &met.without, now).await)
            .await?;
        Ok(met.opened(opened))
    }

    async fn claim_questions(
        &self,
        namespaces: &[Namespace],
        lease: Duration,
        limit: u32,
    ) -> Result<ClaimedQuestions, Error> {
        let now = self.clock.now();
        let none = self
            .read(async |session| questions::none_due(session, namespaces, now).await)
            .await?;
        match none {
            Some(none) => Ok(none),
            None => {
                self.write(async |session| questions::claim(session, namespaces, lease, page(limit), now).await)
                    .await
            }
        }
    }

    async fn settle_question(&self, settled: &SettledQuestion) -> Result<bool, Error> {
        let now = self.clock.now();
        self.write(async |session| questions::settle(session, settled, now).await)
            .await
    }

    async fn questions(&self, after: Option<&KeptQuestion>, limit: u32) -> Result<Vec<KeptQuestion>, Error> {
        self.look(async |session| questions::page(session, after, page(limit)).await)
            .await
    }

    async fn question_of(&self, token: &TokenReference) -> Result<Option<KeptQuestion>, Error> {
        self.read(async |session| questions::of(session, token).await).await
    }

    async fn begin_reconcile(
        &self,
        reconcile: &NewReconcile,
        unless_since: Option<OffsetDateTime>,
    ) -> Result<bool, Error> {
        let now = self.clock.now();
        if reconcile.cause != Cause::Schedule {
            let deed = Deed::on_id("reconcile.begin", reconcile.id);
            let verb = async |session: &mut Session| reconciles::keep(session, reconcile, now).await;
            self.acted(deed, verb, |_| "done".to_owned()).await?;
            return Ok(true);
        }
        let is_time = self
            .read(async |session| reconciles::is_time(session, unless_since).await)
            .await?;
        if !is_time {
            return Ok(false);
        }
        self.write(async |session| reconciles::keep_scheduled(session, reconcile, unless_since, now).await)
            .await
    }

    async fn claim_reconcile(&self, lease: Duration) -> Result<Option<ClaimedReconcile>, Error> {
        let now = self.clock.now();
        if !self
            .read(async |session| reconciles::any_free(session, now).await)
            .await?
        {
            return Ok(None);
        }
        self.write(async |session| reconciles::claim(session, lease, now).await)
            .await
    }

    async fn to_ask(&self, which: &Scope, after: Option<&TokenReference>, limit: u32) -> Result<Asked, Error> {
        self.read(async |session| walk::page(session, which, after, page(limit)).await)
            .await
    }

    async fn how_many_to_ask(&self, which: &Scope) -> Result<u64, Error> {
        let mut count = walk::Count::default();
        while !count.is_done() {
            // Each look has a deadline of its own.
            count = self
                .read(async |session| walk::count_on(session, which, &count).await)
                .await?;
        }
        Ok(count.fitting)
    }

    async fn reconciled(&self, page: &ReconciledPage) -> Result<bool, Error> {
        let now = self.clock.now();
        self.write(async |session| reconciles::go_on(session, page, now).await)
            .await
    }

    async fn stop_reconcile(&self, id: ReconcileId) -> Result<bool, Error> {
        let now = self.clock.now();
        let deed = Deed::on_id("reconcile.stop", id);
        let verb = async |session: &mut Session| reconciles::stop(session, id, now).await;
        self.acted(deed, verb, changed).await
    }

    async fn reconcile(&self, id: ReconcileId) -> Result<Option<KeptReconcile>, Error> {
        self.read(async |session| reconciles::one(session, id).await).await
    }

    async fn reconciles(&self, before: Option<ReconcileId>, limit: u32) -> Result<Vec<KeptReconcile>, Error> {
        self.look(async |session| reconciles::page(session, before, page(limit)).await)
            .await
    }

    async fn findings(&self, id: ReconcileId, after: Option<&TokenReference>, limit: u32) -> Result<Vec<Found>, Error> {
        self.look(async |session| findings::page(session, id, after, page(limit)).await)
            .await
    }

    async fn missed(&self, misses: &[Miss]) -> Result<(), Error> {
        self.write(async |session| gaps::note(session, misses).await).await
    }

    async fn close_gaps(&self, ended: Ended, reconcile: Option<&NewReconcile>) -> Result<Vec<KeptGap>, Error> {
        let now = self.clock.now();
        if !self.read(async |session| gaps::any_ended(session, ended).await).await? {
            return Ok(Vec::new());
        }
        self.write(async |session| gaps::close(session, ended, reconcile, now).await)
            .await
    }

    async fn gaps(&self, before: Option<GapId>, limit: u32) -> Result<Vec<KeptGap>, Error> {
        self.look(async |session| gaps::page(session, before, page(limit)).await)
            .await
    }

    async fn here(
        &self,
        replica: &str,
        downtime: GapId,
        longer_than: Duration,
    ) -> Result<Option<OffsetDateTime>, Error> {
        let now = self.clock.now();
        self.write(async |session| presence::here(session, replica, downtime, longer_than, now).await)
            .await
    }
}

#[async_trait]
impl Alarms for Memory {
    async fn look(&self, seen: &[Alarm], may_clear: bool) -> Result<Looked, Error> {
        let now = self.clock.now();
        let looked = self
            .write(async |session| raised::look(session, seen, may_clear, now).await)
            .await;
        // Most looks tell nothing; one whose answer was lost may have.
        if !matches!(&looked, Ok(looked) if looked.raised.is_empty() && looked.cleared.is_empty()) {
            self.bell.ring();
        }
        looked
    }

    async fn alarms(&self) -> Result<StandingAlarms, Error> {
        self.read(async |session| raised::standing(session).await).await
    }

    async fn hear(&self, heard: Option<OffsetDateTime>) -> Result<Hearing, Error> {
        let now = self.clock.now();
        match heard {
            Some(heard) => {
                self.write(async |session| hearing::hear(session, heard, now).await)
                    .await
            }
            None => self.read(async |session| hearing::hearing(session, now).await).await,
        }
    }

    async fn counts(&self) -> Result<Counts, Error> {
        let now = self.clock.now();
        self.read(async |session| counts::counts(session, now).await).await
    }
}

#[async_trait]
impl Ledger for Memory {
    fn in_the_hand_of(&self, hand: Hand) -> Arc<Memory> {
        Arc::new(Memory {
            hand: Some(Arc::new(hand)),
            ..self.clone()
        })
    }

    async fn note(&self, hand: &Hand, deed: &Deed, outcome: &str) -> Result<(), Error> {
        let now = self.clock.now();
        self.write(async |session| audit::add(session, hand, deed, outcome, now).await)
            .await
    }

    async fn entries(&self, which: &EntryFilter, before: Option<Uuid>, limit: u32) -> Result<Vec<Entry>, Error> {
        self.look(async |session| audit::page(session, which, before, page(limit)).await)
            .await
    }
}

#[async_trait]
impl Search for Memory {
    async fn called(&self, namespace: Namespace, reference: &str) -> Result<Vec<Standing>, Error> {
        self.read_by_key(async |session| searching::called(session, namespace, reference).await)
            .await
    }

    async fn found(&self, which: &Sought, after: Option<&Place>, limit: u32) -> Result<FoundTokens, Error> {
        self.look(async |session| searching::found(session, which, after, page(limit)).await)
            .await
    }

    async fn heads(&self, before: Option<NotificationId>, limit: u32) -> Result<Vec<Head>, Error> {
        self.look(async |session| notices::heads(session, before, page(limit)).await)
            .await
    }

    async fn head(&self, id: NotificationId) -> Result<Option<Head>, Error> {
        self.look(async |session| notices::head(session, id).await).await
    }

    async fn statements_in(&self, id: NotificationId) -> Result<Vec<KeptStatement>, Error> {
        self.look(async |session| tokens::statements_in(session, id).await)
            .await
    }

    async fn story(&self, token: &TokenReference, before: &Moment, limit: u32) -> Result<Vec<Scene>, Error> {
        self.look(async |session| story::story(session, token, before, page(limit)).await)
            .await
    }
}

/// Of an act that may find it done already.
fn changed(changed: &bool) -> String {
    let word = if *changed {
        "done"
    } else {
        "was so already, or not there"
    };
    word.to_owned()
}

fn page(limit: u32) -> i64 {
    limit.clamp(1, PAGE_MAX).into()
}

#[async_trait]
impl Assets for Memory {
    async fn medium(&self, namespace: Namespace, id: &str, place: u32) -> Result<Option<Medium>, Error> {
        self.read(async |session| assets::medium(session, namespace, id, place).await)
            .await
    }

    async fn holds_asset(&self, namespace: Namespace, id: &str) -> Result<bool, Error> {
        self.read(async |session| assets::holds(session, namespace, id).await)
            .await
    }

    async fn keep_asset(&self, namespace: Namespace, id: &str, media: &[Medium]) -> Result<(), Error> {
        let now = self.clock.now();
        self.write(async |session| assets::keep(session, namespace, id, media, now).await)
            .await
    }

    async fn names_asset(&self, id: &str) -> Result<bool, Error> {
        self.look(async |session| assets::is_named(session, id).await).await
    }
}

#[async_trait]
impl Retention for Memory {
    async fn begin_retention(
        &self,
        lease: Duration,
        unless_since: Option<OffsetDateTime>,
    ) -> Result<Option<u32>, Error> {
        let now = self.clock.now();
        self.write(async |session| dropping::begin(session, lease, unless_since, now).await)
            .await
    }

    async fn hold_retention(&self, claim: u32, lease: Duration) -> Result<bool, Error> {
        let until = self.clock.now() + lease;
        self.write(async |session| dropping::hold(session, claim, until, None).await)
            .await
    }

    async fn end_retention(&self, claim: u32, done: bool) -> Result<(), Error> {
        let now = self.clock.now();
        let ended = done.then_some(now);
        self.write(async |session| dropping::hold(session, claim, now, ended).await)
            .await
            .map(drop)
    }

    async fn drop_page(&self, page: &Page, dry_run: bool) -> Result<Option<Dropped>, Error> {
        let page = &Page {
            limit: page.limit.clamp(1, PAGE_MAX),
            ..*page
        };
        // Nobody who writes waits for a look.
        let (looked, took) = self
            .read(async |session| {
                let begun = Instant::now();
                let looked = dropping::look(session, page).await?;
                Ok((looked, begun.elapsed()))
            })
            .await?;
        if dry_run || looked.rows == 0 {
            return Ok(Some(looked));
        }
        // SQLite's one writer is held while the page is looked at again.
        if matches!(self.writer.source(), Source::Sqlite(_)) && took > HELD_MAX {
            return Ok(None);
        }
        self.write(async |session| dropping::drop_page(session, page).await)
            .await
            .map(Some)
    }
}

#[async_trait]
impl Erasing for Memory {
    async fn erase(&self, what: &Erasure) -> Result<Erased, Error> {
        if what.dry_run {
            return self
                .write(async |session| {
                    let erased = erasing::erase(session, what).await?;
                    session.rollback().await?;
                    session.begin("begin immediate").await?;
                    Ok(erased)
                })
                .await;
        }
        let deed = Deed::on_tokens("token.erase", what.tokens.iter());
        self.acted(
            deed,
            async |session| erasing::erase(session, what).await,
            Erased::in_a_word,
        )
        .await
    }
}

#[async_trait]
impl Bodies for Memory {
    async fn keys_of(&self, after: Option<NotificationId>, limit: u32) -> Result<Vec<KeyOf>, Error> {
        self.read(async |session| sealing::keys_of(session, after, page(limit)).await)
            .await
    }

    async fn bodies(&self, ids: &[NotificationId]) -> Result<Vec<SealedBody>, Error> {
        self.read(async |session| sealing::bodies(session, ids).await).await
    }

    async fn reseal_bodies(&self, bodies: &[NewBody]) -> Result<u64, Error> {
        self.write(async |session| sealing::reseal(session, bodies).await).await
    }

    async fn reseal_quarantined(&self, entries: &[NewEntry]) -> Result<u64, Error> {
        self.write(async |session| sealing::reseal_quarantined(session, entries).await)
            .await
    }
}
