//! How long a connection may stay, and how it is closed: between two requests, with a goodbye.
//!
//! It knows neither what a request says nor who asks. Every wait in here has a deadline.

use std::pin::pin;
use std::time::Duration;

use hyper_util::server::graceful::GracefulConnection;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::config::settings::Limits;

/// How long a closing connection with no request in it may take to say goodbye.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// What ends a connection besides its peer.
pub(super) struct Life<'a, F> {
    pub(super) limits: &'a Limits,
    pub(super) activity: watch::Receiver<Activity>,
    /// Ready once the peer's certificate is no longer admitted.
    pub(super) disowned: F,
    pub(super) stop: &'a CancellationToken,
    /// Said when the closing begins.
    pub(super) farewell: Farewell,
}

/// That a connection is about to close: an answer without an end of its own ends when it hears this.
#[derive(Clone, Default)]
pub struct Farewell(CancellationToken);

impl Farewell {
    /// Returns once it is said.
    pub async fn said(&self) {
        self.0.cancelled().await;
    }
}

/// Lets the connection run until it ends, or until it is time to close it; then closes it between two requests.
pub(super) async fn run<C, F>(connection: C, life: Life<'_, F>)
where
    C: GracefulConnection,
    F: Future<Output = ()>,
{
    let mut connection = pin!(connection);
    let (mut activity, limits, farewell_said) = (life.activity.clone(), life.limits, life.farewell.clone());
    let closing = select! {
        _ = connection.as_mut() => return,
        closing = time_to_close(life) => closing,
    };
    debug!(?closing, "closing a connection");
    if closing == Closing::NeverAsked {
        return;
    }
    connection.as_mut().graceful_shutdown();
    farewell_said.0.cancel();
    let farewell = async {
        loop {
            let in_flight = activity.borrow_and_update().in_flight;
            select! {
                _ = connection.as_mut() => return,
                _ = activity.changed() => {}
                () = sleep(FAREWELL), if in_flight == 0 => return,
            }
        }
    };
    if timeout(limits.stop, farewell).await.is_err() {
        warn!("a request outlasted `callback.limits.stop`; closed in the middle");
    }
}

/// Why a connection is closed by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    /// It let the time for its first request pass.
    NeverAsked,
    /// No request for too long.
    Idle,
    /// It is old.
    Age,
    /// Its certificate is no longer admitted.
    Disowned,
    /// The program stops.
    Stop,
}

/// Returns when a connection's time has come; requests may be in flight then.
async fn time_to_close<F: Future<Output = ()>>(life: Life<'_, F>) -> Closing {
    let (limits, mut activity) = (life.limits, life.activity);
    let mut first_request = pin!(sleep(limits.first_request));
    let mut age = pin!(sleep(limits.connection_age));
    let mut disowned = pin!(life.disowned);
    loop {
        let now = *activity.borrow_and_update();
        select! {
            _ = activity.changed() => {}
            () = &mut first_request, if !now.asked => return Closing::NeverAsked,
            // Starts anew with every change of activity, so it measures the quiet since the last answer.
            () = sleep(limits.idle), if now.asked && now.in_flight == 0 => return Closing::Idle,
            () = &mut age => return Closing::Age,
            () = &mut disowned => return Closing::Disowned,
            () = life.stop.cancelled() => return Closing::Stop,
        }
    }
}

/// What goes on in a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Activity {
    in_flight: usize,
    asked: bool,
}

/// A request from its head to its answer; to the answer's end, if that is of unknown length.
pub(super) struct Asked(watch::Sender<Activity>);

impl Asked {
    /// It is in flight from now on.
    pub(super) fn begin(activity: &watch::Sender<Activity>) -> Self {
        activity.send_modify(|now| {
            now.in_flight += 1;
            now.asked = true;
        });
        Asked(activity.clone())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.send_modify(|now| now.in_flight -= 1);
    }
}
