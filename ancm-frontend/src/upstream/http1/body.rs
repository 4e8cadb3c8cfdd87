//! An answer's body, read straight from the socket.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    Http1Connection, Wire,
    chunked::{Chunked, Step},
    head::Framing,
    pump::{Pump, PumpError},
};
use crate::upstream::Reclaim;

/// An answer's body, the connection that it comes by, and what is left of the request to send.
pub struct Http1Body<B> {
    wire: Option<Wire>,
    pump: Option<Pump<B>>,
    framing: Framing,
    keep_alive: bool,
}

// === impl Http1Body ===

impl<B> Http1Body<B> {
    pub(super) fn new(wire: Wire, pump: Option<Pump<B>>, framing: Framing, keep_alive: bool) -> Self {
        Self { wire: Some(wire), pump, framing, keep_alive }
    }

    pub(super) fn take_wire(&mut self) -> Option<Wire> {
        self.wire.take()
    }

    fn is_done(&self) -> bool {
        matches!(self.framing, Framing::Length(0) | Framing::Chunked(Chunked::Done))
    }
}

impl<B> Http1Body<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Goes on sending the request while its answer comes.
    fn pump(&mut self, context: &mut Context<'_>) -> Result<(), BoxError> {
        let (Some(pump), Some(wire)) = (&mut self.pump, &mut self.wire) else { return Ok(()) };
        match pump.poll(context, &mut wire.stream) {
            Poll::Pending => return Ok(()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(PumpError::Body(error))) => return Err(error),
            // The backend wants no more of the request; its answer may be whole all the same.
            Poll::Ready(Err(PumpError::Write)) => self.keep_alive = false,
        }
        self.pump = None;
        Ok(())
    }

    /// What the buffer holds of the body.
    fn step(&mut self) -> Result<Step, BoxError> {
        let Some(wire) = &mut self.wire else { return Ok(Step::End) };
        let buffered = wire.read.len();
        match &mut self.framing {
            Framing::Length(0) => Ok(Step::End),
            Framing::Length(_) | Framing::Close if buffered == 0 => Ok(Step::More),
            Framing::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(buffered);
                *left -= length as u64;
                Ok(Step::Data(wire.read.split_to(length).freeze()))
            }
            Framing::Chunked(chunked) => Ok(chunked.step(&mut wire.read)?),
            Framing::Close => Ok(Step::Data(wire.read.split().freeze())),
        }
    }
}

impl<B> Reclaim for Http1Body<B>
where
    B: Send + 'static,
{
    type Connection = Http1Connection;

    fn reclaim(&mut self) -> Option<Http1Connection> {
        let wire = self.wire.take()?;
        // Bytes that nobody has asked for belong to no answer.
        let reusable = self.keep_alive && self.pump.is_none() && self.is_done() && wire.read.is_empty();
        reusable.then(|| Http1Connection::idle(wire))
    }
}

impl<B> Body for Http1Body<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.pump(context)?;
        loop {
            match this.step()? {
                Step::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Step::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Step::End => return Poll::Ready(None),
                Step::More => {}
            }
            let Some(wire) = &mut this.wire else { return Poll::Ready(None) };
            if ready!(wire.poll_fill(context))? == 0 {
                return Poll::Ready(match this.framing {
                    Framing::Close => {
                        this.framing = Framing::Length(0);
                        None
                    }
                    _ => Some(Err("the application ended its answer too early".into())),
                });
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(left),
            _ => SizeHint::default(),
        }
    }
}

impl<B> fmt::Debug for Http1Body<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1Body").field("framing", &self.framing).finish_non_exhaustive()
    }
}
