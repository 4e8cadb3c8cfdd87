//! The two bodies that the idle clock watches.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    clock::{Uploading, Wait},
    timer::Timer,
};
use crate::BoxError;

pin_project! {
    /// A request's body that tells the clock when the backend takes a piece, and when the client has to send.
    #[derive(Debug)]
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        uploading: Option<Uploading>,
    }
}

pin_project! {
    /// A response's body that ends with an error when the backend falls silent.
    ///
    /// The error is a [`Refusal::RequestTimeout`](crate::refusal::Refusal::RequestTimeout). The clock does not run
    /// while nobody polls.
    #[derive(Debug)]
    pub struct TimeoutBody<B> {
        #[pin]
        inner: B,
        wait: Option<Wait>,
        // That of the request; most answers are there when they are asked for.
        timer: Timer,
        expired: bool,
    }
}

// === impl WatchedBody ===

impl<B> WatchedBody<B> {
    pub(super) fn new(inner: B, uploading: Option<Uploading>) -> Self {
        Self { inner, uploading }
    }

    /// The body that is watched.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> Body for WatchedBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let Some(uploading) = this.uploading {
            if polled.is_pending() { uploading.pause() } else { uploading.restart() }
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

// === impl TimeoutBody ===

impl<B> TimeoutBody<B> {
    pub(super) fn new(inner: B, wait: Option<Wait>, timer: Timer) -> Self {
        Self { inner, wait, timer, expired: false }
    }
}

impl<B> Body for TimeoutBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.project();
        if *this.expired {
            return Poll::Ready(None);
        }
        let polled = this.inner.poll_frame(cx);
        let Some(wait) = this.wait else { return polled.map_err(Into::into) };
        if polled.is_ready() {
            wait.end();
            return polled.map_err(Into::into);
        }
        let first = wait.begin();
        let refusal = ready!(wait.poll_expired(cx, this.timer.by(first)));
        *this.expired = true;
        Poll::Ready(Some(Err(refusal.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.expired || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: From<Bytes>> From<Bytes> for TimeoutBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::new(B::from(bytes), None, Timer::default())
    }
}
