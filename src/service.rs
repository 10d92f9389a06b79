//! Assembles the house from its settings, runs it, and stops it: softly first, then hard.
//!
//! It starts while the database is down: the door is open, answers 503, and says not ready
//! until the store is there.

mod act;
mod changes;
mod deliver;
mod export;
pub mod gaps;
mod house;
mod notify;
mod overhear;
mod probe;
mod reload;
mod retention;
mod upkeep;
pub mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use tokio::sync::watch::Receiver;
use tokio::sync::{Notify, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::notify::Supervisor;
use crate::clock::{Clock, new_id};
use crate::config::settings::{Limits, Settings};
use crate::domain::notification::Windows;
use crate::http::admin::{self, AdminState};
use crate::http::callback::Callback;
/// What a receiver of ours says of itself, for who finds its port taken.
pub use crate::http::health::ALIVE;
use crate::http::health::Readiness;
use crate::inbox::Inbox;
use crate::inbox::batch::{Batch, Bounds};
use crate::keys::Keys;
use crate::lifecycle::ordering::Offered;
use crate::mdes::Reading;
use crate::net::file_limit::raise_file_limit;
use crate::net::listener::{Listener, Security};
use crate::net::tls::{DoorTls, ServerTls};
use crate::store::{self, Memory, SharedOutbox, SharedStore};
use crate::telemetry::{Metrics, Misses};
use act::{Services, With};
use export::{Exporter, Exporting};
use gaps::Gaps;
use house::Assembled;
pub use house::certificates;
use overhear::Ear;
pub use probe::Probed;
use probe::Prober;
use reload::Reloadable;
pub use reload::Reread;
use upkeep::{Preparation, begin, prepare};
use watch::Watch;

/// Bodies that wait for their commit, all together; past it 503.
const QUEUE_BYTES_MAX: usize = 256 << 20;
/// Bodies in one commit: more would not be written within the store's deadline.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// Connections to the admin side at once.
const ADMIN_CONNECTIONS_MAX: usize = 256;
/// Requests at once on one of them: what a browser asks for a page.
const ADMIN_STREAMS_MAX: u32 = 16;
/// What each step of a stop has at least.
const LAST_STEP: Duration = Duration::from_secs(2);

/// The running house.
pub struct Service {
    /// Where the door listens.
    pub callback_address: SocketAddr,
    /// Where the admin side listens.
    pub admin_address: SocketAddr,
    /// Where TokenEx's own notifications are heard, if they are.
    pub tokenex_callbacks_address: Option<SocketAddr>,
    store: SharedStore,
    inbox: Arc<Inbox>,
    metrics: Metrics,
    doors: Vec<JoinHandle<()>>,
    helpers: Vec<JoinHandle<()>>,
    batch: JoinHandle<()>,
    workers: JoinSet<()>,
    gaps: Arc<Gaps>,
    watch: Arc<Watch>,
    probed: Option<Receiver<Option<Probed>>>,
    exporting: Option<Exporting>,
    unfit: oneshot::Receiver<anyhow::Error>,
    /// Cancelled once the store is there: what needs it begins then, and not at its next look.
    store_is_there: CancellationToken,
    stop: CancellationToken,
    stop_within: Duration,
}

impl Service {
    /// Assembles everything and opens the doors. What the operator wrote wrong is an error here;
    /// a database that is away is not.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>, reread: Reread) -> anyhow::Result<Self> {
        let ((metrics, exporter), misses) = (export::open(settings.traces.as_ref(), &clock)?, Misses::default());
        let keys = Arc::new(Keys::load(settings.keys.clone())?);
        let (door, admin_tls) = (door_tls(&settings, &clock)?, admin_tls(&settings, &clock)?);
        let (listener, admin_listener) = listeners(&settings, &clock, &metrics, &misses)?;
        let (callback_address, admin_address) = (listener.local_addr(), admin_listener.local_addr());
        let ear = Ear::open(&settings, &clock, &metrics)?;
        let (tokenex_callbacks_address, ear_tls) = ear.as_ref().map(|ear| (ear.address(), ear.tls())).unzip();
        let memory = store::open(&settings.store, clock.clone()).await?;
        let (store, outbox): (SharedStore, SharedOutbox) = (memory.clone(), memory.clone());
        let (there, stop) = (CancellationToken::new(), CancellationToken::new());
        let (inbox, batch) = taking_in(&settings, &keys, &store, &clock, &metrics, &there);
        let destinations = deliver::destinations(&settings, &clock)?;
        let services = Services::load(&settings.lifecycle, &clock)?;
        let readiness = Readiness::new(store.clone(), there.clone(), stop.clone());
        let callback = callback_router(&settings, &inbox, &clock, &metrics, &misses, &readiness);
        let watch = watch_over(&settings, &memory, &clock, &metrics);
        let house = Assembled::of(&inbox, &keys, &watch, &settings);
        let admin = admin_router(house, &services, &memory, &clock, &metrics, readiness, &stop);
        let mut doors = vec![
            tokio::spawn(listener.serve(Security::Tls(door.clone()), callback, stop.clone())),
            tokio::spawn(admin_listener.serve(security(admin_tls.as_ref()), admin, stop.clone())),
        ];
        doors.extend(ear.map(|ear| ear.serve(&inbox, &clock, &metrics, &misses, &stop)));
        let ((is_unfit, unfit), new_keys, span) = (oneshot::channel(), Arc::new(Notify::new()), [&there, &stop]);
        let with = with(&settings, &inbox, &memory, &clock, &metrics);
        let Working { workers, gaps, probe } = Working::start(&with, &destinations, &services, &watch, misses, span)?;
        let reloadable = Reloadable {
            supervisor: Supervisor::from_env(),
            door,
            destinations,
            services,
            admin: admin_tls,
            ear: ear_tls,
            probe: probe.clone(),
            keys,
            reread,
            new_keys: new_keys.clone(),
            metrics: metrics.clone(),
            watch: watch.clone(),
        };
        let then = begin(there.clone(), &inbox, new_keys, settings.callback.limits.answer);
        let helpers = vec![
            tokio::spawn(prepare(preparation(&settings, &memory, &clock), is_unfit, then)),
            tokio::spawn(async move { outbox.listen().await }),
            tokio::spawn(reloadable.supervisor.clone().attend(there.clone(), stop.clone())),
            tokio::spawn(reloadable.run()?),
        ];
        tracing::info!(callback = %callback_address, admin = %admin_address, "listening");
        Ok(Service {
            callback_address,
            admin_address,
            tokenex_callbacks_address,
            store,
            inbox,
            metrics,
            doors,
            helpers,
            batch,
            workers,
            gaps,
            watch,
            probed: probe.map(|probe| probe.probed()),
            exporting: exporter.map(Exporter::start),
            unfit,
            store_is_there: there,
            stop,
            stop_within: settings.callback.limits.stop,
        })
    }

    /// The memory, for who runs the service in process.
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The inbox, for who runs the service in process.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// The watch over gaps, for who runs the service in process.
    pub fn gaps(&self) -> &Arc<Gaps> {
        &self.gaps
    }

    /// The watch over what needs a person, for who runs the service in process.
    pub fn watch(&self) -> &Arc<Watch> {
        &self.watch
    }

    /// How the last probe of our own public name ended, and each one from now on; `None` if nothing probes.
    pub fn probed(&self) -> Option<Receiver<Option<Probed>>> {
        self.probed.clone()
    }

    /// Returns once the store is prepared: what comes from then on is recorded, and told to every destination.
    pub async fn prepared(&self) {
        self.store_is_there.cancelled().await;
    }

    /// Returns once it is clear that this program may not run on the store's schema, or that nobody may ask an admin
    /// side that is open beyond loopback, with a sentence that says what to do; never, if all is well.
    pub async fn unfit(&mut self) -> anyhow::Error {
        match (&mut self.unfit).await {
            Ok(error) => error,
            Err(_) => std::future::pending().await,
        }
    }

    /// What was counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Accepts no more, finishes what was accepted, commits what waits, closes the store.
    /// Each step has a deadline; what is left after it is cut off, unanswered, and the sender repeats it.
    pub async fn stop(mut self) {
        let until = Instant::now() + self.stop_within;
        // However late it is: each step may do its last.
        let left = || until.saturating_duration_since(Instant::now()).max(LAST_STEP);
        self.stop.cancel();
        for door in self.doors {
            let _ = door.await; // it has its own deadline; a panic in it was already reported
        }
        let ended = async { while self.workers.join_next().await.is_some() {} };
        if timeout(left(), ended).await.is_err() {
            tracing::warn!("an attempt did not end in time; it is made again when its lease ends");
        }
        self.workers.abort_all();
        for helper in self.helpers {
            helper.abort();
        }
        drop(self.inbox);
        if timeout(left(), self.batch).await.is_err() {
            tracing::warn!("the last commit did not end in time; what it held is unanswered");
        }
        if self.store_is_there.is_cancelled() && !matches!(timeout(left(), self.gaps.look()).await, Ok(Ok(()))) {
            tracing::warn!("what may have been missed of late is not on disk; the downtime may stand for it");
        }
        if timeout(left(), self.store.close()).await.is_err() {
            tracing::warn!("the store did not close in time");
        }
        if let Some(exporting) = self.exporting {
            exporting.close().await;
        }
        tracing::info!("stopped");
    }
}

