//! Sends a request: its head, and its body as it comes.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http_body::Body;

use crate::http1::{
    outgoing::{Framing, Outgoing},
    recipient::Recipient,
    turn::{self, TURN},
};

/// Sends what is left of a request.
pub(super) struct Pump<B> {
    /// `None` once it has been sent whole; boxed, because it outlives the exchange in which it began.
    body: Option<Pin<Box<B>>>,
    message: Outgoing,
}

/// Why a request could not be sent.
#[derive(Debug)]
pub(super) enum PumpError {
    /// Its body broke off.
    Body(BoxError),
    /// The connection did; what is to be read of it may still be whole.
    Write,
}

// === impl Pump ===

impl<B> Pump<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Sends this head, then the body: of this length, or in chunks.
    pub(super) fn new(head: Vec<u8>, body: Option<Pin<Box<B>>>, length: Option<u64>) -> Self {
        let framing = length.map_or(Framing::Chunked, Framing::Length);
        Self { body, message: Outgoing::new(head, framing) }
    }

    /// Whether even one byte has been written.
    pub(super) fn has_begun(&self) -> bool {
        self.message.has_begun()
    }

    /// The buffer, to be used again.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        self.message.take_buffer()
    }

    /// Sends as much as can be sent now; ready when all of it has been.
    pub(super) fn poll<W: Recipient>(
        &mut self,
        context: &mut Context<'_>,
        stream: &mut W,
    ) -> Poll<Result<(), PumpError>> {
        let begun = self.message.count();
        loop {
            // A body that is there already goes out with the head, in one call.
            let mut waiting = false;
            while self.message.has_room() && !waiting {
                waiting = self.poll_body(context)?.is_pending();
            }
            ready!(self.message.poll_write(context, stream)).map_err(|_| PumpError::Write)?;
            if self.message.has_ended() {
                return Poll::Ready(Ok(()));
            }
            if waiting {
                return Poll::Pending;
            }
            if self.message.count() - begun >= TURN {
                turn::end(context);
                return Poll::Pending;
            }
        }
    }

    /// Takes the next piece of the body.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        let Some(body) = self.body.as_mut() else {
            return Poll::Ready(self.message.end(None).map_err(PumpError::body));
        };
        let frame = match ready!(body.as_mut().poll_frame(context)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Err(PumpError::Body(error.into()))),
            None => return Poll::Ready(self.end(None)),
        };
        // Asked now: the next poll might have to wait for an end that is known already.
        let last = body.is_end_stream();
        Poll::Ready(match frame.into_data() {
            Ok(data) => {
                let taken = self.message.data(data).map_err(PumpError::body);
                if last { taken.and_then(|()| self.end(None)) } else { taken }
            }
            Err(frame) => self.end(frame.into_trailers().ok().as_ref()),
        })
    }

    fn end(&mut self, trailers: Option<&http::HeaderMap>) -> Result<(), PumpError> {
        self.body = None;
        self.message.end(trailers).map_err(PumpError::body)
    }
}

impl<B> fmt::Debug for Pump<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump").field("message", &self.message).finish_non_exhaustive()
    }
}

// === impl PumpError ===

impl PumpError {
    fn body(problem: &'static str) -> Self {
        Self::Body(problem.into())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    #[test]
    fn lets_others_have_their_turn_in_the_middle_of_a_large_body() {
        let piece = Bytes::from(vec![b'x'; usize::try_from(TURN / 4).unwrap()]);
        let pieces = (0..10).map(move |_| Ok::<_, Infallible>(Frame::data(piece.clone())));
        let body = Box::pin(StreamBody::new(futures_util::stream::iter(pieces)));
        let mut pump = Pump::new(Vec::new(), Some(body), Some(TURN / 4 * 10));
        let mut task = tokio_test::task::spawn(());
        let mut turns = 1;
        while task.enter(|context, _| pump.poll(context, &mut tokio::io::sink())).is_pending() {
            assert!(task.is_woken(), "it would never go on");
            turns += 1;
        }
        assert_eq!(turns, 3);
    }
}
