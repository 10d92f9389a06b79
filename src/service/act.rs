//! Changing tokens: the services by the settings, the desk's worker, and TokenEx's contract over the same desk.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::deliver::supervised;
use super::retention;
use crate::clock::Clock;
use crate::config::settings::{Lifecycle, Settings};
use crate::domain::command::{Rules, Service};
use crate::http::tokenex::{self, InHand, Served};
use crate::inbox::{self, Inbox};
use crate::lifecycle::art::{Art, Gallery};
use crate::lifecycle::asker::{Enquiry, Sweeps};
use crate::lifecycle::desk::{Office, Worker};
use crate::lifecycle::throttle::Throttled;
use crate::lifecycle::{Learned, Listener, Taken, TokenService};
use crate::mdes::client::Client;
use crate::store::{Ledger as _, Memory, Outbox as _};
use crate::telemetry::Metrics;
use crate::tokenex::client::TokenEx;

/// What the workers are made with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) settings: &'a Settings,
    pub(super) inbox: &'a Arc<Inbox>,
    pub(super) memory: &'a Arc<Memory>,
    pub(super) clock: &'a Arc<dyn Clock>,
    pub(super) metrics: &'a Metrics,
}

/// Who carries out what is wanted of a token.
#[derive(Clone, Default)]
pub(super) struct Services {
    /// For commands.
    all: Vec<Arc<dyn TokenService>>,
    /// The same, for questions that no command hangs by: at the same rate.
    asked: Vec<Arc<dyn TokenService>>,
    /// As they live on files.
    tokenex: Option<Arc<TokenEx>>,
    mdes: Option<Arc<Client>>,
    /// MDES's assets, at the same rate as its other calls.
    gallery: Option<Arc<dyn Gallery>>,
}

impl Services {
    /// Those that are configured. What the operator wrote wrong is an error; one that is away is not.
    pub(super) fn load(settings: &Lifecycle, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        let mut services = Services::default();
        if let Some(tokenex) = &settings.tokenex {
            let tokenex = Arc::new(TokenEx::load(tokenex, clock.clone())?);
            services.add(tokenex.clone(), settings);
            services.tokenex = Some(tokenex);
        }
        if let Some(mdes) = &settings.mdes {
            let mdes = Arc::new(Client::load(mdes, clock.clone())?);
            let throttled = services.add(mdes.clone(), settings);
            services.gallery = Some(Arc::new(throttled.gallery(mdes.clone())));
            services.mdes = Some(mdes);
        }
        Ok(services)
    }

    /// Whoever calls it waits for a turn in the one line of it.
    fn add(&mut self, service: Arc<dyn TokenService>, settings: &Lifecycle) -> Throttled {
        let throttled = Throttled::new(service, settings.desk.calls_per_second);
        self.asked.push(Arc::new(throttled.for_questions()));
        self.all.push(Arc::new(throttled.clone()));
        throttled
    }