/// An inbox without a door, for who reads again what is in quarantine.
pub fn inbox(settings: &Settings, store: SharedStore, clock: Arc<dyn Clock>) -> anyhow::Result<Inbox> {
    let keys = Arc::new(Keys::load(settings.keys.clone())?);
    let (batch, _worker) = Batch::start(store.clone(), bounds(settings), clock.clone(), Metrics::new());
    Ok(inbox_over(settings, &keys, &store, batch, &clock))
}

/// The inbox behind the door, and the one who commits for it once the store is there.
fn taking_in(
    settings: &Settings,
    keys: &Arc<Keys>,
    store: &SharedStore,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    store_is_there: &CancellationToken,
) -> (Arc<Inbox>, JoinHandle<()>) {
    let (batch, worker) = Batch::start(store.clone(), bounds(settings), clock.clone(), metrics.clone());
    let batch = batch.not_before(store_is_there.clone());
    (Arc::new(inbox_over(settings, keys, store, batch, clock)), worker)
}

fn inbox_over(
    settings: &Settings,
    keys: &Arc<Keys>,
    store: &SharedStore,
    batch: Batch,
    clock: &Arc<dyn Clock>,
) -> Inbox {
    let (rules, ids) = (reading(settings), new_id);
    let inbox = Inbox::new(keys.clone(), store.clone(), batch, rules, clock.clone(), ids);
    inbox.heeding(overhear::manner(settings))
}

