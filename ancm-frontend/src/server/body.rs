//! The client's two bodies, as far as the connection's clocks are concerned.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::clocks::{Clocks, Phase};

/// A request's body; it tells the clocks when we wait for the client.
pub struct ClientBody {
    inner: Incoming,
    clocks: Arc<Clocks>,
}

pin_project! {
    /// An answer's body; when it is gone, the request is over.
    pub struct AnswerBody<B> {
        #[pin]
        inner: B,
        length: Length,
        over: Over,
    }
}

/// What hyper is told about the length of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// What the body itself knows.
    Told,
    /// Nothing: then it passes on a `Content-Length` though there is no body.
    Hidden,
}

struct Over(Option<Arc<Clocks>>);

// === impl ClientBody ===

impl ClientBody {
    pub(super) fn new(inner: Incoming, clocks: Arc<Clocks>) -> Self {
        Self { inner, clocks }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        self.clocks.awaits_body(frame.is_pending());
        if let Poll::Ready(Some(Err(_))) = frame {
            self.clocks.break_off();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.clocks.awaits_body(false);
    }
}

impl fmt::Debug for ClientBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientBody").field(&self.inner).finish()
    }
}

// === impl AnswerBody ===

impl<B> AnswerBody<B> {
    /// With clocks, they are told when the body is gone.
    pub(super) fn new(inner: B, length: Length, clocks: Option<Arc<Clocks>>) -> Self {
        Self { inner, length, over: Over(clocks) }
    }
}

impl<B: Body> Body for AnswerBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().inner.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.length == Length::Told && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Length::Told => self.inner.size_hint(),
            Length::Hidden => SizeHint::default(),
        }
    }
}

impl<B> fmt::Debug for AnswerBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerBody").finish_non_exhaustive()
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        if let Some(clocks) = &self.0 {
            clocks.enter(Phase::Idle);
        }
    }
}
