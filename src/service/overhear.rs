//! The second ear: the listener for TokenEx's own notifications, if there is to be one.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::settings::{Limits, Settings, TokenExCallbacks};
use crate::domain::token::Manner;
use crate::http::tokenex_callbacks::Callbacks;
use crate::inbox::Inbox;
use crate::net::listener::{Listener, Security};
use crate::net::tls::ServerTls;
use crate::telemetry::{Metrics, Misses};

/// One sender, who needs few connections; a notification has less than a thousand bytes.
const CONNECTIONS_MAX: usize = 64;
const BODY_BYTES_MAX: usize = 64 << 10;
const DRAIN_BYTES_MAX: usize = 1 << 20;

/// A port that is taken, with its certificate; nobody is served yet.
pub(super) struct Ear {
    listener: Listener,
    tls: Arc<ServerTls>,
    settings: TokenExCallbacks,
    limits: Limits,
}

impl Ear {
    /// What the operator wrote wrong is an error; without the table there is none.
    pub(super) fn open(settings: &Settings, clock: &Arc<dyn Clock>, metrics: &Metrics) -> anyhow::Result<Option<Self>> {
        let Some(callbacks) = settings.tokenex_callbacks.clone() else {
            return Ok(None);
        };
        let limits = Limits {
            connections_max: CONNECTIONS_MAX,
            body_bytes_max: BODY_BYTES_MAX,
            drain_bytes_max: DRAIN_BYTES_MAX,
            ..settings.callback.limits
        };
        let keys = ["tokenex_callbacks.certificate", "tokenex_callbacks.private_key"];
        let (certificate, private_key) = (callbacks.certificate.clone(), callbacks.private_key.clone());
        let tls = ServerTls::named(keys, certificate, private_key, clock.clone())?;
        let key = "tokenex_callbacks.listen";
        let listener = Listener::bind(key, callbacks.listen, limits, metrics.clone(), clock.clone())?
            .with_proxy_protocol(callbacks.proxy_protocol_from.clone())
            .only_from(callbacks.allow_from.clone());
        Ok(Some(Ear {
            listener,
            tls,
            settings: callbacks,
            limits,
        }))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    pub(super) fn tls(&self) -> Arc<ServerTls> {
        self.tls.clone()
    }

    /// Serves until the stop comes.
    pub(super) fn serve(
        self,
        inbox: &Arc<Inbox>,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
        misses: &Misses,
        stop: &CancellationToken,
    ) -> JoinHandle<()> {
        let callbacks = Callbacks::new(
            inbox.clone(),
            self.settings,
            self.limits,
            clock.clone(),
            metrics.clone(),
            misses.clone(),
        );
        let security = Security::ServerTls(self.tls);
        tokio::spawn(self.listener.serve(security, callbacks.router(), stop.clone()))
    }
}

/// How what TokenEx says without being asked is heard.
pub(super) fn manner(settings: &Settings) -> Manner {
    match &settings.tokenex_callbacks {
        Some(callbacks) if callbacks.at_once => Manner::Told,
        _ => Manner::Hinted,
    }
}
