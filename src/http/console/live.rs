//! Tells a page that something may have changed; what, it finds by loading itself anew.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::select;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::SharedConsole;
use super::page::Failure;
use super::session::Visitor;
use crate::http::admin::flow::{Gone, Writer, flow};
use crate::http::admin::leave::Leave;

const EVENT_STREAM: &str = "text/event-stream";
/// Between two tellings.
const PAUSE: Duration = Duration::from_secs(1);
/// What has no bell changes too.
const AT_LEAST_EVERY: Duration = Duration::from_secs(15);
/// Then the browser comes again by itself, if its session holds.
const LASTS: Duration = Duration::from_mins(10);

/// `GET /console/live`.
pub(super) async fn follow(
    State(console): State<SharedConsole>,
    Extension(leave): Extension<Leave>,
    _: Visitor,
) -> Result<Response, Failure> {
    let place = console.live.clone().try_acquire_owned();
    let place = place.map_err(|_| Failure::busy("Too many pages are being renewed just now."))?;
    let bell = console.state.outbox.bell();
    let stopping = console.state.stopping.clone();
    let (writer, body) = flow();
    tokio::spawn(async move {
        let _place = place;
        select! {
            Err(Gone) = tell(&writer, bell) => return,
            () = stopping.cancelled() => {}
            () = sleep(LASTS) => {}
            () = leave.ended() => {}
        }
        writer.end().await;
    });
    Ok(([(CONTENT_TYPE, EVENT_STREAM)], body).into_response())
}

async fn tell(writer: &Writer, mut bell: watch::Receiver<()>) -> Result<(), Gone> {
    writer.write("retry: 5000\n\n").await?;
    loop {
        select! {
            // A bell that nobody holds any more is as one that does not ring.
            _ = timeout(AT_LEAST_EVERY, bell.changed()) => sleep(PAUSE).await,
            () = writer.gone() => return Err(Gone),
        }
        bell.mark_unchanged();
        writer.write("event: changed\ndata: \n\n").await?;
    }
}
