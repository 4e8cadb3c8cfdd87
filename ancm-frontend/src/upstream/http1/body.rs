//! An answer's body, read straight from the socket.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ancm_tower::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use tokio::net::tcp::OwnedWriteHalf;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Http1Connection,
    head::Framing,
    pump::{Pump, PumpError},
    wire::{Stream, Wire},
};
use crate::{
    http1::{
        chunked::{Chunked, Step},
        piece::Piece,
        pipe::{self, Moved},
        room::take,
    },
    upstream::Reclaim,
};

/// An answer's body, and the connection that it comes by.
pub struct Http1Body {
    wire: Option<Wire>,
    /// Sends what is left of the request; ends with the body.
    sending: Option<AbortOnDropHandle<Result<(), PumpError>>>,
    framing: Framing,
    keep_alive: bool,
}

// === impl Http1Body ===

impl Http1Body {
    pub(super) fn new(wire: Wire, framing: Framing, keep_alive: bool) -> Self {
        Self { wire: Some(wire), sending: None, framing, keep_alive }
    }

    /// The answer came before the whole of the request was sent: goes on sending while it is read, and not.
    pub(super) fn sending<B>(wire: Wire, pump: Pump<B>, framing: Framing) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (wire, write) = wire.split();
        let sending = write.map(|write| AbortOnDropHandle::new(tokio::spawn(send(pump, write))));
        // Kestrel resets such a connection some seconds later.
        Self { wire: Some(wire), sending, framing, keep_alive: false }
    }

    pub(super) fn take_wire(&mut self) -> Option<Wire> {
        self.wire.take()
    }

    fn is_done(&self) -> bool {
        matches!(self.framing, Framing::Length(0) | Framing::Chunked(Chunked::Done))
    }

    /// Breaks off when the request has.
    fn check_sending(&mut self, context: &mut Context<'_>) -> Result<(), BoxError> {
        let Some(sending) = &mut self.sending else { return Ok(()) };
        let Poll::Ready(sent) = Pin::new(sending).poll(context) else { return Ok(()) };
        self.sending = None;
        match sent {
            Ok(Err(PumpError::Body(error))) => Err(error),
            Err(error) => Err(error.into()),
            // The backend wants no more of the request; its answer may be whole all the same.
            Ok(Ok(()) | Err(PumpError::Write)) => Ok(()),
        }
    }

    /// Takes what has come of a large body into a pipe, if that will do as well.
    fn poll_piped(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Moved>> {
        match (&mut self.framing, &self.wire) {
            (Framing::Length(left), Some(Wire { stream: Stream::Whole(stream), .. }))
                if *left >= pipe::LEAST as u64 && pipe::is_offered() =>
            {
                let moved = ready!(pipe::poll_take(stream, context, *left))?;
                if let Moved::Piped(piped) = &moved {
                    *left -= piped.len() as u64;
                }
                Poll::Ready(Ok(moved))
            }
            _ => Poll::Ready(Ok(Moved::Unable)),
        }
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
                Ok(Step::Data(take(&mut wire.read, length)))
            }
            Framing::Chunked(chunked) => Ok(chunked.step(&mut wire.read)?),
            Framing::Close => Ok(Step::Data(take(&mut wire.read, buffered))),
        }
    }
}

/// Sends what is left of a request.
async fn send<B>(mut pump: Pump<B>, mut write: OwnedWriteHalf) -> Result<(), PumpError>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    let sent = poll_fn(|context| pump.poll(context, &mut write)).await;
    // To drop it would be to half-close, which Kestrel takes for the end of everything.
    write.forget();
    sent
}

impl Reclaim for Http1Body {
    type Connection = Http1Connection;

    fn reclaim(&mut self) -> Option<Http1Connection> {
        let wire = self.wire.take()?;
        // Bytes that nobody has asked for belong to no answer.
        let reusable = self.keep_alive && self.sending.is_none() && self.is_done() && wire.read.is_empty();
        reusable.then(|| Http1Connection::idle(wire))
    }
}

impl Body for Http1Body {
    type Data = Piece;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, BoxError>>> {
        let this = &mut *self;
        this.check_sending(context)?;
        loop {
            match this.step()? {
                Step::Data(data) => return Poll::Ready(Some(Ok(Frame::data(data.into())))),
                Step::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Step::End => return Poll::Ready(None),
                Step::More => {}
            }
            let is_end = match ready!(this.poll_piped(context))? {
                Moved::Piped(piped) => return Poll::Ready(Some(Ok(Frame::data(piped.into())))),
                Moved::End => true,
                Moved::Unable => {
                    let Some(wire) = &mut this.wire else { return Poll::Ready(None) };
                    ready!(wire.poll_fill(context))? == 0
                }
            };
            if is_end {
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

impl fmt::Debug for Http1Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1Body").field("framing", &self.framing).finish_non_exhaustive()
    }
}
