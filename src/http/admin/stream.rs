//! `GET /v1/events/stream`: events as they come (Server-Sent Events), resumable, without a gap.
//!
//! `id` is a cursor, `event` the type, `data` the body, with the token as it stood when the event was read. The bell says when to look, and each second says so too; what
//! there is, is read page by page after the cursor. A stream ends softly when its connection is about to be closed, soon
//! after its operator's token was taken away, and on trouble with the store: the reader comes back with `Last-Event-ID` and is told, or goes on.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::select;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::ask::Ask;
use super::flow::{Gone, Writer, flow};
use super::leave::Leave;
use super::problem::Problem;
use super::v1::SharedApi;
use super::{cursor, events};
use crate::domain::event::Subscription;
use crate::net::lifetime::Farewell;
use crate::store::outbox::{Events, KeptEvent};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
/// Events in memory at once.
const PAGE: u32 = 200;
/// The bell only makes it quicker than this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// So many readers would each look at every commit.
const LOOK_LATER: Duration = Duration::from_millis(20);
/// So often a silent stream says that it is there, and how far it has looked.
const SIGN_EVERY: Duration = Duration::from_secs(15);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    after: Option<String>,
    types: Option<String>,
    token_requestor_id: Option<String>,
}

/// Goes on after `Last-Event-ID`, or `after`, or from now on.
pub(super) async fn follow(
    State(api): State<SharedApi>,
    Ask(asked): Ask<Asked>,
    request: Request,
) -> Result<Response, Problem> {
    let wanted = events::subscription(asked.types.as_deref(), asked.token_requestor_id.as_deref())?;
    let place = api.place()?;
    // Heard before the first look, so that nothing falls between.
    let bell = api.state.outbox.bell();
    let (after, first) = match last_seen(request.headers(), asked.after)? {
        Some(after) => (after, Some(cursor::page(&*api.state.outbox, Some(after), PAGE).await?)),
        None => (cursor::newest(&*api.state.outbox).await?, None),
    };
    let leave = request.extensions().get::<Leave>().cloned();
    let leave = leave.ok_or_else(Problem::defect)?;
    let farewell = request.extensions().get::<Farewell>().cloned().unwrap_or_default();
    let (writer, body) = flow();
    let stream = Stream {
        api,
        wanted,
        after,
        bell,
        writer,
        sign_at: Instant::now() + SIGN_EVERY,
    };
    tokio::spawn(async move {
        let _place = place;
        stream.run(first, farewell, leave).await;
    });
    Ok(([(CONTENT_TYPE, EVENT_STREAM)], body).into_response())
}

fn last_seen(headers: &HeaderMap, after: Option<String>) -> Result<Option<u64>, Problem> {
    match headers.get(LAST_EVENT_ID) {
        Some(id) => id
            .to_str()
            .map_err(|_| Problem::unknown_cursor())
            .and_then(cursor::parse)
            .map(Some),
        None => after.as_deref().map(cursor::parse).transpose(),
    }
}

struct Stream {
    api: SharedApi,
    wanted: Subscription,
    /// Everything up to here was looked at, and written if it was wanted.
    after: u64,
    bell: watch::Receiver<()>,
    writer: Writer,
    sign_at: Instant,
}

impl Stream {
    async fn run(mut self, first: Option<Events>, farewell: Farewell, leave: Leave) {
        let stopping = self.api.state.stopping.clone();
        let ended = select! {
            ended = self.tell(first) => ended,
            () = farewell.said() => Ended::Softly,
            // The next one to ask is told.
            () = leave.ended() => Ended::Softly,
            () = stopping.cancelled() => Ended::Softly,
        };
        if let Ended::Softly = ended {
            self.writer.end().await;
        }
    }

    /// Ended between two pages only: what is half written here is not, since a page is written at once.
    async fn tell(&mut self, first: Option<Events>) -> Ended {
        if self
            .write(format!("retry: 1000\nid: {}\n\n", self.after))
            .await
            .is_err()
        {
            return Ended::Gone;
        }
        let mut page = first;
        loop {
            let events = match page.take() {
                Some(events) => events,
                None => {
                    self.bell.mark_unchanged();
                    match cursor::page(&*self.api.state.outbox, Some(self.after), PAGE).await {
                        Ok(events) => events,
                        Err(_) => return Ended::Softly, // the next one to ask is told
                    }
                }
            };
            if self.pass_on(&events).await.is_err() {
                return Ended::Gone;
            }
            if events.next >= events.newest && self.wait().await.is_err() {
                return Ended::Gone;
            }
        }
    }

    async fn pass_on(&mut self, events: &Events) -> Result<(), Gone> {
        let wanted = events.items.iter().filter(|kept| events::fits(&self.wanted, kept));
        let text: String = wanted.map(frame).collect();
        self.after = events.next;
        if text.is_empty() {
            Ok(())
        } else {
            self.write(text).await
        }
    }

    /// Until there may be something; gives a sign when it is time for one.
    async fn wait(&mut self) -> Result<(), Gone> {
        let sign = select! {
            changed = self.bell.changed() => {
                // What many commits ring for is looked at together; and nobody rings any more once it is gone.
                sleep(if changed.is_ok() { LOOK_LATER } else { LOOK_EVERY }).await;
                false
            }
            () = sleep(LOOK_EVERY) => false,
            () = sleep_until(self.sign_at) => true,
            () = self.writer.gone() => return Err(Gone),
        };
        if sign {
            // An id without data tells nothing, and moves `Last-Event-ID` on past what was not wanted.
            self.write(format!(": here\nid: {}\n\n", self.after)).await?;
        }
        Ok(())
    }

    async fn write(&mut self, text: String) -> Result<(), Gone> {
        self.sign_at = Instant::now() + SIGN_EVERY;
        self.writer.write(text).await
    }
}

enum Ended {
    Softly,
    Gone,
}

/// JSON on one line, as SSE needs it: `to_string` writes no line break.
fn frame(kept: &KeptEvent) -> String {
    let (kind, body) = (kept.event.kind.as_str(), kept.body());
    format!("id: {}\nevent: {kind}\ndata: {body}\n\n", kept.position)
}