/// The two ports, taken; nobody is served yet.
fn listeners(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    misses: &Misses,
) -> anyhow::Result<(Listener, Listener)> {
    let callback = &settings.callback;
    // People and their tools are few; whoever fills their door fills no other.
    let few = Limits {
        connections_max: ADMIN_CONNECTIONS_MAX.min(callback.limits.connections_max),
        ..callback.limits
    };
    raise_file_limit(callback.limits.connections_max + few.connections_max);
    let bind = |key, address, limits| Listener::bind(key, address, limits, metrics.clone(), clock.clone());
    let door = bind("callback.listen", callback.listen, callback.limits)?;
    let door = door.with_proxy_protocol(callback.proxy_protocol_from.clone());
    let door = door.with_misses(misses.clone());
    let admin = bind("admin.listen", settings.admin.listen, few)?;
    Ok((door, admin.with_streams(ADMIN_STREAMS_MAX)))
}

fn watch_over(settings: &Settings, memory: &Arc<Memory>, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Arc<Watch> {
    let destinations = settings.destinations.iter().map(|one| one.name.clone());
    Watch::new(settings.watch, destinations, memory, clock, metrics)
}

fn callback_router(
    settings: &Settings,
    inbox: &Arc<Inbox>,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    misses: &Misses,
    readiness: &Arc<Readiness>,
) -> Router {
    let settings = settings.callback.clone();
    let callback = Callback::new(inbox.clone(), settings, clock.clone(), metrics.clone());
    let callback = callback.with_misses(misses.clone());
    callback.with_readiness(readiness.clone()).router()
}

fn security(tls: Option<&Arc<ServerTls>>) -> Security {
    tls.cloned().map_or(Security::Plain, Security::ServerTls)
}

fn admin_router(
    house: Arc<Assembled>,
    services: &Services,
    memory: &Arc<Memory>,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    readiness: Arc<Readiness>,
    stopping: &CancellationToken,
) -> Router {
    let settings = &house.settings;
    let state = AdminState {
        store: memory.clone(),
        readiness,
        outbox: memory.clone(),
        desk: memory.clone(),
        art: services.art(memory, clock),
        asking: memory.clone(),
        authority: settings.lifecycle.authority,
        search: memory.clone(),
        ledger: memory.clone(),
        house: house.clone(),
        offered: Offered::by(&settings.lifecycle),
        roster: memory.clone(),
        destinations: settings.destinations.clone().into(),
        limits: settings.callback.limits,
        clock: clock.clone(),
        metrics: metrics.clone(),
        stopping: stopping.clone(),
        tokenex: services.served(settings, memory, clock, metrics, stopping),
    };
    admin::router(state, &settings.admin)
}

/// Whoever works beside the doors.
struct Working {
    workers: JoinSet<()>,
    gaps: Arc<Gaps>,
    probe: Option<Arc<Prober>>,
}

impl Working {
    /// All of them; they begin once the store is there, but for who finds out whether it is.
    fn start(
        with: &With<'_>,
        destinations: &[deliver::Named],
        services: &Services,
        watch: &Arc<Watch>,
        misses: Misses,
        span: [&CancellationToken; 2],
    ) -> anyhow::Result<Self> {
        let (settings, memory, clock, metrics) = (with.settings, with.memory, with.clock, with.metrics);
        let outbox: SharedOutbox = memory.clone();
        let mut workers = deliver::start(settings, destinations, with.inbox, &outbox, clock, metrics, span);
        services.start(with, span, &mut workers);
        watch.clone().started(span, &mut workers);
        let gaps = Gaps::new(&settings.lifecycle, memory, misses, clock, metrics).started(span, &mut workers);
        let (probe, stop) = (settings.probe.as_ref(), span[1]);
        let probe = Prober::start(probe, clock, metrics, watch.reports(), stop, &mut workers)?;
        Ok(Working { workers, gaps, probe })
    }
}

fn with<'a>(
    settings: &'a Settings,
    inbox: &'a Arc<Inbox>,
    memory: &'a Arc<Memory>,
    clock: &'a Arc<dyn Clock>,
    metrics: &'a Metrics,
) -> With<'a> {
    With {
        settings,
        inbox,
        memory,
        clock,
        metrics,
    }
}

