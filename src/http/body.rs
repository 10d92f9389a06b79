//! Reads a request's body within its bounds.
//!
//! Over the limit the rest is read and thrown away for a while, since a sender that is still
//! writing would not see the answer.

use std::io::ErrorKind;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::config::settings::Limits;

/// How much of a body over the limit is kept.
const KEPT_OF_TOO_LARGE: usize = 64 * 1024;

/// What came.
#[derive(Debug, PartialEq, Eq)]
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
}

/// Collects `body` under `limits`; `announced` is its `Content-Length`, if it has one.
pub async fn collect(mut body: Body, announced: Option<u64>, limits: &Limits) -> Collected {
    let deadline = Instant::now() + limits.body;
    let mut taken = BytesMut::with_capacity(first_allocation(announced, limits));
    loop {
        match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => return Collected::TooSlow(taken.freeze()),
            Ok(None) => return Collected::Whole(taken.freeze()),
            Ok(Some(Err(error))) if is_malformed(&error) => return Collected::Malformed(taken.freeze()),
            Ok(Some(Err(_))) => return Collected::Broken,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default(); // trailers say nothing to us
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

fn first_allocation(announced: Option<u64>, limits: &Limits) -> usize {
    let announced = usize::try_from(announced.unwrap_or(0)).unwrap_or(usize::MAX);
    announced.min(limits.body_bytes_max).min(16 * 1024)
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
