//! Reads a request's body within its bounds.
//!
//! Over the limit the rest is read and thrown away for a while, since a sender that is still
//! writing would not see the answer.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::config::settings::Limits;

/// How much of a body over the limit is kept.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;

/// What all bodies at the door may take of memory at once: without it, connections times streams times the limit.
const ROOM_BYTES: usize = 256 << 20;

/// The memory for bodies; what was taken of it comes back when the request is answered.
#[derive(Clone)]
pub struct Room(Arc<Semaphore>);

/// A part of it.
#[derive(Default)]
pub struct Taken(Option<OwnedSemaphorePermit>);

impl Room {
    /// All of it.
    pub fn new() -> Self {
        Room::of(ROOM_BYTES)
    }

    fn of(bytes: usize) -> Self {
        Room(Arc::new(Semaphore::new(bytes)))
    }

    /// Takes so much more; says whether there was as much.
    fn take(&self, bytes: usize, taken: &mut Taken) -> bool {
        let more = u32::try_from(bytes).ok();
        let more = more.and_then(|bytes| self.0.clone().try_acquire_many_owned(bytes).ok());
        match (&mut taken.0, more) {
            (_, None) => return false,
            (Some(held), Some(more)) => held.merge(more),
            (held @ None, more) => *held = more,
        }
        true
    }
}

/// What came. No `Debug`: what came unsealed would stand in it.
#[derive(PartialEq, Eq)]
pub enum Collected {
    /// All of it.
    Whole(Bytes),
    /// More than the limit: the first part, and how many bytes were seen (or announced).
    TooLarge {
        /// At most 64 KiB.
        first: Bytes,
        /// The larger of what came and what `Content-Length` announced.
        bytes: u64,
    },
    /// The deadline passed: what had come by then.
    TooSlow(Bytes),
    /// Its framing makes no sense: what had come by then.
    Malformed(Bytes),
    /// The sender hung up; nobody is there to be answered.
    Broken,
    /// Other bodies have taken all the room.
    NoRoom,
}

/// Collects `body` under `limits`; `announced` is its `Content-Length`, if it has one. The body's memory is `room`'s
/// until the second value is dropped.
pub async fn collect(body: Body, announced: Option<u64>, limits: &Limits, room: &Room) -> (Collected, Taken) {
    let mut held = Taken::default();
    let collected = fill(body, announced, limits, |bytes| room.take(bytes, &mut held)).await;
    (collected, held)
}

async fn fill(
    mut body: Body,
    announced: Option<u64>,
    limits: &Limits,
    mut take: impl FnMut(usize) -> bool,
) -> Collected {
    let deadline = Instant::now() + limits.body;
    // It grows with what comes, not with what is announced.
    let mut taken = BytesMut::new();
    loop {
        match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => return Collected::TooSlow(taken.freeze()),
            Ok(None) => return Collected::Whole(taken.freeze()),
            Ok(Some(Err(error))) if is_malformed(&error) => return Collected::Malformed(taken.freeze()),
            Ok(Some(Err(_))) => return Collected::Broken,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default(); // trailers say nothing to us
                if !take(data.len()) {
                    return Collected::NoRoom;
                }
                taken.extend_from_slice(&data);
            }
        }
        if taken.len() > limits.body_bytes_max {
            return throw_away_rest(body, taken, announced, limits).await;
        }
    }
}

/// Hyper says of chunks that make no sense that they are invalid, and of a hang-up that something is missing.
fn is_malformed(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData);
        }
        next = error.source();
    }
    false
}

async fn throw_away_rest(mut body: Body, mut taken: BytesMut, announced: Option<u64>, limits: &Limits) -> Collected {
    let deadline = Instant::now() + limits.drain.min(Duration::from_secs(60));
    let mut seen = taken.len();
    while seen < limits.drain_bytes_max
        && let Ok(Some(Ok(frame))) = tokio::time::timeout_at(deadline, body.frame()).await
    {
        seen += frame.data_ref().map_or(0, Bytes::len);
    }
    taken.truncate(KEPT_OF_TOO_LARGE);
    Collected::TooLarge {
        first: taken.freeze(),
        bytes: announced.unwrap_or(0).max(seen as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        handshake: Duration::from_secs(60),
        first_request: Duration::from_secs(60),
        idle: Duration::from_secs(60),
        body: Duration::from_secs(60),
        body_bytes_max: 1_000,
        drain_bytes_max: 0,
        drain: Duration::from_secs(60),
        connections_max: 1,
        connection_age: Duration::from_secs(60),
        answer: Duration::from_secs(60),
        stop: Duration::from_secs(60),
    };

    #[tokio::test]
    async fn bodies_share_their_room_and_give_it_back() {
        let room = Room::of(1_500);
        let body = || Body::from(vec![b'x'; 1_000]);
        let first = collect(body(), None, &LIMITS, &room).await;
        assert!(matches!(first.0, Collected::Whole(_)));
        assert!(collect(body(), None, &LIMITS, &room).await.0 == Collected::NoRoom);

        drop(first);
        assert!(matches!(
            collect(body(), None, &LIMITS, &room).await.0,
            Collected::Whole(_)
        ));
    }
}
