//! Answers that wait for their readers: what all of them may hold of memory at once.
//!
//! Whoever asks and does not read (an HTTP/2 window of nought does it) leaves his answer with us. So one that is longer than a
//! frame is handed over in frames, of which the connection takes the next only when the last has gone, and has its
//! share of the room until it is read or given up. When there is none left, whoever asks for more than a frame is told
//! to come again; health and other short answers go on. An answer of unknown length (a stream, an export) is made as
//! it is read, a page at a time, and there is a bound to how many are open.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// What all answers together may hold.
const ROOM_BYTES: usize = 64 << 20;
/// What a connection takes at once. So much of each is bounded by how many there may be: connections times streams.
const FRAME_BYTES: usize = 16 * 1024;

/// The memory for answers; a share comes back when its answer is read, or nobody is there any more to read it.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Room {
    pub(super) fn new() -> Self {
        Room::of(ROOM_BYTES)
    }

    fn of(bytes: usize) -> Self {
        Room(Arc::new(Semaphore::new(bytes)))
    }

    /// The same answer, a long one in frames and with its share; `None` if there is no room for it.
    fn hold(&self, answer: Response) -> Option<Response> {
        let Some(bytes) = answer
            .body()
            .size_hint()
            .exact()
            .filter(|bytes| *bytes > FRAME_BYTES as u64)
        else {
            return Some(answer);
        };
        let bytes = u32::try_from(bytes).ok()?;
        let share = self.0.clone().try_acquire_many_owned(bytes).ok()?;
        let held = |body| Held {
            body,
            rest: Bytes::new(),
            _share: share,
        };
        Some(answer.map(|body| Body::new(held(body))))
    }
}

/// Answers only what there is room for.
pub(super) async fn bounded(State(room): State<Room>, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let no_room = || Problem::busy("too many answers wait to be read: try again").into_response();
    room.hold(answer).unwrap_or_else(no_room)
}

struct Held {
    body: Body,
    /// What of the last chunk has not been taken.
    rest: Bytes,
    _share: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                ended => return Poll::Ready(ended),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        let taken = self.rest.len().min(FRAME_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(taken)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn answer(bytes: usize) -> Response {
        Body::from(vec![b'x'; bytes]).into_response()
    }

    #[tokio::test]
    async fn an_answer_comes_whole_in_frames_and_of_known_length() {
        let long = 2 * FRAME_BYTES + 5;
        let mut held = Room::of(long).hold(answer(long)).expect("room").into_body();
        assert_eq!(held.size_hint().exact(), Some(long as u64));
        let mut came = Vec::new();
        while let Some(frame) = held.frame().await {
            came.push(frame.expect("a frame").into_data().expect("data").len());
            assert_eq!(
                held.size_hint().exact(),
                Some((long - came.iter().sum::<usize>()) as u64)
            );
        }
        assert_eq!(came, [FRAME_BYTES, FRAME_BYTES, 5]);
        assert!(held.is_end_stream());
    }

    #[tokio::test]
    async fn what_nobody_reads_fills_the_room_until_it_is_given_up_and_short_answers_need_none() {
        let room = Room::of(3 * FRAME_BYTES);
        let unread = room.hold(answer(2 * FRAME_BYTES)).expect("room");
        assert!(room.hold(answer(2 * FRAME_BYTES)).is_none());
        assert!(room.hold(answer(FRAME_BYTES)).is_some());
        drop(unread);
        assert!(room.hold(answer(2 * FRAME_BYTES)).is_some());
    }
}