    /// The files that they live on.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let tokenex = self.tokenex.iter().flat_map(|tokenex| tokenex.files());
        let mdes = self.mdes.iter().flat_map(|mdes| mdes.files());
        tokenex.chain(mdes).collect()
    }

    /// Reads them again, for each service that has any; what is bad stays as it was.
    pub(super) fn reload(&self) -> Vec<(&'static str, anyhow::Result<()>)> {
        let tokenex = self.tokenex.iter().filter(|tokenex| !tokenex.files().is_empty());
        let tokenex = tokenex.map(|tokenex| ("lifecycle.tokenex", tokenex.reload().map_err(Into::into)));
        let mdes = self.mdes.iter();
        let mdes = mdes.map(|mdes| ("lifecycle.mdes", mdes.reload().map_err(Into::into)));
        tokenex.chain(mdes).collect()
    }

    /// Card art, which MDES gives.
    pub(super) fn art(&self, memory: &Arc<Memory>, clock: &Arc<dyn Clock>) -> Arc<Art> {
        Arc::new(Art::new(memory.clone(), self.gallery.clone(), clock.clone()))
    }

    /// TokenEx's contract, if anybody may use it and somebody carries it out.
    pub(super) fn served(
        &self,
        settings: &Settings,
        memory: &Arc<Memory>,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
        stopping: &CancellationToken,
    ) -> Option<Served> {
        let lifecycle = &settings.lifecycle;
        let through = tokenex::through(lifecycle)?;
        (!lifecycle.clients.is_empty()).then(|| Served {
            desk: memory.clone(),
            in_hand: in_hand(memory),
            looks: Arc::new(self.asked.clone()),
            through,
            clients: lifecycle.clients.clone(),
            contract: lifecycle.contract,
            limits: settings.callback.limits,
            clock: clock.clone(),
            metrics: metrics.clone(),
            stopping: stopping.clone(),
        })
    }

    /// Starts the desk and the asker among the workers, if there is any service; the desk for each, so that what is asked
    /// of one that is not configured any more is overdue, and says so. They begin once the store is there, and end softly
    /// when the stop comes. Beside them, whatever the services, goes what lets go of what is old.
    pub(super) fn start(
        &self,
        with: &With<'_>,
        [store_is_there, stop]: [&CancellationToken; 2],
        workers: &mut JoinSet<()>,
    ) {
        if let Some(office) = self.office(with) {
            for through in Service::ALL {
                let (office, bell, stop_of_one) = (office.clone(), with.memory.bell(), stop.clone());
                let work = move || Worker::new(office.clone(), through, bell.clone()).run(stop_of_one.clone());
                let panicked = || tracing::error!("the desk's worker panicked; another one begins");
                workers.spawn(supervised(work, panicked, store_is_there.clone(), stop.clone()));
            }
        }
        if let Some(enquiry) = self.enquiry(with) {
            let (bell, stop_of_one) = (with.memory.bell(), stop.clone());
            let work = move || enquiry.clone().run(bell.clone(), stop_of_one.clone());
            let panicked = || tracing::error!("the asker panicked; another one begins");
            workers.spawn(supervised(work, panicked, store_is_there.clone(), stop.clone()));
        }
        retention::start(with, [store_is_there, stop], workers);
    }

    fn office(&self, with: &With<'_>) -> Option<Arc<Office>> {
        let With {
            settings,
            inbox,
            memory,
            clock,
            metrics,
        } = *with;
        let desk = settings.lifecycle.desk;
        let office = Office {
            desk: memory.clone(),
            store: memory.clone(),
            services: self.all.clone(),
            listener: inbox.clone(),
            rules: Rules {
                confirm_within: desk.confirm_within,
                sends_max: desk.sends_max,
            },
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        (!self.all.is_empty()).then(|| Arc::new(office))
    }

    fn enquiry(&self, with: &With<'_>) -> Option<Arc<Enquiry>> {
        let With {
            settings,
            inbox,
            memory,
            clock,
            metrics,
        } = *with;
        let reconcile = settings.lifecycle.reconcile;
        let enquiry = Enquiry {
            asking: memory.clone(),
            services: self.asked.clone(),
            listener: inbox.clone(),
            sweeps: Sweeps {
                every: reconcile.every,
                calls_per_second: reconcile.calls_per_second,
            },
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        (!self.all.is_empty()).then(|| Arc::new(enquiry))
    }
}

/// The memory, so that what is ordered through it is somebody's doing.
fn in_hand(memory: &Arc<Memory>) -> InHand {
    let memory = memory.clone();
    Arc::new(move |hand| memory.in_the_hand_of(hand))
}

#[async_trait]
impl Listener for Inbox {
    async fn learn(&self, answer: Learned) -> Result<Taken, String> {
        let learned = inbox::Learned {
            service: answer.service,
            token: answer.token,
            body: answer.body,
            asked_at_sequence: answer.asked_at_sequence,
            reconciles: answer.reconciles,
            received_at: answer.received_at,
        };
        let receipt = Inbox::learn(self, learned).await.map_err(|error| error.to_string())?;
        // It was about one token alone.
        let outcome = receipt.outcomes.first();
        Ok(Taken {
            notification: receipt.id,
            verdict: outcome.map(|outcome| outcome.verdict),
            sequence: outcome.map(|outcome| outcome.sequence),
            adds_only: outcome.is_none_or(|outcome| outcome.adds_only),
        })
    }
}
