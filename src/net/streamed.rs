//! An answer of unknown length keeps its request in flight until its last byte: its connection is not idle.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::Response;
use hyper::body::{Frame, SizeHint};

use super::lifetime::Asked;

/// The answer; if its length is not known, `asked` is over only when the body is.
/// One of known length is over at once: a peer that does not read it is idle.
pub(super) fn held(answer: Response<Body>, asked: Asked) -> Response<Body> {
    if answer.body().size_hint().exact().is_some() {
        return answer;
    }
    answer.map(|body| Body::new(Held { body, _asked: asked }))
}

struct Held {
    body: Body,
    _asked: Asked,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
