//! Who may use the contract: who shows the id and the key of one of its clients.
//!
//! Whatever is wrong has one answer, and takes as long: the hash of the key that is shown is held against that of every
//! client, in constant time.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::{constant_time, digest};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;

use super::Served;
use super::answer::{Answer, No};
use crate::clock::{Clock, new_id};
use crate::config::settings::{Contract, LifecycleClient};
use crate::domain::command::Action;
use crate::domain::masked::masked;
use crate::store::ledger::Hand;
use crate::telemetry::{Flood, Metrics};
use crate::tokenex::wire;

/// A caller that was let in.
#[derive(Clone)]
pub(super) struct Client {
    /// Its id.
    pub(super) id: String,
    /// What it may ask for.
    pub(super) actions: Vec<Action>,
    /// From where.
    pub(super) came_from: Option<IpAddr>,
}

impl Client {
    /// In its hand it is done: of its id the end is written down, as of any number.
    pub(super) fn hand(&self, why: Option<&str>) -> Hand {
        Hand {
            who: format!("tokenex:{}", masked(&self.id)),
            role: None,
            came_from: self
                .came_from
                .map_or_else(|| "-".to_owned(), |address| address.to_string()),
            why: why.map(str::to_owned),
        }
    }
}

/// What admitting needs.
pub(super) struct Door {
    clients: Vec<LifecycleClient>,
    contract: Contract,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    flood: Mutex<Flood>,
}

impl Door {
    pub(super) fn new(served: &Served) -> Self {
        Door {
            clients: served.clients.clone(),
            contract: served.contract,
            clock: served.clock.clone(),
            metrics: served.metrics.clone(),
            flood: Mutex::new(Flood::new(served.clock.now())),
        }
    }

    fn judge(&self, headers: &HeaderMap) -> Option<Client> {
        let id = one(headers, wire::ID).unwrap_or_default();
        let key = one(headers, wire::KEY).unwrap_or_default();
        let shown = digest::digest(&digest::SHA256, key);
        // No early end: an id that there is must not take longer than one that there is not.
        let fits = self.clients.iter().filter(|client| {
            let is_key = constant_time::verify_slices_are_equal(shown.as_ref(), &client.api_key_sha256).is_ok();
            let is_id = constant_time::verify_slices_are_equal(id, client.tokenex_id.as_bytes()).is_ok();
            is_key & is_id & !key.is_empty()
        });
        let client = fits.fold(None, |_, client| Some(client))?;
        Some(Client {
            id: client.tokenex_id.clone(),
            actions: client.actions.clone(),
            came_from: None,
        })
    }

    /// Counts a refusal and, within the limit, logs it. Nothing of what was shown is.
    fn note(&self) {
        self.metrics.admin_request("tokenex_refused");
        let line = self
            .flood
            .lock()
            .expect("no one panics while holding it")
            .line(self.clock.now());
        if let Some(suppressed) = line {
            tracing::warn!(
                suppressed,
                "refused at the TokenEx contract: no such client, or not its key"
            );
        }
    }
}

/// The value of a header that stands there once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.as_bytes()),
        _ => None,
    }
}

/// Lets a request through that may, with the client in its extensions; the body of another is not read.
pub(super) async fn admit(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    match door.judge(request.headers()) {
        Some(client) => {
            door.metrics.admin_request("tokenex_admitted");
            request.extensions_mut().insert(client);
            next.run(request).await
        }
        None => {
            door.note();
            Answer::no(new_id(door.clock.now()), No::of("1003")).respond(&door.contract)
        }
    }
}