fn preparation(settings: &Settings, memory: &Arc<Memory>, clock: &Arc<dyn Clock>) -> Preparation {
    let destinations = settings.destinations.iter();
    Preparation {
        memory: memory.clone(),
        clock: clock.clone(),
        migrate: settings.store.migrate_on_start,
        destinations: destinations.map(|one| (one.name.clone(), one.start)).collect(),
        needs_operator: !settings.admin.listen.ip().is_loopback(),
    }
}

fn door_tls(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<DoorTls>> {
    let callback = &settings.callback;
    Ok(DoorTls::load(
        &callback.tls,
        callback.forwarded.as_ref(),
        clock.clone(),
    )?)
}

fn admin_tls(settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<Option<Arc<ServerTls>>> {
    Ok(match &settings.admin.tls {
        Some((certificate, key)) => Some(ServerTls::load(certificate.clone(), key.clone(), clock.clone())?),
        None => None,
    })
}

fn reading(settings: &Settings) -> Reading {
    Reading {
        payload: settings.callback.payload,
        envelope: settings.envelope,
    }
}

fn bounds(settings: &Settings) -> Bounds {
    let retry = settings.inbox.retry_window;
    Bounds {
        queue_max: settings.inbox.queue_max,
        queue_bytes_max: QUEUE_BYTES_MAX,
        batch_max: settings.inbox.batch_max,
        batch_bytes_max: BATCH_BYTES_MAX,
        deadline: settings.callback.limits.answer,
        windows: Windows {
            retry: retry.try_into().unwrap_or(time::Duration::MAX),
            ..Windows::default()
        },
    }
}

/// Runs until SIGTERM or SIGINT, then stops softly.
pub async fn run(settings: Settings, clock: Arc<dyn Clock>, reread: Reread) -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    // While nothing is loaded yet there is nothing to reload; but a SIGHUP that nobody listens for ends the program.
    let _hangup = signal(SignalKind::hangup()).context("cannot listen for SIGHUP")?;
    let mut service = Service::start(settings, clock, reread).await?;
    let ended = tokio::select! {
        _ = terminate.recv() => {
            tracing::info!("SIGTERM: stopping");
            Ok(())
        }
        _ = tokio::signal::ctrl_c() => {
            tracing::info!("interrupted: stopping");
            Ok(())
        }
        error = service.unfit() => Err(error),
    };
    service.stop().await;
    ended
}
