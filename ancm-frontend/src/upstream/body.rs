//! Bodies on the way to a backend and back.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{hop, pool::Pool};
use crate::{dispatch::Ticket, http1::piece::Piece};

/// Whether a request's body has been sent whole; a request without one has nothing to wait for.
#[derive(Clone, Debug, Default)]
pub struct Sent(Option<Arc<AtomicBool>>);

pin_project! {
    /// A request's body on its way to the backend.
    pub struct SentBody<B> {
        #[pin]
        inner: B,
        sent: Sent,
        abandon: CancellationToken,
        #[pin]
        abandoned: Option<WaitForCancellationFutureOwned>,
    }
}

/// A body that gives its connection back when it has ended well.
pub trait Reclaim: Unpin {
    /// What carries the exchange.
    type Connection: Send + 'static;
    /// The connection, if the answer has been read to its end and another request may follow.
    fn reclaim(&mut self) -> Option<Self::Connection>;
}

pin_project! {
    /// An answer's body: the backend's, or one of ours.
    pub struct UpstreamBody<T: Reclaim> {
        #[pin]
        kind: Kind<T>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<T: Reclaim> {
        Ours { data: Option<Bytes> },
        Theirs { #[pin] body: T, reusable: bool, ticket: Option<Ticket> },
    }
}

// === impl Sent ===

impl Sent {
    fn of<B: Body>(body: &B) -> Self {
        Self((!body.is_end_stream()).then(|| Arc::new(AtomicBool::new(false))))
    }

    /// Whether nothing of the body is left to send.
    pub fn whole(&self) -> bool {
        self.0.as_ref().is_none_or(|sent| sent.load(Relaxed))
    }

    fn finish(&self) {
        if let Some(sent) = &self.0 {
            sent.store(true, Relaxed);
        }
    }
}

// === impl SentBody ===

impl<B: Body> SentBody<B> {
    /// Watches over `inner`; it is cut when `abandon` is cancelled.
    pub fn new(inner: B, abandon: &CancellationToken) -> (Self, Sent) {
        let sent = Sent::of(&inner);
        (Self { inner, sent: sent.clone(), abandon: abandon.clone(), abandoned: None }, sent)
    }

    /// The body as it came.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B> Body for SentBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        match this.inner.as_mut().poll_frame(context) {
            Poll::Ready(Some(Ok(mut frame))) => {
                this.abandoned.set(None);
                if let Some(trailers) = frame.trailers_mut() {
                    hop::prepare_trailers(trailers);
                }
                if this.inner.is_end_stream() {
                    this.sent.finish();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => {
                this.sent.finish();
                Poll::Ready(None)
            }
            Poll::Pending => {
                // Only an upload that waits for its client pays for this.
                if this.abandoned.is_none() {
                    this.abandoned.set(Some(this.abandon.clone().cancelled_owned()));
                }
                match this.abandoned.as_pin_mut().map(|abandoned| abandoned.poll(context)) {
                    Some(Poll::Ready(())) => {
                        Poll::Ready(Some(Err("the application is being stopped".into())))
                    }
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for SentBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentBody").field("sent", &self.sent).finish_non_exhaustive()
    }
}

// === impl UpstreamBody ===

impl<T: Reclaim> UpstreamBody<T> {
    /// The backend's body; its connection goes back to the pool of the ticket's process, unless the answer came
    /// before the whole of the request was sent: Kestrel resets such a connection some seconds later.
    pub(super) fn theirs(body: T, sent: &Sent, ticket: Ticket) -> Self
    where
        T: Body,
    {
        let (mut body, reusable, mut ticket) = (body, sent.whole(), Some(ticket));
        if body.is_end_stream() {
            // Nobody polls a body that has nothing to give.
            finish(&mut body, reusable, &mut ticket);
        }
        Self { kind: Kind::Theirs { body, reusable, ticket } }
    }
}

impl<T: Reclaim> From<Bytes> for UpstreamBody<T> {
    fn from(data: Bytes) -> Self {
        Self { kind: Kind::Ours { data: Some(data).filter(|data| !data.is_empty()) } }
    }
}

impl<T> Body for UpstreamBody<T>
where
    T: Body<Data: Into<Piece>> + Reclaim,
    T::Error: Into<BoxError>,
{
    type Data = Piece;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Ours { data } => Poll::Ready(data.take().map(|data| Ok(Frame::data(data.into())))),
            KindProj::Theirs { mut body, reusable, ticket } => {
                let frame = body.as_mut().poll_frame(context).map_err(Into::into);
                let ended = match &frame {
                    Poll::Ready(None) => true,
                    Poll::Ready(Some(Ok(_))) => body.is_end_stream(),
                    _ => false,
                };
                if let (Poll::Ready(Some(Err(_))), Some(ticket)) = (&frame, &*ticket) {
                    ticket.backend().broke();
                }
                if ended {
                    finish(body.get_mut(), *reusable, ticket);
                }
                frame.map_ok(|frame| frame.map_data(Into::into))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Ours { data } => data.is_none(),
            Kind::Theirs { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Ours { data } => SizeHint::with_exact(data.as_ref().map_or(0, |data| data.len() as u64)),
            Kind::Theirs { body, .. } => body.size_hint(),
        }
    }
}

/// The exchange is over: the connection may serve again, and the request is no longer in flight.
fn finish<T: Reclaim>(body: &mut T, reusable: bool, ticket: &mut Option<Ticket>) {
    let Some(ticket) = ticket.take() else { return };
    if reusable
        && let Some(connection) = body.reclaim()
        && let Some(pool) = ticket.backend().attachment::<Pool<T::Connection>>()
    {
        pool.put(connection);
    }
}

impl<T: Reclaim> fmt::Debug for UpstreamBody<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").finish_non_exhaustive()
    }
}
