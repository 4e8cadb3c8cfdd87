//! The request's body, counted.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::sync::oneshot;

use crate::BoxError;

pin_project! {
    /// A request body that breaks with [`LimitExceeded`] when it becomes too long.
    #[derive(Debug)]
    pub struct LimitedBody<B> {
        #[pin]
        inner: B,
        // Only where there is a body, and boxed: a request without one has less to move.
        count: Option<Box<Count>>,
    }
}

#[derive(Debug)]
struct Count {
    limit: u64,
    remaining: u64,
    exceeds: Option<oneshot::Sender<()>>,
}

/// The error of a [`LimitedBody`] that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitExceeded {
    limit: u64,
}

// === impl LimitedBody ===

impl<B> LimitedBody<B> {
    pub(super) fn new(inner: B, limit: u64, exceeds: Option<oneshot::Sender<()>>) -> Self
    where
        B: Body,
    {
        let count = (!inner.is_end_stream()).then(|| Box::new(Count { limit, remaining: limit, exceeds }));
        Self { inner, count }
    }

    /// The body without its limit.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> Body for LimitedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx)).transpose().map_err(Into::<BoxError>::into)?;
        let Some(frame) = frame else { return Poll::Ready(None) };
        let Some(count) = this.count else { return Poll::Ready(Some(Ok(frame))) };
        let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        if let Some(remaining) = count.remaining.checked_sub(length) {
            count.remaining = remaining;
            return Poll::Ready(Some(Ok(frame)));
        }
        // Whoever goes on reading gets no further piece either, however small.
        count.remaining = 0;
        if let Some(exceeds) = count.exceeds.take() {
            // Nobody listens any more once the head of the answer is out.
            let _ = exceeds.send(());
        }
        Poll::Ready(Some(Err(LimitExceeded { limit: count.limit }.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    // The limit is no upper bound to tell: with nothing remaining, an unknown length would become a known one.
    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

// === impl LimitExceeded ===

impl LimitExceeded {
    /// How many bytes are allowed.
    pub fn limit(&self) -> u64 {
        self.limit
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request body is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for LimitExceeded {}
