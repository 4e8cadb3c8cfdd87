//! The two bodies whose bytes are counted.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tracing::Span;

use super::record::Watch;
use crate::BoxError;

pin_project! {
    /// A request's body whose bytes are counted, if there is anybody to tell.
    #[derive(Debug)]
    pub struct CountedBody<B> {
        #[pin]
        inner: B,
        taken: Option<Arc<AtomicU64>>,
    }
}

pin_project! {
    /// A response's body whose end is logged.
    #[derive(Debug)]
    pub struct TraceBody<B> {
        #[pin]
        inner: B,
        // None once the end has been logged.
        watch: Option<Watch>,
        span: Span,
    }
}

// === impl CountedBody ===

impl<B> CountedBody<B> {
    pub(super) fn new(inner: B, taken: Option<Arc<AtomicU64>>) -> Self {
        Self { inner, taken }
    }
}

impl<B> Body for CountedBody<B>
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
        let polled = ready!(this.inner.poll_frame(cx));
        if let (Some(taken), Some(Ok(frame))) = (this.taken, &polled) {
            taken.fetch_add(length(frame), Ordering::Relaxed);
        }
        Poll::Ready(polled.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

// === impl TraceBody ===

impl<B> TraceBody<B> {
    pub(super) fn new(inner: B, watch: Option<Watch>, span: Span) -> Self {
        Self { inner, watch, span }
    }
}

impl<B> Body for TraceBody<B>
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
        let mut this = self.project();
        let polled = ready!(this.span.in_scope(|| this.inner.as_mut().poll_frame(cx)));
        let polled = polled.map(|frame| frame.map_err(Into::into));
        if let Some(watch) = this.watch {
            let over = match &polled {
                Some(Ok(frame)) => {
                    watch.sent(length(frame));
                    // A server need not ask again for an end that it knows of.
                    this.inner.is_end_stream()
                }
                Some(Err(error)) => {
                    watch.cut(error);
                    true
                }
                None => true,
            };
            if over {
                watch.complete();
                *this.watch = None;
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: From<Bytes>> From<Bytes> for TraceBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::new(B::from(bytes), None, Span::none())
    }
}

fn length<D: Buf>(frame: &Frame<D>) -> u64 {
    frame.data_ref().map_or(0, |data| data.remaining() as u64)
}
