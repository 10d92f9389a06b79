//! A body that is written while it is read: a page at a time, never whole in memory.
//!
//! Who reads too slowly is cut off, and whoever writes learns that nobody reads. A body ends whole only when its
//! writer says so: however else it ends, its reader sees that something is missing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::Frame;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

/// How long a reader may take for one page.
const WRITE_WITHIN: Duration = Duration::from_secs(30);

/// Both ends: what is written into the first comes out of the second.
pub(in crate::http) fn flow() -> (Writer, Body) {
    // One page waits while the next is made.
    let (sender, receiver) = mpsc::channel(1);
    (Writer(sender), Body::new(Flow(receiver)))
}

/// Nobody reads any more, or too slowly.
pub(in crate::http) struct Gone;

/// Where the pages go; if it is dropped before its end was said, the body is cut short.
pub(in crate::http) struct Writer(Sender<Option<Bytes>>);

impl Writer {
    /// Returns when there is room for the next page.
    pub(in crate::http) async fn write(&self, page: impl Into<Bytes>) -> Result<(), Gone> {
        match timeout(WRITE_WITHIN, self.0.send(Some(page.into()))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Gone),
            Err(_) => Err(Gone),
        }
    }

    /// That was all: the body is whole.
    pub(in crate::http) async fn end(self) {
        let _ = timeout(WRITE_WITHIN, self.0.send(None)).await; // whoever is gone need not know
    }

    /// Returns once nobody reads any more.
    pub(in crate::http) async fn gone(&self) {
        self.0.closed().await;
    }
}

/// `None` is the end as it should be.
struct Flow(Receiver<Option<Bytes>>);

impl HttpBody for Flow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|page| match page {
            Some(Some(page)) => Some(Ok(Frame::data(page))),
            Some(None) => None,
            None => Some(Err(io::Error::other("cut short"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn a_body_is_whole_only_if_its_writer_says_so() {
        let (writer, body) = flow();
        let writing = async move {
            assert!(writer.write("one").await.is_ok() && writer.write("two").await.is_ok());
            writer.end().await;
        };
        let (whole, ()) = tokio::join!(body.collect(), writing);
        assert_eq!(whole.expect("it was ended").to_bytes(), "onetwo");

        let (writer, body) = flow();
        assert!(writer.write("one").await.is_ok());
        drop(writer);
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn a_writer_learns_that_nobody_reads() {
        let (writer, body) = flow();
        drop(body);
        writer.gone().await;
        assert!(writer.write("one").await.is_err());
    }
}
